//! PDUs that no SMSC should send (rows D01 to D10 of the matrix): each is answered as the standard says, the session lives, or comes back where the octets after a
//! PDU can't be told from it, and the next alert is told as if nothing had been.

use anyhow::{Context as _, Result, ensure};
use integration_tests::simulator::pdu;
use integration_tests::{Simulator, World, wait};
use serde_json::{Value, json};

const DELIVER_SM: u32 = 0x05;
const DELIVER_SM_RESP: u64 = 0x8000_0005;
const GENERIC_NACK: u64 = 0x8000_0000;
const FIRST_SEQUENCE: u32 = 70_000;

/// Octets, and how they are answered: `command_id` and `command_status`; `None`: not at all.
struct Row {
    id: &'static str,
    octets: fn(u32) -> Vec<u8>,
    answer: Option<(u64, u64)>,
}

/// A `deliver_sm` body: a receipt about nobody's message.
fn receipt() -> Vec<u8> {
    let text = b"id:nobodys sub:001 dlvrd:001 stat:DELIVRD err:000 text:";
    let mut body = b"\0\x01\x018613900000001\0\x03\x0012599\0\x04\0\0\0\0\0\0\0\0".to_vec();
    body.push(text.len().to_be_bytes()[7]);
    body.extend(text);
    body
}

fn with(body: Vec<u8>, more: &[u8]) -> Vec<u8> {
    [body, more.to_vec()].concat()
}

const TAKEN: Option<(u64, u64)> = Some((DELIVER_SM_RESP, 0));

/// Those after which the next PDU is found: the session lives.
const ROWS: [Row; 12] = [
    Row {
        id: "D01 100,000 octets are passed over",
        octets: |sequence| pdu(DELIVER_SM, 0, sequence, &vec![0; 100_000]),
        answer: Some((GENERIC_NACK, 0x02)),
    },
    Row {
        id: "D03 an optional parameter longer than the PDU",
        octets: |sequence| pdu(DELIVER_SM, 0, sequence, &with(receipt(), b"\x04\x27\0\xc8\x02")),
        answer: TAKEN,
    },
    Row {
        id: "D03 half an optional parameter",
        octets: |sequence| pdu(DELIVER_SM, 0, sequence, &with(receipt(), b"\x04\x27\0")),
        answer: TAKEN,
    },
    Row {
        id: "D04 an unknown optional parameter",
        octets: |sequence| pdu(DELIVER_SM, 0, sequence, &with(receipt(), b"\x14\0\0\x03abc")),
        answer: TAKEN,
    },
    Row {
        id: "D05 an address without its NUL",
        octets: |sequence| pdu(DELIVER_SM, 0, sequence, b"\0\x01\x018613900000001"),
        answer: Some((DELIVER_SM_RESP, 0x65)),
    },
    Row {
        id: "D05 no body",
        octets: |sequence| pdu(DELIVER_SM, 0, sequence, b""),
        answer: Some((DELIVER_SM_RESP, 0x65)),
    },
    Row {
        id: "D06 a NUL too many",
        octets: |sequence| pdu(DELIVER_SM, 0, sequence, &with(receipt(), b"\0")),
        answer: TAKEN,
    },
    Row {
        id: "D07 an unknown command",
        octets: |sequence| pdu(0x0001_0203, 0, sequence, b"junk"),
        answer: Some((GENERIC_NACK, 0x03)),
    },
    Row {
        id: "D07 a command that is none of ours",
        octets: |sequence| pdu(0x04, 0, sequence, b"\0"),
        answer: Some((GENERIC_NACK, 0x03)),
    },
    Row { id: "D07 an unknown answer", octets: |sequence| pdu(0x8001_0203, 0, sequence, b"junk"), answer: None },
    Row { id: "D07 a nack for nobody", octets: |sequence| pdu(0x8000_0000, 0x02, sequence, b""), answer: None },
    Row {
        id: "D08 a request with a status",
        octets: |sequence| pdu(DELIVER_SM, 34, sequence, &receipt()),
        answer: TAKEN,
    },
];

/// Those after which nobody knows where the next PDU begins.
const UNFRAMED: [(&str, &[u8]); 3] = [
    ("D01 a length of 8", &[0, 0, 0, 8, 0, 0, 0, 5]),
    ("D02 a length of 0xffffffff", &[0xff; 16]),
    ("D02 a length of 16 MiB", &[1, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1]),
];

