//! `afterring demo`: a gateway, a simulated SMSC with handsets, and a page on which one places a missed call and sees what follows.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use console::phones::{
    Counts, DatabaseView, Happening, Label, LogLine, MessageView, PhoneCaller, PhoneCommand, PhoneView, PhonesHandle,
    PhonesView, Role,
};
use ingress::{Intake, Offer};
use model::{CallId, Caller, Clock, Kind, Language, MissedCall, Msisdn, Reason, Source, split};
use routing::{Database, Subscriber, Verdict};
use simulator::{Direction, PhoneChange, PhoneEvent, Smsc, SmscOptions};
use store::{Outcome, Store};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::app::{Gateway, Plan};
use crate::cli::Demo;
use crate::config::Settings;
use crate::plan::plan;

/// Commands of visitors that wait; more than that in one moment is not a person.
const COMMANDS: usize = 64;
/// Lines of the log that are kept; the page shows fewer.
const LOG: usize = 200;
/// Texts remembered to tell what an SMS on a phone was for.
const TEXTS: usize = 500;
/// How long the "database" stays abnormal in the demo when nobody repairs it.
const BROKEN: Duration = Duration::from_secs(3600);

/// The settings of the demo, over the shipped defaults: everything on this machine, short pauses so that each click shows something.
const OVERRIDES: &[(&str, &str)] = &[
    ("service.code", "12599"),
    ("ranges", "demo=86139*:1000"),
    ("alert.min_interval", "1s"),
    ("alert.daily_cap", "1000"),
    ("teaser.interval", "10s"),
    ("teaser.offer_validity", "1h"),
    ("teaser.fetch_price", "¥0.10"),
    ("teaser.subscribe_price", "¥3"),
    ("reply.limit", "100"),
];

/// The phones of the demo: made-up numbers.
const PHONES: [(u64, Role, &str, &str, Option<&str>); 4] = [
    (8_613_800_000_001, Role::Subscriber, "手机一", "Phone 1", Some("zh-CN")),
    (8_613_800_000_002, Role::Subscriber, "手机二", "Phone 2", Some("en")),
    (8_613_900_000_001, Role::Prospect, "手机三", "Phone 3", None),
    (8_613_700_000_001, Role::Outside, "手机四", "Phone 4", None),
];

/// Runs the demo until `stop`.
///
/// # Errors
/// When the address is taken, or the temporary store can't be made.
pub async fn run(asked: &Demo, clock: Clock, stop: CancellationToken) -> anyhow::Result<()> {
    let listen = asked.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("can't listen on {listen}"))?;
    let addr = listener.local_addr()?;
    let dir = tempfile::Builder::new().prefix("afterring-demo-").tempdir().context("no temporary directory")?;
    let smsc =
        Smsc::start(SmscOptions { delivery_delay: Duration::from_millis(300), ..SmscOptions::new(clock) }).await?;
    let url = format!("smpp://demo:demo@{}?name=demo&window=10", smsc.addr());
    let store_dir = dir.path().display().to_string();
    let overrides = OVERRIDES.iter().copied().chain([("smsc.urls", url.as_str()), ("store.dir", store_dir.as_str())]);
    let settings = Settings::for_demo(overrides).map_err(|faults| anyhow::anyhow!("{faults}"))?;
    let gateway = Gateway::start(Plan { http_listen: None, admin_listen: None, ..plan(&settings, clock, 1) }).await?;

    let mut phones = Vec::new();
    for (number, role, zh, en, language) in PHONES {
        let number = Msisdn::try_from(number)?;
        if role == Role::Subscriber {
            let language = language.map(str::parse::<Language>).transpose()?;
            let subscriber = Subscriber { language, ..Subscriber::new(number, clock()) };
            gateway.store.put_subscriber(subscriber).await?;
        }
        smsc.add_phone(number, true);
        phones.push((number, Label { zh: zh.to_owned(), en: en.to_owned() }));
    }
    let (commands, orders) = mpsc::channel(COMMANDS);
    let (show, view) = watch::channel(Arc::new(PhonesView::default()));
    let stage = Stage {
        clock,
        service: "12599".to_owned(),
        time_zone: settings.policy.time_zone.clone(),
        phones,
        smsc: smsc.clone(),
        store: gateway.store.local().clone(),
        intake: gateway.intake(),
        database: gateway.database.clone(),
        ranges: settings.policy.ranges.clone(),
        kinds: VecDeque::new(),
        verdicts: HashMap::new(),
        log: VecDeque::new(),
        logged: 0,
        counts: Counts::default(),
        calls: 0,
    };
    let player = tokio::spawn(stage.play(orders, gateway.live.subscribe(), smsc.watch(), show));
    let pages = console::phones::router(PhonesHandle { commands, view }, clock);
    let router = pages.merge(gateway.calls.clone()).merge(gateway.admin.clone());
    println!("Afterring demo: open http://{addr}/phones   (Ctrl-C ends it)");
    // The page's live stream ends with the player; without that, an open page would hold up the end.
    let ended = async move {
        stop.cancelled().await;
        player.abort();
        drop(player.await);
    };
    axum::serve(listener, router).with_graceful_shutdown(ended).await?;
    gateway.stop(Duration::from_secs(5)).await;
    smsc.stop().await;
    Ok(())
}

