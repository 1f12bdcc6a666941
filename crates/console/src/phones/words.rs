//! The texts of the phones page. A text that one language lacks is a compile error.

use model::{Kind, Reason};
use routing::{Action, HeldWhy, NothingWhy, ReplyVerdict, Verdict};

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
    reason: "Not answered because",
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
        match verdict {
            Verdict::Send(kind) => self.send_verdict(kind),
            Verdict::Joined(_) => self.pick("Told: added to the SMS still on its way", "已通知：并入尚未送达的短信"),
            Verdict::Held(why) => self.held(why),
            Verdict::Nothing(why) => self.nothing(why),
            Verdict::Reply(reply) => self.reply(reply),
            Verdict::Alert => self.pick("An SMS moved on", "短信状态已更新"),
        }
    }

    const fn send_verdict(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Detail => self.pick("Told: who called, when, how often", "已通知：谁来电、时间、次数"),
            Kind::Fallback => {
                self.pick("Told without the database: who called, when", "数据库异常，仍已通知：来电号码与时间")
            }
            Kind::Teaser => self.pick("Told: there was a call, and how to see it", "已通知：有未接来电，并邀请查看"),
            Kind::Notice => self.pick("Answered", "已答复"),
            Kind::Notify => self.pick("Told: the person can be reached again", "已通知：对方恢复可接通"),
        }
    }

    const fn held(&self, why: HeldWhy) -> &'static str {
        match why {
            HeldWhy::AlertPending => {
                self.pick("Waiting: the SMS before has not arrived yet", "稍后通知：上一条短信尚未送达")
            }
            HeldWhy::Updating => self.pick(
                "Waiting: the SMS before is being rewritten to tell this too",
                "稍后通知：正在更新尚未送达的短信",
            ),
            HeldWhy::MinInterval => self.pick("Waiting: an SMS went out a moment ago", "稍后通知：刚刚发过短信"),
            HeldWhy::Paused => self.pick("Waiting: the subscriber wants quiet", "稍后通知：用户开启了免打扰"),
        }
    }

    const fn nothing(&self, why: NothingWhy) -> &'static str {
        match why {
            NothingWhy::Duplicate => self.pick("Not told: this call was counted before", "未通知：同一来电已计入"),
            NothingWhy::TooOld | NothingWhy::NotifyTooLate => {
                self.pick("Not told: the call is too long ago", "未通知：来电已过去太久")
            }
            NothingWhy::Suspended => self.pick("Not told: the subscription is suspended", "未通知：业务已暂停"),
            NothingWhy::Refused => self.pick("Not told: this person refused", "未通知：用户已拒收"),
            NothingWhy::DoNotContact => self.pick("Not told: on the do-not-contact list", "未通知：在免打扰名单中"),
            NothingWhy::NoConsent => self.pick("Not told: has not consented", "未通知：用户未同意接收"),
            NothingWhy::QuietHours => self.pick("Not told: no offers at this hour", "未通知：该时段不发送邀请"),
            NothingWhy::NotSubscribed => self.pick("Not told: not a subscriber", "未通知：未开通"),
            NothingWhy::OutsideRanges => self.pick("Not told: outside every number range", "未通知：不在任何号段内"),
            NothingWhy::QuotaUsedUp => self.pick("Not told: the range's quota is used up", "未通知：号段名额已用完"),
            NothingWhy::TeaserCapped => self.pick("Not told: had an offer lately", "未通知：近期已发过邀请"),
            NothingWhy::DailyCap => self.pick("Not told: enough SMS for one day", "未通知：已达当日上限"),
            NothingWhy::AbnormalNotRegistered => {
                self.pick("Not told: database down, and no subscriber", "未通知：数据库异常，且未开通")
            }
            NothingWhy::AbnormalNoRegistry => {
                self.pick("Not told: database down, no registry loaded", "未通知：数据库异常，本机名单未加载")
            }
            NothingWhy::NothingToTell => self.pick("Nothing was waiting", "没有待通知的来电"),
            NothingWhy::NoChange => self.pick("Nothing new", "无变化"),
            NothingWhy::Unmatched => self.pick("Belongs to no SMS known here", "不属于任何已知短信"),
            NothingWhy::NotNotified => self.pick("Not told: wants no such messages", "未通知：用户已关闭可接通通知"),
            NothingWhy::NotifyCap => {
                self.pick("Not told: enough of these for one day", "未通知：可接通通知已达当日上限")
            }
            NothingWhy::Deferred => self.pick("Waits for the database", "等待数据库恢复"),
        }
    }

    const fn reply(&self, verdict: ReplyVerdict) -> &'static str {
        match verdict {
            ReplyVerdict::Granted => self.pick("Granted: the list of calls is sent", "已受理：发送来电清单"),
            ReplyVerdict::NoOffer => self.pick("Answered: no calls are waiting", "已答复：没有可查看的来电"),
            ReplyVerdict::OfferExpired => self.pick("Answered: the offer has expired", "已答复：邀请已过期"),
            ReplyVerdict::AlreadyFetched => self.pick("The same list again, without charge", "同一清单免费重发"),
            ReplyVerdict::RefusedEarlier => {
                self.pick("Answered: refused earlier, how to subscribe", "已答复：此前已拒收，告知如何开通")
            }
            ReplyVerdict::WrongKeyword => self.pick("Answered: not a keyword", "已答复：无法识别的指令"),
            ReplyVerdict::RateLimited => self.pick("Not answered: too many replies", "未答复：回复过于频繁"),
            ReplyVerdict::Deferred => self.pick("Answered once the database is back", "数据库恢复后再办理"),
            ReplyVerdict::Refused => self.pick("Refused: never an offer again", "已拒收：不再发送邀请"),
            ReplyVerdict::Subscribed => self.pick("Subscribed", "已开通"),
            ReplyVerdict::Unsubscribed => self.pick("Unsubscribed", "已取消"),
            ReplyVerdict::Help => self.pick("Answered: the keywords", "已答复：可用指令"),
            ReplyVerdict::Suspended => self.pick("Answered: the subscription is suspended", "已答复：业务已暂停"),
            ReplyVerdict::Waiting => {
                self.pick("A part: waiting for the rest of the message", "长短信的一部分：等待其余部分")
            }
            ReplyVerdict::ConfirmationAsked => self.pick("Asked to confirm", "已请用户确认"),
            ReplyVerdict::NothingToConfirm => self.pick("Answered: nothing to confirm", "已答复：没有需要确认的内容"),
            ReplyVerdict::Paused => self.pick("Calls are held for a while", "来电提醒已暂停"),
            ReplyVerdict::Resumed => self.pick("Calls are told again", "来电提醒已恢复"),
            ReplyVerdict::NotifyOn => self.pick("Told when others can be reached again", "已开启可接通通知"),
            ReplyVerdict::NotifyOff => self.pick("Not told when others can be reached again", "已关闭可接通通知"),
            ReplyVerdict::Hidden => self.pick("Others aren't told that they can be reached", "已对来电者隐藏"),
            ReplyVerdict::Shown => self.pick("Others are told that they can be reached", "已对来电者显示"),
            ReplyVerdict::LanguageSet => self.pick("Another language from now on", "已更改语言"),
            ReplyVerdict::LanguageUnknown => self.pick("Answered: the languages there are", "已答复：可用语言"),
            ReplyVerdict::CopyAsked => self.pick("The other number is asked", "已询问对方是否接收副本"),
            ReplyVerdict::CopyAgreed => self.pick("Copies are sent from now on", "已开始抄送"),
            ReplyVerdict::CopyEnded => self.pick("No more copies", "已停止抄送"),
            ReplyVerdict::NotSubscribed => self.pick("Answered: for subscribers only", "已答复：仅限已开通用户"),
            ReplyVerdict::BadArgument => self.pick("Answered: not understood", "已答复：无法识别"),
            ReplyVerdict::NotOurNumber => self.pick("Not ours: sent to another number", "未处理：不是发给本业务"),
        }
    }

    /// A kind of message in one or two words.
    pub(super) const fn kind(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Detail => self.pick("full list", "来电清单"),
            Kind::Fallback => self.pick("fallback", "应急提醒"),
            Kind::Teaser => self.pick("offer", "邀请"),
            Kind::Notice => self.pick("answer", "答复"),
            Kind::Notify => self.pick("notify-me", "可接通通知"),
        }
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

    pub(super) const fn missed_because(&self, reason: Reason) -> &'static str {
        match reason {
            Reason::Busy => self.pick("busy", "忙线"),
            Reason::NoAnswer => self.pick("no answer", "无人接听"),
            Reason::Unreachable => self.pick("off or out of reach", "关机或不在服务区"),
            Reason::Unconditional => self.pick("all calls diverted", "全部转移"),
            Reason::Rejected => self.pick("declined", "已拒接"),
            Reason::Unknown => self.pick("unknown", "未知"),
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
