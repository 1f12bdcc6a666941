//! Decisions: what becomes of a missed call, of what was sent for it, and of what comes back.
//!
//! [`decide()`] is the only entry point. It takes what is known of one called person ([`View`]), one [`Event`] that is already safe on disk, and the
//! time; it returns a [`Decision`] and changes nothing. The caller commits the decision's effects in one transaction with the event, and only what is
//! committed is sent. The same inputs give the same decision, so a transaction may run it again.
//!
//! Nothing here does I/O, reads a clock, draws a random number or knows an async runtime.

mod alert;
mod call_box;
mod campaign;
mod consent;
mod day;
mod decide;
mod decision;
mod event;
mod hand_over;
mod health;
mod keyword;
mod local;
mod parts;
mod policy;
mod privacy;
mod range;
mod resent;
mod subscriber;
pub mod text;
mod word;
mod written;

pub use alert::{
    Again, Alert, AlertState, Calls, Doubts, FailedWhy, Leased, MAX_TRAIL, Part, Refusal, Step, StepWhat, Update,
    UpdateState, Wish,
};
pub use call_box::{
    CallBox, Deferred, Fetched, MAX_ASKED, MAX_CALLERS, MAX_HEARD, MAX_SEEN, Offer, RateWindow, Seen, Tally,
};
pub use campaign::{Campaign, CampaignError, CampaignName, Campaigns, Conversion, MAX_WEIGHT};
pub use consent::{ConsentRule, Evidence, EvidenceOf, List, Listed};
pub use day::{ClockFace, DayWindow, DayWindowError};
pub use decide::{Fact, decide, facts};
pub use decision::{CampaignStep, Charge, Decision, Effect, MAX_EFFECTS, View};
pub use decision::{HeldWhy, NothingWhy, ReplyVerdict, Verdict};
pub use event::{Event, NotAgain, Resend};
pub use hand_over::{merge, settle_open, withdraw_unshared_teaser};
pub use health::{Change, Condition, Forced, Health, HealthEvent, MAX_CHANGES, Trouble, Why};
pub use keyword::{Action, KeywordError, Keywords, Request, normalise};
pub use parts::{MAX_MESSAGES, MAX_PART_CHARACTERS, MAX_PARTS, Message, MessagePart, PARTS_WAIT};
pub use policy::{
    Audience, Database, InDoubtPolicy, Limits, NotifyMe, Originator, Policy, SelfService, Service, Updates, Validity,
};
pub use privacy::{
    Awaiting, Copies, CopiesAsked, CopiesMade, Futile, MAX_AWAITING, MAX_COPIES, MAX_HIDDEN, Pending, Privacy,
    Question, Reachable,
};
pub use range::{Range, RangeError, RangeName, Ranges, Terms};
pub use resent::{MAX_RESENT, Resent};
pub use subscriber::{Subscriber, SubscriberChange, SubscriberStatus};
pub use word::{Saying, Word};
