//! Who is let in: what a request shows, against users, tokens, the proxy and sessions.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::{HeaderMap, header};
use model::{Clock, Secret, Timestamp};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;

use super::limiter::Limiter;
use super::proxy::Proxy;
use super::sessions::{self, Session, SessionKey, Sessions};
use super::users::{Stamp, Token, User, Users, UsersError, check_name, stamp};
use super::{Permission, Role, Scope, Viewer, Who, password};

/// Passwords that are compared at one time: each takes a core and 19 MiB for a while, and the gateway has other work.
const COMPARED: usize = 2;
/// People who may wait for that; more are told to come back.
const WAITING: usize = 16;
/// How long numbers are shown to a person who gave a reason.
pub(super) const UNMASKED: Duration = Duration::from_secs(15 * 60);

/// Who needs to show nothing, where nothing is set that anybody could show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Local {
    /// Nobody: others can reach the listener.
    Nobody,
    /// Whoever is on this machine.
    Loopback,
    /// Everybody: the demo, of which nothing is real.
    Everybody,
}

/// How people and programs are told apart.
#[derive(Clone, Debug)]
pub struct AccessSettings {
    /// The file of users and tokens; `None`: there is none.
    pub users: Option<PathBuf>,
    /// The token that may everything.
    pub admin_token: Option<Secret>,
    /// An administrator who is in no file: name and password.
    pub first_admin: Option<(String, Secret)>,
    /// A reverse proxy that says who asks.
    pub proxy: Option<Proxy>,
    /// Who needs to show nothing.
    pub local: Local,
    /// Whether browsers come by TLS, and must send their cookie by nothing else.
    pub secure: bool,
}

impl AccessSettings {
    /// Nothing is set, and this is who needs to show nothing.
    #[must_use]
    pub const fn none(local: Local) -> Self {
        Self { users: None, admin_token: None, first_admin: None, proxy: None, local, secure: false }
    }
}

/// Why nobody can be let in with these settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The file of users and tokens can't be used.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// The administrator of the settings can't be used.
    #[error("admin.user and admin.password: {0}")]
    FirstAdmin(String),
}

pub(super) struct Known {
    pub(super) users: Users,
    pub(super) stamp: Stamp,
    pub(super) complaint: Option<UsersError>,
}

pub(super) struct Inside {
    pub(super) settings: AccessSettings,
    clock: Clock,
    admin_token: Option<[u8; 32]>,
    first_admin: Option<User>,
    pub(super) known: ArcSwap<Known>,
    sessions: Mutex<Sessions>,
    limiter: Mutex<Limiter>,
    comparing: Semaphore,
    waiting: Semaphore,
    /// Counts whenever somebody may see less than before.
    pub(super) turn: AtomicU64,
}

/// Tells who asks. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Access(pub(super) Arc<Inside>);

/// A user, as pages list them.
pub(crate) struct KnownUser {
    pub(crate) name: String,
    pub(crate) role: Role,
}

/// A token, as pages list them.
pub(crate) struct KnownToken {
    pub(crate) name: String,
    pub(crate) scope: Scope,
    pub(crate) since: Timestamp,
}

/// What a request shows.
pub(crate) enum Shown {
    /// Somebody.
    Viewer(Viewer),
    /// Nothing.
    Nothing,
    /// A token that is none of ours, or none for this.
    WrongToken,
}

/// Why nobody was signed in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SignInError {
    /// Name or password.
    Wrong,
    /// Too often: come back after that.
    TooOften(Duration),
    /// Too many others sign in.
    Busy,
}

