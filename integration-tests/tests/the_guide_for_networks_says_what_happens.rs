//! `docs/connect-your-network.md`: its settings are understood, its messages are what the files hold, and what it says is made of them is made of them.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use integration_tests::kamailio::Kamailio;
use integration_tests::sip::Message;
use integration_tests::sipp::Forwarded;
use integration_tests::{Network, World, paths};
use serde_json::json;

const GUIDE: &str = "docs/connect-your-network.md";

/// A worked example: its heading, its file, and what it is about.
struct Example {
    heading: &'static str,
    file: &'static str,
    network: &'static str,
    reason: &'static str,
    release: &'static str,
    id: &'static str,
}

const EXAMPLES: [Example; 3] = [
    Example {
        heading: "A Kamailio switch",
        file: "docs/examples/kamailio.sip",
        network: "192.0.2.10",
        reason: "busy",
        release: "486/17",
        id: "sip:3b6f0c2e@192.0.2.31",
    },
    Example {
        heading: "An IMS application server with History-Info",
        file: "docs/examples/ims.sip",
        network: "192.0.2.40/29",
        reason: "no_answer",
        release: "480/19",
        id: "sip:scscf1-5f3a90c1-0007",
    },
    Example {
        heading: "A SIP-I trunk",
        file: "docs/examples/sip-i.sip",
        network: "192.0.2.50",
        reason: "busy",
        release: "486/17",
        id: "sip:90c1e7-11a@192.0.2.50",
    },
];

fn guide() -> Result<String> {
    Ok(fs::read_to_string(paths::root().join(GUIDE))?)
}

/// The blocks of code under a heading: their language and their text.
fn blocks<'a>(guide: &'a str, heading: &str) -> Result<Vec<(&'a str, &'a str)>> {
    let begin = guide.find(&format!("\n## {heading}\n")).with_context(|| format!("no heading {heading:?}"))? + 1;
    let section = guide[begin..].split("\n## ").next().unwrap_or_default();
    let fenced = section.split("\n```").skip(1).step_by(2);
    Ok(fenced.filter_map(|block| block.split_once('\n')).collect())
}

