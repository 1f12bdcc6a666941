//! A stream of octets from an SMSC: it is cut into PDUs, and each body is read as every kind of body that has a reader.

#![no_main]

libfuzzer_sys::fuzz_target!(|stream: &[u8]| {
    smpp_client::fuzzing::pdu(stream);
});
