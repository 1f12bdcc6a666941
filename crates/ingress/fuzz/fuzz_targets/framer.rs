//! A stream from a peer: it is cut into the same messages however it comes in pieces, and each of them is cut out again as it is.

#![no_main]

use ingress::sip::{Frame, Framer, MAX_MESSAGE, Message};

/// A linear congruential generator (the constants of Numerical Recipes): pieces whose sizes have no pattern.
fn pieces(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut rest, mut state) = (stream, u32::try_from(stream.len()).unwrap_or(1));
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Mostly some octets, now and then some thousand.
        let most = if state >> 28 == 0 { 4_096 } else { 32 };
        let (piece, after) = rest.split_at(((state >> 8) as usize % most + 1).min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fn cut<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Frame> {
    let mut framer = Framer::default();
    let mut frames = Vec::new();
    for piece in pieces {
        framer.push(piece);
        frames.extend(std::iter::from_fn(|| framer.take()));
        assert!(framer.held() < MAX_MESSAGE, "one message at most is kept");
    }
    frames
}

libfuzzer_sys::fuzz_target!(|stream: &[u8]| {
    let whole = cut([stream]);
    assert_eq!(cut(pieces(stream)), whole);
    if stream.len() < 4_096 {
        assert_eq!(cut(stream.chunks(1)), whole);
    }
    for frame in &whole {
        match frame {
            Frame::Request(request) => {
                assert!(request.len() <= MAX_MESSAGE);
                assert_eq!(cut([&request[..]]), std::slice::from_ref(frame));
                assert!(Message::parse(request.clone()).is_ok(), "a request that is none");
            }
            Frame::TooLarge(head) | Frame::Lost { head, .. } => assert!(head.len() <= MAX_MESSAGE),
            Frame::Ping => {}
        }
    }
});