impl Access {
    /// Reads the file of users. Blocks on the disk, and for a moment where `first_admin` is set.
    ///
    /// # Errors
    /// When the file or the settings can't be used.
    pub fn open(settings: AccessSettings, clock: Clock) -> Result<Self, AccessError> {
        let stamp = settings.users.as_deref().and_then(stamp);
        let users = settings.users.as_deref().map(Users::read).transpose()?.unwrap_or_default();
        let first_admin = settings.first_admin.as_ref().map(|(name, secret)| {
            check_name(name).map_err(str::to_owned)?;
            let password = password::hash(secret.reveal())?;
            Ok(User { name: name.clone(), role: Role::Admin, password })
        });
        let first_admin = first_admin.transpose().map_err(AccessError::FirstAdmin)?;
        let admin_token = settings.admin_token.as_ref().map(|token| Sha256::digest(token.reveal()).into());
        Ok(Self(Arc::new(Inside {
            settings,
            clock,
            admin_token,
            first_admin,
            known: ArcSwap::from_pointee(Known { users, stamp, complaint: None }),
            sessions: Mutex::default(),
            limiter: Mutex::default(),
            comparing: Semaphore::new(COMPARED),
            waiting: Semaphore::new(COMPARED + WAITING),
            turn: AtomicU64::new(0),
        })))
    }

    /// Nobody shows anything, and these may everything; for tests and the demo.
    #[must_use]
    pub fn unguarded(local: Local, clock: Clock) -> Self {
        let known = Known { users: Users::default(), stamp: None, complaint: None };
        Self(Arc::new(Inside {
            settings: AccessSettings::none(local),
            clock,
            admin_token: None,
            first_admin: None,
            known: ArcSwap::from_pointee(known),
            sessions: Mutex::default(),
            limiter: Mutex::default(),
            comparing: Semaphore::new(COMPARED),
            waiting: Semaphore::new(COMPARED + WAITING),
            turn: AtomicU64::new(0),
        }))
    }

    /// Whether a call may be reported with this token, or with none; `needed`: the calls API asks for one in any case.
    #[must_use]
    pub fn admits_calls(&self, shown: Option<&[u8]>, needed: bool) -> bool {
        let known = self.0.known.load();
        match shown.and_then(|shown| known.users.token(shown)) {
            Some(token) => token.scope == Scope::Ingest,
            None => !needed && known.users.tokens.iter().all(|token| token.scope != Scope::Ingest),
        }
    }

    /// Users and tokens by name, without anything that is secret.
    pub(crate) fn known(&self) -> (Vec<KnownUser>, Vec<KnownToken>) {
        let known = self.0.known.load();
        let users = self.0.first_admin.iter().chain(&known.users.users);
        let tokens = known.users.tokens.iter();
        (
            users.map(|User { name, role, .. }| KnownUser { name: name.clone(), role: *role }).collect(),
            tokens
                .map(|Token { name, scope, since, .. }| KnownToken { name: name.clone(), scope: *scope, since: *since })
                .collect(),
        )
    }

    /// The time by this gateway's clock.
    pub(crate) fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    /// Who asks; `foreign`: the request comes from a page of another site.
    pub(crate) fn shown(&self, headers: &HeaderMap, peer: IpAddr, foreign: bool) -> Shown {
        let now = self.now();
        let bearer = bearer(headers);
        if let Some(viewer) = bearer.and_then(|shown| self.program(shown)) {
            return Shown::Viewer(viewer);
        }
        if let Some((name, role)) = self.0.settings.proxy.as_ref().and_then(|proxy| proxy.vouches(headers, peer)) {
            return self.standing(Who::Proxy(name), role.map_or_else(Vec::new, permitted), now);
        }
        if bearer.is_some() {
            return Shown::WrongToken;
        }
        if let Some(viewer) = self.person(headers, now) {
            return Shown::Viewer(viewer);
        }
        if !foreign && self.is_open_to(headers, peer) {
            return self.standing(Who::Local, ALL.to_vec(), now);
        }
        Shown::Nothing
    }

