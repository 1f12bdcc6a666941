//! What the program is and how it is set: what the pages, the API and the command line show of it, and the orders that change it while it runs.

use std::sync::Arc;

use model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::{maybe_rfc3339, rfc3339};

/// What is running.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct SystemView {
    /// The program's version.
    pub version: String,
    /// Since when it runs.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub started: Timestamp,
    /// What the operator calls this node.
    pub node: String,
    /// The settings' digest: differs when what is in force differs.
    pub digest: String,
    /// Every setting in force; shared, for what is running is asked once a second for each viewer.
    #[schema(value_type = Vec<SettingView>)]
    pub settings: Arc<[SettingView]>,
    /// The last time the settings were read anew, if they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reloaded: Option<ReloadView>,
    /// What is logged now, and until when, where that ends by itself.
    pub log: LogView,
}

/// One setting, secrets hidden.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct SettingView {
    /// `section.key`.
    pub key: String,
    /// Its value, `***` where it is secret.
    pub value: String,
    /// Where it was given: a file and its line, the environment, the default.
    pub source: String,
}

/// What reading the settings anew gave.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct ReloadView {
    /// When.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Settings that changed and are in force now.
    pub applied: Vec<String>,
    /// Settings that changed and wait for a restart.
    pub needs_restart: Vec<String>,
    /// Why nothing was applied, a line for each fault; empty when all was well.
    pub faults: Vec<String>,
}

impl ReloadView {
    /// In a few words, for the audit log: settings are named and not told.
    #[must_use]
    pub fn summary(&self) -> String {
        if !self.faults.is_empty() {
            return format!("refused: {} faults", self.faults.len());
        }
        let list = |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        format!("applied: {}; waits for a restart: {}", list(&self.applied), list(&self.needs_restart))
    }
}

/// What is logged.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct LogView {
    /// The filter in force.
    pub filter: String,
    /// Until when, where another takes its place by itself.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_rfc3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// What is to be logged for a while.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogWish {
    /// The filter.
    pub filter: String,
    /// Until when.
    pub until: Timestamp,
}

/// An order to a link, or to all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkOrder {
    /// The link's name; `None`: every link.
    pub link: Option<String>,
    /// What it is to do.
    pub what: LinkWish,
}

/// What a link is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkWish {
    /// Take no more orders, wait for the answers to those it has, unbind, and stay away until then.
    Drain {
        /// Until then.
        until: Timestamp,
    },
    /// Unbind at once (what is unanswered is in doubt) and stay away until then.
    Unbind {
        /// Until then.
        until: Timestamp,
    },
    /// Leave the present session, where there is one, and bind at once; lifts what was ordered before.
    Rebind,
}

/// Why an order was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Nothing is called so.
    #[error("no link is called '{0}'")]
    NoSuchLink(String),
    /// It is no filter.
    #[error("not a log filter: {0}")]
    Filter(String),
    /// The gateway is stopping and takes no more orders.
    #[error("the gateway is stopping")]
    Stopping,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_is_summed_up_without_values() {
        let view = |applied: &[&str], restart: &[&str], faults: &[&str]| {
            let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
            let (applied, needs_restart, faults) = (owned(applied), owned(restart), owned(faults));
            ReloadView { at: Timestamp::from_millis(0), applied, needs_restart, faults }.summary()
        };
        assert_eq!(view(&["ranges"], &[], &[]), "applied: ranges; waits for a restart: nothing");
        assert_eq!(view(&[], &["smsc.urls"], &[]), "applied: nothing; waits for a restart: smsc.urls");
        assert_eq!(view(&[], &[], &["database.url: not a URL: postgres://u:secret@h"]), "refused: 1 faults");
    }
}
