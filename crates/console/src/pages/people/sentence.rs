//! One sentence in plain words: why this person did or didn't get an SMS lately.

use jiff::Zoned;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::Timestamp;
use routing::{Alert, AlertState, Event, NothingWhy, SubscriberStatus, Verdict};
use store::TimelineEntry;

use crate::PageLanguage;

/// Groups of calls that the sentence tells apart; of further ones only how many.
const MOST: usize = 4;

/// What is said about the person beside their calls.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    /// Whether they are registered, and served.
    pub(super) status: Option<SubscriberStatus>,
    /// When they refused offers.
    pub(super) refused_at: Option<Timestamp>,
}

/// Consecutive calls of which the same was decided.
struct Group {
    /// How many calls came before, that day.
    before: usize,
    count: usize,
    verdict: Verdict,
    /// When the first of them was decided.
    at: Timestamp,
    /// Where the first of them stands in the entries.
    place: usize,
}

/// The sentence about the last day on which somebody rang; `entries` are in order, the oldest first.
pub(super) fn sentence(
    l: PageLanguage,
    zone: &TimeZone,
    now: Timestamp,
    entries: &[TimelineEntry],
    standing: Standing,
) -> String {
    let told = Telling { l, zone, now, entries, standing };
    let calls = || entries.iter().enumerate().filter(|(_, entry)| matches!(entry.event, Event::Call(_)));
    let Some(day) = calls().next_back().and_then(|(_, entry)| told.day(entry.at)) else {
        return told.no_calls();
    };
    let of_day: Vec<(usize, &TimelineEntry)> = calls().filter(|(_, entry)| told.day(entry.at) == Some(day)).collect();
    let groups = groups(&of_day);
    let head = told.head(of_day.len(), day);
    if let [Group { verdict: Verdict::Nothing(why), .. }] = groups.as_slice() {
        let why = told.reason(*why);
        return match l {
            PageLanguage::En => format!("{head}; no SMS: {why}."),
            PageLanguage::Zh => format!("{head}，未发短信：{why}。"),
        };
    }
    let shown = groups.iter().take(MOST).map(|group| told.group(group, of_day.len()));
    let mut clauses: Vec<String> = shown.collect();
    let rest: usize = groups.iter().skip(MOST).map(|group| group.count).sum();
    if rest > 0 {
        clauses.push(match l {
            PageLanguage::En => format!("{rest} more below"),
            PageLanguage::Zh => format!("其余 {rest} 个见下表"),
        });
    }
    match l {
        PageLanguage::En => format!("{head}: {}.", clauses.join(", ")),
        PageLanguage::Zh => format!("{head}：{}。", clauses.join("；")),
    }
}

/// Each SMS stands alone; other calls of which the same was decided stand together.
fn groups(calls: &[(usize, &TimelineEntry)]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (before, (place, entry)) in calls.iter().enumerate() {
        match groups.last_mut() {
            Some(last) if last.verdict == entry.verdict && !matches!(entry.verdict, Verdict::Send(_)) => {
                last.count += 1;
            }
            _ => groups.push(Group { before, count: 1, verdict: entry.verdict, at: entry.at, place: *place }),
        }
    }
    groups
}

struct Telling<'a> {
    l: PageLanguage,
    zone: &'a TimeZone,
    now: Timestamp,
    entries: &'a [TimelineEntry],
    standing: Standing,
}

