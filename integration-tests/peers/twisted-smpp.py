"""An SMSC on smpp.twisted3, Jasmin's own server: a third codec that shares nothing with ours; the same words on stdin and stdout as node-smpp.js.

usage: python3 twisted-smpp.py PORT [PASSWORD]
"""

import collections
import json
import logging
import sys
import time

from smpp.pdu import constants, pdu_types
from smpp.pdu.operations import DeliverSM, EnquireLink, SubmitSM
from smpp.pdu.pdu_types import (
    AddrNpi, AddrTon, CommandId, CommandStatus, DataCoding, DataCodingDefault, DataCodingScheme, EsmClass, EsmClassGsmFeatures,
    EsmClassMode, EsmClassType, MessageState, RegisteredDeliveryReceipt,
)
from smpp.pdu.sm_encoding import SMStringEncoder
from smpp.twisted.config import SMPPServerConfig
from smpp.twisted.protocol import DataHandlerResponse, SMPPServerProtocol
from smpp.twisted.server import SMPPServerFactory
from twisted.cred import error
from twisted.internet import defer, reactor, stdio
from twisted.protocols.basic import LineReceiver

import gsm0338

RETRY_SECONDS = 0.5
UDHI = 0x40
CODINGS = {
    DataCodingDefault.SMSC_DEFAULT_ALPHABET: (0, gsm0338.text_of),
    DataCodingDefault.LATIN_1: (3, lambda octets: octets.decode("latin-1")),
    DataCodingDefault.UCS2: (8, lambda octets: octets.decode("utf-16-be", "replace")),
}


def tell(event):
    print(json.dumps({"at": int(time.time() * 1000), **event}), flush=True)


def status_of(number):
    return CommandStatus[constants.command_status_value_map[number]["name"]]


def number_of(status):
    return constants.command_status_name_map[status.name]


class Session(SMPPServerProtocol):
    def onPDURequest_enquire_link(self, request):
        tell({"event": "enquired"})
        SMPPServerProtocol.onPDURequest_enquire_link(self, request)

    def onPDURequest_unbind(self, request):
        tell({"event": "unbound"})
        SMPPServerProtocol.onPDURequest_unbind(self, request)

    def connectionLost(self, reason):
        # What is owed stays owed: the next session gets it.
        self.cancelOutboundTransactions(error.UnauthorizedLogin("the session is over"))
        SMPPServerProtocol.connectionLost(self, reason)
        tell({"event": "closed"})


class Factory(SMPPServerFactory):
    protocol = Session

    def __init__(self, smsc, password):
        self.smsc, self.password = smsc, password
        systems = collections.defaultdict(lambda: {"max_bindings": 64}, afterring={"max_bindings": 64})
        config = SMPPServerConfig(systems=systems, msgHandler=smsc.submitted, enquireLinkTimerSecs=0, inactivityTimerSecs=0)
        SMPPServerFactory.__init__(self, config, auth_portal=self)

    def login(self, system_id, password, _address):
        if self.password is not None and password != self.password:
            tell({"event": "bind_refused", "system_id": system_id})
            raise error.UnauthorizedLogin()
        return defer.succeed((None, system_id, None))

    def addBoundConnection(self, connection):
        SMPPServerFactory.addBoundConnection(self, connection)
        kind = connection.bind_type.name.removeprefix("bind_")
        tell({"event": "bound", "bind": kind, "system_id": connection.system_id})
        # After the answer to the bind, which this is called before.
        reactor.callLater(0, self.smsc.deliver_all)

    def sessions(self):
        return [session for bound in self.bound_connections.values() for session in bound]


