//! The words of everything that is decided or happens, in both languages, for all pages. A case that one language lacks is a compile error.

use model::{Kind, NoAnswer, Reason, ReceiptState, Source, SubmitOutcome, UpdateOutcome};
use routing::{AlertState, EvidenceOf, FailedWhy, HeldWhy, List, NothingWhy, ReplyVerdict, SubscriberStatus, Verdict};

use crate::PageLanguage;
use crate::api::ClosedView;
use crate::pages::table::Tone;

/// What events are called in addresses and JSON ([`routing::Event::as_str`]), and on pages in both languages.
pub(crate) const EVENTS: [(&str, &str, &str); 9] = [
    ("call", "call", "来电"),
    ("submitted", "SMSC's answer", "短信中心应答"),
    ("updated", "update at the SMSC", "短信中心更新"),
    ("receipt", "receipt", "送达回执"),
    ("reply", "reply", "用户回复"),
    ("word", "word of another person", "他人的消息"),
    ("dropped", "given up", "放弃发送"),
    ("resend", "sent again by hand", "人工重发"),
    ("due", "due", "到时处理"),
];

/// What can be decided ([`Verdict::words`]), and the words for it.
pub(crate) const VERDICTS: [(&str, &str, &str); 6] = [
    ("send", "an SMS", "发送短信"),
    ("joined", "joined", "并入"),
    ("held", "held", "等待"),
    ("nothing", "nothing", "不发"),
    ("reply", "reply handled", "处理回复"),
    ("alert", "an SMS moved on", "短信状态更新"),
];

/// Why a link ended, by the word that metrics have for it, in Chinese; in English the SMSC's side of the program says it whole.
pub const LINK_ENDS: [(&str, &str); 16] = [
    ("connect_failed", "无法连接"),
    ("connect_timeout", "连接超时"),
    ("tls", "TLS 未建立"),
    ("unlistenable", "无法监听 outbind"),
    ("settings", "设置无法使用"),
    ("bind_refused", "绑定被拒绝"),
    ("bind_timeout", "绑定未在时限内应答"),
    ("peer_closed", "短信中心关闭了连接"),
    ("broken", "连接中断"),
    ("framing", "短信中心发来长度错误的 PDU"),
    ("no_enquire_answer", "enquire_link 未在时限内应答"),
    ("no_submit_answer", "长时间没有提交得到应答"),
    ("peer_unbound", "短信中心解除了绑定"),
    ("not_bound", "短信中心称链路未绑定"),
    ("drained", "网关停止"),
    ("ordered", "人工指令"),
];

/// What else is said of that where it is of a closed list, in Chinese: why there was no TLS, and what was ordered.
pub const LINK_END_DETAILS: [(&str, &str); 9] = [
    ("files", "本方证书文件无法使用"),
    ("untrusted", "短信中心的证书不受信任"),
    ("wrong_name", "短信中心的证书属于其他名称"),
    ("expired", "短信中心的证书已过期"),
    ("refused", "短信中心拒绝：可能需要本方证书"),
    ("not_spoken", "短信中心不支持 TLS"),
    ("drain", "排空"),
    ("unbind", "解除绑定"),
    ("rebind", "重新绑定"),
];

/// Who noticed that the database's state changes, and what ([`routing::Why::words`]), in Chinese; in English the words themselves say it.
const CHANGES: [(&str, &str); 19] = [
    ("start", "启动"),
    ("probe", "探测"),
    ("traffic", "业务语句"),
    ("hand_over", "移交"),
    ("operator", "操作员"),
    ("not_yet_reached", "尚未连接"),
    ("answered", "恢复应答"),
    ("drained", "已全部移交"),
    ("forced", "人工设定"),
    ("lifted", "解除设定"),
    ("time_over", "设定到期"),
    ("gone", "拒绝或断开连接"),
    ("silent", "无应答"),
    ("read_only", "只读"),
    ("full", "磁盘或内存用尽"),
    ("connections", "连接数用尽"),
    ("denied", "拒绝登录"),
    ("schema", "表结构不符"),
    ("other", "其他故障"),
];

