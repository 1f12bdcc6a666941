//! What is known before a decision, and the decision.

use model::{AlertId, Kind, Msisdn, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    Alert, CallBox, CampaignName, Conversion, Database, Event, Evidence, Listed, MAX_ASKED, MAX_AWAITING, MAX_COPIES,
    MAX_HEARD, RangeName, Subscriber, Word,
};

/// What is known of one called person when an event about them is decided, read in the transaction that will apply the effects.
#[derive(Clone, Debug)]
pub struct View {
    /// Their call box; [`CallBox::empty`] when there is none yet.
    pub call_box: CallBox,
    /// The alert that the event concerns (submit outcome, receipt, dropped), else the one that the box calls open.
    pub alert: Option<Alert>,
    /// The alert that a [`crate::Resend`] names, where this node knows it.
    pub earlier: Option<Alert>,
    /// Their registration: by the database, or by the local registry while that is abnormal.
    pub subscriber: Option<Subscriber>,
    /// Whether the local registry was ever loaded.
    pub registry_loaded: bool,
    /// People already counted in the range that the called number is in.
    pub range_used: u64,
    /// The lists that they are on; nothing is known of them while the database is abnormal, and then nobody is teased.
    pub listed: Listed,
    /// Teasers with a campaign that this node has queued for that range, whether or not they left: whose turn it is.
    pub campaign_turn: u64,
    /// Whether the database can be asked.
    pub database: Database,
    /// The id that the first new alert takes; a second takes the next one.
    pub next_alert: AlertId,
}

/// A fetch that was granted, for billing. One per offer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Charge {
    /// Who is charged.
    pub called: Msisdn,
    /// When it was granted.
    pub at: Timestamp,
    /// The alert that carries the list.
    pub alert: AlertId,
    /// When the teaser was made.
    pub teased_at: Timestamp,
    /// The range of the teaser.
    pub range: RangeName,
}

/// A teaser with a campaign came a step further: counted by node, range, campaign and day.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CampaignStep {
    /// The campaign.
    pub campaign: CampaignName,
    /// The range of the teaser.
    pub range: RangeName,
    /// How far.
    pub step: Conversion,
    /// When.
    pub at: Timestamp,
}

/// Changes that one decision has at most: a word to each caller who is awaited, one of each person who can be reached again, one to each whose copies
/// end, what was asked while the database was abnormal and what it leads to, and the others.
pub const MAX_EFFECTS: usize = 2 * MAX_AWAITING + MAX_COPIES + 4 * (MAX_ASKED + MAX_HEARD) + 10;

/// One change to commit.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every decision changes the box: an allocation for each would cost more than it saves"
)]
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The box as it is now.
    CallBox(CallBox),
    /// An alert, new or changed.
    Alert(Alert),
    /// The person is counted in this range's quota from now on.
    Count(RangeName),
    /// A fetch was granted.
    Charge(Charge),
    /// The person is registered.
    Subscribe(Subscriber),
    /// The person, who was registered before, is so in this way. Who is unregistered meanwhile stays so.
    ChangeSubscriber(Subscriber),
    /// The person is no longer registered.
    Unsubscribe(Msisdn),
    /// What the person said is kept as evidence.
    Evidence(Evidence),
    /// A campaign is counted.
    Campaign(CampaignStep),
    /// [`Event::Word`] is journaled.
    Word(Word),
}

/// Why calls wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldWhy {
    /// The alert before is not delivered yet.
    AlertPending,
    /// The alert before is being brought up to date at the SMSC, to tell this too.
    Updating,
    /// The last alert was too short ago.
    MinInterval,
    /// The subscriber asked for quiet.
    Paused,
}

/// Why nothing is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NothingWhy {
    /// The same call was already counted.
    Duplicate,
    /// The call is too old to be worth telling, or to send a teaser for (it may be counted in the next one).
    TooOld,
    /// The subscriber is suspended.
    Suspended,
    /// The person refused.
    Refused,
    /// The person is on the do-not-contact list.
    DoNotContact,
    /// The range asks for consent that the person has not given.
    NoConsent,
    /// It is night for the person: teasers keep away.
    QuietHours,
    /// Not registered, and the forwarded-to number serves only subscribers.
    NotSubscribed,
    /// Not registered, and in no range that is in force.
    OutsideRanges,
    /// The range's quota is used up and the person is not counted in it.
    QuotaUsedUp,
    /// A teaser was sent lately.
    TeaserCapped,
    /// As many alerts as a day may have.
    DailyCap,
    /// The database is abnormal and the person is not in the local registry.
    AbnormalNotRegistered,
    /// The database is abnormal, the registry was never loaded, and the forwarded-to number says nothing.
    AbnormalNoRegistry,
    /// Nothing was waiting.
    NothingToTell,
    /// A repeat, or something that no longer matters.
    NoChange,
    /// A receipt or an answer that belongs to no alert known here.
    Unmatched,
    /// Notify-me: switched off by the person who would be told.
    NotNotified,
    /// Notify-me: as many as a day may have.
    NotifyCap,
    /// Notify-me: too late to be worth telling.
    NotifyTooLate,
    /// Waits for the database to be normal.
    Deferred,
}

