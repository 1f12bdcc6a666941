//! The texts of the phones page. A text that one language lacks is a compile error.

use model::{Kind, Reason};
use routing::{Action, ReplyVerdict, Verdict};

use super::view::{Counts, Label, Role, Scene};
use crate::PageLanguage;

/// The fixed texts of the page in one language.
pub(super) struct Words {
    pub(super) language: PageLanguage,
    pub(super) title: &'static str,
    pub(super) skip: &'static str,
    pub(super) headline: &'static str,
    pub(super) lead: &'static str,
    pub(super) made_up: &'static str,
    pub(super) live: &'static str,
    pub(super) stale: &'static str,
    pub(super) languages: &'static str,
    pub(super) tour: &'static str,
    pub(super) tour_done: &'static str,
    pub(super) tour_finished: &'static str,
    pub(super) steps: [Step; 4],
    pub(super) scenes: &'static str,
    pub(super) phones: &'static str,
    pub(super) call: &'static str,
    pub(super) caller: &'static str,
    pub(super) withheld: &'static str,
    pub(super) reason: &'static str,
    pub(super) decision: &'static str,
    pub(super) power: &'static str,
    pub(super) on: &'static str,
    pub(super) off: &'static str,
    pub(super) off_screen: &'static str,
    pub(super) waiting_none: &'static str,
    pub(super) inbox_empty: &'static str,
    pub(super) inbox: &'static str,
    pub(super) sms_service: &'static str,
    pub(super) reply_with: &'static str,
    pub(super) free_text: &'static str,
    pub(super) send: &'static str,
    pub(super) database: &'static str,
    pub(super) normal: &'static str,
    pub(super) abnormal: &'static str,
    pub(super) since: &'static str,
    pub(super) normal_means: &'static str,
    pub(super) abnormal_means: &'static str,
    pub(super) break_it: &'static str,
    pub(super) repair_it: &'static str,
    pub(super) log: &'static str,
    pub(super) log_empty: &'static str,
    pub(super) log_time: &'static str,
    pub(super) log_what: &'static str,
    pub(super) log_phone: &'static str,
    pub(super) log_detail: &'static str,
    pub(super) counts: &'static str,
    pub(super) failed: &'static str,
}

/// One step of the tour.
pub(super) struct Step {
    pub(super) does: &'static str,
    pub(super) shows: &'static str,
}

pub(super) const fn words(language: PageLanguage) -> &'static Words {
    match language {
        PageLanguage::Zh => &ZH,
        PageLanguage::En => &EN,
    }
}

static EN: Words = Words {
    language: PageLanguage::En,
    title: "Afterring: phones",
    skip: "Skip to the phones",
    headline: "Miss a call. Watch the SMS arrive.",
    lead: "Afterring texts people about calls they could not take, even while its database is down.",
    made_up: "All numbers here are made up; nothing leaves this computer.",
    live: "Live",
    stale: "Connection lost, trying again",
    languages: "Language",
    tour: "Try this",
    tour_done: "done",
    tour_finished: "That is the whole tour. Now repair the database, switch a phone off, or let two people call.",
    steps: [
        Step { does: "Call the subscriber", shows: "The SMS says who called" },
        Step { does: "Call the prospect, then reply C", shows: "An offer first, the caller on request" },
        Step { does: "Break the database", shows: "Nobody asks it any more" },
        Step { does: "Call the subscriber again", shows: "The SMS still arrives" },
    ],
    scenes: "Or watch a scene",
    phones: "Phones",
    call: "Call this phone",
    caller: "Who calls",
    withheld: "Number withheld",
    reason: "Missed because",
    decision: "What was decided",
    power: "Power",
    on: "On",
    off: "Off",
    off_screen: "Switched off",
    waiting_none: "Nothing is waiting for it",
    inbox_empty: "No messages yet",
    inbox: "Messages",
    sms_service: "Missed calls",
    reply_with: "Reply",
    free_text: "Text message",
    send: "Send",
    database: "Database",
    normal: "normal",
    abnormal: "abnormal",
    since: "since",
    normal_means: "Every call is looked up. Subscribers get the full list, prospects an offer.",
    abnormal_means: "Nobody asks it. Subscribers still get a short SMS from this node's own registry; offers stop, \
                     because consent and quota can't be checked.",
    break_it: "Break the database",
    repair_it: "Repair the database",
    log: "What happened",
    log_empty: "Nothing yet. Call a phone.",
    log_time: "Time",
    log_what: "What",
    log_phone: "Phone",
    log_detail: "Details",
    counts: "So far",
    failed: "That did not work. Please try again.",
};

