//! What the phones page is told and what it asks for: plain values, so that it knows nothing of the simulator behind it.

use std::sync::Arc;

use model::{Kind, Msisdn, Reason, Timestamp};
use routing::Verdict;
use tokio::sync::{mpsc, watch};

use crate::PageLanguage;

/// The two ends that the page holds.
pub struct PhonesHandle {
    /// Where commands go. A full channel answers 503: the demo can't keep up, nobody waits.
    pub commands: mpsc::Sender<PhoneCommand>,
    /// The newest state of everything shown. Dropping the sender ends the live streams.
    pub view: watch::Receiver<Arc<PhonesView>>,
}

/// Something that a visitor did. Numbers are of phones in the view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PhoneCommand {
    /// A call to `called` that is not answered.
    Call {
        /// Who is called.
        called: Msisdn,
        /// Who calls.
        caller: PhoneCaller,
        /// Why it is not answered.
        reason: Reason,
    },
    /// An SMS from a phone to the service.
    Reply {
        /// Whose phone.
        from: Msisdn,
        /// What was typed: 1 to [`REPLY_LONGEST`] characters.
        text: String,
    },
    /// A phone is switched on or off.
    Switch {
        /// Whose phone.
        number: Msisdn,
        /// On from now.
        on: bool,
    },
    /// The database is broken or repaired.
    Database {
        /// Broken from now.
        abnormal: bool,
    },
    /// A scene is to be played.
    Scene(Scene),
}

/// A scene that the demo plays by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scene {
    /// A phone is off, three people call, the phone is on again.
    PhoneOff,
    /// The database dies, and returns.
    DatabaseDies,
    /// An offer, the list, a subscription.
    Offer,
    /// A caller hears that a phone is on again.
    Notify,
}

impl Scene {
    /// All, in the order of the page.
    pub const ALL: [Self; 4] = [Self::PhoneOff, Self::DatabaseDies, Self::Offer, Self::Notify];

    /// The word that forms use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PhoneOff => "phone_off",
            Self::DatabaseDies => "database_dies",
            Self::Offer => "offer",
            Self::Notify => "notify",
        }
    }

    /// The scene of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scene| scene.as_str() == word)
    }
}

/// The longest reply, in characters: two parts of UCS-2, more than any keyword needs.
pub const REPLY_LONGEST: usize = 134;

/// Who places a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PhoneCaller {
    /// Another phone on the page.
    Phone(Msisdn),
    /// Someone who withholds the number.
    Withheld,
}

/// Everything shown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PhonesView {
    /// The service code that alerts come from and replies go to.
    pub service: String,
    /// The IANA name of the zone in which times are shown.
    pub time_zone: String,
    /// The phones, in the order shown.
    pub phones: Vec<PhoneView>,
    /// Whether the database works.
    pub database: DatabaseView,
    /// What happened, oldest first; the page shows the newest [`LOG_SHOWN`].
    pub log: Vec<LogLine>,
    /// Totals since the start.
    pub counts: Counts,
}

/// Lines of the log shown: what one visitor does in some minutes.
pub const LOG_SHOWN: usize = 40;

/// Messages shown on each phone.
pub const MESSAGES_SHOWN: usize = 30;

/// The state of the database as the gateway sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DatabaseView {
    /// Nobody may ask it.
    pub abnormal: bool,
    /// Since when it is so.
    pub since: Timestamp,
}

/// A text in each language of the page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// Simplified Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Label {
    /// The text in one language.
    #[must_use]
    pub fn get(&self, language: PageLanguage) -> &str {
        language.pick(&self.en, &self.zh)
    }
}

/// What the person is to the service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Registered.
    Subscriber,
    /// Not registered, and in a configured range.
    Prospect,
    /// Not registered, and in no range.
    Outside,
}

/// One phone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PhoneView {
    /// Its number, made up: shown in full.
    pub number: Msisdn,
    /// Whose it is.
    pub name: Label,
    /// What they are to the service now.
    pub role: Role,
    /// Switched on.
    pub on: bool,
    /// Messages for it that wait at the SMSC.
    pub pending: usize,
    /// Its messages, oldest first; the page shows the newest [`MESSAGES_SHOWN`].
    pub messages: Vec<MessageView>,
    /// What was decided last about them.
    pub last_decision: Option<Verdict>,
}

/// One message on a phone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageView {
    /// Names it among all messages of all phones, never reused: the page moves its bubble, not its text.
    pub id: u64,
    /// Received; else sent from this phone.
    pub incoming: bool,
    /// The originator as a phone shows it.
    pub from: String,
    /// What it says.
    pub text: String,
    /// When it arrived or was sent.
    pub at: Timestamp,
    /// What it is for, where it came from the service.
    pub kind: Option<Kind>,
}

/// One line of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogLine {
    /// Names it, in increasing order.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// Whose phone it is about.
    pub phone: Option<Msisdn>,
    /// What.
    pub what: Happening,
}

/// What a line of the log tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Happening {
    /// A call was missed.
    Call {
        /// Who called.
        caller: PhoneCaller,
        /// Why it was not answered.
        reason: Reason,
    },
    /// The gateway decided.
    Decision(Verdict),
    /// An SMS went to the SMSC.
    Submit {
        /// What it is for.
        kind: Kind,
        /// Its parts.
        parts: usize,
    },
    /// The SMSC keeps an SMS because the phone is off.
    Waiting,
    /// An SMS is on the phone.
    Delivered {
        /// What it is for, where that is known.
        kind: Option<Kind>,
    },
    /// A reply was sent.
    Reply {
        /// What was typed.
        text: String,
    },
    /// The phone was switched.
    Switched {
        /// On from then.
        on: bool,
    },
    /// The database broke or works again.
    Database {
        /// Broken from then.
        abnormal: bool,
    },
}

/// Totals since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Missed calls.
    pub calls: u64,
    /// Calls that nobody is told of, with a reason.
    pub nothing: u64,
    /// SMS by kind.
    pub detail: u64,
    /// SMS by kind.
    pub teaser: u64,
    /// SMS by kind.
    pub fallback: u64,
    /// SMS by kind.
    pub notice: u64,
    /// SMS that arrived.
    pub delivered: u64,
    /// Replies that came back.
    pub replies: u64,
}

impl Counts {
    /// SMS of all kinds.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.detail + self.teaser + self.fallback + self.notice
    }
}