fn session(simulator: &Simulator) -> Result<Value> {
    Ok(simulator.sessions()?.first().context("nobody is bound")?["id"].clone())
}

#[test]
fn what_comes_from_an_smsc() -> Result<()> {
    let simulator = Simulator::start()?;
    let world = World::with_simulator(&simulator, "?reconnect_min=100ms")?;
    let gateway = world.start_bound()?;
    let first = session(&simulator)?;
    for (row, n) in ROWS.iter().zip(0..) {
        let sequence = FIRST_SEQUENCE + 2 * n;
        let play = || {
            simulator.raw(&(row.octets)(sequence), false)?;
            simulator.raw(&pdu(0x15, 0, sequence + 1, b""), false)?;
            let alive = simulator.answer_to(sequence + 1)?;
            ensure!(alive == (0x8000_0015, 0), "the enquire_link behind it: {alive:x?}");
            // An answer that waits for the disk may come after.
            if let Some(expected) = row.answer {
                let answer = simulator.answer_to(sequence)?;
                ensure!(answer == expected, "answered {answer:x?}");
            }
            simulator.tells(&gateway, &(8_613_900_000_100 + u64::from(n)).to_string())?;
            let answers = simulator.answers()?.iter().filter(|answer| answer["sequence"] == sequence).count();
            ensure!(answers == usize::from(row.answer.is_some()), "{answers} answers");
            ensure!(session(&simulator)? == first, "the session ended");
            Ok(())
        };
        play().with_context(|| row.id)?;
    }
    gateway.stop()
}

#[test]
fn what_can_not_be_cut_into_pdus() -> Result<()> {
    let simulator = Simulator::start()?;
    let world = World::with_simulator(&simulator, "?reconnect_min=100ms")?;
    let gateway = world.start_bound()?;
    for ((id, octets), n) in UNFRAMED.iter().zip(1..) {
        let play = || {
            let before = session(&simulator)?;
            simulator.raw(octets, false)?;
            wait::until_true("it is nacked", || {
                let nacks = simulator.answers()?.into_iter().filter(|answer| answer["command"] == GENERIC_NACK);
                Ok(nacks.filter(|nack| nack["status"] == 0x02 && nack["session"] == before).count() == 1)
            })?;
            wait::until_true("a new session", || Ok(session(&simulator).is_ok_and(|session| session != before)))?;
            simulator.tells(&gateway, &(8_613_900_000_200_u64 + n).to_string())
        };
        play().with_context(|| *id)?;
    }
    gateway.stop()
}

#[test]
fn answers_to_submits() -> Result<()> {
    let simulator = Simulator::start()?;
    let world = World::with_simulator(&simulator, "")?;
    let gateway = world.start_bound()?;
    let first = session(&simulator)?;
    let rows = [
        ("D08 a status that nobody documented", json!({ "refuse_next": [34, 1] }), "failed", 0),
        (
            "D09 a refusal with a message id",
            json!({ "refuse_next": [11, 1], "answer_form": "body_always" }),
            "failed",
            0,
        ),
        ("D09 a refusal without a body", json!({ "refuse_next": [11, 1] }), "failed", 0),
        ("D09 no body", json!({ "answer_form": "no_body", "receipts_for": "none" }), "accepted", 1),
        ("D09 no NUL", json!({ "answer_form": "no_nul" }), "delivered", 1),
        ("D09 an id of 70 characters", json!({ "message_ids": "too_long" }), "delivered", 1),
        ("D10 answers to submits that nobody sent", json!({ "stray_answers": true }), "delivered", 1),
        ("D10 congestion_state beside", json!({ "congestion": 40 }), "delivered", 1),
    ];
    for ((id, faults, becomes, told), n) in rows.iter().zip(1..) {
        let handset = (8_613_900_000_300_u64 + n).to_string();
        let play = || {
            simulator.faults(faults)?;
            gateway.subscribe(&handset)?;
            gateway.take(&json!({ "id": handset, "caller": "8613911112222", "called": handset }))?;
            gateway.wait_alerts(&handset, &[becomes])?;
            let submits = simulator.submits_to(&handset)?.len();
            ensure!(submits == *told, "told {submits} times");
            ensure!(session(&simulator)? == first, "the session ended");
            Ok(())
        };
        play().with_context(|| *id)?;
    }
    gateway.stop()
}
