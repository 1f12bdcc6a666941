//! The program `simulator`: an SMS centre with handsets, or a load of missed calls.

mod control;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use model::Timestamp;
use simulator::calls::{Load, Until};
use simulator::{Smsc, SmscOptions, TlsFiles};

/// What stands around the gateway, made up: an SMS centre with handsets, and missed calls.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// An SMS centre (SMPP 3.3 to 5.0) with handsets
    Smsc(SmscArgs),
    /// Posts made-up missed calls, and prints what became of them as JSON
    Calls(CallsArgs),
}

#[derive(Args)]
struct SmscArgs {
    /// Where to listen for SMPP; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:2775")]
    listen: SocketAddr,
    /// Who may bind, as system_id:password; may be given several times. None: anyone
    #[arg(long = "account", value_parser = account)]
    accounts: Vec<(String, String)>,
    /// From a submit to its answer, such as 10ms
    #[arg(long, default_value = "0ms", value_parser = duration)]
    answer_delay: Duration,
    /// From the answer to the phone
    #[arg(long, default_value = "0ms", value_parser = duration)]
    delivery_delay: Duration,
    /// Never sends receipts
    #[arg(long)]
    no_receipts: bool,
    /// Keeps no phones but those added by hand: for load, so that memory stays flat
    #[arg(long)]
    no_inboxes: bool,
    /// Phones kept
    #[arg(long, default_value_t = 10_000)]
    max_phones: usize,
    /// Messages kept per phone, and messages that may wait for one
    #[arg(long, default_value_t = 100)]
    inbox_limit: usize,
    /// How many of the latest submits GET /submitted tells
    #[arg(long, default_value_t = 0)]
    keep_submitted: usize,
    /// How many of the latest answers of ESMEs GET /answers tells
    #[arg(long, default_value_t = 0)]
    keep_answers: usize,
    /// PEM file of this centre's certificate: it serves TLS
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file of the certificate's key
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// PEM file of the authorities that must vouch for clients
    #[arg(long, requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// From a refused receipt or reply to its next attempt
    #[arg(long, default_value = "1s", value_parser = duration)]
    resend_pause: Duration,
    /// How long a receipt or reply may go unanswered before it is sent again
    #[arg(long, default_value = "10s", value_parser = duration)]
    resend_unanswered: Duration,
    /// Prints the counts as JSON, so often
    #[arg(long, value_parser = duration)]
    stats_every: Option<Duration>,
    /// Where to listen for control over HTTP; anyone who reaches it is obeyed
    #[arg(long)]
    control: Option<SocketAddr>,
}

#[derive(Args)]
struct CallsArgs {
    /// Where to
    #[arg(long, default_value = "http://127.0.0.1:8080/v1/calls")]
    url: String,
    /// Bearer token
    #[arg(long, env = "SIMULATOR_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Calls per second; 0: as fast as they are answered
    #[arg(long, default_value_t = 0)]
    rate: u64,
    /// Calls per request
    #[arg(long, default_value_t = 100)]
    batch: u64,
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Stops after so many calls
    #[arg(long, default_value_t = 10_000)]
    total: u64,
    /// Stops after so long, whatever the total
    #[arg(long, value_parser = duration, conflicts_with = "total")]
    duration: Option<Duration>,
    /// The first called number
    #[arg(long, default_value_t = 8_613_800_000_000)]
    called_first: u64,
    /// How many called numbers from there on
    #[arg(long, default_value_t = 100_000)]
    called_count: u64,
    /// The first caller's number
    #[arg(long, default_value_t = 8_613_900_000_000)]
    caller_first: u64,
    /// How many callers from there on
    #[arg(long, default_value_t = 1_000_000)]
    callers: u64,
    /// The number the calls were forwarded to
    #[arg(long)]
    service_number: Option<String>,
    /// The same seed makes the same calls, with the same ids
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long a request may take
    #[arg(long, default_value = "30s", value_parser = duration)]
    timeout: Duration,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match cli.what {
        What::Smsc(args) => runtime.block_on(smsc(args)),
        What::Calls(args) => runtime.block_on(calls(args)),
    }
}

#[expect(clippy::disallowed_methods, reason = "a program of its own, and this is where it reads the wall clock")]
fn clock() -> Timestamp {
    jiff::Timestamp::now().into()
}

async fn smsc(args: SmscArgs) -> anyhow::Result<()> {
    let tls = args.tls_cert.zip(args.tls_key);
    let tls = tls.map(|(certificate, key)| TlsFiles { certificate, key, client_ca: args.tls_client_ca });
    let smsc = Smsc::start(SmscOptions {
        listen: args.listen,
        accounts: args.accounts,
        answer_delay: args.answer_delay,
        delivery_delay: args.delivery_delay,
        receipts: !args.no_receipts,
        max_phones: args.max_phones,
        inbox_limit: args.inbox_limit,
        keep_inboxes: !args.no_inboxes,
        keep_submitted: args.keep_submitted,
        keep_answers: args.keep_answers,
        tls,
        resend_pause: args.resend_pause,
        resend_unanswered: args.resend_unanswered,
        ..SmscOptions::new(clock)
    })
    .await
    .with_context(|| format!("can't listen on {}", args.listen))?;
    let control = match args.control {
        Some(address) => Some(control::listen(address).await.with_context(|| format!("can't listen on {address}"))?),
        None => None,
    };
    let shown = control.as_ref().map_or_else(|| "-".to_owned(), |(_, address)| address.to_string());
    print(&format!("listening smpp={} control={shown}", smsc.addr()))?;
    let serving = async {
        match control {
            Some((listener, _)) => control::serve(listener, smsc.clone()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        done = serving => done?,
        done = stats(&smsc, args.stats_every) => done?,
        done = stopped() => done?,
    }
    smsc.stop().await;
    Ok(())
}

async fn calls(args: CallsArgs) -> anyhow::Result<()> {
    let report = simulator::calls::run(Load {
        url: args.url,
        token: args.token,
        rate: args.rate,
        batch: args.batch,
        connections: args.connections,
        until: args.duration.map_or(Until::Calls(args.total), Until::Elapsed),
        called_first: args.called_first,
        called_count: args.called_count,
        caller_first: args.caller_first,
        callers: args.callers,
        service_number: args.service_number,
        seed: args.seed,
        timeout: args.timeout,
        clock,
    })
    .await?;
    print(&serde_json::to_string(&report)?)
}

/// Prints the counts for ever, if so often is given.
async fn stats(smsc: &Smsc, every: Option<Duration>) -> anyhow::Result<()> {
    let Some(every) = every else { return std::future::pending().await };
    let mut ticks = tokio::time::interval(every.max(Duration::from_millis(1)));
    loop {
        ticks.tick().await;
        print(&serde_json::to_string(&smsc.counts())?)?;
    }
}

async fn stopped() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// One line, at once: whoever started us waits for it.
fn print(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

fn account(text: &str) -> Result<(String, String), String> {
    let (system_id, password) = text.split_once(':').ok_or("not system_id:password")?;
    Ok((system_id.to_owned(), password.to_owned()))
}

fn duration(text: &str) -> Result<Duration, String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().map_err(|_| "not a duration like 10ms, 5s or 2m")?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        _ => Err("not a duration like 10ms, 5s or 2m".into()),
    }
}
