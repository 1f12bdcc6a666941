//! What is done for one person: each with a reason, noted in the audit log, and answered by the person's page.

use std::time::Duration;

use axum::Form;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use model::{AlertId, Language, Msisdn, Timestamp};
use routing::{List, NotAgain, Subscriber, SubscriberChange, SubscriberStatus};
use serde::Deserialize;
use store::{ListEntry, Store as _};

use super::super::visit::{Fault, Visit};
use super::{href, opened};
use crate::api::Refusal;
use crate::api::resend::{hold, send_again};
use crate::audit::{Action, Entry};
use crate::{Operators, PageLanguage, Permission};

/// The longest pause.
const HOURS_LONGEST: u64 = 720;

/// What a form carries.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Given {
    reason: String,
    hours: String,
    language: String,
    list: String,
    put: String,
    confirm: String,
    alert: String,
}

/// What is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Wish {
    Register,
    Unregister,
    Status(SubscriberStatus),
    Pause(Timestamp),
    Resume,
    Language(Option<Language>),
    Put(List),
    TakeOff(List),
    Again(AlertId),
    Forget,
}

/// What was done, as the address of the page says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Done {
    Registered,
    Unregistered,
    Suspended,
    Activated,
    Paused,
    Resumed,
    LanguageSet,
    Listed,
    Unlisted,
    SentAgain,
    /// Decided later.
    WillBeSent,
    Forgotten,
    /// It was so already.
    Unchanged,
}

impl Done {
    const ALL: [Self; 13] = [
        Self::Registered,
        Self::Unregistered,
        Self::Suspended,
        Self::Activated,
        Self::Paused,
        Self::Resumed,
        Self::LanguageSet,
        Self::Listed,
        Self::Unlisted,
        Self::SentAgain,
        Self::WillBeSent,
        Self::Forgotten,
        Self::Unchanged,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Unregistered => "unregistered",
            Self::Suspended => "suspended",
            Self::Activated => "activated",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::LanguageSet => "language",
            Self::Listed => "listed",
            Self::Unlisted => "unlisted",
            Self::SentAgain => "sent_again",
            Self::WillBeSent => "will_be_sent",
            Self::Forgotten => "forgotten",
            Self::Unchanged => "unchanged",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|done| done.as_str() == word)
    }

    pub(super) const fn words(self, l: PageLanguage) -> &'static str {
        match self {
            Self::Registered => l.pick("Registered.", "已开通。"),
            Self::Unregistered => l.pick("Unregistered.", "已退订。"),
            Self::Suspended => {
                l.pick("Suspended: nothing is sent until it is activated.", "业务已停用：启用前不再发送短信。")
            }
            Self::Activated => l.pick("Active.", "业务已启用。"),
            Self::Paused => l.pick(
                "Paused: calls are held, and told in one SMS at the end.",
                "已暂停：来电将保留，到期后合并通知。",
            ),
            Self::Resumed => l.pick("Resumed: what was held is told now.", "已恢复：保留的来电现在通知。"),
            Self::LanguageSet => l.pick("The language is set.", "语言已设置。"),
            Self::Listed => l.pick("On the list.", "已加入名单。"),
            Self::Unlisted => l.pick("Off the list.", "已移出名单。"),
            Self::SentAgain => l.pick("Sent again: see the timeline.", "已重发，见时间线。"),
            Self::WillBeSent => l.pick("It will be decided in a moment: see the timeline.", "稍后处理，见时间线。"),
            Self::Forgotten => l.pick("Forgotten. What stays is shown below.", "数据已删除；仍保留的内容见下。"),
            Self::Unchanged => l.pick("Nothing to change: it was so already.", "无需更改：原本如此。"),
        }
    }
}

/// Why nothing was done, as the address of the page says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    Reason,
    Hours,
    Language,
    List,
    Confirm,
    NotRegistered,
    NotAgain,
    ToldSince,
}

impl Refused {
    const ALL: [Self; 8] = [
        Self::Reason,
        Self::Hours,
        Self::Language,
        Self::List,
        Self::Confirm,
        Self::NotRegistered,
        Self::NotAgain,
        Self::ToldSince,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Reason => "reason",
            Self::Hours => "hours",
            Self::Language => "language",
            Self::List => "list",
            Self::Confirm => "confirm",
            Self::NotRegistered => "not_registered",
            Self::NotAgain => "not_again",
            Self::ToldSince => "told_since",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refused| refused.as_str() == word)
    }

    pub(super) const fn words(self, l: PageLanguage) -> &'static str {
        match self {
            Self::Reason => l.pick(
                "Nothing was done: give a reason of 1 to 200 characters.",
                "未执行：请填写 1 至 200 个字符的原因。",
            ),
            Self::Hours => l.pick("Nothing was done: give 1 to 720 hours.", "未执行：请填写 1 至 720 小时。"),
            Self::Language => l.pick(
                "Nothing was done: give a language like zh-CN or en.",
                "未执行：请填写语言代码，如 zh-CN 或 en。",
            ),
            Self::List => l.pick("Nothing was done: there is no such list.", "未执行：没有这个名单。"),
            Self::Confirm => {
                l.pick("Nothing was done: those are not the last two digits.", "未执行：号码最后两位不符。")
            }
            Self::NotAgain => {
                l.pick("Nothing was sent: this message can't be sent again now.", "未重发：该短信现在不能重发。")
            }
            Self::ToldSince => l.pick(
                "Nothing was sent: another message tells what this one said, or may yet. Send that one again, if need be.",
                "未重发：另一条短信已包含该内容，或仍可能送达；如有需要，请重发那条短信。",
            ),
            Self::NotRegistered => l.pick("Nothing was done: the person is not registered.", "未执行：该用户未开通。"),
        }
    }
}

