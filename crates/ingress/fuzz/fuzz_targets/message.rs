//! One message: its parts are octets of what came, in its order, and what a transaction needs of it keeps the rules that it was read by.

#![no_main]

use bytes::Bytes;
use ingress::sip::{MAX_HEADERS, Message, Name};

/// The header fields that are read.
const READ: [Name; 6] = [Name::Via, Name::From, Name::To, Name::Diversion, Name::HistoryInfo, Name::Other];

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let raw = Bytes::copy_from_slice(octets);
    let Ok(message) = Message::parse(raw.clone()) else { return };
    assert!(!message.method().is_empty() && message.method().iter().all(u8::is_ascii_graphic));
    let place = |part: &[u8]| part.as_ptr() as usize - raw.as_ptr() as usize;
    // What is behind the body as Content-Length has it belongs to nothing.
    let head = if message.body().is_empty() { raw.len() } else { place(message.body()) };
    assert!(head + message.body().len() <= raw.len());
    for name in READ {
        assert!(message.all(name).count() <= MAX_HEADERS);
        let mut last = 0;
        for value in message.all(name).filter(|value| !value.is_empty()) {
            let begins = place(value);
            assert!(last <= begins && begins + value.len() <= head, "{name:?} lies elsewhere");
            assert_eq!(value, value.trim_ascii());
            last = begins + value.len();
        }
        assert!(message.entries(name, 7).count() <= 7);
    }
    let Ok(envelope) = message.envelope() else { return };
    assert_eq!(envelope.method, message.method());
    assert!(!envelope.call_id.is_empty() && envelope.cseq < 1 << 31 && !envelope.via.host.is_empty());
    assert!(message.version().eq_ignore_ascii_case(b"SIP/2.0") && !message.uri().is_empty());
});