static ZH: Words = Words {
    language: PageLanguage::Zh,
    title: "Afterring：演示手机",
    skip: "跳到手机",
    headline: "漏接一个电话，看短信送达",
    lead: "Afterring 用短信告知用户漏接的来电；数据库故障时，提醒照常送达。",
    made_up: "号码均为虚构，数据不会离开本机。",
    live: "实时",
    stale: "连接中断，正在重连",
    languages: "语言",
    tour: "跟着试一遍",
    tour_done: "已完成",
    tour_finished: "演示完成。还可以恢复数据库、关掉一部手机、让两个人先后来电，随意尝试。",
    steps: [
        Step { does: "拨打已开通用户", shows: "短信写明来电号码" },
        Step { does: "拨打潜在用户，再回复 C", shows: "先收到邀请，回复后查看号码" },
        Step { does: "中断数据库", shows: "系统不再访问它" },
        Step { does: "再次拨打已开通用户", shows: "短信依然送达" },
    ],
    scenes: "或者看一段演示",
    phones: "手机",
    call: "拨打这部手机",
    caller: "主叫",
    withheld: "隐藏号码",
    reason: "未接原因",
    decision: "处理结果",
    power: "电源",
    on: "开机",
    off: "关机",
    off_screen: "已关机",
    waiting_none: "没有待送达的短信",
    inbox_empty: "还没有短信",
    inbox: "短信",
    sms_service: "来电提醒",
    reply_with: "快捷回复",
    free_text: "输入短信",
    send: "发送",
    database: "数据库",
    normal: "正常",
    abnormal: "异常",
    since: "始于",
    normal_means: "每个来电都会查询数据库：已开通用户收到完整清单，潜在用户收到邀请。",
    abnormal_means: "停止访问数据库：已开通用户凭本机名单仍收到简短提醒；因无法核实意愿和名额，暂停发送邀请。",
    break_it: "中断数据库",
    repair_it: "恢复数据库",
    log: "处理过程",
    log_empty: "暂无记录。请拨打一部手机。",
    log_time: "时间",
    log_what: "环节",
    log_phone: "手机",
    log_detail: "详情",
    counts: "累计",
    failed: "操作未成功，请重试。",
};

/// How a decision is marked, beside its words: a shape and a colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tone {
    /// An SMS goes out.
    Told,
    /// Later.
    Waiting,
    /// Nothing goes out.
    Quiet,
}

impl Tone {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Waiting => "waiting",
            Self::Quiet => "quiet",
        }
    }
}

pub(super) const fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Send(_) | Verdict::Joined(_) | Verdict::Alert => Tone::Told,
        Verdict::Held(_) => Tone::Waiting,
        Verdict::Nothing(_) => Tone::Quiet,
        Verdict::Reply(reply) => match reply {
            ReplyVerdict::Deferred | ReplyVerdict::Waiting => Tone::Waiting,
            ReplyVerdict::RateLimited | ReplyVerdict::NotOurNumber => Tone::Quiet,
            ReplyVerdict::Granted
            | ReplyVerdict::NoOffer
            | ReplyVerdict::OfferExpired
            | ReplyVerdict::AlreadyFetched
            | ReplyVerdict::RefusedEarlier
            | ReplyVerdict::Suspended
            | ReplyVerdict::WrongKeyword
            | ReplyVerdict::Refused
            | ReplyVerdict::Subscribed
            | ReplyVerdict::Unsubscribed
            | ReplyVerdict::Help
            | ReplyVerdict::ConfirmationAsked
            | ReplyVerdict::NothingToConfirm
            | ReplyVerdict::Paused
            | ReplyVerdict::Resumed
            | ReplyVerdict::NotifyOn
            | ReplyVerdict::NotifyOff
            | ReplyVerdict::Hidden
            | ReplyVerdict::Shown
            | ReplyVerdict::LanguageSet
            | ReplyVerdict::LanguageUnknown
            | ReplyVerdict::CopyAsked
            | ReplyVerdict::CopyAgreed
            | ReplyVerdict::CopyEnded
            | ReplyVerdict::NotSubscribed
            | ReplyVerdict::BadArgument => Tone::Told,
        },
    }
}