impl PageLanguage {
    /// Why the database's state changed.
    pub(crate) fn change(self, who: &str, what: &str) -> String {
        let word = |word| CHANGES.iter().find(|(name, _)| *name == word).map_or(word, |(_, zh)| *zh);
        match self {
            Self::En => format!("{who}: {what}"),
            Self::Zh => format!("{}：{}", word(who), word(what)),
        }
    }

    /// Why a link ended.
    pub(crate) fn link_end(self, closed: &ClosedView) -> String {
        if self == Self::En {
            return closed.why.clone();
        }
        let of =
            |list: &[(&str, &'static str)], word: &str| list.iter().find(|(name, _)| *name == word).map(|(_, zh)| *zh);
        let why = of(&LINK_ENDS, closed.word).unwrap_or(&closed.why);
        match closed.detail.as_deref() {
            // A status, or what the machine or the network says, is in its own words.
            Some(detail) => format!("{why}（{}）", of(&LINK_END_DETAILS, detail).unwrap_or(detail)),
            None => why.to_owned(),
        }
    }

    /// What an event is called.
    pub(crate) fn event(self, word: &str) -> &'static str {
        let found = EVENTS.iter().find(|(name, ..)| *name == word);
        found.map_or("", |(_, en, zh)| self.pick(en, zh))
    }

    /// Why something was decided so, without what was.
    pub(crate) fn because(self, verdict: Verdict) -> &'static str {
        let words = self.verdict(verdict);
        let apart = words.split_once(": ").or_else(|| words.split_once('：'));
        apart.map_or(words, |(_, why)| why)
    }

    /// How good a decision is for the person: told, waiting, not told.
    pub(crate) const fn verdict_tone(self, verdict: Verdict) -> Tone {
        match verdict {
            Verdict::Send(_) | Verdict::Joined(_) => Tone::Good,
            Verdict::Held(_) => Tone::Warning,
            Verdict::Nothing(_) | Verdict::Reply(_) | Verdict::Alert => Tone::Plain,
        }
    }