/// What became of a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyVerdict {
    /// The list is sent, and charged where an offer was taken.
    Granted,
    /// There was no offer.
    NoOffer,
    /// The offer is past its time.
    OfferExpired,
    /// The list was granted before and is sent again, uncharged.
    AlreadyFetched,
    /// The person refused earlier.
    RefusedEarlier,
    /// The text is no keyword of ours.
    WrongKeyword,
    /// Too many replies.
    RateLimited,
    /// The database is abnormal: it will be answered after recovery.
    Deferred,
    /// Never a teaser again.
    Refused,
    /// Registered.
    Subscribed,
    /// No longer registered.
    Unsubscribed,
    /// The keywords were sent.
    Help,
    /// Sent to a number that is not ours.
    NotOurNumber,
    /// Registered and suspended: gets no list, and a registration changes nothing.
    Suspended,
    /// A part of a longer message: the others are waited for.
    Waiting,
    /// Asked whether they mean it: a subscription, or copies.
    ConfirmationAsked,
    /// A confirmation, and nothing to confirm.
    NothingToConfirm,
    /// Alerts are held from now on.
    Paused,
    /// Alerts are no longer held.
    Resumed,
    /// Told when somebody whom they rang can be reached again.
    NotifyOn,
    /// No longer told.
    NotifyOff,
    /// Others aren't told that they can be reached again.
    Hidden,
    /// Others are told again.
    Shown,
    /// Another language from now on.
    LanguageSet,
    /// A language that we have no texts in; the known ones are told.
    LanguageUnknown,
    /// The other number is asked whether it wants copies.
    CopyAsked,
    /// Copies go to the number that asked for nothing: agreed.
    CopyAgreed,
    /// No more copies.
    CopyEnded,
    /// A keyword for subscribers, of somebody who is none.
    NotSubscribed,
    /// The keyword is known, what follows it is not understood.
    BadArgument,
}

/// What was decided; kept with the event, counted and shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A message of this kind is queued.
    Send(Kind),
    /// Told by an alert that was already queued and now tells this too.
    Joined(Kind),
    /// Told later.
    Held(HeldWhy),
    /// Not told.
    Nothing(NothingWhy),
    /// A reply was handled.
    Reply(ReplyVerdict),
    /// An alert moved on.
    Alert,
}

impl Verdict {
    /// Two words for metrics and pages: what, and why or which.
    #[must_use]
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Send(kind) => ("send", kind.as_str()),
            Self::Joined(kind) => ("joined", kind.as_str()),
            Self::Held(why) => ("held", why.as_str()),
            Self::Nothing(why) => ("nothing", why.as_str()),
            Self::Reply(verdict) => ("reply", verdict.as_str()),
            Self::Alert => ("alert", ""),
        }
    }
}

impl HeldWhy {
    /// Every reason, in the order of the documents.
    pub const ALL: [Self; 4] = [Self::AlertPending, Self::Updating, Self::MinInterval, Self::Paused];

    /// The word used in metrics, pages and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AlertPending => "alert_pending",
            Self::Updating => "updating",
            Self::MinInterval => "min_interval",
            Self::Paused => "paused",
        }
    }
}

impl NothingWhy {
    /// Every reason, in the order of the documents.
    pub const ALL: [Self; 21] = [
        Self::Duplicate,
        Self::TooOld,
        Self::Suspended,
        Self::Refused,
        Self::DoNotContact,
        Self::NoConsent,
        Self::QuietHours,
        Self::NotSubscribed,
        Self::OutsideRanges,
        Self::QuotaUsedUp,
        Self::TeaserCapped,
        Self::DailyCap,
        Self::AbnormalNotRegistered,
        Self::AbnormalNoRegistry,
        Self::NothingToTell,
        Self::NoChange,
        Self::Unmatched,
        Self::NotNotified,
        Self::NotifyCap,
        Self::NotifyTooLate,
        Self::Deferred,
    ];

