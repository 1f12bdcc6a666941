"""Stands between the gateway and osmo-msc's SMPP port: passes on every octet as it is, tells what the headers say, and can cut the wire."""

import socket
import struct
import threading

BIND_RESPONSES = {0x80000001: "receiver", 0x80000002: "transmitter", 0x80000009: "transceiver"}
SUBMIT_RESPONSE, DELIVER, DELIVER_RESPONSE = 0x80000004, 0x00000005, 0x80000005
UNBIND, UNBIND_RESPONSE, ENQUIRE, ENQUIRE_RESPONSE = 0x06, 0x80000006, 0x15, 0x80000015


class Relay:
    def __init__(self, port, target, tell):
        self.target, self.tell = target, tell
        self.wires = set()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            gateway, _ = self.listener.accept()
            threading.Thread(target=self.carry, args=(gateway,), daemon=True).start()

    def carry(self, gateway):
        smsc = socket.create_connection(self.target)
        for end in (gateway, smsc):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = (gateway, smsc)
        with self.lock:
            self.wires.add(wire)
        what = {}  # what osmo-msc's deliver_sm on this wire were, by sequence number
        threads = [
            threading.Thread(target=self.pump, args=(gateway, smsc, lambda *pdu: self.from_gateway(what, *pdu)), daemon=True),
            threading.Thread(target=self.pump, args=(smsc, gateway, lambda *pdu: self.from_smsc(what, *pdu)), daemon=True),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with self.lock:
            self.wires.discard(wire)
        for end in wire:
            end.close()
        self.tell({"event": "closed"})

    def pump(self, source, sink, seen):
        """Passes on what comes, PDU by PDU, until one end is closed; then closes the other."""
        rest = b""
        try:
            while octets := source.recv(65536):
                rest += octets
                while len(rest) >= 16 and len(rest) >= (length := struct.unpack(">I", rest[:4])[0]):
                    # Told before it is passed on: nothing that follows from it is ever told before it.
                    seen(*struct.unpack(">III", rest[4:16]), rest[16:length])
                    sink.sendall(rest[:length])
                    rest = rest[length:]
        except OSError:
            pass
        hang_up((source, sink))

    def from_gateway(self, what, command, status, sequence, _body):
        if command == DELIVER_RESPONSE:
            self.tell({"event": "acknowledged", "what": what.pop(sequence, None), "id": None, "status": status})
        elif command == UNBIND:
            self.tell({"event": "unbound"})
        elif command == ENQUIRE:
            self.tell({"event": "enquired"})

    def from_smsc(self, what, command, status, sequence, body):
        if command in BIND_RESPONSES:
            system_id = body.split(b"\0")[0].decode(errors="replace")
            name = "bound" if status == 0 else "bind_refused"
            self.tell({"event": name, "system_id": system_id, "bind": BIND_RESPONSES[command], "status": status})
        elif command == SUBMIT_RESPONSE:
            self.tell({"event": "answered", "status": status})
        elif command == DELIVER:
            what[sequence] = "receipt" if b"stat:" in body else "reply"

    def close(self):
        with self.lock:
            wires = list(self.wires)
        for wire in wires:
            hang_up(wire)


def hang_up(wire):
    for end in wire:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # that end was first
