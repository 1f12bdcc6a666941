//! A stream of octets from an SMSC: it is cut into PDUs, and each body is read as every kind of body that has a reader.
//! Written down for support, each is one line, whatever is in it.

#![no_main]

libfuzzer_sys::fuzz_target!(|stream: &[u8]| {
    smpp_client::fuzzing::pdu(stream);
    for line in smpp_client::fuzzing::trace(stream) {
        assert_eq!(line.lines().count(), 1, "{line:?}");
        assert!(line.ends_with('\n') && !line.chars().any(|c| c != '\n' && c.is_control()), "{line:?}");
    }
});
