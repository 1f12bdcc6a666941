//! The packets of a capture (pcap, pcapng): datagrams and streams put together again, as far as they hold SIP.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use etherparse::defrag::IpDefragPool;
use etherparse::{EtherType, NetSlice, SlicedPacket, TcpSlice, TransportSlice, UdpSlice};
use pcap_parser::traits::PcapNGPacketBlock as _;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

use super::{Captured, begins_message, in_text};

/// What a capture begins with: pcap in either order of octets, by micro- or nanoseconds, and pcapng.
const MAGIC: [[u8; 4]; 5] = [
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x0a, 0x0d, 0x0d, 0x0a],
];

/// Octets that a block may have: the largest packet that tools capture is 256 KiB.
const BLOCK: usize = 1024 * 1024;

/// Frames within which a datagram's fragments are: each that never becomes whole may hold 64 KiB.
const FRAGMENTS_APART: usize = 1024;

/// Octets before the packet in frames of Linux's second cooked form (`tcpdump -i any`), and of the loopback of BSD.
const COOKED: usize = 20;
const LOOPBACK: usize = 4;
/// `LINKTYPE_LINUX_SLL2`, which the parser has no name for.
const LINUX_SLL2: Linktype = Linktype(276);

/// The messages of a capture, those of each stream together.
pub(super) struct Packets {
    pub messages: Vec<Captured>,
    pub remark: Option<String>,
}

/// Reads a capture; `None` where the octets are none.
pub(super) fn messages(octets: &[u8]) -> Option<Result<Packets, String>> {
    MAGIC.iter().any(|magic| octets.starts_with(magic)).then(|| read(octets))
}

fn read(octets: &[u8]) -> Result<Packets, String> {
    let unreadable =
        |error: PcapError<&[u8]>| format!("it begins like a capture, and can't be read as one: {}", why(&error));
    let mut reader = create_reader(BLOCK, octets).map_err(unreadable)?;
    let mut wires = Wires::default();
    loop {
        let end = match reader.next() {
            Ok((length, block)) => {
                wires.block(block);
                reader.consume(length);
                continue;
            }
            Err(end) => end.to_owned_vec(),
        };
        match end {
            PcapError::Eof => return Ok(wires.finish(false)),
            PcapError::Incomplete(_) if !reader.reader_exhausted() => reader.refill().map_err(unreadable)?,
            // Whoever captured was stopped in the middle of a packet.
            PcapError::Incomplete(_) | PcapError::UnexpectedEof => return Ok(wires.finish(true)),
            error => return Err(unreadable(error)),
        }
    }
}

/// Why a capture can't be read. The parser's own words hold the octets, however many there are.
fn why(error: &PcapError<&[u8]>) -> String {
    match error {
        PcapError::BufferTooSmall => format!("a packet of it is larger than {} KiB", BLOCK >> 10),
        PcapError::NomError(..) | PcapError::OwnedNomError(..) => "it is damaged".to_owned(),
        error => error.to_string(),
    }
}

/// Who sends a stream, and to whom.
type Ends = (SocketAddr, SocketAddr);

/// A sequence number, and the octets from there on.
type Segment = (u32, Vec<u8>);

/// What was on the wires.
#[derive(Default)]
struct Wires {
    /// What frames are, by interface.
    links: Vec<Linktype>,
    /// Datagrams of which not every fragment has come, each with the frame that held its last one.
    fragments: IpDefragPool<usize>,
    /// Datagrams of which fragments are missing.
    fragmentary: usize,
    messages: Vec<Captured>,
    streams: BTreeMap<Ends, Vec<Segment>>,
    /// The order in which streams began.
    order: Vec<Ends>,
    frames: usize,
    unread: usize,
}

impl Wires {
    fn block(&mut self, block: PcapBlockOwned<'_>) {
        match block {
            PcapBlockOwned::LegacyHeader(header) => self.links = vec![header.network],
            PcapBlockOwned::Legacy(frame) => self.frame(0, frame.data),
            PcapBlockOwned::NG(Block::SectionHeader(_)) => self.links.clear(),
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => self.links.push(interface.linktype),
            PcapBlockOwned::NG(Block::EnhancedPacket(frame)) => {
                self.frame(usize::try_from(frame.if_id).unwrap_or(usize::MAX), frame.packet_data());
            }
            PcapBlockOwned::NG(Block::SimplePacket(frame)) => self.frame(0, frame.packet_data()),
            // Names, statistics, keys: nothing that was on the wire.
            PcapBlockOwned::NG(_) => {}
        }
    }

    fn frame(&mut self, interface: usize, frame: &[u8]) {
        self.frames += 1;
        if self.frames.is_multiple_of(FRAGMENTS_APART) {
            self.give_up_fragments(self.frames - FRAGMENTS_APART);
        }
        let link = self.links.get(interface).copied();
        if link.and_then(|link| packet(link, frame)).and_then(|packet| self.packet(&packet)).is_none() {
            self.unread += 1;
        }
    }

