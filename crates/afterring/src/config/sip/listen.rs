//! Where the SIP door listens, and what its `tls` listeners show.

use ingress::sip::{Listen, TlsError, TlsFiles, Transport};

use super::all;
use crate::config::fault::Problems;
use crate::config::layer::Raw;
use crate::config::reader::Reader;
use crate::config::{form, pem};

/// Addresses to listen on.
pub(super) fn listens(raw: &Raw) -> Result<Vec<Listen>, Problems> {
    let listens = all(form::list(raw, ','), |item| one(item).map_err(|problem| format!("{item:?}: {problem}").into()))?;
    let twice =
        listens.iter().enumerate().filter(|(place, listen)| listens.iter().take(*place).any(|it| clash(it, listen)));
    let problems: Vec<String> = twice.map(|(_, listen)| format!("{listen} is taken by a listener before it")).collect();
    if problems.is_empty() { Ok(listens) } else { Err(Problems(problems)) }
}

fn one(item: &str) -> Result<Listen, String> {
    let known = Transport::ALL.map(|transport| format!("{}://", transport.as_str())).join(", ");
    let (transport, address) = item
        .split_once("://")
        .and_then(|(word, address)| Some((Transport::ALL.into_iter().find(|it| it.as_str() == word)?, address)))
        .ok_or_else(|| format!("does not begin with one of {known}"))?;
    match form::listen(address) {
        Ok(Some(address)) => Ok(Listen { transport, address }),
        Ok(None) => Err(format!("no address behind {}://", transport.as_str())),
        Err(Problems(problems)) => Err(problems.join("; ")),
    }
}

/// TCP and TLS are one to the system; port 0 is another port each time.
fn clash(one: &Listen, other: &Listen) -> bool {
    let datagrams = |listen: &Listen| listen.transport == Transport::Udp;
    one.address == other.address && one.address.port() != 0 && datagrams(one) == datagrams(other)
}

/// The files of `tls` listeners.
pub(super) fn tls(reader: &mut Reader, listens: Option<&[Listen]>) -> Option<Option<TlsFiles>> {
    let certificate = pem::file(reader, "sip.tls_certificate", pem::certificates);
    let key = pem::file(reader, "sip.tls_key", pem::key);
    let client_ca = pem::file(reader, "sip.tls_client_ca", pem::certificates);
    let (certificate, key, client_ca) = (certificate?, key?, client_ca?);
    let listen = listens?.iter().find(|listen| listen.transport == Transport::Tls);
    let missing = |path: &str| {
        format!("missing: {} is TLS, which needs {path}", listen.map_or_else(String::new, ToString::to_string))
    };
    let problem = match (listen, &certificate, &key) {
        (Some(_), None, _) => Some(("sip.tls_certificate", missing("a certificate"))),
        (Some(_), Some(_), None) => Some(("sip.tls_key", missing("the certificate's key"))),
        (None, Some(_), _) => Some(("sip.tls_certificate", USELESS.to_owned())),
        (None, None, Some(_)) => Some(("sip.tls_key", USELESS.to_owned())),
        (None, None, None) if client_ca.is_some() => Some(("sip.tls_client_ca", USELESS.to_owned())),
        (Some(_), Some(_), Some(_)) | (None, None, None) => None,
    };
    if let Some((path, problem)) = problem {
        reader.fault(path, problem);
        return None;
    }
    let Some((certificate, key)) = certificate.zip(key) else { return Some(None) };
    let files = TlsFiles { certificate, key, client_ca };
    // Each can be read: whether they can be used together, the door knows.
    match files.check() {
        Ok(()) => Some(Some(files)),
        Err(error) => {
            reader.fault(at(&files, &error), error.to_string());
            None
        }
    }
}

/// The key of the setting that an error is about.
fn at(files: &TlsFiles, error: &TlsError) -> &'static str {
    match error {
        TlsError::File { path, .. } if files.client_ca.as_ref() == Some(path) => "sip.tls_client_ca",
        TlsError::File { .. } | TlsError::Missing => "sip.tls_certificate",
        TlsError::Pair { .. } => "sip.tls_key",
    }
}

const USELESS: &str = "nothing listens by TLS: add tls://address:5061 to sip.listen, or leave this out";
