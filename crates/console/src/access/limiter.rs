//! How often a wrong password may be tried: by name and by address, in windows of a minute.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use model::Timestamp;

/// How long attempts are counted together.
const WINDOW: Duration = Duration::from_secs(60);
/// Wrong passwords of one name in a window.
const OF_NAME: u32 = 5;
/// Wrong passwords from one address in a window; more than of a name, as many people may sit behind one.
const OF_ADDRESS: u32 = 20;
/// Names and addresses that are remembered; the oldest goes for a new one.
const REMEMBERED: usize = 4_096;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Key {
    Name(String),
    Address(IpAddr),
}

#[derive(Debug)]
struct Window {
    began: Timestamp,
    attempts: u32,
}

/// Counts attempts from their start, so that many at a time are as few as one after another; one that was right is given back.
#[derive(Debug, Default)]
pub(super) struct Limiter(HashMap<Key, Window>);

impl Limiter {
    /// Takes an attempt, or says how long to wait.
    pub(super) fn attempt(&mut self, name: &str, address: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let keys = keys(name, address);
        let left = keys.iter().filter_map(|(key, most)| {
            let window = self.0.get(key).filter(|window| is_open(window, now))?;
            (window.attempts >= *most).then(|| WINDOW.saturating_sub(now.since(window.began)))
        });
        if let Some(wait) = left.max() {
            return Err(wait.max(Duration::from_secs(1)));
        }
        for (key, _) in keys {
            self.make_room(&key, now);
            let window = self.0.entry(key).or_insert(Window { began: now, attempts: 0 });
            if !is_open(window, now) {
                *window = Window { began: now, attempts: 0 };
            }
            window.attempts += 1;
        }
        Ok(())
    }

    /// Gives an attempt back: the password was right.
    pub(super) fn was_right(&mut self, name: &str, address: IpAddr) {
        for (key, _) in keys(name, address) {
            if let Some(window) = self.0.get_mut(&key) {
                window.attempts = window.attempts.saturating_sub(1);
            }
        }
    }

    fn make_room(&mut self, key: &Key, now: Timestamp) {
        if self.0.len() < REMEMBERED || self.0.contains_key(key) {
            return;
        }
        self.0.retain(|_, window| is_open(window, now));
        if self.0.len() >= REMEMBERED
            && let Some(oldest) = self.0.iter().min_by_key(|(_, window)| window.began).map(|(key, _)| key.clone())
        {
            self.0.remove(&oldest);
        }
    }
}

fn is_open(window: &Window, now: Timestamp) -> bool {
    // A clock that was set back must not keep anybody out for longer than a window.
    now.since(window.began) < WINDOW && window.began <= now
}

fn keys(name: &str, address: IpAddr) -> [(Key, u32); 2] {
    [(Key::Name(name.to_owned()), OF_NAME), (Key::Address(network(address)), OF_ADDRESS)]
}

/// Who has one IPv6 address has all of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        ip @ IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_name_has_five_attempts_a_minute_and_right_ones_are_free() {
        let mut limiter = Limiter::default();
        let address = |n: u8| IpAddr::from([10, 0, 0, n]);
        for _ in 0..20 {
            assert_eq!(limiter.attempt("anna", address(1), at(0)), Ok(()));
            limiter.was_right("anna", address(1));
        }
        for n in 1..=5 {
            assert_eq!(limiter.attempt("anna", address(n), at(0)), Ok(()));
        }
        assert_eq!(limiter.attempt("anna", address(6), at(20)), Err(Duration::from_secs(40)));
        assert_eq!(limiter.attempt("bert", address(6), at(20)), Ok(()));
        assert_eq!(limiter.attempt("anna", address(6), at(60)), Ok(()));
    }

    #[test]
    fn an_address_has_twenty_whatever_the_names_and_a_network_of_ipv6_is_one() {
        let mut limiter = Limiter::default();
        for n in 0..20_u16 {
            let address = IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, n]);
            assert_eq!(limiter.attempt(&format!("name{n}"), address, at(0)), Ok(()));
        }
        assert!(limiter.attempt("another", "2001:db8:0:1::ffff".parse().unwrap(), at(1)).is_err());
        assert_eq!(limiter.attempt("another", "2001:db8:0:2::1".parse().unwrap(), at(1)), Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut limiter = Limiter::default();
        for n in 0..u32::try_from(REMEMBERED).unwrap() {
            assert_eq!(limiter.attempt(&format!("name{n}"), IpAddr::from(n.to_be_bytes()), at(0)), Ok(()));
        }
        assert_eq!(limiter.0.len(), REMEMBERED);
    }
}
