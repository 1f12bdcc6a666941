//! Consent: who may be teased at all, what lists say of a person, and the evidence that is kept of what people said.

use model::{AlertId, Msisdn, SmscName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{CampaignName, RangeName};

/// What a range asks of a person before they are teased.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentRule {
    /// Nothing.
    #[default]
    None,
    /// They are on the list of existing customers, or on that of those who consented.
    ExistingCustomers,
    /// They are on the list of those who consented.
    Explicit,
}

impl ConsentRule {
    /// Every rule, in the order of the documents.
    pub const ALL: [Self; 3] = [Self::None, Self::ExistingCustomers, Self::Explicit];

    /// The word used in settings and pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ExistingCustomers => "existing_customers",
            Self::Explicit => "explicit",
        }
    }

    /// Reads that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == word)
    }

    /// Whether a person on these lists may be teased. Who consented expressly may be where less is asked.
    #[must_use]
    pub const fn met_by(self, listed: Listed) -> bool {
        match self {
            Self::None => true,
            Self::ExistingCustomers => listed.customers || listed.consent,
            Self::Explicit => listed.consent,
        }
    }
}

/// A list of numbers that operators keep.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum List {
    /// Those who consented to teasers.
    Consent,
    /// Existing customers.
    Customers,
    /// Those who are never teased, nor told by notify-me.
    DoNotContact,
}

impl List {
    /// Every list, in the order of the documents.
    pub const ALL: [Self; 3] = [Self::Consent, Self::Customers, Self::DoNotContact];

    /// The word used in commands, tables and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Customers => "customers",
            Self::DoNotContact => "do_not_contact",
        }
    }

    /// Reads that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.as_str() == word)
    }
}

/// Which lists a person is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Listed {
    /// [`List::Consent`].
    pub consent: bool,
    /// [`List::Customers`].
    pub customers: bool,
    /// [`List::DoNotContact`].
    pub do_not_contact: bool,
}

/// What a person did that must be provable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceOf {
    /// Asked for the list that a teaser offered.
    Fetched,
    /// Asked to be registered; to be confirmed where the operator wants that.
    SubscriptionAsked,
    /// Registered (confirmed where the operator wants that).
    Subscribed,
    /// Unregistered.
    Unsubscribed,
    /// Refused teasers.
    Refused,
    /// Agreed to get copies of another person's alerts.
    CopyAgreed,
    /// Ended such copies.
    CopyEnded,
}

impl EvidenceOf {
    /// The word used in tables, pages and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fetched => "fetched",
            Self::SubscriptionAsked => "subscription_asked",
            Self::Subscribed => "subscribed",
            Self::Unsubscribed => "unsubscribed",
            Self::Refused => "refused",
            Self::CopyAgreed => "copy_agreed",
            Self::CopyEnded => "copy_ended",
        }
    }
}

/// The record of what a person said, kept as long as a complaint may come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Evidence {
    /// Who said it.
    pub called: Msisdn,
    /// When it was decided.
    pub at: Timestamp,
    /// What it meant.
    pub what: EvidenceOf,
    /// What was written, word for word, at most 160 characters; absent where a deferred request was taken up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The number it was sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The SMSC it came through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smsc: Option<SmscName>,
    /// When the teaser was made that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teased_at: Option<Timestamp>,
    /// The range of that teaser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<RangeName>,
    /// The campaign of that teaser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<CampaignName>,
    /// The alert that answers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<AlertId>,
}
