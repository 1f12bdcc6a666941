//! Captures as tools write them, made octet by octet.

use etherparse::PacketBuilder;

use super::*;

const INVITE: &str = "INVITE sip:12599@mca SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nCall-ID: a@h\r\nContent-Length: 4\r\n\r\nbody";
const PEER: [u8; 4] = [10, 1, 0, 7];
const US: [u8; 4] = [10, 1, 0, 9];

fn udp(octets: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    PacketBuilder::ipv4(PEER, US, 64).udp(5060, 5060).write(&mut packet, octets).unwrap();
    packet
}

fn tcp(number: u32, octets: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    PacketBuilder::ipv4(PEER, US, 64).tcp(40_000, 5060, number, 1000).write(&mut packet, octets).unwrap();
    packet
}

/// A pcap file, little-endian, of frames of one link type.
fn pcap(link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::from([0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.extend(262_144_u32.to_le_bytes());
    file.extend(link.to_le_bytes());
    for frame in frames {
        let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
        file.extend([0; 8].into_iter().chain(length).chain(length));
        file.extend(frame);
    }
    file
}

/// A block of a pcapng file.
fn block(kind: u32, content: &[u8]) -> Vec<u8> {
    let padded = content.len().next_multiple_of(4);
    let length = u32::try_from(padded + 12).unwrap().to_le_bytes();
    let mut block = Vec::from(kind.to_le_bytes());
    block.extend(length);
    block.extend(content);
    block.resize(padded + 8, 0);
    block.extend(length);
    block
}

fn texts(file: &[u8]) -> Vec<String> {
    let packets = messages(file).unwrap().unwrap();
    assert_eq!(packets.remark, None);
    assert!(packets.messages.iter().all(|message| message.source == Some(IpAddr::from(PEER))));
    packets.messages.into_iter().map(|message| String::from_utf8(message.octets).unwrap()).collect()
}

const RAW: u32 = 101;

#[test]
fn datagrams_of_every_link_type_are_read() {
    let packet = udp(INVITE.as_bytes());
    let before = |head: &[u8]| [head, &packet].concat();
    let ethernet = before(&[[2; 12].as_slice(), &[8, 0]].concat());
    let tagged = before(&[[2; 12].as_slice(), &[0x81, 0, 0, 5, 8, 0]].concat());
    let cooked = before(&[[0, 0, 0, 1].as_slice(), &[0, 6], &[2; 8], &[8, 0]].concat());
    let cooked_2 = before(&[[8, 0].as_slice(), &[0; 18]].concat());
    for (link, frame) in
        [(RAW, packet.clone()), (1, ethernet), (1, tagged), (113, cooked), (276, cooked_2), (0, before(&[2, 0, 0, 0]))]
    {
        assert_eq!(texts(&pcap(link, &[frame])), [INVITE], "link type {link}");
    }
    let section = block(0x0a0d_0d0a, &[[0x4d, 0x3c, 0x2b, 0x1a].as_slice(), &[1, 0, 0, 0], &[0xff; 8]].concat());
    let interface = block(1, &[101, 0, 0, 0, 0, 0, 4, 0]);
    let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
    let enhanced = block(6, &[[0; 12].as_slice(), &length, &length, &packet].concat());
    assert_eq!(texts(&[section, interface, enhanced].concat()), [INVITE]);
}

#[test]
fn a_datagram_in_fragments_is_put_together() {
    let whole = udp(INVITE.as_bytes());
    let (head, payload) = whole.split_at(20);
    let fragment = |offset: usize, octets: &[u8], more: bool| {
        let mut packet = [head, octets].concat();
        let field = u16::try_from(offset / 8).unwrap() | if more { 0x2000 } else { 0 };
        let length = u16::try_from(packet.len()).unwrap();
        packet[2..4].copy_from_slice(&length.to_be_bytes());
        packet[6..8].copy_from_slice(&field.to_be_bytes());
        packet
    };
    let (first, second) = payload.split_at(64);
    let file = pcap(RAW, &[fragment(64, second, false), fragment(0, first, true)]);
    assert_eq!(texts(&file), [INVITE]);
    // `port 5060` captures the first fragments only.
    let named = |id: u16| {
        let mut packet = fragment(0, first, true);
        packet[4..6].copy_from_slice(&id.to_be_bytes());
        packet
    };
    let lost = messages(&pcap(RAW, &(0..3000).map(named).collect::<Vec<_>>())).unwrap().unwrap();
    assert!(lost.messages.is_empty());
    assert!(lost.remark.unwrap().starts_with("3000 datagrams lack fragments"));
}

#[test]
fn messages_of_a_stream_are_cut_by_their_lengths() {
    let other = INVITE.replace("a@h", "b@h");
    let stream = format!("{INVITE}{other}\r\n\r\n{INVITE}");
    let (one, rest) = stream.as_bytes().split_at(50);
    let (two, three) = rest.split_at(100);
    let start = u32::MAX - 60;
    let at = |offset: u32| start.wrapping_add(offset);
    let frames = [tcp(at(0), one), tcp(at(150), three), tcp(at(50), two), tcp(at(50), two)];
    assert_eq!(
        texts(&pcap(RAW, &frames)),
        [INVITE.to_owned(), format!("{other}\r\n\r\n"), INVITE.to_owned()]
            .map(|text| text.trim_end_matches("\r\n").to_owned())
    );
    let lost = messages(&pcap(RAW, &[tcp(0, one), tcp(150, three)])).unwrap().unwrap();
    assert!(lost.remark.unwrap().contains("1 gaps in TCP streams"));
}

#[test]
fn a_capture_that_can_not_be_read_says_so() {
    let whole = pcap(RAW, &[udp(INVITE.as_bytes()), udp(INVITE.as_bytes())]);
    let cut = messages(&whole[..whole.len() - 5]).unwrap().unwrap();
    assert_eq!((cut.messages.len(), cut.remark.as_deref()), (1, Some("it ends in the middle of a packet")));
    let strange = messages(&pcap(147, &[vec![1, 2, 3]])).unwrap().unwrap();
    assert!(strange.remark.unwrap().starts_with("1 of its 1 packets can't be read"));
    assert!(messages(b"INVITE").is_none());
    let torn = messages(&[0xd4, 0xc3, 0xb2, 0xa1, 9]).unwrap().err().unwrap();
    assert!(torn.contains("begins like a capture"), "{torn}");
    let section = block(0x0a0d_0d0a, &[[0x4d, 0x3c, 0x2b, 0x1a].as_slice(), &[1, 0, 0, 0], &[0xff; 8]].concat());
    let damaged = messages(&[section, vec![6, 0, 0, 0, 0, 0, 0, 0], vec![7; 80]].concat()).unwrap().err().unwrap();
    assert!(damaged.ends_with("it is damaged"), "{damaged}");
}
