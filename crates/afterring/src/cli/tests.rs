//! The command line as an operator types it: what is printed, where, and the exit code.

use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use model::Language;

use super::*;

struct Ran {
    next: Next,
    out: String,
    err: String,
}

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let sources = |file, flags| Sources { file, flags, environment, ..Sources::default() };
    let arguments = std::iter::once("afterring").chain(arguments.iter().copied()).map(OsString::from);
    let mut terminal = Terminal { out: &mut out, err: &mut err };
    let next = answer(arguments, sources, || model::Timestamp::from_millis(1_000), &mut terminal).unwrap();
    Ran { next, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

fn code(ran: &Ran) -> Option<u8> {
    match ran.next {
        Next::Exit(code) => Some(code),
        Next::Run(_) | Next::Demo(_) => None,
    }
}

/// A gateway that gives these answers, one for each connection, and returns what it was asked.
fn gateway(answers: Vec<(&'static str, &'static str)>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answering = thread::spawn(move || {
        let answer = |(status, body): (&str, &str)| {
            let (mut stream, _) = listener.accept().unwrap();
            let request = read_request(&mut stream);
            let length = body.len();
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").unwrap();
            request
        };
        answers.into_iter().map(answer).collect()
    });
    (address, answering)
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut octets = [0; 4096];
    loop {
        let count = stream.read(&mut octets).unwrap();
        request.extend_from_slice(&octets[..count]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if count == 0 || body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return String::from_utf8(request).unwrap();
        }
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn nothing_said_means_run() {
    for arguments in [&[][..], &["run"], &["--set", "log.filter=debug"]] {
        let ran = run(arguments, &[("AFTERRING_SERVICE__CODE", "12599")]);
        assert!(matches!(ran.next, Next::Run(_)), "{}", ran.err);
    }
    let ran = run(&["run"], &[]);
    assert_eq!(code(&ran), Some(CONFIGURATION));
    assert!(ran.err.contains("service.code"), "{}", ran.err);
}

#[test]
fn help_tells_every_exit_code_and_slips_exit_with_64() {
    let ran = run(&["--help"], &[]);
    assert_eq!(code(&ran), Some(OK));
    for word in
        ["0 ", "64", "69", "70", "75", "78", "demo", "migrate", "subscribers", "completions", "AFTERRING_CONFIG"]
    {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
    for arguments in [&["rum"][..], &["--sett", "a=b"], &["call"], &["call", "--called", "1", "--reason", "engaged"]] {
        let ran = run(arguments, &[]);
        assert_eq!((code(&ran), ran.out.as_str()), (Some(USAGE), ""));
        assert!(!ran.err.is_empty());
    }
}

#[test]
fn check_says_ok_with_a_digest_or_every_fault() {
    let ran = run(&["check"], &[("AFTERRING_SERVICE__CODE", "12599")]);
    assert_eq!((code(&ran), ran.err.as_str()), (Some(OK), ""));
    assert!(ran.out.starts_with("ok "));
    let other = run(&["check", "--set", "alert.daily_cap=5"], &[("AFTERRING_SERVICE__CODE", "12599")]);
    assert_ne!(ran.out, other.out);
    let ran = run(&["check", "--set", "alert.daily_cap=none"], &[]);
    assert_eq!((code(&ran), ran.out.as_str()), (Some(CONFIGURATION), ""));
    assert!(ran.err.contains("alert.daily_cap = \"none\"") && ran.err.contains("service.code"), "{}", ran.err);
}

#[test]
fn config_prints_what_is_in_force_and_hides_secrets() {
    let environment = [
        ("AFTERRING_SERVICE__CODE", "0012"),
        ("AFTERRING_HTTP__TOKEN", "s3cret"),
        ("AFTERRING_SMSC__URLS", "smpp://id:s3cret@h:1?window=5"),
    ];
    let ran = run(&["config", "--set", "alert.daily_cap=5"], &environment);
    assert_eq!((code(&ran), ran.err.as_str()), (Some(OK), ""));
    for line in [
        "code = \"0012\"  # environment AFTERRING_SERVICE__CODE",
        "token = \"***\"  # environment AFTERRING_HTTP__TOKEN",
        "urls = \"smpp://id:***@h:1?window=5\"  # environment AFTERRING_SMSC__URLS",
        "daily_cap = \"5\"  # flag --set",
        "max_parts = \"3\"  # default",
    ] {
        assert!(ran.out.lines().any(|printed| printed == line), "{line}: {}", ran.out);
    }
    assert!(!ran.out.contains("s3cret"));
    assert!(toml::de::DeTable::parse(&ran.out).is_ok());
    let ran = run(&["config"], &[]);
    assert_eq!(code(&ran), Some(CONFIGURATION));
    assert!(ran.out.contains("max_parts") && ran.err.contains("service.code"));
    assert!(run(&["config", "--docs"], &[]).out.contains("AFTERRING_SERVICE__CODE"));
}

#[test]
fn the_template_is_a_file_that_sets_every_default() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("afterring.toml");
    std::fs::write(&file, run(&["config", "--template"], &[]).out).unwrap();
    let file = file.to_str().unwrap();
    let ran = run(&["--config", file, "check", "--set", "service.code=1"], &[]);
    assert_eq!(code(&ran), Some(OK), "{}", ran.err);
    assert_eq!(ran.out, run(&["check", "--set", "service.code=1"], &[]).out);
}

#[test]
fn the_demo_and_completions_need_no_settings() {
    let ran = run(&["demo", "--listen", "127.0.0.1:0", "--lang", "en"], &[]);
    assert!(matches!(&ran.next, Next::Demo(demo) if demo.listen.port() == 0 && demo.lang == Some(Language::en())));
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(&["completions", shell], &[]);
        assert_eq!(code(&ran), Some(OK));
        assert!(ran.out.contains("afterring"));
    }
}

#[test]
fn what_works_with_the_registry_needs_only_its_own_settings() {
    let ran = run(&["migrate"], &[]);
    assert_eq!((code(&ran), ran.out.as_str()), (Some(CONFIGURATION), ""));
    assert!(ran.err.contains("AFTERRING_DATABASE__URL") && !ran.err.contains("service.code"), "{}", ran.err);
    for arguments in [&["migrate"][..], &["subscribers", "export"], &["subscribers", "import", "-"]] {
        let ran = run(arguments, &[("AFTERRING_DATABASE__URL", "postgres://a:s3cret@h/d?sslmode=on")]);
        assert_eq!((code(&ran), ran.out.as_str()), (Some(CONFIGURATION), ""));
        assert!(ran.err.contains("sslmode is one of") && !ran.err.contains("s3cret"), "{}", ran.err);
    }
    for arguments in [&["subscribers"][..], &["subscribers", "import"], &["subscribers", "import", "a", "b"]] {
        assert_eq!(code(&run(arguments, &[])), Some(USAGE), "{arguments:?}");
    }
}

#[test]
fn health_asks_the_running_gateway() {
    let (admin, asked) = gateway(vec![("200 OK", "alive"), ("503 Service Unavailable", "draining")]);
    let environment = [("AFTERRING_ADMIN__LISTEN", admin.as_str()), ("AFTERRING_ADMIN__TOKEN", "s3cret")];
    let ran = run(&["health"], &environment);
    assert_eq!((code(&ran), ran.out.as_str()), (Some(OK), "alive\n"));
    let ran = run(&["health", "--ready"], &environment);
    assert_eq!((code(&ran), ran.err.as_str()), (Some(UNAVAILABLE), "503 draining\n"));
    let asked = asked.join().unwrap();
    assert!(asked[0].starts_with("GET /livez ") && asked[1].starts_with("GET /readyz?verbose "), "{asked:?}");
    let ran = run(&["health"], &environment);
    assert_eq!(code(&ran), Some(UNAVAILABLE));
    assert!(ran.err.contains("no answer") && !ran.err.contains("s3cret"), "{}", ran.err);
    let ran = run(&["health"], &[("AFTERRING_ADMIN__LISTEN", "")]);
    assert_eq!((code(&ran), ran.err.as_str()), (Some(UNAVAILABLE), "admin: the listener is off in the settings\n"));
}

#[test]
fn a_call_is_reported_and_its_decision_told() {
    let (http, posted) = gateway(vec![("202 Accepted", r#"{"accepted":1,"duplicate":0,"rejected":[]}"#)]);
    let decided = r#"{"entries":[{"event":"call","id":"x1","decision":{"what":"nothing","why":"outside_ranges"}}]}"#;
    let (admin, asked) = gateway(vec![("404 Not Found", "{}"), ("200 OK", r#"{"entries":[]}"#), ("200 OK", decided)]);
    let environment = [
        ("AFTERRING_HTTP__LISTEN", http.as_str()),
        ("AFTERRING_HTTP__TOKEN", "t0ken"),
        ("AFTERRING_ADMIN__LISTEN", admin.as_str()),
    ];
    let ran =
        run(&["call", "--called", "+8613800000001", "--withheld", "--reason", "busy", "--id", "x1"], &environment);
    assert_eq!(code(&ran), Some(OK), "{}", ran.err);
    assert!(ran.out.starts_with("202 ") && ran.out.contains("in no range"), "{}", ran.out);
    let posted = posted.join().unwrap().remove(0);
    assert!(posted.starts_with("POST /v1/calls ") && posted.contains("Bearer t0ken"), "{posted}");
    let body: serde_json::Value = serde_json::from_str(posted.split_once("\r\n\r\n").unwrap().1).unwrap();
    let expected = serde_json::json!({
        "id": "x1", "caller": null, "withheld": true, "called": "+8613800000001", "at": "1970-01-01T00:00:01.000Z", "reason": "busy"
    });
    assert_eq!(body, expected);
    assert!(asked.join().unwrap()[2].starts_with("GET /v1/subscribers/%2B8613800000001/timeline "));
}

#[test]
fn a_call_that_is_not_taken_says_so() {
    let rejected = r#"{"accepted":0,"duplicate":0,"rejected":[{"index":0,"error":"outside the numbering plan"}]}"#;
    let (http, _) = gateway(vec![("202 Accepted", rejected), ("503 Service Unavailable", "{}")]);
    let environment = [("AFTERRING_HTTP__LISTEN", http.as_str()), ("AFTERRING_ADMIN__LISTEN", "")];
    let ran = run(&["call", "--called", "3"], &environment);
    assert_eq!(code(&ran), Some(USAGE));
    assert!(ran.out.contains("outside the numbering plan"));
    assert_eq!(code(&run(&["call", "--called", "3"], &environment)), Some(UNAVAILABLE));
    let ran = run(&["call", "--called", "3"], &environment);
    assert_eq!(code(&ran), Some(UNAVAILABLE));
    assert!(ran.err.contains("no answer"), "{}", ran.err);
}

#[test]
fn the_manual_has_a_page_for_every_command_and_every_exit_code() {
    let page = run(&["man"], &[]);
    assert!(matches!(page.next, Next::Exit(OK)), "{}", page.err);
    for words in [".SH \"EXIT STATUS\"", "afterring\\-reload(1)", "SIGHUP", "AFTERRING_CONFIG", "\\-\\-log\\-format"] {
        assert!(page.out.contains(words), "{words} is missing:\n{}", page.out);
    }
    // What the help says of exit codes, the manual says too.
    let help = run(&["--help"], &[]).out;
    let codes = help.lines().skip_while(|line| *line != "Exit codes:").skip(1).take_while(|line| !line.is_empty());
    let codes: Vec<&str> = codes.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(codes, ["0", "64", "69", "70", "75", "78"]);
    for code in codes {
        assert!(page.out.contains(&format!("\\fB{code}\\fR")), "{code} is missing:\n{}", page.out);
    }
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("man");
    let written = run(&["man", "--dir", &into.display().to_string()], &[]);
    let pages = std::fs::read_dir(&into).unwrap().count();
    assert_eq!(written.out, format!("{pages} pages in {}\n", into.display()));
    for name in ["afterring.1", "afterring-reload.1", "afterring-texts-preview.1"] {
        assert!(into.join(name).exists(), "{name} is missing");
    }
}

#[test]
fn the_log_format_is_a_flag_of_every_command() {
    let shown = run(
        &["config", "--log-format", "text"],
        &[("AFTERRING_LOG__FORMAT", "json"), ("AFTERRING_SERVICE__CODE", "12599")],
    );
    assert!(shown.out.contains("format = \"text\"  # flag --set"), "{}", shown.out);
    assert!(matches!(
        run(&["check", "--log-format", "xml"], &[("AFTERRING_SERVICE__CODE", "12599")]).next,
        Next::Exit(USAGE)
    ));
}

#[test]
fn a_reload_that_reaches_nobody_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let ran = run(&["reload"], &[("AFTERRING_ADMIN__LISTEN", &address)]);
    assert!(matches!(ran.next, Next::Exit(UNAVAILABLE)), "{}", ran.err);
    assert!(ran.err.contains("no answer from"), "{}", ran.err);
}

#[test]
fn users_and_tokens_are_added_and_removed_and_no_secret_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().display().to_string();
    let environment = [("AFTERRING_STORE__DIR", place.as_str())];
    let secret = dir.path().join("password");
    std::fs::write(&secret, "correct horse\n").unwrap();
    let secret = secret.display().to_string();
    let add = ["users", "add", "anna", "--role", "operator", "--password-file", &secret];
    assert_eq!(code(&run(&add, &environment)), Some(OK));
    assert_eq!(code(&run(&add, &environment)), Some(USAGE), "she is there already");
    assert_eq!(run(&["users", "list"], &environment).out, "anna\toperator\n");
    assert_eq!(code(&run(&["users", "role", "anna", "admin"], &environment)), Some(OK));
    let made = run(&["tokens", "add", "feed", "--scope", "ingest"], &environment);
    let token = made.out.trim();
    assert!(token.starts_with("aft_") && token.len() == 68, "{token}");
    assert_eq!(run(&["tokens", "list"], &environment).out, "feed\tingest\t1970-01-01T00:00:01.000Z\n");
    let file = std::fs::read_to_string(dir.path().join("users.json")).unwrap();
    assert!(!file.contains(token) && !file.contains("correct horse"), "{file}");
    assert_eq!(code(&run(&["users", "remove", "bert"], &environment)), Some(USAGE));
    assert_eq!(code(&run(&["users", "remove", "anna"], &environment)), Some(OK));
    assert_eq!(run(&["users", "list"], &environment).out, "");
    std::fs::write(dir.path().join("users.json"), "{").unwrap();
    assert_eq!(code(&run(&["users", "list"], &environment)), Some(CONFIGURATION));
}

#[test]
fn a_listener_that_others_can_reach_needs_somebody_who_may_come() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().display().to_string();
    let environment = [
        ("AFTERRING_STORE__DIR", place.as_str()),
        ("AFTERRING_SERVICE__CODE", "12599"),
        ("AFTERRING_ADMIN__LISTEN", "0.0.0.0:8081"),
        ("AFTERRING_HTTP__LISTEN", "0.0.0.0:8080"),
    ];
    let refused = run(&["check"], &environment);
    assert_eq!(code(&refused), Some(CONFIGURATION));
    for help in ["afterring users add NAME --role admin", "afterring tokens add NAME --scope ingest"] {
        assert!(refused.err.contains(help), "{}", refused.err);
    }
    let tokens = [("console", "read"), ("feed", "ingest")];
    for (name, scope) in tokens {
        assert_eq!(code(&run(&["tokens", "add", name, "--scope", scope], &environment)), Some(OK));
    }
    let said = run(&["check"], &environment).err;
    assert!(!said.contains("other machines can reach"), "{said}");
}