impl Telling<'_> {
    fn zoned(&self, at: Timestamp) -> Option<Zoned> {
        at.to_jiff().map(|at| at.to_zoned(self.zone.clone()))
    }

    fn day(&self, at: Timestamp) -> Option<Date> {
        self.zoned(at).map(|at| at.date())
    }

    /// The time of the day.
    fn clock(&self, at: Timestamp) -> String {
        self.zoned(at).map(|at| at.strftime("%H:%M").to_string()).unwrap_or_default()
    }

    /// `today`, `yesterday`, `on 12 Nov`, `on 12 Nov 2025`.
    fn on(&self, day: Date) -> String {
        let today = self.day(self.now);
        if today == Some(day) {
            return self.l.pick("today", "今天").to_owned();
        }
        if today.and_then(|today| today.yesterday().ok()) == Some(day) {
            return self.l.pick("yesterday", "昨天").to_owned();
        }
        let this_year = today.is_some_and(|today| today.year() == day.year());
        let form = match (self.l, this_year) {
            (PageLanguage::En, true) => "on %-d %b",
            (PageLanguage::En, false) => "on %-d %b %Y",
            (PageLanguage::Zh, true) => "%-m 月 %-d 日",
            (PageLanguage::Zh, false) => "%Y 年 %-m 月 %-d 日",
        };
        day.strftime(form).to_string()
    }

    fn no_calls(&self) -> String {
        let l = self.l;
        match self.standing {
            Standing { refused_at: Some(at), .. } => match (l, self.day(at)) {
                (PageLanguage::En, Some(day)) => {
                    format!("No call of this person is known here, so there was nothing to tell; they refused offers {}.", self.on(day))
                }
                (PageLanguage::Zh, Some(day)) => format!("没有该用户的来电记录，因此没有可通知的内容；用户{}拒收了邀请。", self.on(day)),
                (_, None) => l.pick("No call of this person is known here.", "没有该用户的来电记录。").to_owned(),
            },
            Standing { status: Some(SubscriberStatus::Suspended), .. } => l
                .pick(
                    "No call of this person is known here, so there was nothing to tell; the registration is suspended.",
                    "没有该用户的来电记录，因此没有可通知的内容；其业务已停用。",
                )
                .to_owned(),
            Standing { .. } => l
                .pick(
                    "No call of this person is known here, so there was nothing to tell.",
                    "没有该用户的来电记录，因此没有可通知的内容。",
                )
                .to_owned(),
        }
    }

    fn head(&self, calls: usize, day: Date) -> String {
        let on = self.on(day);
        match (self.l, calls) {
            (PageLanguage::En, 1) => format!("1 call {on}"),
            (PageLanguage::En, calls) => format!("{calls} calls {on}"),
            (PageLanguage::Zh, calls) => format!("{on} {calls} 个未接来电"),
        }
    }

    /// Why nothing was sent, with what is known of it.
    fn reason(&self, why: NothingWhy) -> String {
        let l = self.l;
        let refused = self.standing.refused_at.and_then(|at| self.day(at)).map(|day| self.on(day));
        match (why, refused, l) {
            (NothingWhy::Refused, Some(on), PageLanguage::En) => format!("the person refused offers {on}"),
            (NothingWhy::Refused, Some(on), PageLanguage::Zh) => format!("用户{on}拒收了邀请"),
            _ => l.because(Verdict::Nothing(why)).to_owned(),
        }
    }

    fn group(&self, group: &Group, all: usize) -> String {
        let who = self.who(group, all);
        let (l, many) = (self.l, group.count > 1);
        match group.verdict {
            Verdict::Send(_) => self.sent(&who, group),
            Verdict::Joined(_) => match l {
                PageLanguage::En => format!("{who} {} joined into it", was(many)),
                PageLanguage::Zh => format!("{who}并入该短信"),
            },
            Verdict::Held(_) => self.held(&who, group),
            Verdict::Nothing(why) => {
                let why = self.reason(why);
                match l {
                    PageLanguage::En => format!("{who} {} not told ({why})", was(many)),
                    PageLanguage::Zh => format!("{who}未通知（{why}）"),
                }
            }
            // Nothing else is decided of a call.
            Verdict::Reply(_) | Verdict::Alert => who,
        }
    }

    /// Which calls of the day.
    fn who(&self, group: &Group, all: usize) -> String {
        let Group { before, count, .. } = *group;
        let last = before + count == all;
        match self.l {
            PageLanguage::En => match (before, count) {
                (0, _) if all == 1 => "it".to_owned(),
                (0, 2) if last => "both".to_owned(),
                (0, count) if last => format!("all {}", number(count)),
                (0, 1) => "the first".to_owned(),
                (0, count) => format!("the first {}", number(count)),
                (_, 1) if last => "the last".to_owned(),
                (_, 1) => "the next".to_owned(),
                (_, count) => format!("the next {}", number(count)),
            },
            PageLanguage::Zh => match (before, count) {
                (0, _) if all == 1 => String::new(),
                (0, count) if last => format!("{count} 个都"),
                (0, 1) => "第 1 个".to_owned(),
                (0, count) => format!("前 {count} 个"),
                (_, 1) if last => "最后 1 个".to_owned(),
                (_, count) => format!("随后 {count} 个"),
            },
        }
    }

    fn sent(&self, who: &str, group: &Group) -> String {
        let entry = self.entries.get(group.place);
        let alert = entry.and_then(|entry| entry.alerts.last()).and_then(|named| named.alert.as_ref());
        let (at, became) = (self.clock(group.at), self.became(alert));
        match self.l {
            PageLanguage::En => format!("{who} was alerted at {at}{became}"),
            PageLanguage::Zh => format!("{who}于 {at} 发送短信{became}"),
        }
    }

    /// Calls that waited: told by the next SMS, or waiting still.
    fn held(&self, who: &str, group: &Group) -> String {
        let later = self.entries.iter().skip(group.place + 1).find(|entry| matches!(entry.verdict, Verdict::Send(_)));
        let why = self.l.because(group.verdict);
        let Some(later) = later else {
            return match (self.l, group.count) {
                (PageLanguage::En, 1) => format!("{who} waits ({why})"),
                (PageLanguage::En, _) => format!("{who} wait ({why})"),
                (PageLanguage::Zh, _) => format!("{who}等待通知（{why}）"),
            };
        };
        let alert = later.alerts.last().and_then(|named| named.alert.as_ref());
        let (at, became) = (self.clock(later.at), self.became(alert));
        match self.l {
            PageLanguage::En => format!("{who} waited ({why}) and {} told at {at}{became}", was(group.count > 1)),
            PageLanguage::Zh => format!("{who}先等待（{why}），{at} 通知{became}"),
        }
    }

    /// What became of an SMS.
    fn became(&self, alert: Option<&Alert>) -> String {
        let Some(alert) = alert else { return String::new() };
        let l = self.l;
        let (en, zh, at) = match &alert.state {
            AlertState::Delivered { at } => (" and delivered at ", "，送达于 ", Some(*at)),
            AlertState::Accepted { .. } => (" (at the SMSC, not on the phone yet)", "（已在短信中心，尚未送达）", None),
            AlertState::Queued { .. } | AlertState::Sending { .. } => (" (not sent yet)", "（尚未提交）", None),
            AlertState::InDoubt { .. } => (" (the SMSC did not answer)", "（短信中心未应答）", None),
            AlertState::Superseded { .. } => (" (replaced by a newer SMS)", "（已被新短信取代）", None),
            AlertState::Undelivered { .. } => (" but could not be delivered", "，但无法送达", None),
            AlertState::Expired { .. } => (" but not delivered in time", "，但过期未送达", None),
            AlertState::Failed { why, .. } => {
                return match l {
                    PageLanguage::En => format!(" but never sent ({})", l.failed(*why)),
                    PageLanguage::Zh => format!("，但未能发出（{}）", l.failed(*why)),
                };
            }
        };
        format!("{}{}", l.pick(en, zh), at.map(|at| self.clock(at)).unwrap_or_default())
    }
}

const fn was(many: bool) -> &'static str {
    if many { "were" } else { "was" }
}

/// Small numbers in words.
fn number(count: usize) -> String {
    let words = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    let word = count.checked_sub(2).and_then(|place| words.get(place));
    word.map_or_else(|| count.to_string(), |word| (*word).to_owned())
}

#[cfg(test)]
#[path = "sentence_tests.rs"]
mod tests;
