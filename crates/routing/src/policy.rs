//! What the operator decided beforehand.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Address, Caller, Kind, Language, Msisdn, Numbering, ShortNumber, SmscName, UpdateMode};

use crate::text::Texts;
use crate::{Campaigns, ClockFace, Keywords, Ranges, Tally};

/// Whether the truth that nodes share can be asked. The embedded store alone is normal unless an operator forces it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Database {
    /// It can.
    Normal,
    /// It can't, or must not be.
    Abnormal,
}

/// Whom a forwarded-to number serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audience {
    /// Only registered people are forwarded to it.
    Subscribers,
    /// Anybody in a configured range may be.
    Prospects,
}

/// What follows a submit without an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InDoubtPolicy {
    /// Nothing: perhaps never told, never told twice.
    Hold,
    /// One more attempt, then hold.
    ResendOnce,
    /// Until answered: perhaps told twice, never untold.
    Resend,
}

/// Where alerts come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Originator {
    /// Always from here.
    Address(Address),
    /// From the caller's own number, so that the phone shows the contact's name, where the alert tells of one caller with a number; else from the
    /// service code.
    Caller,
}

/// Our numbers.
#[derive(Clone, Debug)]
pub struct Service {
    /// The service code that people reply to.
    pub code: ShortNumber,
    /// Another number of ours for commercial texts: teasers come from it, and replies to it count as well. `None`: the service code.
    pub commercial_code: Option<ShortNumber>,
    /// What each forwarded-to number means.
    pub numbers: BTreeMap<ShortNumber, Audience>,
    /// Where each kind comes from; the service code where nothing is set. A teaser always comes from a code of ours, so that it can be answered.
    pub originators: BTreeMap<Kind, Originator>,
}

impl Service {
    /// One code for everything.
    #[must_use]
    pub const fn new(code: ShortNumber) -> Self {
        Self { code, commercial_code: None, numbers: BTreeMap::new(), originators: BTreeMap::new() }
    }

    /// Where a message of this kind comes from that tells these calls.
    #[must_use]
    pub fn source(&self, kind: Kind, told: &[Tally], more: u32) -> Address {
        let code = || Address::ShortCode(self.code.clone());
        match kind {
            Kind::Teaser => Address::ShortCode(self.commercial_code.as_ref().unwrap_or(&self.code).clone()),
            Kind::Notice => code(),
            Kind::Fallback | Kind::Detail | Kind::Notify => match (self.originators.get(&kind), told) {
                (Some(Originator::Address(address)), _) => address.clone(),
                (Some(Originator::Caller), [Tally { caller: Caller::Number(caller), .. }]) if more == 0 => {
                    Address::International(*caller)
                }
                (None | Some(Originator::Caller), _) => code(),
            },
        }
    }

    /// Whether a number that somebody texted to is ours.
    #[must_use]
    pub fn is_ours(&self, number: &str) -> bool {
        self.texted(number).is_some()
    }

    /// Which number of ours somebody texted to: answers come from it.
    #[must_use]
    pub fn texted(&self, number: &str) -> Option<&ShortNumber> {
        let digits = number.trim_start_matches('+');
        [Some(&self.code), self.commercial_code.as_ref()].into_iter().flatten().find(|code| code.as_str() == digits)
    }
}

/// How long each kind is worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Alerts to subscribers, and fetched details.
    pub alert: Duration,
    /// Teasers.
    pub teaser: Duration,
    /// Answers to replies.
    pub notice: Duration,
    /// Notify-me.
    pub notify: Duration,
}

impl Validity {
    /// How long a message of this kind is worth telling.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> Duration {
        match kind {
            Kind::Fallback | Kind::Detail => self.alert,
            Kind::Teaser => self.teaser,
            Kind::Notice => self.notice,
            Kind::Notify => self.notify,
        }
    }
}

/// Bounds in time and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// At most one alert about calls per person in this time; calls in between are told together at its end.
    pub min_interval: Duration,
    /// How long calls wait for the receipt of the alert before them.
    pub update_wait: Duration,
    /// Alerts about calls per person and day (of the person's own calendar).
    pub daily_cap: u32,
    /// How long each kind is worth telling.
    pub validity: Validity,
    /// A teaser that could not be sent within this time is dropped: a late one is worse than none.
    pub teaser_patience: Duration,
    /// No further teaser in this time after one, unless the person did something about it.
    pub teaser_interval: Duration,
    /// How long a fetch is granted after a teaser.
    pub offer_validity: Duration,
    /// A call older than this is recorded and not told.
    pub max_age: Duration,
    /// How long a call's id is remembered.
    pub dedup_window: Duration,
    /// Two reports of one caller by different ways within this time are one call.
    pub same_call: Duration,
    /// Replies per person and window that are answered.
    pub reply_limit: u32,
    /// The window of the reply limit.
    pub reply_window: Duration,
    /// Pause before an unanswered submit is sent again.
    pub resend_wait: Duration,
    /// Most parts a message may have; what doesn't fit is told as "+N".
    pub max_parts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            min_interval: MINUTE,
            update_wait: MINUTE.saturating_mul(10),
            daily_cap: 20,
            validity: Validity { alert: DAY, teaser: DAY, notice: DAY, notify: MINUTE.saturating_mul(120) },
            teaser_patience: MINUTE.saturating_mul(15),
            teaser_interval: DAY.saturating_mul(7),
            offer_validity: DAY,
            max_age: DAY.saturating_mul(7),
            dedup_window: DAY,
            same_call: Duration::from_secs(5),
            reply_limit: 10,
            reply_window: MINUTE.saturating_mul(60),
            resend_wait: Duration::from_secs(30),
            max_parts: 3,
        }
    }
}

