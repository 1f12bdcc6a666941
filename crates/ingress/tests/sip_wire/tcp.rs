//! SIP over TCP: what is cut out of a stream, what goes back by it, and how it ends.

use std::collections::HashSet;
use std::time::Duration;

use ingress::Refusal;
use ingress::sip::{Ended, Limits, Peer, SipSettings, Transport};
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use crate::gateway::{
    Gateway, Trunk, ack, call_id, invite, options, over_tcp, request, settings, status, store, within,
};

#[tokio::test]
async fn a_call_is_released_on_its_connection_and_acknowledged_there() {
    let mut gateway = Gateway::start(over_tcp()).await;
    let mut trunk = gateway.trunk().await;
    trunk.send(invite("a")).await;
    assert_eq!(gateway.store().await[0].called.reveal(), "4530405060");
    let released = trunk.receive().await;
    assert!(
        released.starts_with("SIP/2.0 486 ") && released.contains("Via: SIP/2.0/TCP 127.0.0.1;rport="),
        "{released}"
    );
    trunk.send(ack("a", &released)).await;
    assert_eq!(trunk.ask(options("b")).await, 200, "nothing else came before it");
    assert_eq!((gateway.open(), gateway.counts.snapshot().sip.accepted), (1, 1));
    drop(trunk);
    gateway.wait_for_end(Ended::Peer, 1).await;
    assert_eq!(gateway.open(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_in_one_segment_are_all_answered() {
    let mut gateway = Gateway::start(over_tcp()).await;
    let mut trunk = gateway.trunk().await;
    let calls: Vec<String> = (0..200).map(|call| call.to_string()).collect();
    trunk.send(calls.iter().map(|call| invite(call)).collect::<String>()).await;
    gateway.store_calls(calls.len()).await;
    let mut answered = HashSet::new();
    for _ in &calls {
        let response = trunk.receive().await;
        assert_eq!(status(&response), 486);
        answered.insert(call_id(&response).to_owned());
    }
    assert_eq!(answered, calls.into_iter().collect());
}

#[tokio::test]
async fn a_message_may_be_split_anywhere() {
    let gateway = Gateway::start(over_tcp()).await;
    let mut trunk = gateway.trunk().await;
    trunk.stream.set_nodelay(true).unwrap();
    for place in 0..options("000").len() {
        let message = options(&format!("{place:03}"));
        let (first, second) = message.split_at(place);
        trunk.send(first).await;
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        assert_eq!(trunk.ask(second).await, 200, "{place}");
    }
    let message = options("octets");
    for octet in message.as_bytes() {
        trunk.send([*octet]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(status(&trunk.receive().await), 200);
}

#[tokio::test]
async fn a_keepalive_is_answered_with_a_line_end() {
    let gateway = Gateway::start(over_tcp()).await;
    let mut trunk = gateway.trunk().await;
    trunk.send("\r\n\r\n\r\n\r\n").await;
    assert_eq!(trunk.receive().await, "\r\n\r\n", "one for each");
    assert_eq!(trunk.ask(["\r\n\0", &options("a"), "\r\n"].concat()).await, 200);
    assert_eq!(trunk.ask(options("b")).await, 200);
}

#[tokio::test]
async fn a_bad_message_ends_no_trunk() {
    let mut gateway = Gateway::start(over_tcp()).await;
    let mut trunk = gateway.trunk().await;
    trunk.send(invite("waiting")).await;
    let waiting = gateway.offer().await;
    assert_eq!(trunk.ask(invite("cseq").replace("CSeq: 1", "CSeq: one")).await, 400);
    let response = "SIP/2.0 200 OK\r\nl: 4\r\n\r\nbody";
    let nowhere = invite("via").replace("Via:", "Nothing:");
    assert_eq!(
        trunk.ask([response, &nowhere, &options("a")].concat()).await,
        200,
        "passed over, and what follows served"
    );

    let large = request("MESSAGE", "large", "Content-Length: 200000\r\n");
    assert_eq!(trunk.ask(&large).await, 513);
    for _ in 0..200 {
        trunk.send([b'\r'; 1_000]).await;
    }
    assert_eq!(trunk.ask(options("b")).await, 200, "no octet of the body was taken for anything");
    assert_eq!(gateway.counts.snapshot().sip.refused_for(Refusal::TooLarge), 1);

    store(waiting);
    assert_eq!(status(&trunk.receive().await), 486);
    assert_eq!(gateway.open(), 1);
}

#[tokio::test]
async fn where_framing_is_lost_the_connection_ends_once_all_is_answered() {
    let mut gateway = Gateway::start(over_tcp()).await;
    for (end, last) in [
        (options("two").replace("CSeq", "Content-Length: 0\r\nl: 5\r\nCSeq"), Some(400)),
        (options("one").replace("CSeq", "Content-Length: 0x7\r\nCSeq"), Some(400)),
        (options("long").replace("CSeq", &format!("X: {}\r\nCSeq", "y".repeat(70_000))), Some(513)),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), None),
    ] {
        let mut trunk = gateway.trunk().await;
        trunk.send(invite(&format!("before{}", end.len())) + &end + &options("after")).await;
        let waiting = gateway.offer().await;
        if let Some(last) = last {
            assert_eq!(status(&trunk.receive().await), last);
        }
        store(waiting);
        assert_eq!(status(&trunk.receive().await), 486, "the call before is answered");
        trunk.expect_end().await;
    }
    gateway.wait_for_end(Ended::Unframed, 4).await;
}

fn with_limits(limits: Limits) -> SipSettings {
    SipSettings { limits, ..over_tcp() }
}

#[tokio::test]
async fn whoever_is_silent_or_does_not_end_a_message_is_closed() {
    let short = Duration::from_millis(100);
    let gateway = Gateway::start(with_limits(Limits { idle: short, ..Limits::default() })).await;
    let mut trunk = gateway.trunk().await;
    trunk.expect_end().await;
    gateway.wait_for_end(Ended::Idle, 1).await;

    let gateway = Gateway::start(with_limits(Limits { stall: short, ..Limits::default() })).await;
    for (begun, end) in ["O", "OPTIONS sip:a@b SIP/2.0\r\n", &request("OPTIONS", "a", "l: 5\r\n")].into_iter().zip(1..)
    {
        let mut trunk = gateway.trunk().await;
        assert_eq!(trunk.ask(options(&format!("before{end}"))).await, 200);
        trunk.send(begun).await;
        trunk.expect_end().await;
        gateway.wait_for_end(Ended::Stalled, end).await;
    }
}

#[tokio::test]
async fn one_octet_now_and_then_does_not_keep_a_message_alive() {
    let gateway = Gateway::start(with_limits(Limits { stall: Duration::from_millis(200), ..Limits::default() })).await;
    let mut trunk = gateway.trunk().await;
    trunk.send(options("a").trim_end()).await;
    within("the end", async {
        while trunk.stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    gateway.wait_for_end(Ended::Stalled, 1).await;
}

#[tokio::test]
async fn whoever_does_not_take_its_responses_is_closed_and_harms_nobody() {
    let gateway = Gateway::start(with_limits(Limits { stall: Duration::from_millis(500), ..Limits::default() })).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut slow = Trunk::over(socket.connect(gateway.addresses[0]).await.unwrap());
    let mut other = gateway.trunk().await;
    let mut sent = 0;
    within("the end", async {
        loop {
            let message = options(&sent.to_string());
            tokio::select! {
                written = slow.stream.write_all(message.as_bytes()) => match written {
                    Ok(()) => sent += 1,
                    Err(_) => return,
                },
                // It is full both ways: that is not the end yet.
                () = gateway.wait_until(|gateway| gateway.ended(Ended::Slow) == 1) => return,
            }
        }
    })
    .await;
    gateway.wait_for_end(Ended::Slow, 1).await;
    assert!(gateway.meter.snapshot().unsent > 0);
    assert_eq!(other.ask(options("other")).await, 200);
}

#[tokio::test]
async fn more_connections_than_there_may_be_are_closed_at_once() {
    let two = with_limits(Limits { connections: 2, ..Limits::default() });
    let mut one_each = over_tcp();
    one_each.peers[0].connections = 2;
    for settings in [two, one_each] {
        let gateway = Gateway::start(settings).await;
        let (mut first, mut second) = (gateway.trunk().await, gateway.trunk().await);
        assert_eq!(first.ask(options("a")).await, 200);
        assert_eq!(second.ask(options("b")).await, 200);
        gateway.trunk().await.expect_end().await;
        gateway.wait_for_end(Ended::Limit, 1).await;
        assert_eq!(first.ask(options("c")).await, 200);
        drop(first);
        gateway.wait_until(|gateway| gateway.open() == 1).await;
        assert_eq!(gateway.trunk().await.ask(options("d")).await, 200, "there is room again");
    }
}

#[tokio::test]
async fn a_connection_that_was_quiet_for_long_makes_room_for_another() {
    let mut settings = with_limits(Limits { idle: Duration::from_secs(20), ..Limits::default() });
    settings.peers[0].connections = 2;
    let gateway = Gateway::start(settings).await;
    let (mut quiet, mut busy) = (gateway.trunk().await, gateway.trunk().await);
    assert_eq!(quiet.ask(options("a")).await, 200);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert_eq!(busy.ask(options("b")).await, 200);
    let mut new = gateway.trunk().await;
    assert_eq!(new.ask(options("c")).await, 200);
    quiet.expect_end().await;
    gateway.wait_for_end(Ended::Displaced, 1).await;
    assert_eq!(busy.ask(options("d")).await, 200, "one that was heard of stays");
    gateway.trunk().await.expect_end().await;
    gateway.wait_until(|gateway| gateway.ended(Ended::Limit) == 1).await;
    assert_eq!(gateway.open(), 2);
}

#[tokio::test]
async fn a_stranger_is_closed_at_once() {
    let mut known = over_tcp();
    known.peers = vec![Peer::new("elsewhere", vec!["192.0.2.0/24".parse().unwrap()], known.peers[0].rules.clone())];
    let gateway = Gateway::start(known).await;
    gateway.trunk().await.expect_end().await;
    gateway.wait_for_end(Ended::NotAPeer, 1).await;
    assert_eq!((gateway.meter.snapshot().strangers, gateway.open()), (1, 0));
}

#[tokio::test]
async fn a_peer_that_closes_its_half_still_gets_its_answers() {
    let mut gateway = Gateway::start(over_tcp()).await;
    let mut trunk = gateway.trunk().await;
    trunk.send([invite("a"), invite("b")].concat()).await;
    trunk.stream.shutdown().await.unwrap();
    gateway.store_calls(2).await;
    assert_eq!([status(&trunk.receive().await), status(&trunk.receive().await)], [486, 486]);
    trunk.expect_end().await;
    gateway.wait_for_end(Ended::Peer, 1).await;
    assert_eq!(gateway.meter.snapshot().unsent, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_connection_breaks_is_stored_all_the_same() {
    let mut gateway = Gateway::start(over_tcp()).await;
    let mut trunk = gateway.trunk().await;
    trunk.send(invite("a")).await;
    let offer = gateway.offer().await;
    trunk.send("INVITE sip:+45911001").await;
    SockRef::from(&trunk.stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(trunk);
    gateway.wait_for_end(Ended::Peer, 1).await;
    store(offer);
    gateway.wait_until(|gateway| gateway.counts.snapshot().sip.accepted == 1).await;
    gateway.wait_until(|gateway| gateway.meter.snapshot().unsent == 1).await;
    assert_eq!(gateway.trunk().await.ask(options("b")).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_in_flight_are_each_answered_on_their_own_connection() {
    let mut gateway = Gateway::start(over_tcp()).await;
    let mut trunks = Vec::new();
    let mut offers = Vec::new();
    for trunk in 0..4 {
        trunks.push(gateway.trunk().await);
        for call in 0..3 {
            trunks[trunk].send(invite(&format!("{trunk}-{call}"))).await;
            offers.push(gateway.offer().await);
        }
    }
    for offer in offers.into_iter().rev() {
        store(offer);
    }
    for (place, trunk) in trunks.iter_mut().enumerate() {
        let mut answered = HashSet::new();
        for _ in 0..3 {
            answered.insert(call_id(&trunk.receive().await).to_owned());
        }
        assert_eq!(answered, (0..3).map(|call| format!("{place}-{call}")).collect());
    }
}

#[tokio::test]
async fn a_call_that_comes_again_by_another_transport_is_one_call() {
    let mut gateway =
        Gateway::start(settings(&[(Transport::Tcp, "127.0.0.1:0"), (Transport::Udp, "127.0.0.1:0")])).await;
    let switch = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    switch.send_to(invite("a").as_bytes(), gateway.addresses[1]).await.unwrap();
    let offer = gateway.offer().await;
    let mut trunk = gateway.trunk().await;
    trunk.send([invite("a"), options("b")].concat()).await;
    let answer = trunk.receive().await;
    assert_eq!((status(&answer), call_id(&answer)), (200, "b"), "the repeat was seen");
    store(offer);
    let released = trunk.receive().await;
    assert_eq!((status(&released), call_id(&released)), (486, "a"), "where it came last");
    assert_eq!(gateway.counts.snapshot().sip.accepted, 1);
    assert!(gateway.offers.try_recv().is_err(), "no second offer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_requests_on_one_connection_are_all_answered_in_order() {
    const REQUESTS: usize = 5_000;
    let gateway = Gateway::start(over_tcp()).await;
    let stream = TcpStream::connect(gateway.addresses[0]).await.unwrap();
    let (reader, mut writer) = tokio::io::split(stream);
    let writing = tokio::spawn(async move {
        for number in 0..REQUESTS {
            writer.write_all(options(&number.to_string()).as_bytes()).await.unwrap();
        }
        writer
    });
    let mut trunk = Trunk::over(tokio::io::join(reader, tokio::io::sink()));
    for number in 0..REQUESTS {
        let response = trunk.receive().await;
        assert_eq!((status(&response), call_id(&response)), (200, number.to_string().as_str()));
    }
    writing.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_answers_those_who_wait_and_closes_then() {
    let mut gateway = Gateway::start(over_tcp()).await;
    let (mut trunk, mut idle) = (gateway.trunk().await, gateway.trunk().await);
    assert_eq!(idle.ask(options("idle")).await, 200);
    trunk.send(invite("a")).await;
    let offer = gateway.offer().await;
    gateway.drain.cancel();
    // The order in which the drain and a message are seen is open: ask until it has been seen.
    for attempt in 0.. {
        if trunk.ask(options(&format!("o{attempt}"))).await == 503 {
            break;
        }
    }
    let away = invite("b");
    trunk.send(&away).await;
    let answer = trunk.receive().await;
    assert!(answer.starts_with("SIP/2.0 503 ") && answer.contains("\r\nRetry-After: 10\r\n"), "{answer}");
    within("a refused connection", async {
        while TcpStream::connect(gateway.addresses[0]).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    store(offer);
    let released = trunk.receive().await;
    assert_eq!(status(&released), 486);
    trunk.send(ack("a", &released)).await;
    trunk.expect_end().await;
    idle.expect_end().await;
    let (ended, meter) = (within("the end", gateway.serving).await, gateway.meter);
    ended.unwrap().unwrap();
    let ended = meter.snapshot().ended.into_iter().find(|(why, _)| *why == Ended::Draining);
    assert_eq!(ended, Some((Ended::Draining, 2)));
}