    fn program(&self, shown: &[u8]) -> Option<Viewer> {
        let digest = Sha256::digest(shown);
        let viewer = |name: &str, may| Viewer { who: Who::Token(name.to_owned()), may, ..Viewer::nobody() };
        if self.0.admin_token.is_some_and(|token| bool::from(token.ct_eq(digest.as_slice()))) {
            return Some(viewer("admin.token", ALL.to_vec()));
        }
        let known = self.0.known.load();
        let token = known.users.token(shown)?;
        Some(viewer(&token.name, token.scope.permissions().to_vec()))
    }

    fn person(&self, headers: &HeaderMap, now: Timestamp) -> Option<Viewer> {
        let key = sessions::key(self.cookie(headers)?);
        // A page's live stream goes on where nobody sits: only what a person does keeps a session.
        let session =
            if is_stream(headers) { self.sessions().look(&key, now) } else { self.sessions().find(&key, now) }?;
        // The user may have another role by now, another password, or be gone.
        let user = self.user(&session.user).filter(|user| sessions::key(&user.password) == session.proof);
        let Some(user) = user else {
            self.sessions().end(&key);
            return None;
        };
        let Session { csrf, unmasked_until, .. } = session;
        let (who, may) = (Who::User(user.name), permitted(user.role));
        Some(Viewer { who, may, unmasked_until, csrf: Some(csrf), session: Some(key) })
    }

    /// Somebody who needs no sign-in here; no randomness, no form.
    fn standing(&self, who: Who, may: Vec<Permission>, now: Timestamp) -> Shown {
        let mut viewer = Viewer { who, may, ..Viewer::nobody() };
        let Some(session) = self.sessions().standing(&viewer.name(), now) else { return Shown::Nothing };
        (viewer.csrf, viewer.unmasked_until) = (Some(session.csrf), session.unmasked_until);
        Shown::Viewer(viewer)
    }

    /// Whether nothing is asked for: nothing is set that could be shown, and nobody else can ask. A page elsewhere whose name leads to this
    /// machine is kept out by the name that the browser asks for.
    fn is_open_to(&self, headers: &HeaderMap, peer: IpAddr) -> bool {
        let Inside { settings, known, first_admin, .. } = &*self.0;
        let known = &known.load().users;
        let guarded = settings.admin_token.is_some()
            || settings.proxy.is_some()
            || first_admin.is_some()
            || !known.users.is_empty()
            || known.tokens.iter().any(|token| token.scope != Scope::Ingest);
        match settings.local {
            Local::Nobody => false,
            Local::Loopback => {
                !guarded && peer.to_canonical().is_loopback() && asks_this_machine(headers) && !is_forwarded(headers)
            }
            Local::Everybody => !guarded,
        }
    }

    fn user(&self, name: &str) -> Option<User> {
        let first = self.0.first_admin.as_ref().filter(|user| user.name == name);
        first.cloned().or_else(|| self.0.known.load().users.user(name).cloned())
    }

    /// Whether anybody can sign in by name and password.
    pub(crate) fn has_users(&self) -> bool {
        self.0.first_admin.is_some() || !self.0.known.load().users.users.is_empty()
    }

    /// Signs a person in: what the cookie holds.
    pub(crate) async fn sign_in(&self, name: &str, given: String, address: IpAddr) -> Result<String, SignInError> {
        self.limiter().attempt(name, address, self.now()).map_err(SignInError::TooOften)?;
        let user = self.user(name);
        let kept = user.as_ref().map(|user| user.password.clone());
        let compared = self.compare(given, kept).await;
        // Who was not compared has not tried.
        if compared.is_none_or(|right| right) {
            self.limiter().was_right(name, address);
        }
        let right = compared.ok_or(SignInError::Busy)?;
        let user = user.filter(|_| right).ok_or(SignInError::Wrong)?;
        let begun = self.sessions().begin(&user.name, sessions::key(&user.password), self.now());
        begun.ok_or(SignInError::Busy)
    }

