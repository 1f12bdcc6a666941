//! Where lists and people are asked for: the database where there is one, else the local store, and where a gateway runs on that, the gateway.

use std::time::Duration;

use model::{Msisdn, Numbering, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use routing::List;
use serde_json::Value;
use store::{Bulk, Embedded, EmbeddedSettings, ListEntry, Person, Store as _, StoreError};

use super::registry::{Act, Trouble};
use crate::cli::http::{Answer, NoAnswer, Peer};
use crate::config::{self, Contact, Sources};

/// Entries read at once.
const PAGE: usize = 1_000;

/// How long the gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The place, open.
pub(super) enum Desk {
    Database(Box<Bulk>),
    Store(Embedded),
    Gateway(Box<Peer>),
}

type Done<T> = Result<T, Trouble>;

impl Desk {
    pub(super) async fn open(settings: &config::Registry, sources: &Sources, now: Timestamp, act: Act) -> Done<Self> {
        if let Some(database) = &settings.database {
            return Ok(Self::Database(Box::new(Bulk::connect(database).await?)));
        }
        let (dir, retention) = (settings.store.dir.clone(), settings.store.retention);
        if act == Act::Compare && !dir.exists() {
            return Err(Trouble::NoStore(dir));
        }
        let store = EmbeddedSettings { retention, ..EmbeddedSettings::new(dir, retention.calls) };
        match Embedded::open(store, now) {
            Ok(store) => Ok(Self::Store(store)),
            Err(StoreError::InUse(_)) => {
                let contact = Contact::load(sources).map_err(|faults| Trouble::Gateway(faults.to_string()))?;
                Ok(Self::Gateway(Box::new(Peer::new(&contact.admin, PATIENCE).map_err(silent)?)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Puts numbers on a list; how many were not on it.
    pub(super) async fn put(&mut self, list: List, numbers: &[Msisdn], source: &str, at: Timestamp) -> Done<u64> {
        let entry = |number: &Msisdn| ListEntry { number: *number, list, source: source.to_owned(), at };
        match self {
            Self::Database(bulk) => Ok(bulk.put_listed(&numbers.iter().map(entry).collect::<Vec<_>>()).await?),
            Self::Store(store) => Ok(store.put_listed(numbers.iter().map(entry).collect()).await?),
            Self::Gateway(peer) => {
                let mut new = 0;
                for number in numbers {
                    new += u64::from(expected(peer.put(&entry_path(list, *number)), &[200, 201])?.status == 201);
                }
                Ok(new)
            }
        }
    }

    /// Takes a number off a list; whether it was on it.
    pub(super) async fn remove(&mut self, list: List, number: Msisdn) -> Done<bool> {
        match self {
            Self::Database(bulk) => Ok(bulk.delete_listed(list, number).await?),
            Self::Store(store) => Ok(store.delete_listed(list, number).await?),
            Self::Gateway(peer) => Ok(expected(peer.delete(&entry_path(list, number)), &[204, 404])?.status == 204),
        }
    }

    /// The entries of a number.
    pub(super) async fn entries_of(&mut self, number: Msisdn) -> Done<Vec<ListEntry>> {
        match self {
            Self::Database(bulk) => Ok(bulk.entries_of(number).await?),
            Self::Store(store) => Ok(store.entries_of(number).await?),
            Self::Gateway(peer) => {
                let mut entries = Vec::new();
                for list in List::ALL {
                    let answer = expected(peer.get(&entry_path(list, number)), &[200, 404])?;
                    if answer.status == 200 {
                        entries.extend(entry(&read(&answer)?));
                    }
                }
                Ok(entries)
            }
        }
    }

    /// The next entries of a list.
    pub(super) async fn page(&mut self, list: List, after: Option<Msisdn>) -> Done<Vec<ListEntry>> {
        match self {
            Self::Database(bulk) => Ok(bulk.list(list, after, PAGE).await?),
            Self::Store(store) => Ok(store.list(list, after, PAGE).await?),
            Self::Gateway(peer) => {
                let from = after.map_or_else(String::new, |number| format!("?after=%2B{}", number.reveal()));
                let answer = expected(peer.get(&format!("/v1/lists/{}{from}", list.as_str())), &[200])?;
                Ok(read(&answer)?["entries"].as_array().into_iter().flatten().filter_map(entry).collect())
            }
        }
    }

    /// Everything that is known of a person, as JSON; `None`: nothing.
    pub(super) async fn person(&mut self, number: Msisdn) -> Done<Option<Value>> {
        let person: Person = match self {
            Self::Database(bulk) => bulk.person(number).await?,
            Self::Store(store) => store.person(number).await?,
            Self::Gateway(peer) => {
                let answer = expected(peer.get(&person_path(number)), &[200, 404])?;
                return if answer.status == 404 { Ok(None) } else { read(&answer).map(Some) };
            }
        };
        Ok(if person.is_nobody() { None } else { Some(json(&person)?) })
    }

    /// Forgets a person; what went and what stays, as JSON.
    pub(super) async fn erase(&mut self, number: Msisdn, reason: &str, now: Timestamp) -> Done<Value> {
        match self {
            Self::Database(bulk) => json(&bulk.erase(number, reason).await?),
            Self::Store(store) => json(&store.erase(number, reason, now).await?),
            Self::Gateway(peer) => {
                let reason = utf8_percent_encode(reason, NON_ALPHANUMERIC);
                read(&expected(peer.delete(&format!("{}?reason={reason}", person_path(number))), &[200])?)
            }
        }
    }

    pub(super) async fn close(self) {
        match self {
            Self::Database(_) | Self::Gateway(_) => {}
            Self::Store(store) => store.close().await,
        }
    }
}

fn json<T: serde::Serialize>(value: &T) -> Done<Value> {
    serde_json::to_value(value).map_err(|error| Trouble::Gateway(error.to_string()))
}

fn entry_path(list: List, number: Msisdn) -> String {
    format!("/v1/lists/{}/%2B{}", list.as_str(), number.reveal())
}

fn person_path(number: Msisdn) -> String {
    format!("/v1/people/%2B{}", number.reveal())
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err asks for")]
fn silent(none: NoAnswer) -> Trouble {
    Trouble::Gateway(format!("a gateway runs on the local store, and can't be asked: admin: {none}"))
}

fn expected(answer: Result<Answer, NoAnswer>, statuses: &[u16]) -> Done<Answer> {
    let answer = answer.map_err(silent)?;
    if statuses.contains(&answer.status) {
        return Ok(answer);
    }
    Err(Trouble::Gateway(format!("the gateway says {}: {}", answer.status, answer.body.trim_end())))
}

fn read(answer: &Answer) -> Done<Value> {
    serde_json::from_str(&answer.body).map_err(|error| Trouble::Gateway(format!("the gateway's answer: {error}")))
}

fn entry(value: &Value) -> Option<ListEntry> {
    let number = Numbering::new("", "", "").normalise(value["number"].as_str()?).ok()?;
    let list = List::parse(value["list"].as_str()?)?;
    let at = Timestamp::parse(value["at"].as_str()?).ok()?;
    Some(ListEntry { number, list, source: value["source"].as_str()?.to_owned(), at })
}
