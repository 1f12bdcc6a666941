//! The look-up of a number: the range and the rule that apply to it, and whether it is registered.

use routing::SubscriberStatus;
use serde::Deserialize;
use store::Store as _;

use super::super::Console;
use super::super::visit::Visit;
use super::terms;
use crate::PageLanguage;
use crate::api::explain::next_call;
use crate::api::range_views;

/// What the form asks.
#[derive(Deserialize)]
pub(super) struct Asked {
    number: String,
}

/// What is found: a line of a name and what is said of it, or why nothing is.
pub(super) struct Found {
    /// The number as the viewer may see it.
    pub(super) number: Option<String>,
    /// Why it can't be looked up.
    pub(super) fault: Option<String>,
    /// What is known.
    pub(super) facts: Vec<(&'static str, String)>,
}

pub(super) async fn find(console: &Console, visit: &Visit, asked: &Asked) -> Found {
    let l = visit.l;
    let number = match console.operators.numbering.normalise(asked.number.trim()) {
        Ok(number) => number,
        Err(error) => return Found { number: None, fault: Some(error.to_string()), facts: Vec::new() },
    };
    let policy = (console.operators.policy)();
    let mut facts = Vec::new();
    let range = policy.ranges.find(number);
    let views = range_views(&policy.ranges, &[], visit.now);
    let view = range.and_then(|range| views.iter().find(|view| view.name == range.name.0));
    facts.push((
        l.pick("Range", "号段"),
        view.map_or_else(|| l.pick("in none", "不在任何号段内").to_owned(), |view| view.name.clone()),
    ));
    if let Some(view) = view {
        let force = if view.in_force {
            l.pick("in force now", "当前生效")
        } else {
            l.pick("not in force now", "当前未生效")
        };
        facts.push((l.pick("State", "状态"), force.to_owned()));
        facts.push((l.pick("Rule", "条件"), terms(view, l)));
    }
    let registered = console.operators.store.subscriber(number).await;
    let registered = match registered {
        Ok(None) => l.pick("no", "否").to_owned(),
        Ok(Some(subscriber)) => match subscriber.status {
            SubscriberStatus::Active => l.pick("yes", "是").to_owned(),
            SubscriberStatus::Suspended => l.pick("yes, suspended: not served", "是，已停用：不提供服务").to_owned(),
        },
        Err(error) => format!("{}: {error}", l.pick("unknown", "未知")),
    };
    facts.push((l.pick("Subscriber", "注册用户"), registered));
    let now = match next_call(&console.operators, number).await {
        Ok(explained) => l.verdict(explained.verdict).to_owned(),
        Err(_) => l.pick("can't be told now", "暂时无法判断").to_owned(),
    };
    facts.push((l.pick("A call now", "现在若有来电"), now));
    Found { number: Some(visit.number(number)), fault: None, facts }
}

impl Found {
    /// What stands above it.
    pub(super) fn title(&self, l: PageLanguage) -> String {
        let number = self.number.as_deref().unwrap_or_default();
        match l {
            PageLanguage::En => format!("Looked up: {number}"),
            PageLanguage::Zh => format!("查询结果：{number}"),
        }
    }
}
