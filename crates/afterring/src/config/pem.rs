//! Files in PEM form: whether they can be read, and hold what they should. They are read anew when they are used; a typing error is better told at the start.

use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::fault::Problems;
use super::reader::Reader;

/// The file that a setting names, once it was looked into; `None`: it names none.
pub(super) fn file(reader: &mut Reader, path: &str, check: fn(&Path) -> Result<(), String>) -> Option<Option<PathBuf>> {
    reader.text(path, |text| match text {
        "" => Ok(None),
        text => check(Path::new(text)).map(|()| Some(PathBuf::from(text))).map_err(Problems::from),
    })
}

/// Looks whether a file holds certificates.
pub(super) fn certificates(path: &Path) -> Result<(), String> {
    let every = CertificateDer::pem_file_iter(path).and_then(|found| found.collect::<Result<Vec<_>, _>>());
    match every {
        Ok(found) if found.is_empty() => Err(problem(path, "certificate", &pem::Error::NoItemsFound)),
        Ok(_) => Ok(()),
        Err(error) => Err(problem(path, "certificate", &error)),
    }
}

/// Looks whether a file holds a private key.
pub(super) fn key(path: &Path) -> Result<(), String> {
    PrivateKeyDer::from_pem_file(path).map(drop).map_err(|error| problem(path, "private key", &error))
}

fn problem(path: &Path, what: &str, error: &pem::Error) -> String {
    let path: String = path.display().to_string().chars().filter(|c| !c.is_control()).collect();
    match error {
        pem::Error::Io(error) => format!("{path} can't be read: {error}"),
        pem::Error::NoItemsFound => format!("no {what} in PEM form is in {path}"),
        error => format!("{path} is not PEM: {error}"),
    }
}