/// How alerts that an SMSC has are brought up to date.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Updates {
    /// At SMSCs of which nothing else is said.
    pub usual: UpdateMode,
    /// At these.
    pub by_smsc: BTreeMap<SmscName, UpdateMode>,
}

impl Default for Updates {
    fn default() -> Self {
        Self { usual: UpdateMode::Auto, by_smsc: BTreeMap::new() }
    }
}

impl Updates {
    /// How, at this SMSC.
    #[must_use]
    pub fn mode(&self, smsc: &SmscName) -> UpdateMode {
        self.by_smsc.get(smsc).copied().unwrap_or(self.usual)
    }
}

/// Notify-me: telling callers that a person can be reached again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotifyMe {
    /// Whether it is done at all.
    pub on: bool,
    /// Whether callers are told who said nothing about it.
    pub usual: bool,
    /// Callers who are on our network: first and last number of each block. Others are never told.
    pub on_net: Vec<(u64, u64)>,
    /// Messages to one caller in a day of the caller's own calendar.
    pub daily_cap: u32,
    /// How long after a call its caller may be told.
    pub within: Duration,
}

impl Default for NotifyMe {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        Self { on: false, usual: true, on_net: Vec::new(), daily_cap: 5, within: HOUR.saturating_mul(24) }
    }
}

impl NotifyMe {
    /// Whether a caller is on our network.
    #[must_use]
    pub fn is_on_net(&self, caller: Msisdn) -> bool {
        self.on_net.iter().any(|(first, last)| (*first..=*last).contains(&caller.as_u64()))
    }
}

/// What people may do by keyword, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SelfService {
    /// Whether a subscription counts only once it is confirmed.
    pub double_opt_in: bool,
    /// How long a question waits for its answer.
    pub confirm_within: Duration,
    /// How long a pause lasts that names no hours.
    pub pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// Whether copies may be sent to another number.
    pub copies: bool,
}

impl Default for SelfService {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        Self {
            double_opt_in: false,
            confirm_within: HOUR.saturating_mul(24),
            pause: HOUR.saturating_mul(8),
            longest_pause: HOUR.saturating_mul(24 * 30),
            copies: true,
        }
    }
}

/// All that a decision depends on beside the event and what is known of the person.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whom teasers may go to.
    pub ranges: Ranges,
    /// What people may text.
    pub keywords: Keywords,
    /// Our numbers.
    pub service: Service,
    /// What we write.
    pub texts: Texts,
    /// For people who chose none.
    pub language: Language,
    /// For people of whom no other is known (IANA name).
    pub time_zone: String,
    /// Bounds in time and number.
    pub limits: Limits,
    /// How times are written for people of whom nothing else is known.
    pub clock: ClockFace,
    /// What follows a submit without an answer.
    pub in_doubt: InDoubtPolicy,
    /// How alerts that an SMSC has are brought up to date.
    pub updates: Updates,
    /// Telling callers that a person can be reached again.
    pub notify: NotifyMe,
    /// What people may do by keyword.
    pub self_service: SelfService,
    /// How people write numbers in this network; `None`: internationally.
    pub numbering: Option<Numbering>,
    /// What teasers carry.
    pub campaigns: Campaigns,
}

impl Policy {
    /// The policy of an operator who set nothing but this: no ranges, the shipped keywords, English, UTC.
    #[must_use]
    pub fn new(service: Service, texts: Texts) -> Self {
        Self {
            ranges: Ranges::default(),
            keywords: Keywords::shipped(),
            service,
            texts,
            language: Language::en(),
            time_zone: "UTC".to_owned(),
            limits: Limits::default(),
            clock: ClockFace::TwentyFour,
            in_doubt: InDoubtPolicy::Hold,
            updates: Updates::default(),
            notify: NotifyMe::default(),
            self_service: SelfService::default(),
            numbering: None,
            campaigns: Campaigns::default(),
        }
    }
}
