//! Many orders at once: whatever happens to the connections, each has exactly one answer.

use std::cell::Cell;
use std::collections::HashMap;
use std::time::Duration;

use model::{LinkName, SubmitOutcome};
use smpp_client::{Answer, LinkState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::smsc::{BIND_TRANSCEIVER, Gateway, RESPONSE, SUBMIT_SM, Smsc, UNBIND, order, settings};

/// Answers every request at once, all those of one read in one write; hangs up after each `hang_up_after` submits, before it answers the last.
pub(crate) async fn serve(listener: TcpListener, hang_up_after: usize) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { return };
        stream.set_nodelay(true).unwrap();
        let (mut input, mut output) = (Vec::with_capacity(1 << 17), Vec::new());
        let mut submits = 0;
        'connection: while stream.read_buf(&mut input).await.is_ok_and(|count| count > 0) {
            let mut at = 0;
            while let Some(length) = input.get(at..at + 4) {
                let length = usize::try_from(u32::from_be_bytes(length.try_into().unwrap())).unwrap();
                let Some(pdu) = input.get(at..at + length) else { break };
                at += length;
                let id = u32::from_be_bytes(pdu[4..8].try_into().unwrap());
                let body: &[u8] = match id {
                    BIND_TRANSCEIVER => b"\0",
                    SUBMIT_SM => b"id\0",
                    _ => b"",
                };
                submits += usize::from(id == SUBMIT_SM);
                if submits == hang_up_after {
                    let _ = stream.write_all(&output).await;
                    break 'connection;
                }
                let answer = u32::try_from(16 + body.len()).unwrap();
                for field in [answer, id | RESPONSE, 0] {
                    output.extend(field.to_be_bytes());
                }
                output.extend(&pdu[12..16]);
                output.extend(body);
                if id == UNBIND {
                    let _ = stream.write_all(&output).await;
                    break 'connection;
                }
            }
            input.drain(..at);
            if stream.write_all(&output).await.is_err() {
                break;
            }
            output.clear();
        }
    }
}

/// Submits so many orders over two links; gives the answers that each alert had.
async fn storm(orders: i64, hang_up_after: usize) -> HashMap<i64, Vec<Answer>> {
    let mut served = JoinSet::new();
    let mut links = Vec::new();
    for name in ["smsc1/1", "smsc1/2"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut link = settings(listener.local_addr().unwrap().port());
        link.name = LinkName(name.into());
        link.window = 500;
        links.push(link);
        served.spawn(serve(listener, hang_up_after));
    }
    let mut gateway = Gateway::start(links);
    let handle = gateway.links.clone();
    let began = Instant::now();
    let mut dispatch = JoinSet::new();
    dispatch.spawn(async move {
        let mut next = 1;
        while next <= orders {
            for permit in handle.reserve(200).await {
                if next <= orders {
                    permit.submit(order(next, "Missed: +8613911112222 at 09:15, 2 calls"));
                }
                next += 1;
            }
        }
    });
    let mut answers: HashMap<i64, Vec<Answer>> = HashMap::new();
    for _ in 0..orders {
        let answer = gateway.answer().await;
        answers.entry(answer.alert.0).or_default().push(answer);
    }
    let took = began.elapsed();
    println!("{orders} orders in {took:?}");
    dispatch.join_all().await;
    gateway.links.drain(Duration::from_secs(10)).await;
    assert!(gateway.links.status().iter().all(|status| status.state == LinkState::Closed && status.in_flight == 0));
    assert!(gateway.arrivals.answers.recv().await.is_none(), "more answers than orders");
    gateway.ended().await;
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_order_of_a_storm_is_accepted_once() {
    let answers = storm(50_000, usize::MAX).await;
    assert_eq!(answers.len(), 50_000);
    assert!(answers.values().all(|answers| matches!(answers[0].outcome, SubmitOutcome::Accepted { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_order_has_one_answer_while_connections_break() {
    let answers = storm(20_000, 777).await;
    assert_eq!(answers.len(), 20_000);
    let of = |wanted: fn(&SubmitOutcome) -> bool| {
        answers.values().filter(|answers| answers.len() == 1 && wanted(&answers[0].outcome)).count()
    };
    let accepted = of(|outcome| matches!(outcome, SubmitOutcome::Accepted { .. }));
    let in_doubt = of(|outcome| matches!(outcome, SubmitOutcome::InDoubt(_)));
    let not_sent = of(|outcome| matches!(outcome, SubmitOutcome::NotSent));
    println!("{accepted} accepted, {in_doubt} in doubt, {not_sent} not sent");
    assert_eq!(accepted + in_doubt + not_sent, 20_000);
    assert!(accepted > 0 && in_doubt > 0);
}

#[tokio::test]
async fn what_is_in_doubt_is_exactly_what_the_smsc_received() {
    let orders = 40_000;
    let smsc = Smsc::open().await;
    let mut link = settings(smsc.port);
    link.window = orders;
    let mut gateway = Gateway::start(vec![link]);
    let mut peer = smsc.bound().await;
    gateway.proves(&mut peer).await;
    for (alert, permit) in (1..).zip(gateway.reserve(orders).await) {
        permit.submit(order(alert, &"a".repeat(160)));
    }
    // The peer does not read: the link stops where the kernel takes no more, in the middle of a PDU as likely as not.
    let seen = Cell::new((0, 0));
    gateway
        .until(|status| {
            let (submits, looks) = seen.get();
            let now = status.counts.submits;
            seen.set((now, if now == submits { looks + 1 } else { 0 }));
            now > 0 && looks >= 50
        })
        .await;
    peer.write(&15_u32.to_be_bytes()).await;
    let mut answers = HashMap::new();
    for _ in 0..orders {
        let (alert, outcome) = gateway.outcome().await;
        answers.insert(alert, outcome);
    }
    let received = peer.count_whole(SUBMIT_SM).await;
    let in_doubt = answers.values().filter(|outcome| matches!(outcome, SubmitOutcome::InDoubt(_))).count();
    let not_sent = answers.values().filter(|outcome| matches!(outcome, SubmitOutcome::NotSent)).count();
    assert_eq!((in_doubt, in_doubt + not_sent), (received, orders));
    assert!(not_sent > 0);
}