/// What the shell blocks of a heading set, under the names without `AFTERRING_`.
fn settings(blocks: &[(&str, &str)]) -> Vec<(String, String)> {
    let lines = blocks.iter().filter(|(language, _)| *language == "sh").flat_map(|(_, text)| text.lines());
    let pairs = lines.filter_map(|line| line.strip_prefix("export AFTERRING_")?.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect()
}

/// The settings of one example: those of its first shell block.
fn world(example: &Example) -> Result<World> {
    let guide = guide()?;
    let blocks = blocks(&guide, example.heading)?;
    let first = blocks.iter().find(|(language, _)| *language == "sh").context("settings")?;
    let mut world = World::new()?;
    for (name, value) in settings(&[*first]) {
        world.set(&name, &value);
    }
    Ok(world)
}

#[test]
fn its_configuration_of_kamailio_is_the_one_that_is_tried() -> Result<()> {
    let guide = guide()?;
    let (_, shown) = *blocks(&guide, "A Kamailio switch")?.iter().find(|block| block.0 == "cfg").context("cfg")?;
    let tried = fs::read_to_string(Kamailio::configuration())?;
    ensure!(shown.trim_end() == tried.trim_end(), "the guide's block and peers/kamailio/forwarding.cfg differ");
    Ok(())
}

/// What `sip explain` prints is what the guide shows, letter for letter; the message that it shows is the file's.
#[test]
fn its_messages_are_explained_as_it_says() -> Result<()> {
    let guide = guide()?;
    for example in &EXAMPLES {
        let blocks = blocks(&guide, example.heading)?;
        let texts: Vec<_> = blocks.iter().filter(|(language, _)| *language == "text").map(|(_, text)| *text).collect();
        let [message, explained] = texts.as_slice() else { anyhow::bail!("{}: {} texts", example.file, texts.len()) };
        let file = paths::root().join(example.file);
        let held = String::from_utf8_lossy(&fs::read(&file)?).replace("\r\n", "\n");
        // Of an ISUP body only the beginning can be shown.
        ensure!(held.starts_with(message.trim_end()), "{}: the guide shows another message", example.file);
        let command = format!("afterring sip explain --from {} {}", peer_of(example, &blocks)?, example.file);
        let said = blocks.iter().any(|(_, text)| text.lines().any(|line| line == command));
        ensure!(said, "{}: the guide doesn't say `{command}`", example.file);
        let mut arguments: Vec<_> = command.split(' ').skip(1).collect();
        let path = file.display().to_string();
        arguments.pop();
        arguments.push(&path);
        let output = world(example)?.output(&arguments)?;
        let printed = String::from_utf8(output.stdout)?;
        ensure!(output.status.success(), "{}: {printed}{}", example.file, String::from_utf8_lossy(&output.stderr));
        ensure!(printed.trim_end() == explained.trim_end(), "{}: it prints\n{printed}", example.file);
    }
    Ok(())
}

fn peers(blocks: &[(&str, &str)]) -> Result<String> {
    Ok(settings(blocks).into_iter().find(|(name, _)| name == "SIP__PEERS").context("peers")?.1)
}

fn peer_of(example: &Example, blocks: &[(&str, &str)]) -> Result<String> {
    let peers = peers(blocks)?;
    let name = peers.split(';').find_map(|part| part.strip_prefix("name=")).context("name")?;
    ensure!(peers.starts_with(example.network), "{peers}");
    Ok(name.to_owned())
}

/// The same messages over the wire, from a peer with the same settings: released and told as the guide says; and the feed's report of a call is the same call.
#[test]
fn its_messages_are_told_as_it_says() -> Result<()> {
    for example in &EXAMPLES {
        let guide = guide()?;
        let peers = peers(&blocks(&guide, example.heading)?)?.replace(example.network, "127.0.0.1");
        let network = Network::start(|world| {
            world.set("SIP__PEERS", &peers);
        })?;
        let call = Forwarded { caller: "+4520112233".to_owned(), called: "+4530405060".to_owned(), reason: "" };
        network.gateway.subscribe(&call.called)?;
        // Via names an address of the example's: with rport the response comes to us.
        let peer = network.datagrams("127.0.0.1")?;
        let written = fs::read(paths::root().join(example.file))?;
        let invite = Message::captured(&written)?;
        let via = format!("{};rport", invite.header("Via").context("Via")?);
        let released = peer.ask(&invite.with("Via", &via))?;
        ensure!(released.release() == example.release, "{}: {released}", example.file);
        let told = std::slice::from_ref(&call);
        network.told_once(told, example.reason)?;
        let made = network.call_of(&call.called)?;
        ensure!(made["id"] == example.id && made["service_number"] == "4591100100", "{}: {made}", example.file);
        let report = json!({ "id": example.id, "caller": call.caller, "called": call.called });
        let answer = network.gateway.post(&report)?;
        ensure!(answer.status == 202 && answer.json()["duplicate"] == 1, "{}: {answer:?}", example.file);
        network.told_once(told, example.reason)?;
        network.gateway.stop()?;
    }
    Ok(())
}

/// The rows of the table under a heading, without its head: the cells of each.
fn rows<'a>(guide: &'a str, heading: &str) -> Result<Vec<Vec<&'a str>>> {
    let begin = guide.find(&format!("\n## {heading}\n")).with_context(|| format!("no heading {heading:?}"))? + 1;
    let section = guide[begin..].split("\n## ").next().unwrap_or_default();
    let lines = section.lines().filter(|line| line.starts_with('|')).skip(2);
    Ok(lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect())
}

/// A call without a word of why it was missed, to which a test adds one.
fn unexplained(place: usize) -> Message {
    let call = Forwarded { caller: "+4520112233".to_owned(), called: called(place), reason: "" };
    let bare = format!("<sip:{}@op.example;user=phone>", call.called);
    Message::invite(&call, &format!("row-{place}")).with("Diversion", &bare)
}

fn called(place: usize) -> String {
    format!("+{}", 4_530_000_000 + place)
}

/// The ways in which a row of the table of reasons says that reason, each a call of a place of its own from `first` on.
fn ways(row: &[&str], first: usize) -> Vec<(String, Message)> {
    let numbers = |cell: &str| -> Vec<u16> { cell.split([',', ' ']).filter_map(|it| it.parse().ok()).collect() };
    let words = row[1].split(", ").filter(|word| !word.contains(' '));
    let words = words.map(|word| ("Diversion", word.to_owned()));
    let causes = numbers(row[2]).into_iter().map(|cause| ("cause", cause.to_string()));
    let q850 = numbers(row[4]).into_iter().map(|cause| ("Q.850", cause.to_string()));
    let all = words.chain(causes).chain(q850).zip(first..);
    all.map(|((kind, value), place)| {
        let (message, called) = (unexplained(place), called(place));
        let message = match kind {
            "Diversion" => message.with("Diversion", &format!("<sip:{called}@op.example>;reason={value}")),
            "cause" => message
                .without("Diversion")
                .to_uri(&format!("sip:+4591100100@afterring.example;target=sip%3A{called}%40op.example;cause={value}")),
            _ => message.with("Reason", &format!("Q.850;cause={value}")),
        };
        (format!("{kind} {value}"), message)
    })
    .collect()
}

