//! What people see and operate: the operators' API, health and metrics, and web pages.
//!
//! Everything here reads what it is handed and sends commands; nothing here decides about calls or touches an SMSC.

mod assets;
mod language;
pub mod phones;

pub use language::PageLanguage;
