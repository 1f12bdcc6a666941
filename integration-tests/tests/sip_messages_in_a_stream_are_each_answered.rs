//! A stream over TCP: several messages in one segment, one in many, a bad one before a good one, keepalives between. Each is answered in its turn.

use anyhow::{Context as _, Result, ensure};
use integration_tests::Network;
use integration_tests::sip::{Connection, Message};
use integration_tests::sipp::Forwarded;

fn with_tcp() -> Result<Network> {
    Network::start_with_tcp()
}

fn invite(call: &Forwarded) -> Message {
    Message::invite(call, &call.called[1..])
}

/// The final responses, as status and Call-ID, in the order in which they came; 100 aside.
fn finals(connection: &mut Connection, count: usize) -> Result<Vec<(u16, String)>> {
    let mut finals = Vec::new();
    while finals.len() < count {
        let response = connection.receive()?.with_context(|| format!("closed after {finals:?}"))?;
        if response.status >= 200 {
            finals.push((response.status, response.header("Call-ID").unwrap_or_default().to_owned()));
        }
    }
    Ok(finals)
}

#[test]
fn several_in_one_segment() -> Result<()> {
    let network = with_tcp()?;
    let calls = network.calls(0, 5, "no-answer")?;
    let mut connection = network.connection()?;
    let mut segment: Vec<u8> =
        calls.iter().flat_map(|call| invite(call).with_body("application/sdp", b"v=0\r\n\r\n").octets()).collect();
    segment.extend(Message::options("last").octets());
    connection.send(&segment)?;
    let mut answered = finals(&mut connection, 6)?;
    answered.sort();
    let expected: Vec<_> = std::iter::once((200, "last@op.example".to_owned()))
        .chain(calls.iter().map(|call| (480, format!("{}@op.example", &call.called[1..]))))
        .collect();
    ensure!(answered == expected, "{answered:?}");
    network.told_once(&calls, "no_answer")?;
    network.gateway.stop()
}

#[test]
fn one_in_many_segments() -> Result<()> {
    let network = with_tcp()?;
    let calls = network.calls(0, 1, "no-answer")?;
    let mut connection = network.connection()?;
    for octet in invite(&calls[0]).with_body("application/sdp", b"v=0\r\n").octets() {
        connection.send(&[octet])?;
    }
    ensure!(finals(&mut connection, 1)?[0].0 == 480);
    network.told_once(&calls, "no_answer")?;
    network.gateway.stop()
}

#[test]
fn a_bad_one_before_a_good_one() -> Result<()> {
    let network = with_tcp()?;
    let calls = network.calls(0, 1, "no-answer")?;
    let mut connection = network.connection()?;
    // No From, a wrong version, and no SIP at all behind a head whose length is known.
    let without_from = Message::options("without-from").without("From").octets();
    let version = String::from_utf8(Message::options("version").octets())?.replacen("SIP/2.0\r", "SIP/7.0\r", 1);
    connection.send(&[&without_from, version.as_bytes(), &invite(&calls[0]).octets()].concat())?;
    let mut answered = finals(&mut connection, 3)?;
    answered.sort();
    let statuses: Vec<_> = answered.iter().map(|(status, _)| *status).collect();
    ensure!(statuses == [400, 480, 505], "{answered:?}");
    network.told_once(&calls, "no_answer")?;
    network.gateway.stop()
}

#[test]
fn keepalives_between() -> Result<()> {
    let network = with_tcp()?;
    let calls = network.calls(0, 1, "no-answer")?;
    let mut connection = network.connection()?;
    connection.send(b"\r\n\r\n")?;
    ensure!(connection.receive_octets(2)? == b"\r\n", "RFC 5626 §3.5.1");
    connection.send(&[b"\r\n\r\n", &invite(&calls[0]).octets()[..]].concat())?;
    ensure!(connection.receive_octets(2)? == b"\r\n");
    ensure!(finals(&mut connection, 1)?[0].0 == 480);
    network.told_once(&calls, "no_answer")?;
    network.gateway.stop()
}

/// Where nobody knows how long a message is, it is told so and the connection ends: nobody knows where the next begins.
#[test]
fn one_whose_length_cannot_be_read_ends_it() -> Result<()> {
    let network = with_tcp()?;
    let mut connection = network.connection()?;
    connection.send(&Message::options("unframed").with("Content-Length", "seven").octets())?;
    ensure!(finals(&mut connection, 1)?[0].0 == 400);
    ensure!(connection.receive()?.is_none(), "it is closed");
    let next = network.connection()?.ask(&Message::options("next"))?;
    ensure!(next.status == 200, "{next}");
    network.gateway.stop()
}