class Smsc:
    def __init__(self, password):
        self.factory = Factory(self, password)
        self.owed = {}  # deliver_sm not yet acknowledged, by our own key: sent again on refusal and on every bind
        self.unanswered = []  # submits that were met with silence
        self.off = set()  # numbers whose phones are off
        self.waiting = {}  # messages for them, by their ids, oldest first
        self.orders = {"receipts": True, "throttle": 0, "silent": 0, "refuse": {"count": 0, "status": 0}}
        self.last_id = int(time.time() * 1000) % 10**9  # another life of this SMSC gives other ids
        self.last_key = 0

    def answer_for_next(self):
        if self.orders["throttle"] > 0:
            self.orders["throttle"] -= 1
            return "throttled"
        if self.orders["refuse"]["count"] > 0:
            self.orders["refuse"]["count"] -= 1
            return "refused"
        if self.orders["silent"] > 0:
            self.orders["silent"] -= 1
            return "silent"
        return "accepted"

    def submitted(self, _system_id, session, pdu):
        if not isinstance(pdu, SubmitSM):
            return CommandStatus.ESME_RINVCMDID
        answer = self.answer_for_next()
        self.last_id += 1
        message_id = str(self.last_id) if answer in ("accepted", "silent") else None
        tell({"event": "submit", "answer": answer, "id": message_id, **shown(pdu.params)})
        if answer == "throttled":
            return CommandStatus.ESME_RTHROTTLED
        if answer == "refused":
            return status_of(self.orders["refuse"]["status"])
        if answer == "silent":
            late = defer.Deferred()
            self.unanswered.append((late, pdu, message_id))
            return late
        return self.accept(pdu, message_id)

    def accept(self, pdu, message_id):
        if pdu.params["destination_addr"].decode() in self.off:
            self.waiting[message_id] = pdu
        else:
            # After the answer to the submit.
            reactor.callLater(0, self.show, pdu, message_id)
        return DataHandlerResponse(status=CommandStatus.ESME_ROK, message_id=message_id.encode())

    def show(self, pdu, message_id):
        """What a phone gets; the receipt follows."""
        seen = {key: value for key, value in shown(pdu.params).items() if key in ("from", "to", "text", "concatenated", "data_coding")}
        asked = pdu.params["registered_delivery"].receipt != RegisteredDeliveryReceipt.NO_SMSC_DELIVERY_RECEIPT_REQUESTED
        asked = self.orders["receipts"] and asked
        tell({"event": "shown", "id": message_id, "receipt": asked, **seen})
        if asked:
            self.receipt(pdu.params, message_id)

    def switch_on(self, number):
        self.off.discard(number)
        for message_id, pdu in list(self.waiting.items()):
            if pdu.params["destination_addr"].decode() == number:
                del self.waiting[message_id]
                self.show(pdu, message_id)

    def answer_silent(self, _):
        waiting, self.unanswered = self.unanswered, []
        for late, pdu, message_id in waiting:
            late.callback(self.accept(pdu, message_id))

    def receipt(self, params, message_id):
        now = time.strftime("%y%m%d%H%M", time.gmtime())
        text = f"id:{message_id} sub:001 dlvrd:001 submit date:{now} done date:{now} stat:DELIVRD err:000 text:"
        self.owe("receipt", message_id, {
            "source_addr": params["destination_addr"], "destination_addr": params["source_addr"], "short_message": text.encode(),
            "esm_class": EsmClass(EsmClassMode.DEFAULT, EsmClassType.SMSC_DELIVERY_RECEIPT),
            "receipted_message_id": message_id.encode(), "message_state": MessageState.DELIVERED,
        })

    def reply(self, order):
        septets = gsm0338.septets_of(order["text"])
        coding = DataCodingDefault.UCS2 if septets is None else DataCodingDefault.SMSC_DEFAULT_ALPHABET
        self.owe("reply", None, {
            "source_addr": order["from"].encode(), "destination_addr": order["to"].encode(),
            "short_message": order["text"].encode("utf-16-be") if septets is None else bytes(septets),
            "esm_class": EsmClass(EsmClassMode.DEFAULT, EsmClassType.DEFAULT),
            "data_coding": DataCoding(DataCodingScheme.DEFAULT, coding),
        })

    def owe(self, what, message_id, params):
        self.last_key += 1
        self.owed[self.last_key] = (what, message_id, params)
        self.deliver(self.last_key)

    def deliver(self, key):
        receiving = [s for s in self.factory.sessions() if s.bind_type != CommandId.bind_transmitter and s.isBound()]
        if key not in self.owed or not receiving:
            return
        what, message_id, params = self.owed[key]
        pdu = DeliverSM(source_addr_ton=AddrTon.INTERNATIONAL, source_addr_npi=AddrNpi.ISDN, **params)
        sent = receiving[0].sendDataRequest(pdu)

        def acknowledged(result):
            tell({"event": "acknowledged", "what": what, "id": message_id, "status": number_of(result.response.status)})
            self.owed.pop(key, None)

        def not_acknowledged(failure):
            response = getattr(failure.value, "response", None)
            if response is not None:
                tell({"event": "acknowledged", "what": what, "id": message_id, "status": number_of(response.status)})
                reactor.callLater(RETRY_SECONDS, self.deliver, key)

        sent.addCallbacks(acknowledged, not_acknowledged)

    def deliver_all(self):
        for key in list(self.owed):
            self.deliver(key)

    def close(self, _):
        for session in self.factory.sessions():
            session.transport.abortConnection()

    def enquire(self, _):
        for session in self.factory.sessions():
            session.sendRequest(EnquireLink(), 10).addCallbacks(lambda _: tell({"event": "enquiry_answered"}), lambda _: None)

    def unbind(self, _):
        for session in self.factory.sessions():
            answered = session.unbind()
            answered.addCallbacks(lambda _: tell({"event": "unbind_answered"}), lambda _: None)
            answered.addBoth(lambda _, session=session: session.disconnect())

    def obey(self, order):
        actions = {
            "reply": self.reply, "answer_silent": self.answer_silent, "close": self.close, "enquire": self.enquire,
            "unbind": self.unbind, "handset": lambda _: None,  # every number has one
            "off": self.off.add, "on": self.switch_on,
        }
        for name, value in order.items():
            if name in self.orders:
                self.orders[name] = value
            else:
                actions[name](value)
        tell({"event": "done", "command": order})