impl Words {
    /// A label in this language.
    pub(super) fn label<'a>(&self, label: &'a Label) -> &'a str {
        label.get(self.language)
    }

    const fn pick(&self, en: &'static str, zh: &'static str) -> &'static str {
        self.language.pick(en, zh)
    }

    /// A decision in plain words.
    pub(super) const fn verdict(&self, verdict: Verdict) -> &'static str {
        self.language.verdict(verdict)
    }

    /// A kind of message in one or two words.
    pub(super) const fn kind(&self, kind: Kind) -> &'static str {
        self.language.kind(kind)
    }

    pub(super) const fn missed_because(&self, reason: Reason) -> &'static str {
        self.language.missed_because(reason)
    }

    pub(super) const fn role(&self, role: Role) -> &'static str {
        match role {
            Role::Subscriber => self.pick("Subscriber", "已开通"),
            Role::Prospect => self.pick("Prospect", "潜在用户"),
            Role::Outside => self.pick("Outside", "号段外"),
        }
    }

    /// What to expect before the first call.
    pub(super) const fn expected(&self, role: Role) -> &'static str {
        match role {
            Role::Subscriber => self.pick("Registered: told of every caller", "已注册：每个来电都会告知"),
            Role::Prospect => self.pick("In a number range: gets an offer", "在配置号段内：会收到邀请"),
            Role::Outside => self.pick("In no range: gets nothing", "不在任何号段：不会收到短信"),
        }
    }

    /// What a keyword does, as its button says.
    pub(super) const fn action(&self, action: Action) -> &'static str {
        match action {
            Action::Fetch => self.pick("see who", "查看号码"),
            Action::Subscribe => self.pick("subscribe", "开通"),
            Action::Unsubscribe => self.pick("stop", "取消"),
            Action::Refuse => self.pick("no more", "不再提醒"),
            Action::Help => self.pick("help", "帮助"),
            Action::Confirm => self.pick("yes", "确认"),
            Action::Pause => self.pick("pause", "暂停"),
            Action::Resume => self.pick("resume", "恢复"),
            Action::NotifyOn => self.pick("notify me", "开启通知"),
            Action::NotifyOff => self.pick("don't notify", "关闭通知"),
            Action::Hide => self.pick("hide", "隐藏"),
            Action::Show => self.pick("show", "显示"),
            Action::Language => self.pick("language", "语言"),
            Action::Copy => self.pick("copy", "抄送"),
        }
    }

    /// What a scene is called on its button.
    pub(super) const fn scene(&self, scene: Scene) -> &'static str {
        match scene {
            Scene::PhoneOff => self.pick("Phone off, three callers, phone on", "关机，三人来电，开机"),
            Scene::DatabaseDies => self.pick("The database dies and returns", "数据库中断，再恢复"),
            Scene::Offer => self.pick("Offer, list, subscription", "收到邀请，查看来电，开通提醒"),
            Scene::Notify => self.pick("Tell me when they're back", "对方开机时通知我"),
        }
    }

    /// "n waiting at the SMSC".
    pub(super) fn waiting(&self, pending: usize) -> String {
        match (self.language, pending) {
            (PageLanguage::Zh, n) => format!("{n} 条短信在短信中心等待"),
            (PageLanguage::En, n) => format!("{n} waiting at the SMSC"),
        }
    }

    pub(super) fn parts(&self, parts: usize) -> String {
        match (self.language, parts) {
            (PageLanguage::Zh, n) => format!("{n} 段"),
            (PageLanguage::En, 1) => "1 part".to_owned(),
            (PageLanguage::En, n) => format!("{n} parts"),
        }
    }

    /// The totals, in the order of the way a call takes.
    pub(super) fn totals(&self, counts: &Counts) -> [Total; 5] {
        let total = |label, value| Total { label, value, split: Vec::new() };
        let kinds = [
            (Kind::Detail, counts.detail),
            (Kind::Teaser, counts.teaser),
            (Kind::Fallback, counts.fallback),
            (Kind::Notice, counts.notice),
        ];
        [
            total(self.pick("Missed calls", "未接来电"), counts.calls),
            Total {
                label: self.pick("SMS sent", "已发短信"),
                value: counts.sent(),
                split: kinds.into_iter().map(|(kind, n)| (self.kind(kind), n)).collect(),
            },
            total(self.pick("On the phone", "已送达"), counts.delivered),
            total(self.pick("Replies", "用户回复"), counts.replies),
            total(self.pick("Not told, with a reason", "未通知（有原因）"), counts.nothing),
        ]
    }
}

/// One total, and what it is made of.
pub(super) struct Total {
    pub(super) label: &'static str,
    pub(super) value: u64,
    pub(super) split: Vec<(&'static str, u64)>,
}