    /// The word used in metrics, pages and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::TooOld => "too_old",
            Self::Suspended => "suspended",
            Self::Refused => "refused",
            Self::DoNotContact => "do_not_contact",
            Self::NoConsent => "no_consent",
            Self::QuietHours => "quiet_hours",
            Self::NotSubscribed => "not_subscribed",
            Self::OutsideRanges => "outside_ranges",
            Self::QuotaUsedUp => "quota_used_up",
            Self::TeaserCapped => "teaser_capped",
            Self::DailyCap => "daily_cap",
            Self::AbnormalNotRegistered => "abnormal_not_registered",
            Self::AbnormalNoRegistry => "abnormal_no_registry",
            Self::NothingToTell => "nothing_to_tell",
            Self::NoChange => "no_change",
            Self::Unmatched => "unmatched",
            Self::NotNotified => "not_notified",
            Self::NotifyCap => "notify_cap",
            Self::NotifyTooLate => "notify_too_late",
            Self::Deferred => "deferred",
        }
    }
}

impl ReplyVerdict {
    /// Every verdict, in the order of the documents.
    pub const ALL: [Self; 30] = [
        Self::Granted,
        Self::NoOffer,
        Self::OfferExpired,
        Self::AlreadyFetched,
        Self::RefusedEarlier,
        Self::WrongKeyword,
        Self::RateLimited,
        Self::Deferred,
        Self::Refused,
        Self::Subscribed,
        Self::Unsubscribed,
        Self::Help,
        Self::NotOurNumber,
        Self::Suspended,
        Self::Waiting,
        Self::ConfirmationAsked,
        Self::NothingToConfirm,
        Self::Paused,
        Self::Resumed,
        Self::NotifyOn,
        Self::NotifyOff,
        Self::Hidden,
        Self::Shown,
        Self::LanguageSet,
        Self::LanguageUnknown,
        Self::CopyAsked,
        Self::CopyAgreed,
        Self::CopyEnded,
        Self::NotSubscribed,
        Self::BadArgument,
    ];

    /// The word used in metrics, pages and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::NoOffer => "no_offer",
            Self::OfferExpired => "offer_expired",
            Self::AlreadyFetched => "already_fetched",
            Self::RefusedEarlier => "refused_earlier",
            Self::WrongKeyword => "wrong_keyword",
            Self::RateLimited => "rate_limited",
            Self::Deferred => "deferred",
            Self::Refused => "refused",
            Self::Subscribed => "subscribed",
            Self::Unsubscribed => "unsubscribed",
            Self::Help => "help",
            Self::NotOurNumber => "not_our_number",
            Self::Suspended => "suspended",
            Self::Waiting => "waiting",
            Self::ConfirmationAsked => "confirmation_asked",
            Self::NothingToConfirm => "nothing_to_confirm",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::NotifyOn => "notify_on",
            Self::NotifyOff => "notify_off",
            Self::Hidden => "hidden",
            Self::Shown => "shown",
            Self::LanguageSet => "language_set",
            Self::LanguageUnknown => "language_unknown",
            Self::CopyAsked => "copy_asked",
            Self::CopyAgreed => "copy_agreed",
            Self::CopyEnded => "copy_ended",
            Self::NotSubscribed => "not_subscribed",
            Self::BadArgument => "bad_argument",
        }
    }
}

/// What to commit for one event: a verdict to remember and the changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// What was decided, and why.
    pub verdict: Verdict,
    /// The changes, at most [`MAX_EFFECTS`], to apply in order and all or none.
    pub effects: Vec<Effect>,
}

impl Decision {
    /// The alerts that this decision made or changed.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Alert(alert) => Some(alert),
            _ => None,
        })
    }
}

/// Events carry the number they are about, but for those that name an alert.
impl Event {
    /// The called person that this event is about, where the event itself says.
    #[must_use]
    pub fn called(&self) -> Option<Msisdn> {
        match self {
            Self::Call(call) => Some(call.called),
            Self::Reply(reply) => Some(reply.from),
            Self::Due { called } => Some(*called),
            Self::Word(word) => Some(word.to),
            Self::Resend(resend) => Some(resend.called),
            Self::Submitted { .. } | Self::Updated { .. } | Self::Receipt(_) | Self::Dropped { .. } => None,
        }
    }
}
