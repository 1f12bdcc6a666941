//! Links to SMSCs: binds as a transceiver (SMPP 3.4), submits alerts, hands on their answers, receipts and replies.
//!
//! [`start`] gives [`Links`] to submit by and [`Arrivals`] to read from. Whoever wants to submit reserves [`Permit`]s first, each a
//! slot in the window of a link in service, and only then looks for work: there is no queue here that could fill.
//! Every order has exactly one [`Answer`]; one that was not answered in time may have a late one after it. What arrives is
//! acknowledged to the SMSC by an [`Acknowledge`], once it is durable.
//!
//! A link is one task (`link`), driven by a pure machine (`session`); what it says to and hears from its peer is in
//! `conversation`, `talk` and `peer`.

mod answers;
mod charset;
mod connect;
mod conversation;
mod deliver;
mod frame;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod inbound;
mod link;
mod links;
mod meter;
mod outbind;
mod pace;
mod pdu;
mod peer;
mod receipt;
mod septets;
mod session;
mod settings;
mod state;
mod status;
mod submit;
mod talk;
mod text;
mod tls;
mod trace;
mod up_to_date;
mod updates;
mod window;
mod writing;

pub use answers::Answer;
pub use connect::reach_smsc;
pub use inbound::{Acknowledge, Inbound};
pub use links::{Arrivals, Links, MAX_WINDOW, NotOrdered, Permit, start};
pub use settings::{Bind, LinkSettings, SettingsError, TlsSettings, TraceSettings, Version};
pub use state::{AnswerSeconds, By, Closed, LinkCounts, LinkOrder, LinkState, LinkStatus, Ordered, TlsFault, Why};
pub use status::{Status, StatusClass, StatusTable};
pub use tls::TlsError;
pub use updates::{Abilities, Ability, Message, Update, Updated};
pub use writing::{Charset, KindWriting, Long, TonNpi, ValidityForm, Writing};

#[cfg(test)]
fn settings_for_tests() -> LinkSettings {
    let numbering = model::Numbering::new("86", "0", "00");
    let smsc = model::SmscName("smsc1".into());
    LinkSettings {
        window: 10,
        ..LinkSettings::new(smsc, "127.0.0.1", 2775, "afterring", model::Secret::new("secret".into()), numbering)
    }
}
