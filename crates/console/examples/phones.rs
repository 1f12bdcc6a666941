//! The phones page over a made-up gateway, to look at it: `cargo run -p console --example phones [port]`.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use console::phones::{
    DatabaseView, Happening, Label, LogLine, MessageView, PhoneCaller, PhoneCommand, PhoneView, PhonesHandle,
    PhonesView, Role, router,
};
use model::{Kind, Msisdn, Timestamp};
use routing::{Action, HeldWhy, Keywords, NothingWhy, ReplyVerdict, Verdict};
use tokio::sync::{mpsc, watch};

/// Commands of one visitor, who clicks no faster.
const COMMANDS: usize = 64;

/// Long enough to see one thing follow the other.
const STEP: Duration = Duration::from_millis(350);

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(0);
    let mut gateway = Gateway::new();
    let (commands, mut asked) = mpsc::channel(COMMANDS);
    let (view, shown) = watch::channel(Arc::new(gateway.view.clone()));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("http://{}/phones", listener.local_addr()?);
    tokio::spawn(async move {
        while let Some(command) = asked.recv().await {
            for step in gateway.steps(command) {
                gateway.take(step);
                view.send_replace(Arc::new(gateway.view.clone()));
                tokio::time::sleep(STEP).await;
            }
        }
    });
    axum::serve(listener, router(PhonesHandle { commands, view: shown }, clock)).await
}

#[allow(clippy::disallowed_methods, reason = "an example is its own binary and reads its own clock")]
fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

struct Gateway {
    view: PhonesView,
    next: u64,
    told: Vec<(Msisdn, String, Kind)>,
}

struct Step {
    phone: Option<Msisdn>,
    what: Happening,
    sms: Option<(bool, String, Option<Kind>)>,
}

impl Gateway {
    fn new() -> Self {
        let phone = |number, zh: &str, en: &str, role| PhoneView {
            number: Msisdn::try_from(number).unwrap_or_else(|_| unreachable!("made up within the plan")),
            name: Label { zh: zh.to_owned(), en: en.to_owned() },
            role,
            on: true,
            pending: 0,
            messages: Vec::new(),
            last_decision: None,
        };
        let phones = vec![
            phone(8_613_900_000_001, "李娜", "Li Na", Role::Subscriber),
            phone(8_613_900_000_002, "Emma", "Emma", Role::Subscriber),
            phone(8_613_800_000_003, "王强", "Wang Qiang", Role::Prospect),
            phone(8_615_000_000_004, "赵敏", "Zhao Min", Role::Outside),
        ];
        let view = PhonesView {
            service: "12599".to_owned(),
            time_zone: "Asia/Shanghai".to_owned(),
            phones,
            database: DatabaseView { abnormal: false, since: clock() },
            ..PhonesView::default()
        };
        Self { view, next: 1, told: Vec::new() }
    }

    /// What follows from a command; a real gateway decides better.
    fn steps(&mut self, command: PhoneCommand) -> Vec<Step> {
        let step = |phone, what| Step { phone: Some(phone), what, sms: None };
        match command {
            PhoneCommand::Call { called, caller, reason } => {
                let mut steps = vec![step(called, Happening::Call { caller, reason })];
                steps.extend(self.alert(called, caller));
                steps
            }
            PhoneCommand::Reply { from, text } => {
                let action = Keywords::shipped().action(&text);
                let (verdict, kind, answer) = match action {
                    Some(Action::Fetch) => (
                        ReplyVerdict::Granted,
                        Kind::Detail,
                        "2 missed calls:\n+8613900000001 23 Nov 13:40\nwithheld 23 Nov 13:41".to_owned(),
                    ),
                    Some(Action::Refuse) => (ReplyVerdict::Refused, Kind::Notice, "您将不再收到此类提醒。".to_owned()),
                    _ => (
                        ReplyVerdict::Help,
                        Kind::Notice,
                        "来电提醒：C查看来电（0.1元），KT开通（3元/月），QX取消，R不再提醒。".to_owned(),
                    ),
                };
                let mut typed = step(from, Happening::Reply { text: text.clone() });
                typed.sms = Some((false, text, None));
                let mut steps = vec![typed, step(from, Happening::Decision(Verdict::Reply(verdict)))];
                steps.extend(self.deliver(from, kind, answer));
                steps
            }
            PhoneCommand::Switch { number, on } => {
                let mut steps = vec![step(number, Happening::Switched { on })];
                let waiting: Vec<_> = self.told.extract_if(.., |(to, ..)| on && *to == number).collect();
                for (_, text, kind) in waiting {
                    let mut came = step(number, Happening::Delivered { kind: Some(kind) });
                    came.sms = Some((true, text, Some(kind)));
                    steps.push(came);
                }
                steps
            }
            PhoneCommand::Database { abnormal } => {
                vec![Step { phone: None, what: Happening::Database { abnormal }, sms: None }]
            }
        }
    }