def shown(params):
    """What is told of a submit_sm."""
    has_header = EsmClassGsmFeatures.UDHI_INDICATOR_SET in params["esm_class"].gsmFeatures
    octets, part = params["short_message"], None
    if has_header:
        header = SMStringEncoder().decodeUDH(octets[:octets[0] + 1])
        element = SMStringEncoder().findConcatenatedSMInfoElement(header)
        if element is not None:
            part = {"reference": element.data.referenceNum, "parts": element.data.maximumNum, "part": element.data.sequenceNum}
        octets = octets[octets[0] + 1:]
    coding, read = CODINGS[params["data_coding"].schemeData]
    return {
        "from": params["source_addr"].decode(), "from_ton": ton(params["source_addr_ton"]), "to": params["destination_addr"].decode(),
        "to_ton": ton(params["dest_addr_ton"]), "text": read(octets), "concatenated": part, "data_coding": coding,
        "esm_class": UDHI if has_header else 0, "validity": params["validity_period"] is not None,
    }


def ton(kind):
    return constants.addr_ton_name_map[kind.name]


class Orders(LineReceiver):
    delimiter = b"\n"

    def __init__(self, smsc):
        self.smsc = smsc

    def lineReceived(self, line):
        self.smsc.obey(json.loads(line))

    def connectionLost(self, reason):
        if reactor.running:
            reactor.stop()  # whoever started us is gone


def main():
    logging.basicConfig(filename="twisted-smpp.log", level=logging.WARNING)
    port, password = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None
    smsc = Smsc(password)
    listening = reactor.listenTCP(port, smsc.factory, interface="127.0.0.1")
    stdio.StandardIO(Orders(smsc))
    tell({"event": "listening", "port": listening.getHost().port})
    reactor.run()


if __name__ == "__main__":
    main()
