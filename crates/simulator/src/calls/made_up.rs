//! Made-up calls as JSON, written by hand into a buffer that is used again.

use std::io::Write;

use model::Reason;

use super::Load;

/// Writes the calls `first` to `first + count - 1` of a load as one JSON array.
pub(super) fn write(load: &Load, first: u64, count: u64, out: &mut Vec<u8>) {
    out.clear();
    let at = (load.clock)();
    let service = load.service_number.as_ref().map_or_else(String::new, |number| {
        format!(r#","service_number":{}"#, serde_json::Value::from(number.as_str()))
    });
    for index in first..first.saturating_add(count) {
        let (called, caller, reason) = call(load, index);
        out.push(if index == first { b'[' } else { b',' });
        // Writing into a vector can't fail.
        let _ = write!(
            out,
            r#"{{"id":"made-up-{:x}-{index}","caller":"+{caller}","called":"+{called}","at":"{at}","reason":"{reason}"{service}}}"#,
            load.seed
        );
    }
    out.push(b']');
}

/// Who was called, by whom, and why it was missed: by the seed and the call's place alone, whichever connection sends it.
fn call(load: &Load, index: u64) -> (u64, u64, Reason) {
    let random = mixed(load.seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let reasons = [Reason::Busy, Reason::NoAnswer, Reason::Unreachable, Reason::Rejected];
    let reason = reasons.into_iter().cycle().nth((random >> 60) as usize & 3).unwrap_or(Reason::Unknown);
    let called = load.called_first.saturating_add(random % load.called_count);
    let caller = load.caller_first.saturating_add(mixed(random) % load.callers);
    (called, caller, reason)
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
const fn mixed(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use model::Timestamp;

    use super::*;

    fn load() -> Load {
        Load { service_number: Some("12599".into()), ..Load::new(String::new(), || Timestamp::from_millis(0)) }
    }

    #[test]
    fn a_batch_is_an_array_of_calls() {
        let mut body = Vec::new();
        write(&load(), 5, 2, &mut body);
        let calls: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(calls[1]["id"], "made-up-1-6");
        assert_eq!(calls[1]["at"], "1970-01-01T00:00:00.000Z");
        assert_eq!(calls[1]["service_number"], "12599");
        assert!(Reason::parse(calls[0]["reason"].as_str().unwrap()).is_some());
        assert_eq!(calls[2], serde_json::Value::Null);
    }

    #[test]
    fn the_same_seed_makes_the_same_calls_spread_over_all_numbers() {
        let (load, other) = (load(), Load { seed: 2, ..load() });
        let called: HashSet<u64> = (0..20_000).map(|index| call(&load, index).0).collect();
        assert_eq!(called.len(), 1000);
        assert!(called.iter().all(|number| (load.called_first..load.called_first + 1000).contains(number)));
        assert_eq!(call(&load, 7), call(&load, 7));
        assert!((0..10).any(|index| call(&load, index) != call(&other, index)));
    }
}
