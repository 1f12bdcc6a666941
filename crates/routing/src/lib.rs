//! Decisions: what becomes of a missed call, of what was sent for it, and of what comes back.
//!
//! [`decide()`] is the only entry point. It takes what is known of one called person ([`View`]), one [`Event`] that is already safe on disk, and the
//! time; it returns a [`Decision`] and changes nothing. The caller commits the decision's effects in one transaction with the event, and only what is
//! committed is sent. The same inputs give the same decision, so a transaction may run it again.
//!
//! Nothing here does I/O, reads a clock, draws a random number or knows an async runtime.

mod alert;
mod call_box;
mod decide;
mod decision;
mod event;
mod hand_over;
mod health;
mod keyword;
mod parts;
mod policy;
mod range;
mod subscriber;
pub mod text;

pub use alert::{Alert, AlertState, FailedWhy, Leased, Part, Refusal};
pub use call_box::{CallBox, Deferred, Fetched, MAX_CALLERS, MAX_SEEN, Offer, RateWindow, Seen, Tally};
pub use decide::decide;
pub use decision::{Charge, Decision, Effect, View};
pub use decision::{HeldWhy, NothingWhy, ReplyVerdict, Verdict};
pub use event::Event;
pub use hand_over::{merge, settle_open, withdraw_unshared_teaser};
pub use health::{Change, Condition, Forced, Health, HealthEvent, MAX_CHANGES, Trouble, Why};
pub use keyword::{Action, KeywordError, Keywords, normalise};
pub use parts::{MAX_MESSAGES, MAX_PART_CHARACTERS, MAX_PARTS, Message, MessagePart, PARTS_WAIT};
pub use policy::{Audience, Database, InDoubtPolicy, Limits, Policy, Service, Validity};
pub use range::{Range, RangeError, RangeName, Ranges};
pub use subscriber::{Subscriber, SubscriberStatus};