    fn alert(&mut self, called: Msisdn, caller: PhoneCaller) -> Vec<Step> {
        let who = match caller {
            PhoneCaller::Phone(number) => format!("+{}", number.reveal()),
            PhoneCaller::Withheld => "隐藏号码".to_owned(),
        };
        let Some(phone) = self.view.phones.iter().find(|phone| phone.number == called) else { return Vec::new() };
        let (verdict, text) = match (phone.role, self.view.database.abnormal) {
            _ if phone.pending > 0 => (Verdict::Held(HeldWhy::AlertPending), String::new()),
            (Role::Subscriber, false) => (Verdict::Send(Kind::Detail), format!("您有1个未接来电：\n{who} 11-23 13:40")),
            (Role::Subscriber, true) => (Verdict::Send(Kind::Fallback), format!("来电提醒：\n{who} 11-23 13:40")),
            (Role::Prospect, false) => (
                Verdict::Send(Kind::Teaser),
                "您有1个未接来电，最近一次11-23 13:40。回复C查看来电号码（0.1元），KT开通提醒（3元/月），R不再提醒。本条免费。"
                    .to_owned(),
            ),
            (Role::Outside, false) => (Verdict::Nothing(NothingWhy::OutsideRanges), String::new()),
            (Role::Prospect | Role::Outside, true) => (Verdict::Nothing(NothingWhy::AbnormalNotRegistered), String::new()),
        };
        let mut steps = vec![Step { phone: Some(called), what: Happening::Decision(verdict), sms: None }];
        if let Verdict::Send(kind) = verdict {
            steps.extend(self.deliver(called, kind, text));
        }
        steps
    }

    fn deliver(&mut self, to: Msisdn, kind: Kind, text: String) -> Vec<Step> {
        let on = self.view.phones.iter().any(|phone| phone.number == to && phone.on);
        let parts = model::split(&text).parts.len();
        let submit = Step { phone: Some(to), what: Happening::Submit { kind, parts }, sms: None };
        if !on {
            self.told.push((to, text, kind));
            return vec![submit, Step { phone: Some(to), what: Happening::Waiting, sms: None }];
        }
        let what = Happening::Delivered { kind: Some(kind) };
        vec![submit, Step { phone: Some(to), what, sms: Some((true, text, Some(kind))) }]
    }

    fn take(&mut self, step: Step) {
        let (id, at) = (self.next, clock());
        self.next += 1;
        let view = &mut self.view;
        let phone = view.phones.iter_mut().find(|phone| Some(phone.number) == step.phone);
        match (&step.what, phone) {
            (Happening::Database { abnormal }, _) => {
                view.database = DatabaseView { abnormal: *abnormal, since: at };
            }
            (Happening::Decision(verdict), Some(phone)) => {
                phone.last_decision = Some(*verdict);
                view.counts.nothing += u64::from(matches!(verdict, Verdict::Nothing(_)));
            }
            (Happening::Submit { kind, .. }, _) => match kind {
                Kind::Detail => view.counts.detail += 1,
                Kind::Teaser => view.counts.teaser += 1,
                Kind::Fallback => view.counts.fallback += 1,
                Kind::Notice => view.counts.notice += 1,
            },
            (Happening::Waiting, Some(phone)) => phone.pending += 1,
            (Happening::Switched { on }, Some(phone)) => {
                phone.on = *on;
                phone.pending = if *on { 0 } else { phone.pending };
            }
            (Happening::Call { .. }, _) => view.counts.calls += 1,
            (Happening::Reply { .. }, _) => view.counts.replies += 1,
            (Happening::Delivered { .. }, _) => view.counts.delivered += 1,
            (Happening::Decision(_) | Happening::Waiting | Happening::Switched { .. }, None) => {}
        }
        let phone = view.phones.iter_mut().find(|phone| Some(phone.number) == step.phone);
        if let (Some(phone), Some((incoming, text, kind))) = (phone, step.sms) {
            phone.messages.push(MessageView { id, incoming, from: view.service.clone(), text, at, kind });
        }
        view.log.push(LogLine { id, at, phone: step.phone, what: step.what });
    }
}
