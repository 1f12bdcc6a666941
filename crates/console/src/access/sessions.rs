//! Sessions of people, in memory: a restart asks everybody to sign in anew.

use std::collections::HashMap;
use std::time::Duration;

use model::Timestamp;
use sha2::{Digest as _, Sha256};

use super::users::random;

/// The longest that one sign-in lasts.
pub(super) const LONGEST: Duration = Duration::from_secs(8 * 3600);
/// How long a session lasts that nobody uses.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// Sessions at one time; the one that was idle for longest goes for a new one.
const MOST: usize = 1_000;
/// Sessions of one user: whoever signs in again and again pushes out nobody but themselves.
const MOST_OF_USER: usize = 10;

/// One person at one browser.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// The user; empty for those who need not sign in here.
    pub user: String,
    /// SHA-256 of the password as it is kept: a changed password ends sessions.
    pub proof: [u8; 32],
    /// What forms must carry.
    pub csrf: String,
    /// Until when numbers are shown.
    pub unmasked_until: Option<Timestamp>,
    since: Timestamp,
    seen: Timestamp,
}

/// A session's name: what the cookie holds, hashed, so that memory that leaks opens nothing.
pub(super) type SessionKey = [u8; 32];

/// The key of somebody who is known otherwise than by a cookie, which can hold no `;`.
pub(super) fn standing_key(name: &str) -> SessionKey {
    key(&format!(";{name}"))
}

pub(super) fn key(text: &str) -> SessionKey {
    Sha256::digest(text.as_bytes()).into()
}

#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<SessionKey, Session>);

impl Sessions {
    /// Begins a session and gives what the cookie holds; `None` where the system has no randomness.
    pub(super) fn begin(&mut self, user: &str, proof: [u8; 32], now: Timestamp) -> Option<String> {
        let (cookie, csrf) = (random()?, random()?);
        let own = self.0.values().filter(|session| session.user == user).count();
        if own >= MOST_OF_USER {
            self.drop_idle(|session| session.user == user);
        }
        let user = user.to_owned();
        self.put(key(&cookie), Session { user, proof, csrf, unmasked_until: None, since: now, seen: now });
        Some(cookie)
    }

    /// The session of somebody who is known by other means than a cookie (the proxy, this machine), begun where there is none.
    pub(super) fn standing(&mut self, name: &str, now: Timestamp) -> Option<Session> {
        let key = standing_key(name);
        // It is nobody's sign-in that ends, only its form token that changes: use keeps it.
        if let Some(session) = self.0.get_mut(&key).filter(|session| now.since(session.seen) < LONGEST) {
            session.seen = now;
            return Some(session.clone());
        }
        let csrf = random()?;
        let session =
            Session { user: String::new(), proof: [0; 32], csrf, unmasked_until: None, since: now, seen: now };
        self.put(key, session.clone());
        Some(session)
    }

    /// The session of a cookie, if it lasts; somebody has used it now.
    pub(super) fn find(&mut self, key: &SessionKey, now: Timestamp) -> Option<Session> {
        let found = self.look(key, now)?;
        if let Some(session) = self.0.get_mut(key) {
            session.seen = now;
        }
        Some(found)
    }

    /// The session of a cookie, if it lasts; nobody has used it.
    pub(super) fn look(&mut self, key: &SessionKey, now: Timestamp) -> Option<Session> {
        let session = self.0.get(key)?;
        if now.since(session.since) >= LONGEST || now.since(session.seen) >= IDLE {
            self.0.remove(key);
            return None;
        }
        Some(session.clone())
    }

    /// Shows numbers until then, or no longer.
    pub(super) fn unmask(&mut self, key: &SessionKey, until: Option<Timestamp>) {
        if let Some(session) = self.0.get_mut(key) {
            session.unmasked_until = until;
        }
    }

    pub(super) fn end(&mut self, key: &SessionKey) {
        self.0.remove(key);
    }

    fn put(&mut self, key: SessionKey, session: Session) {
        if self.0.len() >= MOST {
            self.drop_idle(|_| true);
        }
        self.0.insert(key, session);
    }

    /// Ends the one of these that was idle for longest.
    fn drop_idle(&mut self, of: impl Fn(&Session) -> bool) {
        let idle = self.0.iter().filter(|(_, session)| of(session)).min_by_key(|(_, session)| session.seen);
        if let Some(key) = idle.map(|(key, _)| *key) {
            self.0.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    #[test]
    fn a_session_lasts_half_an_hour_unused_and_eight_hours_at_the_most() {
        let mut sessions = Sessions::default();
        let cookie = sessions.begin("anna", [1; 32], at(0)).unwrap();
        assert!(sessions.find(&key(&cookie), at(30)).is_none());
        let cookie = sessions.begin("anna", [1; 32], at(0)).unwrap();
        for minutes in (29..480).step_by(29) {
            assert_eq!(sessions.find(&key(&cookie), at(minutes)).unwrap().user, "anna", "{minutes}");
        }
        assert!(sessions.find(&key(&cookie), at(480)).is_none());
        assert!(sessions.0.is_empty());
    }

    #[test]
    fn a_session_that_is_only_looked_at_ends_like_one_that_nobody_uses() {
        let mut sessions = Sessions::default();
        let cookie = sessions.begin("anna", [1; 32], at(0)).unwrap();
        assert!((1..30).all(|minute| sessions.look(&key(&cookie), at(minute)).is_some()));
        assert!(sessions.look(&key(&cookie), at(30)).is_none());
        assert!(sessions.0.is_empty());
    }

    #[test]
    fn the_eleventh_session_of_a_user_ends_their_own_that_was_idle_for_longest_and_nobody_elses() {
        let mut sessions = Sessions::default();
        let bert = sessions.begin("bert", [2; 32], at(0)).unwrap();
        let cookies: Vec<_> = (0..10).map(|n| sessions.begin("anna", [1; 32], at(n)).unwrap()).collect();
        assert!(sessions.find(&key(&cookies[0]), at(10)).is_some());
        drop(sessions.begin("anna", [1; 32], at(11)));
        let lasting = |sessions: &mut Sessions, cookie: &String| sessions.look(&key(cookie), at(11)).is_some();
        let left: Vec<bool> = cookies.iter().map(|cookie| lasting(&mut sessions, cookie)).collect();
        let mut expected = vec![true; 10];
        expected[1] = false;
        assert_eq!(left, expected);
        assert!(lasting(&mut sessions, &bert));
        for _ in 0..1_000 {
            drop(sessions.begin("anna", [1; 32], at(12)));
        }
        assert_eq!(sessions.0.len(), 11);
        assert!(lasting(&mut sessions, &bert));
    }

    #[test]
    fn the_session_idle_for_longest_goes_for_the_thousand_and_first() {
        let mut sessions = Sessions::default();
        let begun = (0..1_000).map(|n| sessions.begin(&format!("user{}", n % 100), [1; 32], at(n / 100)).unwrap());
        let cookies: Vec<_> = begun.collect();
        assert!(sessions.find(&key(&cookies[0]), at(10)).is_some());
        drop(sessions.begin("bert", [1; 32], at(10)));
        assert_eq!(sessions.0.len(), 1_000);
        assert!(sessions.find(&key(&cookies[0]), at(10)).is_some());
    }
}
