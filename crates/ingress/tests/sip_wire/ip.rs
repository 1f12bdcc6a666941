//! SIP over both versions of IP, by several sockets at once.

use std::net::SocketAddr;

use ingress::sip::Transport::{Tcp, Udp};
use ingress::sip::{Door, MAX_MESSAGE};
use tokio::net::{TcpStream, UdpSocket};

use crate::gateway::{Gateway, Trunk, invite, options, settings, status, within};

async fn ask(socket: &UdpSocket, gateway: SocketAddr, message: &str) -> u16 {
    socket.send_to(message.as_bytes(), gateway).await.unwrap();
    receive(socket, gateway).await
}

async fn receive(socket: &UdpSocket, gateway: SocketAddr) -> u16 {
    let mut buffer = vec![0; 65_535];
    let (length, from) = within("an answer", socket.recv_from(&mut buffer)).await.unwrap();
    assert_eq!(from, gateway, "from where it was asked");
    status(&String::from_utf8_lossy(&buffer[..length]))
}

#[tokio::test]
async fn both_versions_of_ip_and_both_transports_are_served_on_one_port() {
    let all = [(Udp, "127.0.0.1"), (Tcp, "127.0.0.1"), (Udp, "[::1]"), (Tcp, "[::1]")];
    let gateway = Gateway::on_one_port(&all).await;
    for (place, any) in [(0, "127.0.0.1:0"), (2, "[::1]:0")] {
        let socket = UdpSocket::bind(any).await.unwrap();
        let message = options(&format!("udp{place}"));
        assert_eq!(ask(&socket, gateway.addresses[place], &message).await, 200);
        let mut trunk = Trunk::over(TcpStream::connect(gateway.addresses[place + 1]).await.unwrap());
        assert_eq!(trunk.ask(options(&format!("tcp{place}"))).await, 200);
    }
}

#[tokio::test]
async fn any_address_of_ipv6_leaves_that_of_ipv4_free() {
    let all = [(Udp, "[::]"), (Udp, "0.0.0.0"), (Tcp, "[::]"), (Tcp, "0.0.0.0")];
    let gateway = Gateway::on_one_port(&all).await;
    let port = gateway.addresses[0].port();
    let socket = UdpSocket::bind("[::1]:0").await.unwrap();
    assert_eq!(ask(&socket, format!("[::1]:{port}").parse().unwrap(), &options("a")).await, 200);
    let mut trunk = Trunk::over(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    assert_eq!(trunk.ask(options("b")).await, 200);
}

#[tokio::test]
async fn a_call_over_ipv6_is_released() {
    let mut gateway = Gateway::start(settings(&[(Udp, "[::1]:0"), (Tcp, "[::1]:0")])).await;
    let socket = UdpSocket::bind("[::1]:0").await.unwrap();
    let call = invite("a").replace("127.0.0.1", "[::1]");
    socket.send_to(call.as_bytes(), gateway.addresses[0]).await.unwrap();
    gateway.store_calls(1).await;
    assert_eq!(receive(&socket, gateway.addresses[0]).await, 486);
    let mut trunk = Trunk::over(TcpStream::connect(gateway.addresses[1]).await.unwrap());
    trunk.send(invite("b").replace("127.0.0.1", "[::1]")).await;
    gateway.store_calls(1).await;
    assert_eq!(status(&trunk.receive().await), 486);
}

#[tokio::test]
async fn every_socket_is_served_and_answers_by_itself() {
    let gateway = Gateway::start(settings(&[(Udp, "127.0.0.1:0"); 5])).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for round in 0..20 {
        for (place, address) in gateway.addresses.iter().enumerate() {
            assert_eq!(ask(&socket, *address, &options(&format!("{round}-{place}"))).await, 200);
        }
    }
}

#[tokio::test]
async fn the_largest_message_is_read_whole_by_every_transport() {
    let mut gateway = Gateway::start(settings(&[(Udp, "127.0.0.1:0"), (Tcp, "127.0.0.1:0")])).await;
    // The headers of IP and UDP count in over IPv4.
    let sized = |branch: &str, size: usize| {
        let head = invite(branch).replace("CSeq", "Content-Length: 60000\r\nCSeq");
        let body = size - head.len();
        head.replace("60000", &body.to_string()) + &"x".repeat(body)
    };
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(sized("a", MAX_MESSAGE - 28).as_bytes(), gateway.addresses[0]).await.unwrap();
    gateway.store_calls(1).await;
    assert_eq!(receive(&socket, gateway.addresses[0]).await, 486);
    let mut trunk = Trunk::over(TcpStream::connect(gateway.addresses[1]).await.unwrap());
    trunk.send(sized("b", MAX_MESSAGE)).await;
    gateway.store_calls(1).await;
    assert_eq!(status(&trunk.receive().await), 486);
}

#[tokio::test]
async fn a_datagram_that_can_not_be_sent_is_counted_and_keeps_up_nobody() {
    let gateway = Gateway::start(settings(&[(Udp, "127.0.0.1:0")])).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let nowhere = options("a").replace("127.0.0.1;rport", "127.0.0.1:0");
    socket.send_to(nowhere.as_bytes(), gateway.addresses[0]).await.unwrap();
    assert_eq!(ask(&socket, gateway.addresses[0], &options("b")).await, 200);
    assert_eq!(gateway.meter.snapshot().unsent, 1);
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = Door::bind(settings(&[(Udp, &address)])).await.unwrap_err();
    assert_eq!(error.to_string(), format!("can't listen on udp://{address}"));
}