/// The owner of what the page shows.
struct Stage {
    clock: Clock,
    service: String,
    time_zone: String,
    phones: Vec<(Msisdn, Label)>,
    smsc: Smsc,
    store: store::Embedded,
    intake: Intake,
    database: crate::database::DatabaseState,
    ranges: routing::Ranges,
    kinds: VecDeque<(Msisdn, String, Kind)>,
    verdicts: HashMap<Msisdn, Verdict>,
    log: VecDeque<LogLine>,
    logged: u64,
    counts: Counts,
    calls: u64,
}

impl Stage {
    /// Does what visitors ask, notes what happens, and shows the result; until the page is gone.
    async fn play(
        mut self,
        mut orders: mpsc::Receiver<PhoneCommand>,
        mut live: broadcast::Receiver<Arc<Vec<Outcome>>>,
        mut phones: broadcast::Receiver<PhoneEvent>,
        show: watch::Sender<Arc<PhonesView>>,
    ) {
        loop {
            show.send_replace(Arc::new(self.view().await));
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return,
                },
                outcomes = live.recv() => match outcomes {
                    Ok(outcomes) => self.decided(&outcomes),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                event = phones.recv() => match event {
                    Ok(event) => self.happened(&event),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                },
            }
        }
    }

    async fn obey(&mut self, order: PhoneCommand) {
        match order {
            PhoneCommand::Call { called, caller, reason } => self.call(called, caller, reason).await,
            PhoneCommand::Reply { from, text } => {
                self.smsc.reply(from, &self.service, &text);
                self.counts.replies += 1;
                self.note(Some(from), Happening::Reply { text });
            }
            PhoneCommand::Switch { number, on } => {
                self.smsc.switch(number, on);
                self.note(Some(number), Happening::Switched { on });
            }
            PhoneCommand::Database { abnormal } => {
                if abnormal {
                    self.database.force(BROKEN, "the demo's switch".to_owned());
                } else {
                    self.database.lift();
                }
                self.note(None, Happening::Database { abnormal });
            }
        }
    }

    /// Places a call the way the core network does: offered, and on disk before it counts.
    async fn call(&mut self, called: Msisdn, from: PhoneCaller, reason: Reason) {
        let at = (self.clock)();
        self.calls += 1;
        let Ok(id) = CallId::parse(&format!("demo-{}-{}", at.as_millis(), self.calls)) else { return };
        let caller = match from {
            PhoneCaller::Phone(number) => Caller::Number(number),
            PhoneCaller::Withheld => Caller::Withheld,
        };
        let call = MissedCall { id, caller, called, at, reason, service_number: None, source: Source::Http };
        self.note(Some(called), Happening::Call { caller: from, reason });
        let (answer, stored) = oneshot::channel();
        if self.intake.send(Offer { calls: vec![call], answer }).await.is_ok() {
            drop(stored.await);
        }
    }

    fn decided(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            let Some(called) = outcome.called else { continue };
            self.counts.calls += u64::from(outcome.event == "call");
            for alert in outcome.alerts.iter().filter(|alert| alert.attempts == 0) {
                self.kinds.push_back((alert.to, alert.text.clone(), alert.kind));
            }
            match outcome.verdict {
                Verdict::Alert => self.moved(called, outcome),
                verdict
                    if outcome.event == "call" || outcome.event == "reply" || matches!(verdict, Verdict::Send(_)) =>
                {
                    self.verdicts.insert(called, verdict);
                    if matches!(verdict, Verdict::Nothing(_)) {
                        self.counts.nothing += 1;
                    }
                    self.note(Some(called), Happening::Decision(verdict));
                }
                _ => {}
            }
        }
        while self.kinds.len() > TEXTS {
            self.kinds.pop_front();
        }
    }

    /// An alert that the SMSC has taken.
    fn moved(&mut self, called: Msisdn, outcome: &Outcome) {
        let taken = |alert: &&routing::Alert| matches!(alert.state, routing::AlertState::Accepted { .. });
        for alert in outcome.alerts.iter().filter(taken).filter(|_| outcome.event == "submitted") {
            match alert.kind {
                Kind::Detail => self.counts.detail += 1,
                Kind::Teaser => self.counts.teaser += 1,
                Kind::Fallback => self.counts.fallback += 1,
                Kind::Notice | Kind::Notify => self.counts.notice += 1,
            }
            let parts = split(&alert.text).parts.len();
            self.note(Some(called), Happening::Submit { kind: alert.kind, parts });
        }
    }

    fn happened(&mut self, event: &PhoneEvent) {
        match &event.what {
            PhoneChange::Received(sms) => {
                self.counts.delivered += 1;
                let kind = self.kind(event.number, &sms.text);
                self.note(Some(event.number), Happening::Delivered { kind });
            }
            PhoneChange::Pending(waiting) if *waiting > 0 => {
                let off = self.smsc.phone(event.number).is_some_and(|phone| !phone.on);
                if off {
                    self.note(Some(event.number), Happening::Waiting);
                }
            }
            PhoneChange::Pending(_) | PhoneChange::Sent(_) | PhoneChange::Switched(_) => {}
        }
    }

    fn kind(&self, number: Msisdn, text: &str) -> Option<Kind> {
        self.kinds.iter().rev().find(|(to, known, _)| *to == number && known == text).map(|(_, _, kind)| *kind)
    }

    fn note(&mut self, phone: Option<Msisdn>, what: Happening) {
        self.logged += 1;
        self.log.push_back(LogLine { id: self.logged, at: (self.clock)(), phone, what });
        if self.log.len() > LOG {
            self.log.pop_front();
        }
    }

    async fn view(&self) -> PhonesView {
        let mut phones = Vec::with_capacity(self.phones.len());
        for (number, name) in &self.phones {
            let handset = self.smsc.phone(*number);
            let role = match self.store.subscriber(*number).await {
                Ok(Some(_)) => Role::Subscriber,
                _ if self.ranges.find(*number).is_some() => Role::Prospect,
                _ => Role::Outside,
            };
            let messages = handset.iter().flat_map(|handset| &handset.inbox).map(|sms| MessageView {
                id: sms.id,
                incoming: sms.direction == Direction::In,
                from: sms.from.clone(),
                text: sms.text.clone(),
                at: sms.at,
                kind: self.kind(*number, &sms.text),
            });
            phones.push(PhoneView {
                number: *number,
                name: name.clone(),
                role,
                on: handset.as_ref().is_none_or(|handset| handset.on),
                pending: handset.as_ref().map_or(0, |handset| handset.pending),
                messages: messages.collect(),
                last_decision: self.verdicts.get(number).copied(),
            });
        }
        let abnormal = self.database.now() == Database::Abnormal;
        PhonesView {
            service: self.service.clone(),
            time_zone: self.time_zone.clone(),
            phones,
            database: DatabaseView { abnormal, since: self.database.since() },
            log: self.log.iter().cloned().collect(),
            counts: self.counts,
        }
    }
}
