//! `afterring demo`: a gateway, a simulated SMSC with handsets, and a page on which one places a missed call and sees what follows.

mod scenes;
mod stage;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use console::access::{AccessSettings, Local};
use console::phones::{Counts, Label, PhonesHandle, PhonesView, Role};
use model::{Clock, Language, Msisdn};
use routing::Subscriber;
use simulator::{Smsc, SmscOptions};
use store::Store as _;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::scenes::{Cast, Director};
use self::stage::Stage;
use crate::app::{Gateway, Plan};
use crate::cli::Demo;
use crate::config::Settings;
use crate::plan::plan;
use crate::telemetry::Logging;

/// Commands of visitors that wait; more than that in one moment is not a person.
const COMMANDS: usize = 64;

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
    ("notify.enabled", "true"),
    ("notify.on_net", "861*"),
    ("notify.daily_cap", "20"),
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
pub async fn run(asked: &Demo, clock: Clock, log: Logging, stop: CancellationToken) -> anyhow::Result<()> {
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
    let policy = settings.policy.clone();
    let access = AccessSettings::none(Local::Everybody);
    let plan = Plan { http_listen: None, admin_listen: None, access, ..plan(settings, clock, 1, log) };
    let gateway = Gateway::start(plan).await?;

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
    // One that waits is enough: the latest that was asked for is played.
    let (scenes, asked_scenes) = mpsc::channel(1);
    let director = Director { cast: cast()?, commands: commands.clone(), view: view.clone() };
    let directing = tokio::spawn(director.work(asked_scenes));
    let stage = Stage {
        clock,
        service: "12599".to_owned(),
        time_zone: policy.time_zone.clone(),
        phones,
        smsc: smsc.clone(),
        store: gateway.store.local().clone(),
        intake: gateway.intake(),
        database: gateway.database.clone(),
        ranges: policy.ranges.clone(),
        kinds: VecDeque::new(),
        verdicts: HashMap::new(),
        log: VecDeque::new(),
        logged: 0,
        counts: Counts::default(),
        calls: 0,
        scenes,
    };
    let player = tokio::spawn(stage.play(orders, gateway.live.subscribe(), smsc.watch(), show));
    let pages = console::phones::router(PhonesHandle { commands, view }, clock);
    let router = pages.merge(gateway.calls.clone()).merge(gateway.admin.clone());
    println!("Afterring demo: open http://{addr}/phones   (Ctrl-C ends it)");
    // The page's live stream ends with the player; without that, an open page would hold up the end.
    let ended = async move {
        stop.cancelled().await;
        directing.abort();
        player.abort();
        drop(player.await);
    };
    axum::serve(listener, router).with_graceful_shutdown(ended).await?;
    gateway.stop(Duration::from_secs(5)).await;
    smsc.stop().await;
    Ok(())
}

/// Who plays in scenes.
fn cast() -> anyhow::Result<Cast> {
    let [subscriber, second, prospect, outside] = PHONES.map(|(number, ..)| Msisdn::try_from(number));
    Ok(Cast { subscriber: subscriber?, second: second?, prospect: prospect?, outside: outside? })
}
