//! The file of users and tokens: read whole, checked whole, written whole.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use model::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::password;
use super::{Role, Scope};

/// What every token begins with, so that one that leaked is found by whoever looks for such.
pub const TOKEN_PREFIX: &str = "aft_";

/// The longest name of a user or token.
const NAME_LONGEST: usize = 64;

/// Users and tokens, as the file holds them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Users {
    /// People.
    #[serde(default)]
    pub users: Vec<User>,
    /// Programs.
    #[serde(default)]
    pub tokens: Vec<Token>,
}

/// A person who may sign in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// What they sign in with.
    pub name: String,
    /// What they may.
    pub role: Role,
    /// Their password by Argon2id, as a PHC string.
    pub password: String,
}

/// What a program shows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// What operators call it.
    pub name: String,
    /// What it is for.
    pub scope: Scope,
    /// SHA-256 of what is shown, in hexadecimal: it is random and long, so that nobody finds it by trying.
    pub sha256: String,
    /// When it was made, in milliseconds since 1970 UTC.
    pub since: Timestamp,
}

/// Why the file can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}", path = .path.display())]
pub struct UsersError {
    path: PathBuf,
    why: String,
}

impl UsersError {
    pub(super) fn gone(path: &Path) -> Self {
        Self { path: path.to_owned(), why: "is gone".to_owned() }
    }
}

/// What changes when the file is written or replaced.
pub(super) type Stamp = Option<(SystemTime, u64, u64)>;

pub(super) fn stamp(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len(), file.ino()))
}

impl Users {
    /// Reads the file; none is nobody. Blocks on the disk.
    ///
    /// # Errors
    /// When it can't be read, or anything in it is wrong.
    pub fn read(path: &Path) -> Result<Self, UsersError> {
        let fault = |why: String| UsersError { path: path.to_owned(), why };
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(fault(format!("can't be read: {error}"))),
        };
        let users: Self = serde_json::from_slice(&text).map_err(|error| fault(error.to_string()))?;
        users.check().map_err(fault)?;
        Ok(users)
    }

    /// Writes the file: a new one, for its owner only, that takes the place of the old one whole. Blocks on the disk.
    ///
    /// # Errors
    /// When it can't be written; the old one is as it was.
    pub fn write(&self, path: &Path) -> Result<(), UsersError> {
        let write = || -> io::Result<()> {
            let new = path.with_extension("json.new");
            // What an interrupted write left behind may have other permissions.
            match fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            // What an administrator writes, the gateway must be able to read: it is whose the directory is.
            let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let owner = fs::metadata(dir)?;
            if file.metadata()?.uid() != owner.uid() {
                // Only root can; for anybody else the file is their own.
                chown(&new, Some(owner.uid()), Some(owner.gid())).ok();
            }
            serde_json::to_writer_pretty(&mut file, self)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            fs::File::open(dir)?.sync_all()
        };
        write().map_err(|error| UsersError { path: path.to_owned(), why: format!("can't be written: {error}") })
    }

    fn check(&self) -> Result<(), String> {
        let mut seen = HashSet::new();
        for user in &self.users {
            check_name(&user.name).map_err(|why| format!("user '{}': {why}", user.name))?;
            password::check_form(&user.password).map_err(|why| format!("user '{}': {why}", user.name))?;
            if !seen.insert(&user.name) {
                return Err(format!("user '{}' is there twice", user.name));
            }
        }
        let (mut names, mut digests) = (HashSet::new(), HashSet::new());
        for token in &self.tokens {
            check_name(&token.name).map_err(|why| format!("token '{}': {why}", token.name))?;
            if hex(&token.sha256).is_none() {
                return Err(format!("token '{}': 'sha256' is not 64 hexadecimal digits", token.name));
            }
            if !names.insert(&token.name) || !digests.insert(&token.sha256) {
                return Err(format!("token '{}' is there twice", token.name));
            }
        }
        Ok(())
    }

    /// The same with a digest in place of each secret: what is otherwise is still seen, and nobody can sign in with it.
    pub(super) fn without_secrets(&self) -> Self {
        let digest = |kept: &str| to_hex(&Sha256::digest(kept.as_bytes()));
        let user = |user: &User| User { password: digest(&user.password), ..user.clone() };
        let token = |token: &Token| Token { sha256: digest(&token.sha256), ..token.clone() };
        Self { users: self.users.iter().map(user).collect(), tokens: self.tokens.iter().map(token).collect() }
    }

    /// What is otherwise than before, in words.
    pub(super) fn differences(&self, before: &Self) -> Vec<String> {
        let mut said = Vec::new();
        for user in &self.users {
            let Some(was) = before.user(&user.name) else {
                said.push(format!("user {} added as {}", user.name, user.role.as_str()));
                continue;
            };
            if was.role != user.role {
                said.push(format!("user {} is {}, was {}", user.name, user.role.as_str(), was.role.as_str()));
            }
            if was.password != user.password {
                said.push(format!("user {} has another password", user.name));
            }
        }
        let gone = before.users.iter().filter(|user| self.user(&user.name).is_none());
        said.extend(gone.map(|user| format!("user {} removed", user.name)));
        let new = self.tokens.iter().filter(|token| !before.tokens.contains(token));
        said.extend(new.map(|token| format!("token {} added for {}", token.name, token.scope.as_str())));
        let gone = before.tokens.iter().filter(|token| !self.tokens.contains(token));
        said.extend(gone.map(|token| format!("token {} removed", token.name)));
        said
    }

    /// The user of this name.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// The token that is shown, if it is one of these.
    #[must_use]
    pub fn token(&self, shown: &[u8]) -> Option<&Token> {
        let digest = Sha256::digest(shown);
        let same = |token: &&Token| hex(&token.sha256).is_some_and(|known| bool::from(known.ct_eq(digest.as_slice())));
        self.tokens.iter().find(same)
    }

    /// Makes a token, and gives what is to be shown, which is kept nowhere.
    ///
    /// # Errors
    /// When the name can't be used, is there already, or the system has no randomness.
    pub fn add_token(&mut self, name: &str, scope: Scope, since: Timestamp) -> Result<String, String> {
        check_name(name)?;
        if self.tokens.iter().any(|token| token.name == name) {
            return Err("there is a token of this name already: remove it first".to_owned());
        }
        let shown = format!("{TOKEN_PREFIX}{}", random().ok_or("the system has no randomness")?);
        let sha256 = to_hex(&Sha256::digest(shown.as_bytes()));
        self.tokens.push(Token { name: name.to_owned(), scope, sha256, since });
        Ok(shown)
    }
}

/// Whether a user or token may be called so: it stands in logs, audit entries and headers.
///
/// # Errors
/// With what is wrong with it.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let visible = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    let fits = (1..=NAME_LONGEST).contains(&name.len()) && name.bytes().all(visible);
    if fits { Ok(()) } else { Err("a name has 1 to 64 letters, digits, '.', '_', '@' or '-'") }
}

/// 32 random octets in hexadecimal; `None` where the system has none.
pub(super) fn random() -> Option<String> {
    let mut octets = [0; 32];
    getrandom::fill(&mut octets).ok()?;
    Some(to_hex(&octets))
}

pub(super) fn to_hex(octets: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    octets.iter().flat_map(|octet| [DIGITS[usize::from(octet >> 4)], DIGITS[usize::from(octet & 15)]]).collect()
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let mut octets = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (octet, digits) in octets.iter_mut().zip(text.as_bytes().chunks(2)) {
        *octet = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(octets)
}
