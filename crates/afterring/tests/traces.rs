//! Traces, as a collector gets them from the built command: one call, from the door to its receipt. With the feature `otlp`:
//! `cargo nextest run -p afterring --features otlp --test traces`.
#![cfg(feature = "otlp")]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::expect_used)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use model::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use simulator::{Smsc, SmscOptions};

const CALLED: &str = "8613800000001";
const CALLER: &str = "8613900000002";

fn clock() -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000)
}

/// Every body that was posted to `/v1/traces`.
type Posted = Arc<Mutex<Vec<Vec<u8>>>>;

/// A collector that takes everything.
fn collector() -> (String, Posted) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, posted) = (listener.local_addr().unwrap(), Posted::default());
    let taken = Arc::clone(&posted);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, taken) = (stream.unwrap(), Arc::clone(&taken));
            thread::spawn(move || serve(stream, &taken));
        }
    });
    (format!("http://{address}"), posted)
}

fn serve(stream: TcpStream, posted: &Posted) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line == "\r\n" {
                break;
            }
            head.push(line.trim_end().to_ascii_lowercase());
        }
        assert_eq!(head[0], "post /v1/traces http/1.1");
        assert!(head.contains(&"content-type: application/x-protobuf".to_owned()), "{head:?}");
        let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        posted.lock().unwrap().push(body);
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    }
}

/// The fields of a protobuf message that hold octets, by their numbers.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    fn varint(message: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (octet, rest) = message.split_first().unwrap();
            *message = rest;
            value |= u64::from(octet & 0x7f) << shift;
            shift += 7;
            if octet & 0x80 == 0 {
                return value;
            }
        }
    }
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let length = match tag & 7 {
            0 => {
                varint(&mut message);
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut message)).unwrap(),
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (value, rest) = message.split_at(length);
        message = rest;
        if tag & 7 == 2 {
            found.push((tag >> 3, value));
        }
    }
    found
}

fn within(message: &[u8], number: u64) -> Vec<&[u8]> {
    fields(message).into_iter().filter(|(found, _)| *found == number).map(|(_, value)| value).collect()
}

/// A span: what it belongs to, and what it is linked with.
#[derive(Clone, Debug)]
struct Span {
    trace: Vec<u8>,
    own: Vec<u8>,
    parent: Vec<u8>,
    links: Vec<Vec<u8>>,
}

fn spans(posted: &Posted) -> BTreeMap<String, Vec<Span>> {
    let mut spans: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    for body in posted.lock().unwrap().iter() {
        for span in within(body, 1).iter().flat_map(|of| within(of, 2)).flat_map(|of| within(of, 2)) {
            let one = |number| within(span, number).first().map(|value| value.to_vec()).unwrap_or_default();
            let links = within(span, 13).iter().map(|link| within(link, 2)[0].to_vec()).collect();
            let name = String::from_utf8(one(5)).unwrap();
            spans.entry(name).or_default().push(Span { trace: one(1), own: one(2), parent: one(4), links });
        }
    }
    spans
}

fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn gateway(dir: &std::path::Path, urls: &str, endpoint: &str, sample: &str, (http, admin): (u16, u16)) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterring"));
    command.arg("run").env_clear().current_dir(dir);
    for (key, value) in [
        ("SERVICE__CODE", "12599"),
        ("SMSC__URLS", urls),
        ("RANGES", "all=86138*:5"),
        ("HTTP__LISTEN", &format!("127.0.0.1:{http}")),
        ("ADMIN__LISTEN", &format!("127.0.0.1:{admin}")),
        ("TELEMETRY__OTLP_ENDPOINT", endpoint),
        ("TELEMETRY__SAMPLE", sample),
    ] {
        command.env(format!("AFTERRING_{key}"), value);
    }
    command.spawn().unwrap()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Has one call told and its receipt decided, and stops the gateway.
async fn story(sample: &str) -> Posted {
    let smsc = Smsc::start(SmscOptions::new(clock)).await.unwrap();
    let urls = format!("smpp://ring:ring@{}?name=north", smsc.addr());
    let (endpoint, posted) = collector();
    let dir = tempfile::tempdir().unwrap();
    let (http, admin) = (free(), free());
    let mut child = gateway(dir.path(), &urls, &endpoint, sample, (http, admin));
    let told = tokio::task::spawn_blocking(move || {
        until("it is alive", || ureq::get(format!("http://127.0.0.1:{admin}/livez")).call().is_ok());
        let call = serde_json::json!({ "id": "1", "called": CALLED, "caller": CALLER });
        ureq::post(format!("http://127.0.0.1:{http}/v1/calls")).send_json(call).unwrap();
        until("the receipt is decided", || {
            let mut page = ureq::get(format!("http://127.0.0.1:{admin}/metrics")).call().unwrap();
            let page = page.body_mut().read_to_string().unwrap();
            page.lines()
                .any(|line| line.starts_with("afterring_decisions_total{event=\"receipt\"") && line.ends_with(" 1"))
        });
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        child.wait().unwrap()
    });
    assert_eq!(told.await.unwrap().code(), Some(0));
    smsc.stop().await;
    posted
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_one_trace_from_its_decision_to_its_receipt() {
    let posted = story("1").await;
    let spans = spans(&posted);
    let only = |name: &str| match spans.get(name).map(Vec::as_slice) {
        Some([span]) => span.clone(),
        other => panic!("{name}: {other:?} of {spans:?}"),
    };
    let (append, decide, submit, receipt) = (only("append"), only("decide"), only("submit"), only("receipt"));
    assert!(decide.parent.is_empty() && decide.trace.len() == 16 && decide.own.len() == 8, "{decide:?}");
    for part in [&submit, &receipt] {
        assert_eq!((&part.trace, &part.parent), (&decide.trace, &decide.own), "{part:?}");
    }
    assert_ne!(append.trace, decide.trace);
    // Each is linked with the batch that it was decided in.
    for part in [&decide, &receipt] {
        assert!(spans["settle"].iter().any(|settle| part.links == [settle.own.clone()]), "{part:?}");
    }
    let all: Vec<u8> = posted.lock().unwrap().concat();
    let text = String::from_utf8_lossy(&all);
    assert!(text.contains("service.name") && text.contains("afterring.verdict"), "{text}");
    assert!(!text.contains(&CALLED[2..]) && !text.contains(&CALLER[2..]), "no number leaves: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_nothing_is_nothing() {
    let posted = story("0").await;
    assert!(posted.lock().unwrap().is_empty());
}
