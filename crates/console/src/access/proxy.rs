//! Whom a reverse proxy vouches for: its headers count only from its own networks.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};

use super::Role;
use super::users::check_name;

/// A block of addresses, such as 10.0.0.0/8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, `2001:db8::/32` or one address.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let first: IpAddr = address.trim().parse().map_err(|_| "not an address, nor a network like 10.0.0.0/8")?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let bits =
            bits.map_or(Ok(most), |bits| bits.trim().parse().map_err(|_| "the length after '/' is no number"))?;
        if bits > most {
            return Err("the length after '/' is longer than the address");
        }
        let network = Self { first, bits };
        if network.masked(first) == value(first) { Ok(network) } else { Err("has bits set after its length") }
    }

    /// Whether the address is in it; an IPv4 address in IPv6 form counts as IPv4.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && self.masked(address) == self.masked(self.first)
    }

    fn masked(&self, address: IpAddr) -> u128 {
        let all = if self.first.is_ipv4() { 32 } else { 128 };
        let free = u32::from(all - self.bits);
        value(address).checked_shr(free).and_then(|kept| kept.checked_shl(free)).unwrap_or(0)
    }
}

fn value(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

/// What a reverse proxy tells about who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proxy {
    /// The header with the name, such as `x-remote-user`.
    pub name: HeaderName,
    /// The header with the role, or with groups of which some are called like roles; `None`: everybody has `role`.
    pub role_header: Option<HeaderName>,
    /// The role of those for whom no header says one.
    pub role: Role,
    /// Where the proxy is.
    pub from: Vec<Network>,
}

impl Proxy {
    /// Who it says asks, and as what; `None` where it is not the proxy, or it says nobody.
    pub(super) fn vouches(&self, headers: &HeaderMap, peer: IpAddr) -> Option<(String, Option<Role>)> {
        if !self.from.iter().any(|network| network.holds(peer)) {
            return None;
        }
        // A header that is there twice was added to one that the client sent: the proxy doesn't take it away, so neither counts.
        let one = |name: &HeaderName| {
            let mut values = headers.get_all(name).iter();
            values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok()).map(str::trim)
        };
        let name = one(&self.name).filter(|name| check_name(name).is_ok())?;
        let role = match &self.role_header {
            None => Some(self.role),
            Some(header) if !headers.contains_key(header) => Some(self.role),
            Some(header) => one(header).and_then(highest),
        };
        Some((name.to_owned(), role))
    }
}

/// The highest role among groups.
fn highest(groups: &str) -> Option<Role> {
    let named = |role: &Role| groups.split([',', ' ']).any(|group| group.eq_ignore_ascii_case(role.as_str()));
    Role::ALL.into_iter().rev().find(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        for (network, address, held) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ] {
            assert_eq!(Network::parse(network).unwrap().holds(address.parse().unwrap()), held, "{network} {address}");
        }
        for wrong in ["", "10.0.0.0/33", "10.0.0.1/8", "10/8", "::/129", "10.0.0.0/x"] {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_the_proxy_is_believed_and_only_one_name() {
        let proxy = Proxy {
            name: HeaderName::from_static("x-remote-user"),
            role_header: Some(HeaderName::from_static("x-remote-groups")),
            role: Role::Viewer,
            from: vec![Network::parse("127.0.0.1").unwrap()],
        };
        let headers = |lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, value.parse().unwrap());
            }
            headers
        };
        let anna = headers(&[("x-remote-user", "anna")]);
        let here = "127.0.0.1".parse().unwrap();
        assert_eq!(proxy.vouches(&anna, here), Some(("anna".to_owned(), Some(Role::Viewer))));
        assert_eq!(proxy.vouches(&anna, "127.0.0.2".parse().unwrap()), None);
        assert_eq!(proxy.vouches(&headers(&[]), here), None);
        let twice = headers(&[("x-remote-user", "mallory"), ("x-remote-user", "anna")]);
        assert_eq!(proxy.vouches(&twice, here), None);
        for (groups, role) in
            [("staff,operator", Some(Role::Operator)), ("care, Admin", Some(Role::Admin)), ("staff", None)]
        {
            let headers = headers(&[("x-remote-user", "anna"), ("x-remote-groups", groups)]);
            assert_eq!(proxy.vouches(&headers, here), Some(("anna".to_owned(), role)), "{groups}");
        }
    }
}