/// Does it and leads back to the person's page, which says what came of it.
pub(super) async fn act(
    visit: Visit,
    Path((handle, action)): Path<(String, String)>,
    Form(given): Form<Given>,
) -> Result<Response, Fault> {
    let number = opened(&visit, &handle)?;
    let asks = if action == "forget" { Permission::Administer } else { Permission::ChangePeople };
    if !visit.may(asks) {
        return Err(Fault::Forbidden);
    }
    let here = href(&visit, number);
    let wish = match wish(&action, &given, number, visit.now) {
        Ok(wish) => wish.ok_or(Fault::NotFound)?,
        Err(refused) => return Ok(Redirect::to(&format!("{here}?fault={}", refused.as_str())).into_response()),
    };
    let Ok(reason) = visit.reason(&given.reason) else {
        return Ok(Redirect::to(&format!("{here}?fault={}", Refused::Reason.as_str())).into_response());
    };
    let entry = entry(&visit, &wish, number, reason);
    let performing = async move |operators: Operators, entry| {
        let done = perform(&operators, number, wish, &entry).await?;
        let changed = done.is_ok_and(|done| done != Done::Unchanged);
        Ok((done, changed.then_some(entry)))
    };
    let said = match visit.console.operators.clone().act::<_, Fault, _>(entry, performing).await? {
        Ok(done) => format!("done={}", done.as_str()),
        Err(refused) => format!("fault={}", refused.as_str()),
    };
    Ok(Redirect::to(&format!("{here}?{said}")).into_response())
}

/// Everything that is stored of the person, as a file.
pub(super) async fn export(
    visit: Visit,
    Path(handle): Path<String>,
    Form(given): Form<Given>,
) -> Result<Response, Fault> {
    let number = opened(&visit, &handle)?;
    if !visit.may(Permission::ChangePeople) || !visit.may(Permission::SeeNumbers) {
        return Err(Fault::Forbidden);
    }
    let Ok(reason) = visit.reason(&given.reason) else {
        let here = href(&visit, number);
        return Ok(Redirect::to(&format!("{here}?fault={}", Refused::Reason.as_str())).into_response());
    };
    let operators = &visit.console.operators;
    let person = operators.store.person(number).await?;
    operators.audit.note_first(noted(&visit, Action::PersonExported, number, reason)).await?;
    let headers = [(header::CONTENT_DISPOSITION, "attachment; filename=\"afterring-person.json\"")];
    Ok((headers, axum::Json(person)).into_response())
}

/// What a form asks for; `None` where there is no such action.
fn wish(action: &str, given: &Given, number: Msisdn, now: Timestamp) -> Result<Option<Wish>, Refused> {
    Ok(Some(match action {
        "register" => Wish::Register,
        "unregister" => Wish::Unregister,
        "suspend" => Wish::Status(SubscriberStatus::Suspended),
        "activate" => Wish::Status(SubscriberStatus::Active),
        "resume" => Wish::Resume,
        "pause" => {
            let hours = given.hours.trim().parse().ok().filter(|hours| (1..=HOURS_LONGEST).contains(hours));
            Wish::Pause(now + Duration::from_secs(3_600 * hours.ok_or(Refused::Hours)?))
        }
        "language" => match given.language.trim() {
            "" => Wish::Language(None),
            tag => Wish::Language(Some(tag.parse().map_err(|_| Refused::Language)?)),
        },
        "list" => {
            let list = List::parse(&given.list).ok_or(Refused::List)?;
            if given.put == "off" { Wish::TakeOff(list) } else { Wish::Put(list) }
        }
        "again" => Wish::Again(AlertId(given.alert.trim().parse().map_err(|_| Refused::NotAgain)?)),
        "forget" if number.reveal().ends_with(given.confirm.trim()) && given.confirm.trim().len() == 2 => Wish::Forget,
        "forget" => return Err(Refused::Confirm),
        _ => return Ok(None),
    }))
}

