//! The program, started and controlled as the black-box tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod wire;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use wire::{Esme, text, until};

/// The program, ended with the test.
struct Program {
    child: Child,
    smpp: SocketAddr,
    control: SocketAddr,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start() -> Program {
    let arguments = ["smsc", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--keep-submitted", "10"];
    let mut child =
        Command::new(env!("CARGO_BIN_EXE_simulator")).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[0], "listening");
    let smpp = words[1].strip_prefix("smpp=").unwrap().parse().unwrap();
    let control = words[2].strip_prefix("control=").unwrap().parse().unwrap();
    Program { child, smpp, control }
}

impl Program {
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
        let mut stream = TcpStream::connect(self.control).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }
}

#[test]
fn the_centre_is_controlled_over_http() {
    let program = start();
    let mut esme = Esme::bound(program.smpp);
    assert_eq!(program.ask("GET", "/phones/8613800000001", "").0, 404);
    assert_eq!(program.ask("GET", "/phones/abc", "").0, 400);
    assert_eq!(program.ask("POST", "/phones/+8613800000001/switch", r#"{"on":false}"#).0, 204);
    esme.ask(4, 2, &text("8613800000001", "hello"));
    let (status, phone) = program.ask("GET", "/phones/8613800000001", "");
    assert_eq!((status, phone["on"].as_bool(), phone["pending"].as_u64()), (200, Some(false), Some(1)));
    assert_eq!(program.ask("POST", "/phones/8613800000001/switch", r#"{"on":true}"#).0, 204);
    let receipt = esme.get();
    esme.answer(&receipt, 0);
    until("the receipt is acknowledged", || program.ask("GET", "/counts", "").1["receipts_acked"] == 1);
    let (_, phones) = program.ask("GET", "/phones", "");
    assert_eq!(phones[0]["inbox"][0]["text"], "hello");
    assert_eq!(program.ask("GET", "/submitted", "").1[0]["source"], "12599");
    let reply = r#"{"to":"12599","text":"QX"}"#;
    assert_eq!(program.ask("POST", "/phones/8613800000001/reply", reply).0, 204);
    let got = esme.get();
    assert!(got.shown().ends_with("\\x02QX"), "{got:?}");
    esme.answer(&got, 0);
    assert_eq!(program.ask("PUT", "/faults", r#"{"refuse_next":[88,1]}"#).0, 204);
    assert_eq!(esme.ask(4, 3, &text("8613800000001", "x")).status, 88);
    assert_eq!(program.ask("PUT", "/faults", r#"{"refuse_nxt":[88,1]}"#).0, 422);
}

#[test]
fn calls_are_posted_and_reported_as_json() {
    let output = Command::new(env!("CARGO_BIN_EXE_simulator"))
        .args(["calls", "--url", "http://127.0.0.1:1/v1/calls", "--total", "5", "--timeout", "1ms"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report["not_sent"].as_u64(), report["sent"].as_u64()), (Some(5), Some(0)));
    let output = Command::new(env!("CARGO_BIN_EXE_simulator")).args(["calls", "--url", "ftp://x"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("ftp://x"));
}