    /// Whether it is the password; `None` where too many others wait.
    async fn compare(&self, given: String, kept: Option<String>) -> Option<bool> {
        let inside = Arc::clone(&self.0);
        // On a task of its own: who goes away must not make room for another comparison while this one runs.
        let compared = tokio::spawn(async move {
            let _waiting = inside.waiting.try_acquire().ok()?;
            let _comparing = inside.comparing.acquire().await.ok()?;
            tokio::task::spawn_blocking(move || password::verify(&given, kept.as_deref())).await.ok()
        });
        compared.await.ok().flatten()
    }

    /// Ends the session of whoever asks.
    pub(crate) fn sign_out(&self, headers: &HeaderMap) {
        if let Some(cookie) = self.cookie(headers) {
            self.sessions().end(&sessions::key(cookie));
            self.0.turn.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Shows numbers to a person until then, or hides them again; programs see them anyway.
    pub(crate) fn unmask(&self, viewer: &Viewer, headers: &HeaderMap, until: Option<Timestamp>) {
        if let Some(key) = self.key_of(viewer, headers) {
            self.sessions().unmask(&key, until);
        }
        if until.is_none() {
            self.0.turn.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn key_of(&self, viewer: &Viewer, headers: &HeaderMap) -> Option<SessionKey> {
        match &viewer.who {
            Who::User(_) => self.cookie(headers).map(sessions::key),
            Who::Proxy(_) | Who::Local => Some(sessions::standing_key(&viewer.name())),
            Who::Token(_) => None,
        }
    }

    /// The cookie's name: with TLS one that no other name of this host can set.
    pub(crate) fn cookie_name(&self) -> &'static str {
        if self.0.settings.secure { "__Host-afterring" } else { "afterring" }
    }

    /// `Set-Cookie` for a session, or to forget one.
    pub(crate) fn set_cookie(&self, value: Option<&str>) -> String {
        let (name, secure) = (self.cookie_name(), if self.0.settings.secure { "; Secure" } else { "" });
        let lasts = value.map_or(0, |_| sessions::LONGEST.as_secs());
        let value = value.unwrap_or_default();
        format!("{name}={value}; Path=/; Max-Age={lasts}; HttpOnly; SameSite=Strict{secure}")
    }

    fn cookie<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let name = self.cookie_name();
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    // What is behind these locks is whole between any two statements: a panic elsewhere leaves nothing half done.
    pub(super) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limiter(&self) -> MutexGuard<'_, Limiter> {
        self.0.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const ALL: [Permission; 5] = Permission::ALL;

fn permitted(role: Role) -> Vec<Permission> {
    ALL.into_iter().filter(|asked| role.may(*asked)).collect()
}

/// Whether a live stream is asked for, which pages do by themselves.
pub(super) fn is_stream(headers: &HeaderMap) -> bool {
    let kinds = headers.get(header::ACCEPT).and_then(|kinds| kinds.to_str().ok());
    kinds.is_some_and(|kinds| kinds.contains("text/event-stream"))
}

/// The token of `Authorization: Bearer <token>`; the scheme's case doesn't matter (RFC 9110 §11.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Whether a proxy says that it stands between: whoever asks by one is elsewhere.
fn is_forwarded(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"]
        .iter()
        .any(|name| headers.contains_key(*name))
}

/// Whether the name that is asked for is this machine's own, by which no page elsewhere can ask. Only browsers are led astray, and they name a host.
fn asks_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return true };
    let Ok(authority) = host.as_bytes().try_into().map(|authority: axum::http::uri::Authority| authority) else {
        return false;
    };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    let local_name = name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost");
    local_name || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_asked_for_by_its_own_pages() {
        for (host, own) in [
            ("127.0.0.1:8081", true),
            ("127.1.2.3", true),
            ("[::1]:8081", true),
            ("localhost:8081", true),
            ("LOCALHOST", true),
            ("gateway.localhost", true),
            ("rebind.example", false),
            ("10.0.0.1:8081", false),
            ("localhost.example", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            assert_eq!(asks_this_machine(&headers), own, "{host}");
        }
        assert!(asks_this_machine(&HeaderMap::new()));
    }
}
