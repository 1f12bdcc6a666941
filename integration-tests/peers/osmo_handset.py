"""Handsets in an LTE network: their MME, which speaks SGs to the MSC (3GPP TS 29.118) over fakesctp.c's TCP."""

import socket
import struct
import threading

import osmo_sms as sms

PAGING, SERVICE, DOWN, UP = 0x01, 0x06, 0x07, 0x08
LU_REQUEST, LU_ACCEPT, LU_REJECT, TMSI_COMPLETE = 0x09, 0x0A, 0x0B, 0x0C
RESET, RESET_ACK = 0x15, 0x16
UE_UNREACHABLE = 0x1F
IMSI, LAI, MME_NAME, UPDATE_TYPE, IDENTITY, NAS, SERVICE_INDICATOR, EMM_MODE, CAUSE = 1, 4, 9, 0x0A, 0x0E, 0x16, 0x20, 0x25, 0x08


def element(kind, value):
    return bytes([kind, len(value)]) + value


def elements(message):
    at, found = 1, {}
    while at + 2 <= len(message):
        kind, length = message[at], message[at + 1]
        found.setdefault(kind, message[at + 2:at + 2 + length])
        at += 2 + length
    return found


def identity(imsi):
    """An IMSI as a mobile identity (TS 24.008 §10.5.1.4)."""
    return bytes([int(imsi[0]) << 4 | 0x09]) + sms.semi_octets(imsi[1:])


def mme_name():
    labels = "mmec01.mmegi0001.mme.epc.mnc001.mcc001.3gppnetwork.org".split(".")
    return b"".join(bytes([len(label)]) + label.encode() for label in labels).ljust(55, b"\0")


class Handset:
    def __init__(self, imsi, number):
        self.imsi, self.number = imsi, number
        self.is_on = False
        self.attached = threading.Event()
        self.last_reference = 0


class Mme:
    """One SGs connection for all handsets. `tell` is called with each event."""

    def __init__(self, host, tell):
        self.tell = tell
        self.handsets = {}  # by identity octets
        self.lock = threading.Lock()
        self.socket = socket.create_connection((host, 29118))
        threading.Thread(target=self.listen, daemon=True).start()

    def send(self, kind, *parts):
        message = bytes([kind]) + b"".join(parts)
        with self.lock:
            self.socket.sendall(struct.pack(">I", len(message)) + message)

    def receive(self, length):
        octets = b""
        while len(octets) < length:
            more = self.socket.recv(length - len(octets))
            if not more:
                raise ConnectionError("the MSC closed SGs")
            octets += more
        return octets

    def listen(self):
        try:
            while True:
                self.take(self.receive(struct.unpack(">I", self.receive(4))[0]))
        except OSError as error:
            self.tell({"event": "sgs_ended", "why": str(error)})

    def attach(self, handset):
        """Turns a handset on, and waits until the network has it."""
        handset.is_on = True
        handset.attached.clear()
        self.handsets[identity(handset.imsi)] = handset
        self.send(LU_REQUEST, element(IMSI, identity(handset.imsi)), element(MME_NAME, mme_name()),
                  element(UPDATE_TYPE, b"\x01"), element(LAI, bytes([0, 0xF1, 0x10, 0, 1])))
        if not handset.attached.wait(10):
            raise TimeoutError("the network does not take " + handset.number)

    def reply(self, handset, to, text):
        handset.last_reference = handset.last_reference % 255 + 1
        rp = sms.submit(to, text, handset.last_reference)
        self.up(handset, bytes([0x09, sms.CP_DATA, len(rp)]) + rp)

    def up(self, handset, nas):
        self.send(UP, element(IMSI, identity(handset.imsi)), element(NAS, nas))

    def take(self, message):
        kind, said = message[0], elements(message)
        if kind == RESET:
            self.send(RESET_ACK, element(MME_NAME, mme_name()))
            return
        handset = self.handsets.get(said.get(IMSI))
        if handset is None:
            return
        if kind == LU_ACCEPT:
            if IDENTITY in said:
                self.send(TMSI_COMPLETE, element(IMSI, said[IMSI]))
            handset.attached.set()
        elif kind == LU_REJECT:
            self.tell({"event": "attach_refused", "number": handset.number, "cause": said.get(0x0F, b"").hex()})
        elif kind == PAGING:
            self.paged(handset, said)
        elif kind == DOWN and handset.is_on:
            self.down(handset, said[NAS])

    def paged(self, handset, said):
        if handset.is_on:
            indicator = said.get(SERVICE_INDICATOR, b"\x02")
            self.send(SERVICE, element(IMSI, said[IMSI]), element(SERVICE_INDICATOR, indicator), element(EMM_MODE, b"\0"))
        else:
            self.tell({"event": "paged_in_vain", "to": handset.number})

    def down(self, handset, nas):
        transaction = nas[0] ^ 0x80
        if nas[1] != sms.CP_DATA:
            return
        rp = nas[3:]
        self.up(handset, bytes([transaction, sms.CP_ACK]))
        if rp[0] == sms.RP_DATA_DOWN:
            centre = rp[2]
            tp = rp[5 + centre + rp[3 + centre]:]
            if tp[0] & 3 == sms.STATUS_REPORT:
                self.tell({"event": "status_report", "to": handset.number, "tp": tp.hex()})
            else:
                self.tell({"event": "submit", "answer": "accepted", "id": None, "to": handset.number, **sms.read_deliver(tp)})
            self.up(handset, bytes([transaction, sms.CP_DATA, 2, sms.RP_ACK_UP, rp[1]]))
        elif rp[0] == sms.RP_ACK_DOWN:
            self.tell({"event": "sent", "from": handset.number})
        elif rp[0] == sms.RP_ERROR_DOWN:
            self.tell({"event": "not_sent", "from": handset.number, "rp": rp.hex()})
