"""The GSM alphabet and its extension (3GPP TS 23.038 §6.2.1), septets as numbers. Python has no codec for it."""

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = {0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€"}
ESCAPE = 0x1B


def text_of(septets):
    text, escaped = "", False
    for septet in septets:
        if escaped:
            text, escaped = text + EXTENDED.get(septet, BASIC[septet]), False
        elif septet == ESCAPE:
            escaped = True
        else:
            text += BASIC[septet]
    return text


def septets_of(text):
    """The septets of a text; None where the alphabet lacks a character."""
    places = {character: code for code, character in EXTENDED.items()}
    septets = []
    for character in text:
        if character in places:
            septets += [ESCAPE, places[character]]
        elif character in BASIC and character != "\x1b":
            septets.append(BASIC.index(character))
        else:
            return None
    return septets
