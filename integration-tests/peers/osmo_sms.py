"""The short message layers of a handset: CP, RP and TP (3GPP TS 24.011, 23.040)."""

import struct

import gsm0338

CP_DATA, CP_ACK = 0x01, 0x04
RP_DATA_UP, RP_DATA_DOWN, RP_ACK_UP, RP_ACK_DOWN, RP_ERROR_DOWN = 0, 1, 2, 3, 5
STATUS_REPORT = 2
UDHI = 0x40
UCS2 = 0x08


def pack(septets):
    """Septets as octets, the first in the lowest bits."""
    value = sum(septet << (7 * place) for place, septet in enumerate(septets))
    return value.to_bytes((7 * len(septets) + 7) // 8, "little")


def unpack(octets, count):
    value = int.from_bytes(octets, "little")
    return [(value >> (7 * place)) & 0x7F for place in range(count)]


def semi_octets(digits):
    padded = digits + "f" * (len(digits) % 2)
    return bytes(int(padded[i + 1] + padded[i], 16) for i in range(0, len(padded), 2))


def digits_of(octets):
    return "".join("%x%x" % (octet & 15, octet >> 4) for octet in octets).rstrip("f")


def address_of(kind, octets, length):
    """A TP address: a name in septets (TS 23.040 §9.1.2.5), or digits."""
    if kind & 0x70 == 0x50:
        return gsm0338.text_of(unpack(octets, length * 4 // 7))
    return digits_of(octets)


def part_of(header):
    """Which part of which message a user data header says it is."""
    at = 0
    while at + 2 <= len(header):
        element, length = header[at], header[at + 1]
        value = header[at + 2:at + 2 + length]
        if element == 0x00 and len(value) == 3:
            return {"reference": value[0], "parts": value[1], "part": value[2]}
        if element == 0x08 and len(value) == 4:
            return {"reference": struct.unpack(">H", value[:2])[0], "parts": value[2], "part": value[3]}
        at += 2 + length
    return None


def read_deliver(tp):
    """What a handset shows of an SMS-DELIVER (TS 23.040 §9.2.2.1)."""
    length, kind = tp[1], tp[2]
    after = 3 + (length + 1) // 2
    sender = address_of(kind, tp[3:after], length)
    coding, count, data = tp[after + 1], tp[after + 9], tp[after + 10:]
    header = data[1:1 + data[0]] if tp[0] & UDHI else b""
    header_octets = len(header) + 1 if tp[0] & UDHI else 0
    if coding & 0x0C == UCS2:
        # A part may end in the middle of a surrogate pair, which would be our fault: it is shown, not hidden.
        text = data[header_octets:count].decode("utf-16-be", "replace")
    else:
        text = gsm0338.text_of(unpack(data, count)[(header_octets * 8 + 6) // 7:])
    return {
        "from": sender, "from_ton": kind >> 4 & 7, "text": text, "concatenated": part_of(header),
        "data_coding": UCS2 if coding & 0x0C == UCS2 else coding, "esm_class": UDHI if header else 0,
    }


def submit(to, text, reference):
    """An SMS-SUBMIT in an RP-DATA to the service centre (TS 23.040 §9.2.2.2)."""
    septets = gsm0338.septets_of(text)
    if septets is None:
        data = text.encode("utf-16-be")
        coding, count = UCS2, len(data)
    else:
        data, coding, count = pack(septets), 0, len(septets)
    tp = bytes([0x01, reference, len(to), 0x81]) + semi_octets(to) + bytes([0, coding, count]) + data
    centre = semi_octets("49170000000")
    return bytes([RP_DATA_UP, reference, 0, len(centre) + 1, 0x91]) + centre + bytes([len(tp)]) + tp
