//! Who may come in by HTTP: listeners, their tokens, users, and a proxy that vouches for people.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::http::HeaderName;
use console::access::{AccessSettings, Local, Network, Proxy, Role, Scope, Users, check_name};
use ingress::tls::{TlsError, TlsFiles};
use model::Secret;

use super::fault::Problems;
use super::form;
use super::layer::Raw;
use super::pem;
use super::reader::Reader;
use super::{Listener, StoreSettings};

/// A listener and its token.
pub(super) fn listener(reader: &mut Reader, section: &str) -> Option<Listener> {
    let listen = reader.text(&format!("{section}.listen"), form::listen);
    let token = reader.take(&format!("{section}.token"), secret);
    let tls = tls(reader, section);
    Some(Listener { listen: listen?, token: token?, tls: tls? })
}

/// The files of a listener with TLS; `None`: it speaks in the clear.
fn tls(reader: &mut Reader, section: &str) -> Option<Option<TlsFiles>> {
    let [certificate_path, key_path, ca_path] =
        ["tls_certificate", "tls_key", "tls_client_ca"].map(|key| format!("{section}.{key}"));
    let certificate = pem::file(reader, &certificate_path, pem::certificates);
    let key = pem::file(reader, &key_path, pem::key);
    // People have no certificates of their own; feeds may.
    let client_ca = if section == "http" { pem::file(reader, &ca_path, pem::certificates) } else { Some(None) };
    let (certificate, key, client_ca) = (certificate?, key?, client_ca?);
    let (certificate, key) = match (certificate, key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) if client_ca.is_none() => return Some(None),
        (None, _) => {
            reader.fault(&certificate_path, "missing: the others of TLS are of no use without it".to_owned());
            return None;
        }
        (Some(_), None) => {
            reader.fault(&key_path, "missing: the certificate needs its key".to_owned());
            return None;
        }
    };
    let files = TlsFiles { certificate, key, client_ca };
    match files.check() {
        Ok(()) => Some(Some(files)),
        Err(error) => {
            let of_ca = matches!(&error, TlsError::File { path, .. } if files.client_ca.as_ref() == Some(path));
            let path = if of_ca { ca_path } else { key_path };
            reader.fault(&path, error.to_string());
            None
        }
    }
}

/// Where users and tokens are.
pub(super) fn users_file(reader: &mut Reader, store: Option<&StoreSettings>) -> Option<PathBuf> {
    let given = reader.text("admin.users", |text| Ok((!text.is_empty()).then(|| PathBuf::from(text))))?;
    given.or_else(|| store.map(|store| store.dir.join("users.json")))
}

/// Who is let in. Only a listener that nobody else can reach may let in whoever comes.
pub(super) fn access(
    reader: &mut Reader,
    store: Option<&StoreSettings>,
    admin: Option<&Listener>,
    http: Option<&Listener>,
) -> Option<AccessSettings> {
    let file = users_file(reader, store);
    let first_admin = first_admin(reader);
    let proxy = proxy(reader);
    let (file, first_admin, proxy, admin) = (file?, first_admin?, proxy?, admin?);
    let users = match Users::read(&file) {
        Ok(users) => users,
        Err(error) => {
            reader.fault("admin.users", error.to_string());
            return None;
        }
    };
    let guarded = admin.token.is_some()
        || first_admin.is_some()
        || proxy.is_some()
        || !users.users.is_empty()
        || users.tokens.iter().any(|token| token.scope != Scope::Ingest);
    let open_to = |listener: &Listener| listener.listen.filter(|listen| !form::is_local(*listen));
    if let Some(listen) = open_to(admin).filter(|_| !guarded) {
        let help = "add a user ('afterring users add NAME --role admin'), or set admin.token or admin.proxy_header";
        reader.fault("admin.token", unguarded("admin", listen, help));
    }
    let reported =
        http.is_none_or(|http| http.token.is_some()) || users.tokens.iter().any(|token| token.scope == Scope::Ingest);
    if let Some(listen) = http.and_then(open_to).filter(|_| !reported) {
        let help = "make a token ('afterring tokens add NAME --scope ingest'), or set http.token";
        reader.fault("http.token", unguarded("http", listen, help));
    }
    Some(AccessSettings {
        users: Some(file),
        admin_token: admin.token.clone(),
        first_admin,
        proxy,
        local: if open_to(admin).is_some() { Local::Nobody } else { Local::Loopback },
        secure: admin.tls.is_some(),
    })
}

fn unguarded(section: &str, listen: SocketAddr, help: &str) -> String {
    format!("missing: {section}.listen is {listen}, which other machines can reach: {help}")
}

/// An administrator who is in no file, for containers that start with nothing.
fn first_admin(reader: &mut Reader) -> Option<Option<(String, Secret)>> {
    let name = reader.text("admin.user", |text| match text {
        "" => Ok(None),
        text => check_name(text).map(|()| Some(text.to_owned())).map_err(Problems::from),
    });
    let password = reader.take("admin.password", password);
    match (name?, password?) {
        (Some(name), Some(password)) => Some(Some((name, password))),
        (None, None) => Some(None),
        (Some(_), None) => {
            reader.fault("admin.password", "missing: admin.user needs one".to_owned());
            None
        }
        (None, Some(_)) => {
            reader.fault("admin.user", "missing: admin.password is of nobody".to_owned());
            None
        }
    }
}

fn proxy(reader: &mut Reader) -> Option<Option<Proxy>> {
    let name = reader.text("admin.proxy_header", header);
    let role_header = reader.text("admin.proxy_role_header", header);
    let role = reader.text("admin.proxy_role", |text| form::choice(text, &Role::ALL.map(|role| (role.as_str(), role))));
    let from = reader.take("admin.proxy_from", |raw| {
        let mut problems = Vec::new();
        let mut networks = Vec::new();
        for item in form::list(raw, ',') {
            match Network::parse(item) {
                Ok(network) => networks.push(network),
                Err(problem) => problems.push(format!("{item:?}: {problem}")),
            }
        }
        if problems.is_empty() { Ok(networks) } else { Err(Problems(problems)) }
    });
    let (name, role_header, role, from) = (name?, role_header?, role?, from?);
    let Some(name) = name else {
        if role_header.is_some() {
            reader.fault("admin.proxy_role_header", "useless without admin.proxy_header".to_owned());
            return None;
        }
        return Some(None);
    };
    if from.is_empty() {
        reader.fault("admin.proxy_from", "missing: nobody would be believed".to_owned());
        return None;
    }
    Some(Some(Proxy { name, role_header, role, from }))
}

fn header(text: &str) -> Result<Option<HeaderName>, Problems> {
    match text {
        "" => Ok(None),
        text => HeaderName::try_from(text).map(Some).map_err(|_| "not the name of a header".into()),
    }
}

fn password(raw: &Raw) -> Result<Option<Secret>, Problems> {
    match form::text(raw)? {
        "" => Ok(None),
        text if text.chars().count() < 8 => Err("has less than 8 characters".into()),
        text => Ok(Some(Secret::new(text.to_owned()))),
    }
}

fn secret(raw: &Raw) -> Result<Option<Secret>, Problems> {
    match raw {
        Raw::List(_) => Err("one value, not a list".into()),
        Raw::Text(text) if text.is_empty() => Ok(None),
        Raw::Text(text) if text.bytes().all(|b| b.is_ascii_graphic()) => Ok(Some(Secret::new(text.clone()))),
        Raw::Text(_) => Err("holds something other than visible ASCII characters, which no header can carry".into()),
    }
}
