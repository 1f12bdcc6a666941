//! Sealed names of people for addresses of pages: who sees one learns no number, and who has no key makes none.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::Msisdn;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::{hkdf, hmac};

/// Octets of the key, as they are kept.
const KEY: usize = 32;

/// What numbers are sealed with. Cheap to clone.
#[derive(Clone)]
pub struct Handles {
    seal: LessSafeKey,
    nonces: hmac::Key,
}

impl Handles {
    /// The key in this file, for its owner only; made where there is none. Blocks on the disk.
    ///
    /// # Errors
    /// When it can't be read or made.
    pub fn open(path: &Path) -> io::Result<Self> {
        match fs::File::open(path) {
            Ok(file) => {
                let mut key = Vec::new();
                file.take(KEY as u64 + 1).read_to_end(&mut key)?;
                let key: [u8; KEY] = key
                    .try_into()
                    .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it does not hold 32 octets: remove it"))?;
                Ok(Self::of(&key))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(path),
            Err(error) => Err(error),
        }
    }

    fn make(path: &Path) -> io::Result<Self> {
        let mut key = [0; KEY];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        // Whole or not at all: half a key would be refused at every later start.
        let new = path.with_extension("key.new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(&key)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        Ok(Self::of(&key))
    }

    /// A key of its own, which ends with the process.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn passing() -> io::Result<Self> {
        let mut key = [0; KEY];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        Ok(Self::of(&key))
    }

    fn of(key: &[u8; KEY]) -> Self {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"afterring console").extract(key);
        let mut nonces = [0; KEY];
        // Two keys of one: each is as long as HKDF gives in one step, so that none of these can fail.
        let seal = root.expand(&[b"seal"], &CHACHA20_POLY1305).map(UnboundKey::from);
        let filled = root.expand(&[b"nonce"], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut nonces));
        match (seal, filled) {
            (Ok(seal), Ok(())) => {
                Self { seal: LessSafeKey::new(seal), nonces: hmac::Key::new(hmac::HMAC_SHA256, &nonces) }
            }
            _ => unreachable!("HKDF gives 32 octets"),
        }
    }

    /// The name of a number: always the same one, so that an address can be kept and found again. Its nonce is made of the number, so that no two
    /// numbers share one.
    #[must_use]
    pub fn seal(&self, number: Msisdn) -> String {
        let plain = number.as_u64().to_be_bytes();
        let tag = hmac::sign(&self.nonces, &plain);
        let mut nonce = [0; NONCE_LEN];
        nonce.iter_mut().zip(tag.as_ref()).for_each(|(octet, made)| *octet = *made);
        let mut sealed = plain.to_vec();
        let done = self.seal.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed);
        debug_assert!(done.is_ok(), "eight octets are not too many");
        URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat())
    }

    /// The number of a name; `None` where it is none of ours.
    #[must_use]
    pub fn open_handle(&self, handle: &str) -> Option<Msisdn> {
        let octets = URL_SAFE_NO_PAD.decode(handle).ok()?;
        let (nonce, sealed) = octets.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let plain = self.seal.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?;
        Msisdn::try_from(u64::from_be_bytes(plain.try_into().ok()?)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_handle_names_its_number_and_hides_it_and_can_not_be_made_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.key");
        let handles = Handles::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let number = Msisdn::try_from(8_613_800_000_001).unwrap();
        let handle = handles.seal(number);
        assert!(handle.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{handle}");
        assert_eq!(handles.open_handle(&handle), Some(number));
        assert_eq!(Handles::open(&path).unwrap().seal(number), handle, "after a restart it is the same");
        assert_ne!(handles.seal(Msisdn::try_from(8_613_800_000_002).unwrap()), handle);
        for place in 0..handle.len() {
            let mut other = handle.clone().into_bytes();
            other[place] = if other[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(handles.open_handle(std::str::from_utf8(&other).unwrap()), None, "{place}");
        }
        for none in ["", "x", "8613800000001", &handle[..20]] {
            assert_eq!(handles.open_handle(none), None);
        }
        assert_eq!(Handles::passing().unwrap().open_handle(&handle), None);
        fs::write(&path, "short").unwrap();
        assert!(Handles::open(&path).is_err());
    }
}