    /// Takes a packet; `None` where it can't be read.
    fn packet(&mut self, packet: &SlicedPacket<'_>) -> Option<()> {
        let (source, destination) = match packet.net.as_ref()? {
            NetSlice::Ipv4(ip) => (IpAddr::V4(ip.header().source_addr()), IpAddr::V4(ip.header().destination_addr())),
            NetSlice::Ipv6(ip) => (IpAddr::V6(ip.header().source_addr()), IpAddr::V6(ip.header().destination_addr())),
            NetSlice::Arp(_) => return Some(()),
        };
        match &packet.transport {
            Some(TransportSlice::Udp(udp)) => self.datagram(source, udp.payload()),
            Some(TransportSlice::Tcp(tcp)) => self.segment(source, destination, tcp),
            Some(TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_) | TransportSlice::Igmp(_)) => {}
            None => {
                let whole = self.fragments.process_sliced_packet(packet, self.frames, ()).ok()?;
                if let Some(whole) = whole.filter(|whole| whole.ip_number == etherparse::IpNumber::UDP) {
                    self.datagram(source, UdpSlice::from_slice(&whole.payload).ok()?.payload());
                }
            }
        }
        Some(())
    }

    /// Gives up datagrams whose last fragment came in this frame or before it.
    fn give_up_fragments(&mut self, frame: usize) {
        let given_up = Cell::new(0);
        self.fragments.retain(|last| {
            given_up.set(given_up.get() + usize::from(*last <= frame));
            true
        });
        self.fragments.retain(|last| *last > frame);
        self.fragmentary += given_up.get();
    }

    fn datagram(&mut self, source: IpAddr, octets: &[u8]) {
        // A datagram is one message, whatever its body looks like.
        if begins_message(octets) {
            self.messages.push(Captured { source: Some(source), octets: octets.to_vec() });
        }
    }

    fn segment(&mut self, source: IpAddr, destination: IpAddr, tcp: &TcpSlice<'_>) {
        let ends = (SocketAddr::new(source, tcp.source_port()), SocketAddr::new(destination, tcp.destination_port()));
        if !tcp.payload().is_empty() {
            let segments = self.streams.entry(ends).or_default();
            if segments.is_empty() {
                self.order.push(ends);
            }
            segments.push((tcp.sequence_number(), tcp.payload().to_vec()));
        }
    }

    fn finish(mut self, cut: bool) -> Packets {
        self.give_up_fragments(self.frames);
        let mut gaps = 0;
        for ends in std::mem::take(&mut self.order) {
            let runs = together(self.streams.remove(&ends).unwrap_or_default());
            gaps += runs.len().saturating_sub(1);
            let found = runs.iter().flat_map(|run| in_text(run));
            self.messages.extend(found.map(|octets| Captured { source: Some(ends.0.ip()), octets }));
        }
        let mut remarks = Vec::new();
        if cut {
            remarks.push("it ends in the middle of a packet".to_owned());
        }
        if self.unread > 0 {
            remarks.push(format!(
                "{} of its {} packets can't be read as Ethernet, IP, UDP or TCP",
                self.unread, self.frames
            ));
        }
        if gaps > 0 {
            remarks.push(format!("{gaps} gaps in TCP streams: messages there are cut"));
        }
        if self.fragmentary > 0 {
            remarks.push(format!(
                "{} datagrams lack fragments, which have no port to be chosen by: let tcpdump capture \
                 'port 5060 or ip[6:2] & 0x1fff != 0 or ip6[6] == 44'",
                self.fragmentary
            ));
        } else if self.messages.is_empty() && self.frames > 0 {
            remarks.push(format!(
                "none of its {} packets holds readable SIP: SIP over TLS can't be read from a capture",
                self.frames
            ));
        }
        Packets { messages: self.messages, remark: (!remarks.is_empty()).then(|| remarks.join("; ")) }
    }
}

/// The packet in a frame.
fn packet(link: Linktype, frame: &[u8]) -> Option<SlicedPacket<'_>> {
    let cooked = |frame: &[u8]| -> Option<EtherType> {
        let kind: [u8; 2] = frame.get(..2)?.try_into().ok()?;
        Some(EtherType(u16::from_be_bytes(kind)))
    };
    let read = match link {
        Linktype::ETHERNET => SlicedPacket::from_ethernet(frame),
        Linktype::LINUX_SLL => SlicedPacket::from_linux_sll(frame),
        LINUX_SLL2 => SlicedPacket::from_ether_type(cooked(frame)?, frame.get(COOKED..)?),
        Linktype::NULL | Linktype::LOOP => SlicedPacket::from_ip(frame.get(LOOPBACK..)?),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => SlicedPacket::from_ip(frame),
        _ => return None,
    };
    read.ok()
}

/// The octets of a stream, in as many runs as there are gaps; what came twice is in it once.
fn together(mut segments: Vec<Segment>) -> Vec<Vec<u8>> {
    let Some(first) = segments.first().map(|(number, _)| *number) else { return Vec::new() };
    // Numbers wrap around (RFC 9293 §3.4): they are compared by how far they are from the first one captured.
    let from_first = |number: u32| i64::from(number.wrapping_sub(first).cast_signed());
    segments.sort_by_key(|(number, _)| from_first(*number));
    let mut runs: Vec<Vec<u8>> = Vec::new();
    let mut next = None;
    for (number, octets) in segments {
        let begins = from_first(number);
        let ends = begins.saturating_add(i64::try_from(octets.len()).unwrap_or(i64::MAX));
        let known = next.map_or(0, |next: i64| next.saturating_sub(begins));
        match (runs.last_mut(), usize::try_from(known)) {
            (Some(run), Ok(known)) if next.is_some() => run.extend(octets.into_iter().skip(known)),
            _ => runs.push(octets),
        }
        next = Some(next.map_or(ends, |next| next.max(ends)));
    }
    runs
}

#[cfg(test)]
mod tests;
