//! What people see and operate: the operators' API, health and metrics, and web pages.
//!
//! Everything here reads what it is handed and sends commands; nothing here decides about calls or touches an SMSC.

mod api;
mod assets;
mod health;
mod language;
pub mod phones;

pub use api::{
    AnswerView, ChangeView, DatabaseStatus, ForceError, ForceRequest, JournalView, LinkView, Operators, RangeView,
    SipPeerView, SipView, SpanView, Status, TermsView, router,
};
pub use health::{Check, Condition};
pub use language::PageLanguage;