/// Every word and cause in the table of reasons is read as its row says, and released as its row says.
#[test]
fn its_reasons_are_read_and_released() -> Result<()> {
    let network = Network::start(|_| {})?;
    let peer = network.datagrams("127.0.0.1")?;
    let guide = guide()?;
    let mut place = 0;
    for row in rows(&guide, "Reasons")? {
        let (reason, release) = (row[0].trim_matches('`'), row[5].replace(", Q.850 ", "/"));
        for (way, message) in ways(&row, place) {
            let released = peer.ask(&message)?;
            ensure!(released.release() == release, "{reason}, by {way}: {released}");
            let made = network.call_of(&called(place))?;
            ensure!(made["reason"] == reason, "{reason}, by {way}: {made}");
            place += 1;
        }
    }
    ensure!(place > 25, "{place} ways to say it");
    network.gateway.stop()
}

/// Requests that are refused get the answers of its table.
#[test]
fn its_answers_are_given() -> Result<()> {
    let network = Network::start(|_| {})?;
    let peer = network.datagrams("127.0.0.1")?;
    let guide = guide()?;
    let answers = rows(&guide, "Answers, and what each means")?;
    let call = |place: usize| unexplained(place);
    let text = |place: usize, from: &str, to: &str| {
        let octets = call(place).octets();
        String::from_utf8_lossy(&octets).replace(from, to).into_bytes()
    };
    let cases = [
        ("404/1", call(1).without("Diversion").octets()),
        ("484/28", call(2).with("Diversion", "<sip:nobody@op.example>;reason=user-busy").octets()),
        ("488/127", call(3).without("Diversion").with_body("application/isup", b"\x02").octets()),
        ("400", call(4).without("From").octets()),
        ("505", text(5, " SIP/2.0\r\n", " SIP/3.0\r\n")),
        ("416", call(6).to_uri("http://afterring.example/").octets()),
        ("420", call(7).with("Require", "no-such-extension").octets()),
        ("481", call(8).cancel().octets()),
        ("405", text(9, "INVITE", "REGISTER")),
        ("501", text(10, "INVITE", "DANCE")),
    ];
    for (answer, octets) in cases {
        peer.send(&octets)?;
        let given = peer.receive()?;
        ensure!(given.release() == answer, "{answer}: {given}");
        let written = answer.replace('/', ", Q.850 ");
        let named = answers.iter().any(|row| row[0] == written || row[0].split(", ").any(|status| status == written));
        ensure!(named, "the table doesn't name {written}");
    }
    network.gateway.stop()
}

/// The call that it places by sipp is released and told.
#[test]
fn its_line_of_sipp_places_a_call() -> Result<()> {
    let network = Network::start(|_| {})?;
    let guide = guide()?;
    let blocks = blocks(&guide, "Try it")?;
    let lines = blocks.iter().flat_map(|(_, text)| text.lines());
    let lines: Vec<_> = lines.filter(|line| ["printf ", "sipp "].iter().any(|word| line.starts_with(word))).collect();
    let script = lines.join("\n").replace("127.0.0.1:5060", &network.sip().to_string());
    let script = script.replace("integration-tests/", &format!("{}/", paths::here("").display()));
    let call = Forwarded { caller: "+4520112233".to_owned(), called: "+4530405060".to_owned(), reason: "" };
    network.gateway.subscribe(&call.called)?;
    let mut shell = Command::new("bash");
    shell.args(["-e", "-c", &script]).current_dir(network.folder()).stdin(Stdio::null());
    let output = shell.output()?;
    ensure!(lines.len() == 2 && output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    network.told_once(&[call], "no_answer")?;
    network.gateway.stop()
}

/// Its tables name what there is: the metrics are documented, the settings exist.
#[test]
fn it_names_what_there_is() -> Result<()> {
    let guide = guide()?;
    let (metrics, configuration) = (
        fs::read_to_string(paths::root().join("docs/metrics.md"))?,
        fs::read_to_string(paths::root().join("docs/configuration.md"))?,
    );
    let words = guide.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_'));
    let (mut named, mut missing) = (0, Vec::new());
    for word in words {
        let page = match (word.strip_prefix("afterring_"), word.strip_prefix("AFTERRING_")) {
            (Some(_), _) => &metrics,
            (_, Some(rest)) if !rest.ends_with("__") => &configuration,
            _ => continue,
        };
        named += 1;
        if !page.contains(&format!("`{word}`")) {
            missing.push(word);
        }
    }
    ensure!(named > 20 && missing.is_empty(), "{named} named, of which there are not: {missing:?}");
    Ok(())
}
