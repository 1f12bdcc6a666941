//! What people see and operate: the operators' API, health and metrics, and web pages.
//!
//! Everything here reads what it is handed and sends commands; nothing here decides about calls or touches an SMSC.

pub mod access;
mod api;
mod assets;
pub mod audit;
mod flow;
mod frame;
mod guard;
mod handles;
mod health;
mod ladder;
mod language;
mod masked;
mod pages;
pub mod phones;
mod reading;
mod reason;
pub mod report;
mod samples;
mod system;
mod tail;
mod today;
mod words;
mod zone;

pub use access::{Access, Permission, Role, Scope, Viewer, Who};
pub use api::{
    AnswerView, ChangeView, ClosedView, DatabaseStatus, ForceError, ForceRequest, JournalView, LinkView, Operators,
    OrderedView, RangeView, SipPeerView, SipView, SpanView, Status, TermsView, router,
};
pub use assets::assets;
pub use audit::Audit;
pub use flow::{FlowView, PartView, PointView, StageState, StageView};
pub use handles::Handles;
pub use health::{Check, Condition, Found};
pub use ladder::{Between, Ladder, Rung, Value, Values};
pub use language::PageLanguage;
pub use reading::{LinkReading, Reading, Series, Spread, Waiting};
pub use system::{LinkOrder, LinkWish, LogView, LogWish, OrderError, ReloadView, SettingView, SystemView};
pub use words::{LINK_END_DETAILS, LINK_ENDS};
