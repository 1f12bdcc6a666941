//! What people may do by keyword, and how.

use routing::SelfService;

use super::{DAY, HOUR, MINUTE};
use crate::config::form;
use crate::config::reader::Reader;
use crate::config::time;

pub(super) fn self_service(reader: &mut Reader) -> Option<SelfService> {
    let double_opt_in = reader.text("reply.double_opt_in", yes_or_no);
    let confirm_within = time(reader, "reply.confirm_within", MINUTE, DAY * 30);
    let pause = time(reader, "reply.pause", MINUTE, DAY * 365);
    let longest_pause = time(reader, "reply.longest_pause", HOUR, DAY * 365);
    let copies = reader.text("reply.copies", yes_or_no);
    let (pause, longest_pause) = (pause?, longest_pause?);
    if longest_pause < pause {
        reader.fault("reply.longest_pause", "shorter than reply.pause, which a pause without hours takes".to_owned());
        return None;
    }
    Some(SelfService {
        double_opt_in: double_opt_in?,
        confirm_within: confirm_within?,
        pause,
        longest_pause,
        copies: copies?,
    })
}

pub(super) fn yes_or_no(text: &str) -> Result<bool, crate::config::fault::Problems> {
    form::choice(text, &[("true", true), ("false", false)])
}
