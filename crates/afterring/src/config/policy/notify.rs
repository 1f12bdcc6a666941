//! Notify-me: who is told that a person can be reached again, and how often.

use routing::{MAX_AWAITING, NotifyMe, Ranges};

use super::reply::yes_or_no;
use super::{DAY, MINUTE};
use crate::config::fault::Problems;
use crate::config::form;
use crate::config::layer::Raw;
use crate::config::reader::Reader;
use crate::config::time;

pub(super) fn notify(reader: &mut Reader) -> Option<NotifyMe> {
    let on = reader.text("notify.enabled", yes_or_no);
    let usual = reader.text("notify.usual", |text| form::choice(text, &[("on", true), ("off", false)]));
    let on_net = reader.take("notify.on_net", blocks);
    // Whom a person was told of is remembered so often.
    let most = u32::try_from(MAX_AWAITING).unwrap_or(u32::MAX);
    let daily_cap = reader.text("notify.daily_cap", |text| form::count(text, 1, most));
    let within = time(reader, "notify.within", MINUTE, DAY * 7);
    let (on, on_net) = (on?, on_net?);
    if on && on_net.is_empty() {
        let problem = "empty, but notify.enabled is true: nobody would be told";
        reader.fault("notify.on_net", problem.to_owned());
        return None;
    }
    Some(NotifyMe { on, usual: usual?, on_net, daily_cap: daily_cap?, within: within? })
}

/// Each block as first and last number; a prefix is one for each length of number.
fn blocks(raw: &Raw) -> Result<Vec<(u64, u64)>, Problems> {
    let mut blocks = Vec::new();
    let mut problems = Vec::new();
    for item in form::list(raw, ';') {
        match block(item) {
            Some(spans) => blocks.extend(spans),
            None => problems.push(format!(
                "{item:?}: not first-last (international numbers of one length without +) and not a prefix with *"
            )),
        }
    }
    if problems.is_empty() { Ok(blocks) } else { Err(Problems(problems)) }
}

fn block(written: &str) -> Option<Vec<(u64, u64)>> {
    let plain = written.bytes().all(|octet| octet.is_ascii_digit() || matches!(octet, b'-' | b'*' | b' '));
    let ranges = plain.then(|| Ranges::parse(&format!("block={written}:1")).ok()).flatten()?;
    Some(ranges.iter().map(|range| (range.first, range.last)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_first_and_last_or_a_prefix() {
        assert_eq!(block("8613900000000-8613900999999"), Some(vec![(8_613_900_000_000, 8_613_900_999_999)]));
        let spans = block("86139*").unwrap();
        assert!(spans.contains(&(8_613_900_000_000, 8_613_999_999_999)), "{spans:?}");
        for text in ["", "86139", "2-1", "86139*:5", "a=86139*", "8613900000009-8613900000001"] {
            assert_eq!(block(text), None, "{text}");
        }
    }
}