    /// A decision in plain words.
    pub(crate) const fn verdict(self, verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Send(kind) => self.send_verdict(kind),
            Verdict::Joined(_) => self.pick("Told: added to the SMS still on its way", "已通知：并入尚未送达的短信"),
            Verdict::Held(why) => self.held(why),
            Verdict::Nothing(why) => self.nothing(why),
            Verdict::Reply(reply) => self.reply(reply),
            Verdict::Alert => self.pick("An SMS moved on", "短信状态已更新"),
        }
    }

    const fn send_verdict(self, kind: Kind) -> &'static str {
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

    const fn held(self, why: HeldWhy) -> &'static str {
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

    const fn nothing(self, why: NothingWhy) -> &'static str {
        match why {
            NothingWhy::Duplicate => self.pick("Not told: this call was counted before", "未通知：同一来电已计入"),
            NothingWhy::TooOld | NothingWhy::NotifyTooLate => {
                self.pick("Not told: the call is too long ago", "未通知：来电已过去太久")
            }
            NothingWhy::Suspended => self.pick("Not told: the subscription is suspended", "未通知：业务已停用"),
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

    const fn reply(self, verdict: ReplyVerdict) -> &'static str {
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
            ReplyVerdict::Suspended => self.pick("Answered: the subscription is suspended", "已答复：业务已停用"),
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
    pub(crate) const fn kind(self, kind: Kind) -> &'static str {
        match kind {
            Kind::Detail => self.pick("full list", "来电清单"),
            Kind::Fallback => self.pick("fallback", "应急提醒"),
            Kind::Teaser => self.pick("offer", "邀请"),
            Kind::Notice => self.pick("answer", "答复"),
            Kind::Notify => self.pick("notify-me", "可接通通知"),
        }
    }

    /// Why a call was not answered.
    pub(crate) const fn missed_because(self, reason: Reason) -> &'static str {
        match reason {
            Reason::Busy => self.pick("busy", "忙线"),
            Reason::NoAnswer => self.pick("no answer", "无人接听"),
            Reason::Unreachable => self.pick("off or out of reach", "关机或不在服务区"),
            Reason::Unconditional => self.pick("all calls diverted", "全部转移"),
            Reason::Rejected => self.pick("declined", "已拒接"),
            Reason::Unknown => self.pick("unknown", "未知"),
        }
    }

    /// Where an alert is.
    pub(crate) const fn alert_state(self, state: &AlertState) -> (Tone, &'static str) {
        match state {
            AlertState::Queued { .. } => (Tone::Plain, self.pick("waits to be sent", "等待发送")),
            AlertState::Sending { .. } => (Tone::Plain, self.pick("handed to a link", "正在提交")),
            AlertState::InDoubt { .. } => (Tone::Warning, self.pick("sent, no answer", "已提交，无应答")),
            AlertState::Accepted { .. } => (Tone::Plain, self.pick("the SMSC has it", "短信中心已接收")),
            AlertState::Superseded { .. } => (Tone::Plain, self.pick("replaced by a newer one", "已被新短信取代")),
            AlertState::Delivered { .. } => (Tone::Good, self.pick("delivered", "已送达")),
            AlertState::Undelivered { .. } => (Tone::Bad, self.pick("not deliverable", "无法送达")),
            AlertState::Expired { .. } => (Tone::Warning, self.pick("expired undelivered", "过期未送达")),
            AlertState::Failed { why, .. } => (Tone::Bad, self.failed(*why)),
        }
    }

    /// Why an alert never reached an SMSC.
    pub(crate) const fn failed(self, why: FailedWhy) -> &'static str {
        match why {
            FailedWhy::Refused(_) => self.pick("refused by the SMSC", "短信中心拒绝"),
            FailedWhy::TooLate => self.pick("given up: waited too long", "等待过久，已放弃"),
            FailedWhy::Withdrawn => self.pick("withdrawn: became pointless", "已撤回：不再需要"),
        }
    }

    /// What a receipt says.
    pub(crate) const fn receipt(self, state: ReceiptState) -> (Tone, &'static str) {
        match state {
            ReceiptState::Enroute => (Tone::Plain, self.pick("on its way", "投递中")),
            ReceiptState::Accepted => (Tone::Plain, self.pick("taken", "已接收")),
            ReceiptState::Delivered => (Tone::Good, self.pick("on the phone", "已送达手机")),
            ReceiptState::Expired => (Tone::Warning, self.pick("expired", "已过期")),
            ReceiptState::Deleted => (Tone::Warning, self.pick("deleted at the SMSC", "被短信中心删除")),
            ReceiptState::Undeliverable => (Tone::Bad, self.pick("can't be delivered", "无法送达")),
            ReceiptState::Rejected => (Tone::Bad, self.pick("refused by the network", "被网络拒绝")),
            ReceiptState::Unknown => (Tone::Plain, self.pick("the SMSC doesn't know", "短信中心不清楚")),
        }
    }

    /// How an SMSC answered a submit.
    pub(crate) const fn submit_outcome(self, outcome: &SubmitOutcome) -> (Tone, &'static str) {
        match outcome {
            SubmitOutcome::Accepted { .. } => (Tone::Good, self.pick("taken", "已接收")),
            SubmitOutcome::Later { .. } => (Tone::Warning, self.pick("not now, try again", "稍后重试")),
            SubmitOutcome::Refused { .. } => (Tone::Bad, self.pick("refused", "拒绝")),
            SubmitOutcome::NotSent => (Tone::Warning, self.pick("not sent: no link", "未提交：无可用链路")),
            SubmitOutcome::InDoubt(why) => (Tone::Warning, self.no_answer(*why)),
        }
    }

    /// How an update at an SMSC ended.
    pub(crate) const fn update_outcome(self, outcome: &UpdateOutcome) -> (Tone, &'static str) {
        match outcome {
            UpdateOutcome::Replaced { .. } => (Tone::Good, self.pick("rewritten", "已改写")),
            UpdateOutcome::Cancelled => (Tone::Good, self.pick("taken back", "已撤回")),
            UpdateOutcome::TooLate { .. } => (Tone::Plain, self.pick("too late: already on its way", "太迟：已在投递")),
            UpdateOutcome::Impossible => (Tone::Plain, self.pick("the SMSC can't", "短信中心不支持")),
            UpdateOutcome::NotNow => (Tone::Warning, self.pick("not now, try again", "稍后重试")),
            UpdateOutcome::InDoubt(why) => (Tone::Warning, self.no_answer(*why)),
        }
    }

    const fn no_answer(self, why: NoAnswer) -> &'static str {
        match why {
            NoAnswer::Timeout => self.pick("no answer in time", "应答超时"),
            NoAnswer::LinkLost => self.pick("no answer: the link was lost", "无应答：链路中断"),
            NoAnswer::Restart => self.pick("no answer: the gateway was restarted", "无应答：网关重启"),
        }
    }

    /// How a call came in.
    pub(crate) const fn source(self, source: Source) -> &'static str {
        match source {
            Source::Sip => "SIP",
            Source::Http => "HTTP",
        }
    }

    /// A list of people.
    pub(crate) const fn list(self, list: List) -> &'static str {
        match list {
            List::Consent => self.pick("consented", "已同意接收"),
            List::Customers => self.pick("customers", "现有客户"),
            List::DoNotContact => self.pick("do not contact", "免打扰"),
        }
    }

    /// Whether a subscriber is served.
    pub(crate) const fn subscriber_status(self, status: SubscriberStatus) -> (Tone, &'static str) {
        match status {
            SubscriberStatus::Active => (Tone::Good, self.pick("active", "正常")),
            SubscriberStatus::Suspended => (Tone::Warning, self.pick("suspended", "已停用")),
        }
    }

    /// What a person said that is kept.
    pub(crate) const fn evidence(self, what: EvidenceOf) -> &'static str {
        match what {
            EvidenceOf::Fetched => self.pick("asked for the list of an offer", "查询了来电清单"),
            EvidenceOf::SubscriptionAsked => self.pick("asked to be registered", "申请开通"),
            EvidenceOf::Subscribed => self.pick("registered", "已开通"),
            EvidenceOf::Unsubscribed => self.pick("unregistered", "已退订"),
            EvidenceOf::Refused => self.pick("refused offers", "拒收邀请"),
            EvidenceOf::CopyAgreed => self.pick("agreed to copies", "同意接收副本"),
            EvidenceOf::CopyEnded => self.pick("ended copies", "停止接收副本"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_and_the_links_change_for_reasons_that_have_chinese_words() {
        use routing::{Trouble, Why};
        let troubles = Trouble::ALL.into_iter().flat_map(|trouble| [Why::Probe(trouble), Why::Traffic(trouble)]);
        let others = [
            Why::NotYetReached,
            Why::ProbeAnswered,
            Why::TrafficAnswered,
            Why::Drained,
            Why::Forced,
            Why::Lifted,
            Why::TimeOver,
        ];
        for (who, what) in troubles.chain(others).map(Why::words) {
            let words = PageLanguage::Zh.change(who, what);
            assert!(!words.contains(|letter: char| letter.is_ascii()), "{who} {what}: {words}");
        }
        let closed = |word, detail: Option<&str>| ClosedView {
            at: model::Timestamp::from_millis(0),
            why: "in English".to_owned(),
            word,
            detail: detail.map(str::to_owned),
            by: "peer",
        };
        for (word, detail, zh) in [
            ("peer_closed", None, "短信中心关闭了连接"),
            ("bind_refused", Some("ESME_RINVPASWD"), "绑定被拒绝（ESME_RINVPASWD）"),
            ("tls", Some("expired"), "TLS 未建立（短信中心的证书已过期）"),
        ] {
            let closed = closed(word, detail);
            assert_eq!(PageLanguage::Zh.link_end(&closed), zh);
            assert_eq!(PageLanguage::En.link_end(&closed), "in English");
        }
    }

    #[test]
    fn a_reason_stands_alone() {
        for l in PageLanguage::ALL {
            for why in NothingWhy::ALL {
                let because = l.because(Verdict::Nothing(why));
                assert!(
                    !because.is_empty() && !because.starts_with("Not told") && !because.starts_with("未通知"),
                    "{because}"
                );
            }
        }
        assert_eq!(PageLanguage::En.because(Verdict::Held(HeldWhy::MinInterval)), "an SMS went out a moment ago");
    }
}
