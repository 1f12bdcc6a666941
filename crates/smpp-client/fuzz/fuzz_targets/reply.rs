//! A person's reply: the first octet is its data_coding, the rest its text. What it is compared as is short, and stays as it is.

#![no_main]

use routing::{Keywords, normalise};

/// Characters of a reply that are compared.
const COMPARED: usize = 40;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let Some((&data_coding, text)) = octets.split_first() else { return };
    let Some(reply) = smpp_client::fuzzing::reply(data_coding, text) else { return };
    let once = normalise(&reply.text);
    assert!(once.chars().count() <= COMPARED, "{once:?}");
    assert_eq!(normalise(&once), once);
    let keywords = Keywords::shipped();
    assert_eq!(keywords.action(&once), keywords.action(&reply.text));
});
