"""An SMSC that stores and forwards: osmo-msc and osmo-hlr, with handsets of ours. What it tells is what the handsets got; README.md lists the words.

usage: python3 osmo-msc.py PORT [PASSWORD]       in a folder of its own, in which it keeps its databases from one life to the next
"""

import ctypes
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import osmo_handset
import osmo_relay

HERE = pathlib.Path(__file__).resolve().parent / "osmo-msc"
PATIENCE = 20
PR_SET_PDEATHSIG = 1
VTY_HLR, VTY_MSC = 4258, 4254
HANDSETS = pathlib.Path("handsets.json")

printing = threading.Lock()


def tell(event):
    with printing:
        print(json.dumps({"at": int(time.time() * 1000), **event}), flush=True)


def host_for(port):
    """An address of this machine that is this SMSC's alone: osmo-hlr's port for osmo-msc can't be chosen."""
    return "127.77.%d.%d" % (port >> 8, port & 255)


def configure(name, host, password):
    secret = "  password " + password if password else ""
    text = (HERE / name).read_text().replace("@HOST@", host).replace("@PASSWORD@\n", secret + "\n" if secret else "")
    pathlib.Path(name).write_text(text)


def die_with_us():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(*command, **environment):
    """A program that ends when we do, however we do; what it says goes to a file of its name."""
    log = open(command[0] + ".log", "ab")
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_us,
                            env={**os.environ, **environment})


def connect(host, port, program):
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection((host, port))
        except ConnectionRefusedError:
            if program.poll() is not None or time.monotonic() > end:
                sys.exit("%s does not listen on %s:%d; see its log" % (program.args[0], host, port))
            time.sleep(0.05)


class Vty:
    """The terminal of osmo-hlr or osmo-msc."""

    def __init__(self, connection):
        self.connection = connection
        self.read()
        self.ask("enable")

    def read(self):
        said = b""
        while not said.rstrip(b" ").endswith((b">", b"#")):
            more = self.connection.recv(65536)
            if not more:
                break
            said += more
        return said.decode(errors="replace")

    def ask(self, command):
        self.connection.sendall(command.encode() + b"\n")
        return self.read()


class Smsc:
    def __init__(self, port, password):
        host = host_for(port)
        configure("hlr.cfg", host, password)
        configure("msc.cfg", host, password)
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", "fakesctp.so", HERE / "fakesctp.c", "-ldl"], check=True)
        self.hlr = start("osmo-hlr", "-c", "hlr.cfg", "-l", "hlr.db")
        self.vty = Vty(connect(host, VTY_HLR, self.hlr))
        self.msc = start("osmo-msc", "-c", "msc.cfg", LD_PRELOAD=os.path.abspath("fakesctp.so"))
        connect(host, 2775, self.msc).close()
        connect(host, 29118, self.msc).close()
        self.mme = osmo_handset.Mme(host, tell)
        self.handsets = {}
        for number in json.loads(HANDSETS.read_text()) if HANDSETS.exists() else []:
            self.turn_on(number)
        self.msc_vty, self.asking = Vty(connect(host, VTY_MSC, self.msc)), threading.Lock()
        self.relay = osmo_relay.Relay(port, (host, 2775), self.happened)
        tell({"event": "listening", "port": port})

    def happened(self, event):
        tell(event)
        # It has looked for messages that wait before any phone was there, and looks again when something else is sent. Not before somebody is bound who
        # hears of it: a receipt that nobody takes at that moment is lost.
        if event["event"] == "bound" and event["bind"] != "transmitter":
            with self.asking:
                self.msc_vty.ask("sms-queue trigger")

    def imsi(self, number):
        return "00101" + number[-10:].rjust(10, "0")

    def new_handset(self, number):
        imsi = self.imsi(number)
        self.vty.ask("subscriber imsi %s create" % imsi)
        said = self.vty.ask("subscriber imsi %s update msisdn %s" % (imsi, number))
        if "Updated" not in said:
            raise RuntimeError("osmo-hlr: " + said)
        self.turn_on(number)
        HANDSETS.write_text(json.dumps(list(self.handsets)))

    def turn_on(self, number):
        self.handsets.setdefault(number, osmo_handset.Handset(self.imsi(number), number))
        self.mme.attach(self.handsets[number])

    def turn_off(self, number):
        self.handsets[number].is_on = False

    def reply(self, order):
        self.mme.reply(self.handsets[order["from"]], order["to"], order["text"])

    def obey(self, order):
        orders = {
            "handset": self.new_handset, "on": self.turn_on, "off": self.turn_off, "reply": self.reply,
            "close": lambda _: self.relay.close(),
        }
        for name, value in order.items():
            orders[name](value)
        tell({"event": "done", "command": order})


def main():
    port, password = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None
    smsc = Smsc(port, password)
    for line in sys.stdin:
        smsc.obey(json.loads(line))


if __name__ == "__main__":
    main()
