//! Passwords: Argon2id, with the parameters that OWASP asks for at the least (19 MiB, two passes), which are the library's own.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

/// The shortest password: what NIST SP 800-63B asks for at the least.
const SHORTEST: usize = 8;
/// The longest, in octets; more than anybody types.
pub(super) const LONGEST: usize = 1_024;

/// A password that nobody has, so that a name that isn't there takes as long as one that is.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$dp3EnkAHHJxGmCVxUkDWmvpOO/vXlZy8rrTzp/CBqJg";

/// A password as it is kept. Takes some hundredths of a second of one core, and 19 MiB.
///
/// # Errors
/// When it is too short or too long, or the system has no randomness.
pub fn hash(password: &str) -> Result<String, String> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return Err(format!("a password has {SHORTEST} characters or more, and {LONGEST} octets at the most"));
    }
    let hashed = Argon2::default().hash_password(password.as_bytes());
    hashed.map(|hashed| hashed.to_string()).map_err(|error| error.to_string())
}

/// Whether this is the password; of nobody it never is, and takes as long.
pub(super) fn verify(password: &str, kept: Option<&str>) -> bool {
    let Ok(parsed) = PasswordHash::new(kept.unwrap_or(NOBODYS)) else { return false };
    let right = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
    right && kept.is_some()
}

/// Whether a kept password can be compared with.
pub(super) fn check_form(kept: &str) -> Result<(), &'static str> {
    match PasswordHash::new(kept) {
        Ok(parsed) if parsed.algorithm.as_str() == "argon2id" => Ok(()),
        _ => Err("'password' is not an Argon2id hash as 'afterring users' writes it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_is_right_and_nobody_has_one() {
        let kept = hash("correct horse").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify("correct horse", Some(&kept)));
        assert!(!verify("correct horsf", Some(&kept)));
        assert!(!verify("correct horse", None));
        // It must be one that is really computed, or unknown names would be told by the time they take.
        assert_eq!(check_form(NOBODYS), Ok(()));
        assert!(PasswordHash::new(NOBODYS).unwrap().hash.is_some());
        assert!(hash("short").is_err());
        assert!(check_form("secret").is_err());
    }
}
