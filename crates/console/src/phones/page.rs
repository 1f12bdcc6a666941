//! Draws the phones page: live parts first, each by itself, then the page around them.

use askama::Template;
use jiff::tz::TimeZone;
use model::{Msisdn, Reason, Timestamp};
use routing::{Action, Verdict};

use super::tour::Tour;
use super::view::{
    Happening, LOG_SHOWN, Label, LogLine, MESSAGES_SHOWN, PhoneCaller, PhoneView, PhonesView, Role, Scene,
};
use super::words::{Step, Total, Words, tone, words};
use crate::PageLanguage;
use crate::frame::Frame;
use crate::zone;

/// Draws every part; those that are as in `before` share its text.
pub(super) fn draw(
    view: &PhonesView,
    language: PageLanguage,
    now: Timestamp,
    before: &Frame,
) -> Result<Frame, askama::Error> {
    let drawing = Drawing { view, w: words(language), zone: zone::of(&view.time_zone) };
    Ok(Frame::of(drawing.parts(now)?, before))
}

/// The whole page.
pub(super) fn page(view: &PhonesView, frame: &Frame, language: PageLanguage) -> Result<String, askama::Error> {
    let w = words(language);
    let callers = view.phones.iter().map(|phone| Caller { number: phone.number, name: phone.name.get(language) });
    Page { w, view, frame, callers: callers.collect(), reasons: [Reason::NoAnswer, Reason::Busy, Reason::Unreachable] }
        .render()
}

struct Caller<'a> {
    number: Msisdn,
    name: &'a str,
}

#[derive(Template)]
#[template(path = "phones/page.html")]
struct Page<'a> {
    w: &'static Words,
    view: &'a PhonesView,
    frame: &'a Frame,
    callers: Vec<Caller<'a>>,
    reasons: [Reason; 3],
}

impl Page<'_> {
    fn scenes(&self) -> [Scene; 4] {
        Scene::ALL
    }

    fn languages(&self) -> [(PageLanguage, &'static str); 2] {
        [(PageLanguage::Zh, "中文"), (PageLanguage::En, "English")]
    }
}

struct Drawing<'a> {
    view: &'a PhonesView,
    w: &'static Words,
    zone: TimeZone,
}

impl Drawing<'_> {
    fn parts(&self, now: Timestamp) -> Result<Vec<(String, String)>, askama::Error> {
        let (view, w) = (self.view, self.w);
        let tour = Tour::of(view);
        let mut parts = vec![
            ("tour".to_owned(), TourPart { w, tour }.render()?),
            ("database".to_owned(), DatabasePart { w, view, since: self.time(view.database.since) }.render()?),
            ("counts".to_owned(), CountsPart { totals: w.totals(&view.counts) }.render()?),
            ("log".to_owned(), LogPart { w, lines: self.lines() }.render()?),
            ("news".to_owned(), NewsPart { w, newest: self.newest(), view }.render()?),
        ];
        for phone in &view.phones {
            let number = phone.number.reveal();
            parts.push((format!("head-{number}"), HeadPart { w, phone }.render()?));
            parts.push((
                format!("verdict-{number}"),
                VerdictPart { w, verdict: phone.last_decision, role: phone.role }.render()?,
            ));
            let messages = newest(&phone.messages, MESSAGES_SHOWN).iter().rev();
            let screen = ScreenPart {
                w,
                phone,
                service: &view.service,
                clock: self.minute(now),
                bubbles: messages
                    .map(|message| Bubble {
                        id: message.id,
                        incoming: message.incoming,
                        text: message.text.replace('\r', ""),
                        time: self.time(message.at),
                        kind: message.kind.map(|kind| w.kind(kind)),
                    })
                    .collect(),
                quick: quick_replies(phone.role),
            };
            parts.push((format!("screen-{number}"), screen.render()?));
        }
        Ok(parts)
    }

    fn lines(&self) -> Vec<Line<'_>> {
        newest(&self.view.log, LOG_SHOWN).iter().rev().map(|line| self.line(line)).collect()
    }

    fn line<'a>(&'a self, line: &'a LogLine) -> Line<'a> {
        let w = self.w;
        let (class, what, detail) = match &line.what {
            Happening::Call { caller, reason } => {
                let detail = format!("{} · {}", self.caller(*caller), w.missed_because(*reason));
                ("call", w.language.pick("Missed call", "未接来电"), detail)
            }
            Happening::Decision(verdict) => {
                (tone(*verdict).as_str(), w.language.pick("Decision", "处理"), w.verdict(*verdict).to_owned())
            }
            Happening::Submit { kind, parts } => (
                "submit",
                w.language.pick("Sent to the SMSC", "提交短信中心"),
                format!("{} · {}", w.kind(*kind), w.parts(*parts)),
            ),
            Happening::Waiting => (
                "waiting",
                w.language.pick("Waiting", "等待"),
                w.language.pick("the phone is off", "手机已关机").to_owned(),
            ),
            Happening::Delivered { kind } => {
                ("told", w.language.pick("On the phone", "已送达"), kind.map_or("", |kind| w.kind(kind)).to_owned())
            }
            Happening::Reply { text } => {
                ("call", w.language.pick("Reply", "回复"), format!("“{}”", text.replace('\r', "")))
            }
            Happening::Switched { on } => ("submit", w.power, (if *on { w.on } else { w.off }).to_owned()),
            Happening::Database { abnormal } => (
                if *abnormal { "waiting" } else { "told" },
                w.database,
                (if *abnormal { w.abnormal } else { w.normal }).to_owned(),
            ),
        };
        let phone = line.phone.map_or("", |number| self.name(number));
        Line { id: line.id, time: self.time(line.at), class, what, phone, detail }
    }

    fn caller(&self, caller: PhoneCaller) -> &str {
        match caller {
            PhoneCaller::Phone(number) => self.name(number),
            PhoneCaller::Withheld => self.w.withheld,
        }
    }

    fn name(&self, number: Msisdn) -> &str {
        let phone = self.view.phones.iter().find(|phone| phone.number == number);
        phone.map_or("–", |phone| phone.name.get(self.w.language))
    }

    /// The newest message that any phone got, and whose it is.
    fn newest(&self) -> Option<(&Label, &str)> {
        let got = self.view.phones.iter().flat_map(|phone| phone.messages.iter().map(move |message| (phone, message)));
        let newest = got.filter(|(_, message)| message.incoming).max_by_key(|(_, message)| message.id);
        newest.map(|(phone, message)| (&phone.name, message.text.as_str()))
    }

    fn time(&self, at: Timestamp) -> String {
        self.format(at, "%H:%M:%S")
    }

    fn minute(&self, at: Timestamp) -> String {
        self.format(at, "%H:%M")
    }

    fn format(&self, at: Timestamp, format: &str) -> String {
        at.to_jiff().map_or_else(String::new, |at| at.to_zoned(self.zone.clone()).strftime(format).to_string())
    }
}

