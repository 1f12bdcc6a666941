//! The text of a receipt: one that is understood names a message.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    if let Some(receipt) = smpp_client::fuzzing::receipt(text) {
        assert!(!receipt.message_id.trim().is_empty(), "{receipt:?}");
    }
});
