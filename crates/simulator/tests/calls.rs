//! The call generator against servers of a few lines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::Timestamp;
use simulator::calls::{Load, LoadError, Until, run};

type Seen = Arc<Mutex<Vec<serde_json::Value>>>;

/// Answers each request with what `answer` makes of its body: the whole response, octet by octet.
fn serve(answer: impl Fn(usize, &serde_json::Value) -> String + Send + Sync + 'static) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let (answer, all) = (Arc::new(answer), Arc::clone(&seen));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (answer, all) = (Arc::clone(&answer), Arc::clone(&all));
            std::thread::spawn(move || connection(stream.unwrap(), &*answer, &all));
        }
    });
    (address, seen)
}

fn connection(stream: TcpStream, answer: &dyn Fn(usize, &serde_json::Value) -> String, seen: &Seen) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    loop {
        let (mut length, mut authorised) = (0, false);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            authorised |= line == "Authorization: Bearer s3cret\r\n";
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        assert!(authorised);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let count = {
            let mut seen = seen.lock().unwrap();
            seen.push(body.clone());
            seen.len()
        };
        let answer = answer(count, &body);
        if answer.is_empty() {
            return;
        }
        for octet in answer.as_bytes() {
            writer.write_all(&[*octet]).unwrap();
        }
    }
}

fn accepted(body: &serde_json::Value) -> String {
    let body = format!(
        r#"{{"accepted":{},"duplicate":1,"rejected":[{{"index":0,"id":"x","error":"y"}}]}}"#,
        body.as_array().unwrap().len() - 2
    );
    format!("HTTP/1.1 202 Accepted\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn load(address: SocketAddr) -> Load {
    let url = format!("http://{address}/v1/calls");
    Load { token: Some("s3cret".into()), ..Load::new(url, || Timestamp::from_millis(0)) }
}

#[tokio::test]
async fn every_call_is_sent_once_and_the_answers_are_added_up() {
    let (address, seen) = serve(|_, body| accepted(body));
    let report = run(Load { until: Until::Calls(95), connections: 3, ..load(address) }).await.unwrap();
    assert_eq!((report.sent, report.accepted, report.duplicate, report.rejected), (95, 75, 10, 10));
    assert_eq!(report.answers.into_iter().collect::<Vec<_>>(), [(202, 10)]);
    assert_eq!((report.unanswered, report.refused, report.not_sent), (0, 0, 0));
    assert!(report.p50 <= report.p99 && report.p99 <= report.max && report.max > Duration::ZERO);
    let seen = seen.lock().unwrap();
    let ids: HashSet<String> = seen
        .iter()
        .flat_map(|batch| batch.as_array().unwrap().iter().map(|call| call["id"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(ids.len(), 95);
}

#[tokio::test]
async fn refusals_and_broken_connections_are_counted_and_the_load_goes_on() {
    let (address, _) = serve(|count, body| match count {
        1 => "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\nno".into(),
        2 => String::new(),
        3 => "HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\nConnection: close\r\n\r\nxyz".into(),
        _ => accepted(body),
    });
    let report = run(Load { until: Until::Calls(50), ..load(address) }).await.unwrap();
    assert_eq!((report.sent, report.refused, report.unanswered, report.accepted), (50, 10, 20, 16));
    assert_eq!(report.answers.into_iter().collect::<Vec<_>>(), [(202, 3), (503, 1)]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_as_not_sent() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let load = Load { until: Until::Calls(20), timeout: Duration::from_millis(60), ..load(address) };
    let report = run(load).await.unwrap();
    assert_eq!((report.sent, report.not_sent), (0, 20));
}

#[tokio::test]
async fn the_rate_bounds_what_is_sent() {
    let (address, _) = serve(|_, body| accepted(body));
    let until = Until::Elapsed(Duration::from_millis(200));
    let report = run(Load { until, rate: 1000, connections: 2, ..load(address) }).await.unwrap();
    assert_eq!(report.sent, 200, "exactly the batches whose time came");
    assert!(report.took >= Duration::from_millis(190), "the last batch has its time: {:?}", report.took);
}

#[tokio::test]
async fn a_load_that_makes_no_sense_is_refused() {
    let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
    assert_eq!(run(Load { batch: 0, ..load(address) }).await, Err(LoadError::Zero("batch")));
    let url = "https://127.0.0.1/".to_owned();
    assert_eq!(run(Load { url: url.clone(), ..load(address) }).await, Err(LoadError::Url(url)));
}
