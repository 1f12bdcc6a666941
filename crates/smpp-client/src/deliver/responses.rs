//! Reads what the SMSC answers, as far as it goes.

use model::ReceiptState;

use super::fields::Fields;
use crate::receipt;

/// `congestion_state` (SMPP 5.0 §4.8.4.18).
const CONGESTION_STATE: u16 = 0x0428;

/// The `message_id` of a `submit_sm_resp`: up to its NUL, or to the end where an SMSC leaves the NUL out.
pub(crate) fn message_id(body: &[u8]) -> String {
    let id = body.split(|&octet| octet == 0).next().unwrap_or_default();
    String::from_utf8_lossy(id).into_owned()
}

/// How loaded the SMSC is, behind the `message_id` of a `submit_sm_resp`: 0 idle, to 99; 90 and more is congested. `None` when it doesn't say.
pub(crate) fn congestion(body: &[u8]) -> Option<u8> {
    let mut fields = Fields::new(body);
    fields.text().ok()?;
    fields.tlvs().find_map(|(tag, value)| match value {
        &[state] if tag == CONGESTION_STATE => Some(state),
        _ => None,
    })
}

/// What a `query_sm_resp` says became of the message, and its `error_code`, 0 where that is left out (SMPP 3.4 §4.8.2). `None` when the body ends before the
/// state.
pub(crate) fn query_state(body: &[u8]) -> Option<(ReceiptState, u8)> {
    let mut fields = Fields::new(body);
    let _message_id = fields.text().ok()?;
    let _final_date = fields.text().ok()?;
    let state = fields.octet().ok()?;
    Some((receipt::state_of_number(state).unwrap_or(ReceiptState::Unknown), fields.octet().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_id_needs_no_end() {
        for (body, id) in
            [(&b"4A\0"[..], "4A"), (b"4A", "4A"), (b"", ""), (b"\0", ""), (b"4A\0\x04\x27\0\x01\x02", "4A")]
        {
            assert_eq!(message_id(body), id);
        }
    }

    #[test]
    fn congestion_is_told_behind_the_message_id() {
        for (body, state) in [
            (&b"4A\0\x04\x28\0\x01\x5a"[..], Some(90)),
            (b"\0\x14\0\0\x02ab\x04\x28\0\x01\0", Some(0)),
            (b"4A\0", None),
            (b"4A", None),
            (b"4A\0\x04\x28\0\x02\0\x5a", None),
            (b"4A\0\x04\x28\0\x09\x5a", None),
        ] {
            assert_eq!(congestion(body), state, "{body:?}");
        }
    }

    #[test]
    fn a_query_tells_the_state_whatever_the_date() {
        for (body, said) in [
            (&b"4A\x00261125180000000+\0\x02\0"[..], Some((ReceiptState::Delivered, 0))),
            (b"4A\0\0\x05\x22", Some((ReceiptState::Undeliverable, 0x22))),
            (b"\x002611251800\0\x03", Some((ReceiptState::Expired, 0))),
            (b"4A\0\0\x63\0", Some((ReceiptState::Unknown, 0))),
            (b"4A\0\0", None),
            (b"4A\0", None),
            (b"", None),
        ] {
            assert_eq!(query_state(body), said, "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn no_octets_make_the_readers_panic(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = (message_id(&body), congestion(&body), query_state(&body));
        }
    }
}
