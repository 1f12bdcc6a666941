//! Networks of source addresses.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Addresses that begin alike: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A text that is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Neither an address nor an address and a prefix.
    #[error(
        "not a network: an address like 10.1.2.3 or 2001:db8::1, or address/prefix like 10.0.0.0/8 (names aren't looked up)"
    )]
    Form,
    /// The prefix has more bits than the address.
    #[error("the prefix is not a number of bits of the address")]
    Prefix,
    /// The address goes on behind its prefix: likely a slip of whoever wrote it.
    #[error("the address has bits beyond its prefix: write the first address of the network")]
    Beyond,
}

impl Network {
    /// The addresses whose first `prefix` bits are those of `address`, which has no other bits. IPv4 in IPv6 form (`::ffff:10.0.0.0/104`) is IPv4,
    /// as addresses that are looked for are.
    ///
    /// # Errors
    /// When the prefix is too long, or the address has bits beyond it.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self, NetworkError> {
        let (address, prefix) = match (address.to_canonical(), prefix.checked_sub(IPV4_IN_IPV6)) {
            (four @ IpAddr::V4(_), Some(prefix)) if address.is_ipv6() => (four, prefix),
            _ => (address, prefix),
        };
        let hidden = width(address).checked_sub(prefix).ok_or(NetworkError::Prefix)?;
        let beyond = bits(address) & !u128::MAX.checked_shl(u32::from(hidden)).unwrap_or(0);
        if beyond == 0 { Ok(Self { address, prefix }) } else { Err(NetworkError::Beyond) }
    }

    /// Whether an address is in it; an IPv4 address in IPv6 form counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if address.is_ipv4() != self.address.is_ipv4() {
            return false;
        }
        let hidden = width(address).saturating_sub(self.prefix);
        let difference = bits(address) ^ bits(self.address);
        difference.checked_shr(u32::from(hidden)).unwrap_or(0) == 0
    }

    /// Its first address.
    #[must_use]
    pub const fn first(&self) -> IpAddr {
        self.address
    }

    /// Whether it holds every address of another.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.address)
    }
}

/// Bits before an IPv4 address in IPv6 form.
const IPV4_IN_IPV6: u8 = 96;

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => Ipv6Addr::to_bits(address),
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse().map_err(|_| NetworkError::Prefix)?)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Form)?;
        Self::new(address, prefix.unwrap_or_else(|| width(address)))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_the_addresses_that_begin_alike() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.2", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("::ffff:10.0.0.0/104", "10.9.9.9", true),
            ("::ffff:10.0.0.0/104", "11.0.0.1", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{network} {address}");
        }
        for (wide, narrow, covers) in [
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.0.0.0/8", "10.0.0.0/8", true),
            ("10.1.0.0/16", "10.0.0.0/8", false),
            ("10.0.0.0/8", "11.0.0.0/16", false),
            ("0.0.0.0/0", "2001:db8::/32", false),
        ] {
            let [wide, narrow]: [Network; 2] = [wide, narrow].map(|network| network.parse().unwrap());
            assert_eq!(wide.covers(&narrow), covers, "{wide} {narrow}");
            assert!(wide.contains(wide.first()));
        }
        for (bad, why) in [
            ("", NetworkError::Form),
            ("10.0.0/8", NetworkError::Form),
            ("host", NetworkError::Form),
            ("10.0.0.0/33", NetworkError::Prefix),
            ("::/129", NetworkError::Prefix),
            ("::ffff:10.0.0.1/129", NetworkError::Prefix),
            ("10.0.0.0/", NetworkError::Prefix),
            ("10.0.0.0/-1", NetworkError::Prefix),
            ("10.1.2.3/8", NetworkError::Beyond),
            ("2001:db8::1/64", NetworkError::Beyond),
            ("1.2.3.4/0", NetworkError::Beyond),
        ] {
            assert_eq!(bad.parse::<Network>(), Err(why), "{bad}");
        }
    }
}
