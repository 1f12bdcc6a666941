//! Where the gateway listens: whether it can, or does.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, UdpSocket};

use ingress::sip::Transport;

use super::report::{Finding, Report};
use crate::config::{Contact, Settings};

/// How a listener hears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Carrier {
    Tcp,
    Udp,
}

pub(super) fn look(
    settings: Option<&Settings>,
    contact: Option<&Contact>,
    runs: bool,
    report: &mut Report<'_>,
) -> io::Result<()> {
    let Some(contact) = contact else {
        return report.tell(Finding::unchecked("port", "", "the settings of the listeners can't be used"));
    };
    let http = [("http.listen", contact.http.listen), ("admin.listen", contact.admin.listen)];
    let mut listeners: Vec<(String, Carrier, SocketAddr)> = Vec::new();
    for (key, listen) in http {
        match listen {
            Some(listen) => listeners.push((key.to_owned(), Carrier::Tcp, listen)),
            None => report.tell(Finding::ok("port", key, "off".to_owned()))?,
        }
    }
    match settings {
        Some(settings) => {
            listeners.extend(settings.sip.listen.iter().map(|listen| {
                let carrier = match listen.transport {
                    Transport::Udp => Carrier::Udp,
                    Transport::Tcp | Transport::Tls => Carrier::Tcp,
                };
                (format!("sip.listen {}", listen.transport.as_str()), carrier, listen.address)
            }));
            let outbinds = settings.links.iter().filter_map(|link| Some((link.name.0.clone(), link.outbind?)));
            listeners.extend(outbinds.map(|(link, listen)| (format!("outbind of {link}"), Carrier::Tcp, listen)));
        }
        None => report.tell(Finding::unchecked("port", "sip.listen", "the settings can't be used"))?,
    }
    listeners.into_iter().try_for_each(|(key, carrier, listen)| report.tell(port(key, carrier, listen, runs)))
}

fn port(key: String, carrier: Carrier, listen: SocketAddr, runs: bool) -> Finding {
    let tried = match carrier {
        Carrier::Tcp => TcpListener::bind(listen).map(drop),
        Carrier::Udp => UdpSocket::bind(listen).map(drop),
    };
    let error = match tried {
        Ok(()) if runs => {
            let advice = "Was the gateway started with other settings? Start it anew with these.";
            let found = format!("{listen}: free, though a gateway runs");
            return Finding::warning("port", key, found, advice);
        }
        Ok(()) => return Finding::ok("port", key, format!("{listen}: free")),
        Err(error) => error,
    };
    let advice = match error.kind() {
        ErrorKind::AddrInUse if runs => {
            return Finding::ok("port", key, format!("{listen}: in use, and a gateway runs"));
        }
        ErrorKind::AddrInUse => "Something else listens there ('ss -lnp' says what): stop it, or set another port.",
        ErrorKind::PermissionDenied => "Ports below 1024 are for root: set another, or grant CAP_NET_BIND_SERVICE.",
        ErrorKind::AddrNotAvailable => {
            "No interface of this machine has that address: set one that it has, or 0.0.0.0."
        }
        _ => "Set an address and a port of this machine.",
    };
    Finding::fault("port", key, format!("{listen}: {error}"), advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::report::Verdict;

    #[test]
    fn a_port_is_free_or_held_by_the_gateway_or_by_something_else() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap();
        let verdict = |runs| port(String::new(), Carrier::Tcp, address, runs).verdict;
        assert_eq!((verdict(true), verdict(false)), (Verdict::Ok, Verdict::Fault));
        drop(held);
        assert_eq!((verdict(true), verdict(false)), (Verdict::Warning, Verdict::Ok));
        let elsewhere = port(String::new(), Carrier::Udp, "192.0.2.1:5060".parse().unwrap(), false);
        assert!(elsewhere.advice.unwrap().contains("No interface"));
    }
}