fn newest<T>(all: &[T], shown: usize) -> &[T] {
    all.get(all.len().saturating_sub(shown)..).unwrap_or(all)
}

/// The keywords that make sense on the phone of such a person, as shipped.
fn quick_replies(role: Role) -> Vec<(Action, &'static str)> {
    let actions: &[Action] = match role {
        Role::Subscriber => &[Action::Fetch, Action::Unsubscribe, Action::Help],
        Role::Prospect => &[Action::Fetch, Action::Subscribe, Action::Refuse, Action::Help],
        Role::Outside => &[Action::Subscribe, Action::Help],
    };
    actions.iter().filter_map(|action| Some((*action, *action.defaults().first()?))).collect()
}

/// `+86 139 0000 0001` for a Chinese mobile number, else `+` and the digits.
fn spaced(number: &Msisdn) -> String {
    let digits = number.reveal();
    let groups = (digits.get(..2), digits.get(2..5), digits.get(5..9), digits.get(9..13));
    match groups {
        (Some("86"), Some(a), Some(b), Some(c)) if digits.len() == 13 => format!("+86 {a} {b} {c}"),
        _ => format!("+{digits}"),
    }
}

#[derive(Template)]
#[template(path = "phones/tour.html")]
struct TourPart {
    w: &'static Words,
    tour: Tour,
}

impl TourPart {
    fn steps(&self) -> impl Iterator<Item = (usize, &'static Step, &'static str)> {
        let current = self.tour.current();
        self.w.steps.iter().zip(1..).map(move |(step, place)| {
            let state = if place < current {
                "done"
            } else if place == current {
                "now"
            } else {
                "next"
            };
            (place, step, state)
        })
    }
}

#[derive(Template)]
#[template(path = "phones/database.html")]
struct DatabasePart<'a> {
    w: &'static Words,
    view: &'a PhonesView,
    since: String,
}

#[derive(Template)]
#[template(path = "phones/counts.html")]
struct CountsPart {
    totals: [Total; 5],
}

#[derive(Template)]
#[template(path = "phones/log.html")]
struct LogPart<'a> {
    w: &'static Words,
    lines: Vec<Line<'a>>,
}

struct Line<'a> {
    id: u64,
    time: String,
    class: &'static str,
    what: &'a str,
    phone: &'a str,
    detail: String,
}

#[derive(Template)]
#[template(path = "phones/news.html")]
struct NewsPart<'a> {
    w: &'static Words,
    newest: Option<(&'a Label, &'a str)>,
    view: &'a PhonesView,
}

#[derive(Template)]
#[template(path = "phones/head.html")]
struct HeadPart<'a> {
    w: &'static Words,
    phone: &'a PhoneView,
}

#[derive(Template)]
#[template(path = "phones/verdict.html")]
struct VerdictPart {
    w: &'static Words,
    verdict: Option<Verdict>,
    role: Role,
}

#[derive(Template)]
#[template(path = "phones/screen.html")]
struct ScreenPart<'a> {
    w: &'static Words,
    phone: &'a PhoneView,
    service: &'a str,
    clock: String,
    bubbles: Vec<Bubble>,
    quick: Vec<(Action, &'static str)>,
}

struct Bubble {
    id: u64,
    incoming: bool,
    text: String,
    time: String,
    kind: Option<&'static str>,
}

impl Role {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Subscriber => "subscriber",
            Self::Prospect => "prospect",
            Self::Outside => "outside",
        }
    }
}
