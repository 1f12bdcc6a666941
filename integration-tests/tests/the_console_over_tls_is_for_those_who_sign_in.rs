//! A console that other machines reach: not without anybody who could sign in, by TLS and nothing else, and by the certificate that is on disk now.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use integration_tests::tls::{Authority, Certificate, Tunnel};
use integration_tests::{World, wait};

/// The head and the body of an answer; nothing where the connection ends without one.
fn ask(tunnel: &Tunnel, request: &str, headers: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", tunnel.port()))?;
    stream.set_read_timeout(Some(wait::PATIENCE))?;
    let length = body.len();
    let sent = stream.write_all(
        format!(
            "{request} HTTP/1.1\r\nhost: gateway.example\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        )
        .as_bytes(),
    );
    let mut answer = Vec::new();
    // A tunnel whose handshake fails is closed, maybe before anything is sent.
    if sent.is_ok() && stream.read_to_end(&mut answer).is_ok() {
        return Ok(String::from_utf8(answer)?);
    }
    Ok(String::new())
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let (head, _) = answer.split_once("\r\n\r\n")?;
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn sign_in(tunnel: &Tunnel, password: &str) -> Result<String> {
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    ask(tunnel, "POST /login", form, &format!("name=anna&password={password}&next=/flow"))
}

/// Puts a certificate where the settings name one.
fn shown(certificate: &Certificate, at: &Path) -> Result<()> {
    for (file, name) in [(&certificate.certificate, "shown.pem"), (&certificate.key, "shown.key")] {
        fs::copy(file, at.join(name))?;
    }
    Ok(())
}

#[test]
fn the_console_over_tls_is_for_those_who_sign_in() -> Result<()> {
    let mut world = World::new()?;
    let folder = world.folder().to_owned();
    let (first, second) = (Authority::create(&folder, "first")?, Authority::create(&folder, "second")?);
    let (first, second) = (first.certify("before")?, second.certify("after")?);
    shown(&first, &folder)?;
    let port = world.doors().admin;
    world
        .set("ADMIN__LISTEN", &format!("0.0.0.0:{port}"))
        .set("ADMIN__TLS_CERTIFICATE", &folder.join("shown.pem").display().to_string())
        .set("ADMIN__TLS_KEY", &folder.join("shown.key").display().to_string());

    let refused = world.output(&["run"])?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
    ensure!(refused.status.code() == Some(78), "without a user: {:?}\n{said}", refused.status);
    ensure!(said.contains("afterring users add NAME --role admin"), "it doesn't say what to do:\n{said}");
    fs::write(folder.join("password"), "correct horse\n")?;
    let added = world.output(&["users", "add", "anna", "--role", "admin", "--password-file", "password"])?;
    ensure!(added.status.success(), "{added:?}");

    let gateway = world.spawn()?;
    let door = ([127, 0, 0, 1], port).into();
    let tunnel = Tunnel::open(&folder, door, &first.authority, None)?;
    let newer = Tunnel::open(&folder, door, &second.authority, None)?;
    let lives = |tunnel: &Tunnel| Ok(status(&ask(tunnel, "GET /livez", "", "")?) == "200");
    wait::until_true("the gateway is alive", || lives(&tunnel)).with_context(|| world.printed().unwrap_or_default())?;

    let page = ask(&tunnel, "GET /flow", "", "")?;
    ensure!((status(&page), header(&page, "location")) == ("303", Some("/login?next=/flow")), "{page}");
    ensure!(status(&ask(&tunnel, "GET /v1/status", "", "")?) == "401", "the API answers whom it doesn't know");
    let answer = sign_in(&tunnel, "correct+horse")?;
    ensure!((status(&answer), header(&answer, "location")) == ("303", Some("/flow")), "{answer}");
    let cookie = header(&answer, "set-cookie").context("no cookie")?;
    ensure!(cookie.starts_with("__Host-afterring=") && cookie.ends_with("; Secure"), "{cookie}");
    let session = format!("cookie: {}\r\n", cookie.split(';').next().unwrap_or_default());
    ensure!(status(&ask(&tunnel, "GET /flow", &session, "")?) == "200", "whoever signed in sees no page");
    let log = ask(&tunnel, "GET /v1/audit?action=access_changed&who=gateway", &session, "")?;
    ensure!(log.contains("while the gateway was stopped: user anna added as admin"), "{log}");

    let tried: Vec<String> = (0..6)
        .map(|_| sign_in(&tunnel, "wrong+horse").map(|answer| status(&answer).to_owned()))
        .collect::<Result<_>>()?;
    ensure!(tried == ["401", "401", "401", "401", "401", "429"], "{tried:?}");

    ensure!(!lives(&newer)?, "the other authority vouches for this certificate");
    shown(&second, &folder)?;
    wait::until_true("the new certificate is shown", || lives(&newer))?;
    ensure!(!lives(&tunnel)?, "the old certificate is still shown");
    ensure!(status(&ask(&newer, "GET /flow", &session, "")?) == "200", "the sign-in ended with the certificate");
    gateway.stop()
}
