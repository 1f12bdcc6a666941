//! Links to SMSCs: binds as a transceiver (SMPP 3.4), submits alerts, hands on their answers, receipts and replies.
//!
//! [`start`] gives [`Links`] to submit by and [`Arrivals`] to read from. Whoever wants to submit reserves [`Permit`]s first, each a
//! slot in the window of a link in service, and only then looks for work: there is no queue here that could fill.
//! Every order has exactly one [`Answer`]; one that was not answered in time may have a late one after it. What arrives is
//! acknowledged to the SMSC by an [`Acknowledge`], once it is durable.
//!
//! A link is one task (`link`), driven by a pure machine (`session`); what it says to and hears from its peer is in `talk` and `peer`.

mod answers;
mod deliver;
mod frame;
mod gate;
mod inbound;
mod link;
mod links;
mod meter;
mod pace;
mod peer;
mod receipt;
mod session;
mod settings;
mod state;
mod status;
mod submit;
mod talk;
mod text;
mod window;

pub use answers::Answer;
pub use inbound::{Acknowledge, Inbound};
pub use links::{Arrivals, Links, MAX_WINDOW, Permit, start};
pub use settings::{LinkSettings, SettingsError};
pub use state::{AnswerSeconds, Closed, LinkCounts, LinkState, LinkStatus, Why};

#[cfg(test)]
fn settings_for_tests() -> LinkSettings {
    use std::time::Duration;
    LinkSettings {
        name: model::LinkName("smsc1/1".into()),
        smsc: model::SmscName("smsc1".into()),
        host: "127.0.0.1".into(),
        port: 2775,
        system_id: "afterring".into(),
        password: model::Secret::new("secret".into()),
        system_type: String::new(),
        window: 10,
        rate: 0,
        enquire_interval: Duration::from_secs(30),
        response_timeout: Duration::from_secs(10),
        bind_timeout: Duration::from_secs(5),
        reconnect_min: Duration::from_secs(1),
        reconnect_max: Duration::from_secs(30),
        refused_wait: Duration::from_secs(60),
        numbering: model::Numbering {
            country_code: "86".into(),
            national_prefix: "0".into(),
            international_prefix: "00".into(),
        },
    }
}