/// What is noted of it.
fn entry(visit: &Visit, wish: &Wish, number: Msisdn, reason: String) -> Entry {
    let action = match wish {
        Wish::Register => Action::Registered,
        Wish::Unregister => Action::Unregistered,
        Wish::Status(_) | Wish::Language(_) => Action::RegistrationChanged,
        Wish::Pause(_) => Action::Paused,
        Wish::Resume => Action::Resumed,
        Wish::Put(_) => Action::Listed,
        Wish::TakeOff(_) => Action::Unlisted,
        Wish::Again(_) => Action::SentAgain,
        Wish::Forget => Action::Erased,
    };
    let detail = match wish {
        Wish::Status(SubscriberStatus::Active) => Some("active".to_owned()),
        Wish::Status(SubscriberStatus::Suspended) => Some("suspended".to_owned()),
        Wish::Language(language) => {
            Some(format!("language: {}", language.as_ref().map_or_else(|| "as usual".to_owned(), ToString::to_string)))
        }
        Wish::Put(list) | Wish::TakeOff(list) => Some(list.as_str().to_owned()),
        Wish::Again(alert) => Some(format!("message {}", alert.0)),
        Wish::Register | Wish::Unregister | Wish::Pause(_) | Wish::Resume | Wish::Forget => None,
    };
    let until = match wish {
        Wish::Pause(until) => Some(*until),
        Wish::Register
        | Wish::Unregister
        | Wish::Status(_)
        | Wish::Resume
        | Wish::Language(_)
        | Wish::Put(_)
        | Wish::TakeOff(_)
        | Wish::Again(_)
        | Wish::Forget => None,
    };
    Entry { until, detail, ..noted(visit, action, number, reason) }
}

fn noted(visit: &Visit, action: Action, number: Msisdn, reason: String) -> Entry {
    Entry {
        at: visit.now,
        who: visit.viewer.name(),
        action,
        subject: Some(format!("+{}", number.reveal())),
        reason: Some(reason),
        until: None,
        detail: None,
    }
}

/// Does what is wanted.
async fn perform(
    operators: &Operators,
    number: Msisdn,
    wish: Wish,
    entry: &Entry,
) -> Result<Result<Done, Refused>, Fault> {
    let (store, now) = (&operators.store, entry.at);
    Ok(Ok(match wish {
        Wish::Register => match store.subscriber(number).await? {
            Some(_) => Done::Unchanged,
            None => {
                store.put_subscriber(Subscriber::new(number, now)).await?;
                Done::Registered
            }
        },
        Wish::Unregister if store.delete_subscriber(number).await? => Done::Unregistered,
        Wish::Status(status) => {
            let change = SubscriberChange { status: Some(status), ..SubscriberChange::default() };
            match (store.change_subscriber(number, change).await?, status) {
                (None, _) => return Ok(Err(Refused::NotRegistered)),
                (Some(_), SubscriberStatus::Active) => Done::Activated,
                (Some(_), SubscriberStatus::Suspended) => Done::Suspended,
            }
        }
        Wish::Pause(until) => match hold(operators, number, Some(until)).await {
            Ok(_) => Done::Paused,
            Err(refusal) => return refused(refusal),
        },
        Wish::Resume => match hold(operators, number, None).await {
            Ok(_) => Done::Resumed,
            Err(refusal) => return refused(refusal),
        },
        Wish::Again(alert) => match send_again(operators, number, alert, entry.who.clone()).await {
            Ok(sent) if sent.what.is_none() => Done::WillBeSent,
            Ok(sent) if sent.alert.is_some() => Done::SentAgain,
            Ok(_) => return Ok(Err(Refused::NotAgain)),
            Err(refusal) => return refused(refusal),
        },
        Wish::Language(language) => {
            let change = SubscriberChange { language: Some(language), ..SubscriberChange::default() };
            match store.change_subscriber(number, change).await? {
                Some(_) => Done::LanguageSet,
                None => return Ok(Err(Refused::NotRegistered)),
            }
        }
        Wish::Put(list) => {
            let entry = ListEntry { number, list, source: "console".to_owned(), at: now };
            if store.put_listed(vec![entry]).await? > 0 { Done::Listed } else { Done::Unchanged }
        }
        Wish::TakeOff(list) if store.delete_listed(list, number).await? => Done::Unlisted,
        Wish::Unregister | Wish::TakeOff(_) => Done::Unchanged,
        Wish::Forget => {
            store.erase(number, entry.reason.as_deref().unwrap_or(""), now).await?;
            Done::Forgotten
        }
    }))
}

/// Why the gateway does not do it: said on the page, but for faults of the gateway itself.
fn refused(refusal: Refusal) -> Result<Result<Done, Refused>, Fault> {
    if let Refusal::Store(error) = refusal {
        return Err(Fault::Store(error));
    }
    Ok(Err(match refusal {
        Refusal::NotRegistered => Refused::NotRegistered,
        Refusal::NotAgain(NotAgain::ToldSince) => Refused::ToldSince,
        _ => Refused::NotAgain,
    }))
}
