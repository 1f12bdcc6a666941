//! The words of the gateway: numbers, calls, alerts, outcomes, receipts, replies, and the coding of short messages.
//!
//! Everything here is parsed once, at the edge, into a type that can't be wrong, and masks itself when printed.
//! Nothing here does I/O, reads a clock or knows an async runtime.

mod alert;
mod call;
mod coding;
mod day;
mod language;
mod link;
mod number;
mod outcome;
mod receipt;
mod reply;
mod secret;
mod time;

pub use alert::{AlertId, Kind, Submit, UpdateMode, UpdateOrder, UpdateWay};
pub use call::{CallId, CallIdError, Caller, MissedCall, Reason, Source};
pub use coding::{
    Coding, Segments, UnencodableCharacter, cut, decode_gsm, decode_ucs2, encode_gsm, encode_ucs2, split, units,
};
pub use day::{Day, DayError};
pub use language::{Language, LanguageError};
pub use link::{LinkName, SmscName};
pub use number::{Address, AddressError, Msisdn, NumberError, Numbering, ShortNumber};
pub use outcome::{NoAnswer, SubmitOutcome, UpdateOutcome};
pub use receipt::{IdForm, Receipt, ReceiptState, answers_of, id_key, receipts_of};
pub use reply::{Reply, ReplyPart};
pub use secret::Secret;
pub use time::{Clock, Timestamp, TimestampError};
