//! TLS of a link: the parameters, and whether the files they name can be used.

use std::path::PathBuf;

use rustls::pki_types::ServerName;
use smpp_client::TlsSettings;

use super::given::Given;
use crate::config::pem;

const PARAMETERS: [&str; 4] = ["tls_ca", "tls_cert", "tls_key", "tls_name"];

/// What a URL says of TLS; `host` is whom it leads to.
pub(super) fn read(given: &mut Given<'_>, tls: bool, host: &str) -> Option<TlsSettings> {
    if !tls {
        let useless = PARAMETERS.into_iter().filter(|name| given.has(name));
        let problems: Vec<String> = useless.map(|name| format!("{name} needs smpps://")).collect();
        given.problems.extend(problems);
        return None;
    }
    let [ca, certificate, key, server_name] =
        PARAMETERS.map(|name| Some(given.text(name)).filter(|text| !text.is_empty()));
    match (&certificate, &key) {
        (Some(_), None) => given.problems.push("tls_cert without tls_key".to_owned()),
        (None, Some(_)) => given.problems.push("tls_key without tls_cert".to_owned()),
        (Some(_), Some(_)) | (None, None) => {}
    }
    if ServerName::try_from(server_name.as_deref().unwrap_or(host)).is_err() {
        given.problems.push("no certificate can have this name: give tls_name a host name or an address".to_owned());
    }
    Some(TlsSettings {
        ca: ca.map(PathBuf::from),
        certificate: certificate.map(PathBuf::from),
        key: key.map(PathBuf::from),
        server_name,
    })
}

/// What is wrong with the files: they are read anew for each connection, and a typing error is better told at the start.
pub(super) fn check(tls: &TlsSettings, host: &str) -> Vec<String> {
    let certificates = [("tls_ca", &tls.ca), ("tls_cert", &tls.certificate)]
        .into_iter()
        .filter_map(|(name, path)| pem::certificates(path.as_ref()?).err().map(|problem| format!("{name}: {problem}")));
    let key = tls.key.iter().filter_map(|path| pem::key(path).err().map(|problem| format!("tls_key: {problem}")));
    let problems: Vec<String> = certificates.chain(key).collect();
    if !problems.is_empty() {
        return problems;
    }
    // Each can be read: whether they can be used together, the link knows.
    tls.check(host).err().map(|error| error.to_string()).into_iter().collect()
}
