//! One call as written in JSON, and how it is checked field by field.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use model::{CallId, Caller, MissedCall, Msisdn, NumberError, Numbering, Reason, ShortNumber, Source, Timestamp};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::Refusal;
use crate::caller::{read_caller, read_service_number};

/// The value of a field, borrowed from the body where it has no escapes. Nested values are passed over, not kept.
#[derive(Debug, Default)]
pub(super) enum Scalar<'a> {
    #[default]
    Absent,
    Null,
    Text(Cow<'a, str>),
    Bool(bool),
    /// Something that no field takes; the word for it.
    Other(&'static str),
}

/// A JSON value where a call is expected. Reading it fails only when the JSON itself is broken: what is wrong with a
/// field is found by [`Element::check`], so that each fault has its own words and costs no other call.
#[derive(Debug)]
pub(super) enum Element<'a> {
    Object(Fields<'a>),
    Other(&'static str),
}

/// The fields of a call, as written.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    id: Scalar<'a>,
    caller: Scalar<'a>,
    withheld: Scalar<'a>,
    called: Scalar<'a>,
    at: Scalar<'a>,
    reason: Scalar<'a>,
    service_number: Scalar<'a>,
    stray: Option<Stray>,
}

/// The first field that should not be there.
#[derive(Debug)]
enum Stray {
    Unknown(String),
    Repeated(String),
}

/// Why a call is refused: the reason that is counted, and the sentence for whoever sent it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) refusal: Refusal,
    pub(super) text: String,
}

/// What the fields are checked against.
pub(super) struct Rules<'a> {
    pub(super) numbering: &'a Numbering,
    pub(super) now: Timestamp,
    pub(super) future_limit: Duration,
    pub(super) past_limit: Duration,
}

const FIELDS: &str = "id, caller, withheld, called, at, reason, service_number";

/// Characters of a foreign name that an answer repeats.
const QUOTED: usize = 40;

impl<'a> Element<'a> {
    /// The id as written, for the answer; `None` when there is none or it isn't text.
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::Object(Fields { id: Scalar::Text(text), .. }) => Some(text),
            Self::Object(_) | Self::Other(_) => None,
        }
    }

    /// Makes a call of it.
    pub(super) fn check(&self, rules: &Rules<'_>) -> Result<MissedCall, Fault> {
        let fields = match self {
            Self::Object(fields) => fields,
            Self::Other(kind) => return fault(Refusal::Unreadable, format!("a call is a JSON object, not {kind}")),
        };
        match &fields.stray {
            Some(Stray::Unknown(name)) => {
                return fault(Refusal::UnknownField, format!("unknown field {name:?}: the fields are {FIELDS}"));
            }
            Some(Stray::Repeated(name)) => {
                return fault(Refusal::UnknownField, format!("{name} is given twice"));
            }
            None => {}
        }
        Ok(MissedCall {
            id: fields.id()?,
            called: fields.called(rules.numbering)?,
            caller: fields.caller(rules.numbering)?,
            at: fields.at(rules)?,
            reason: fields.reason()?,
            service_number: fields.service_number(rules.numbering)?,
            source: Source::Http,
        })
    }
}

impl<'a> Fields<'a> {
    fn id(&self) -> Result<CallId, Fault> {
        let refused = |text: &str| fault(Refusal::BadId, text.to_owned());
        match &self.id {
            Scalar::Text(text) => CallId::parse(text).or_else(|why| refused(&format!("id: {why}"))),
            Scalar::Absent | Scalar::Null => {
                refused("id is missing: give each call a name of its own, so that a retry isn't a second call")
            }
            Scalar::Bool(_) | Scalar::Other(_) => refused(&format!("id must be text, not {}", self.id.kind())),
        }
    }

    fn called(&self, numbering: &Numbering) -> Result<Msisdn, Fault> {
        match &self.called {
            Scalar::Text(text) => numbering.normalise(text).or_else(|why| match why {
                NumberError::Empty => {
                    fault(Refusal::NoCalled, "called is empty: it is the number that missed the call".to_owned())
                }
                NumberError::NotDigits | NumberError::TooShort | NumberError::TooLong | NumberError::LeadingZero => {
                    fault(Refusal::CalledOutsidePlan, format!("called: {why}"))
                }
            }),
            Scalar::Absent | Scalar::Null => {
                fault(Refusal::NoCalled, "called is missing: it is the number that missed the call".to_owned())
            }
            Scalar::Bool(_) | Scalar::Other(_) => fault(
                Refusal::CalledOutsidePlan,
                format!("called must be text such as \"+8613800000001\", not {}", self.called.kind()),
            ),
        }
    }

    fn caller(&self, numbering: &Numbering) -> Result<Caller, Fault> {
        match &self.withheld {
            // The number of a caller who withheld it is not even looked at.
            Scalar::Bool(true) => return Ok(Caller::Withheld),
            Scalar::Bool(false) | Scalar::Null | Scalar::Absent => {}
            Scalar::Text(_) | Scalar::Other(_) => {
                return fault(
                    Refusal::BadWithheld,
                    format!("withheld must be true or false, not {}", self.withheld.kind()),
                );
            }
        }
        match &self.caller {
            Scalar::Absent | Scalar::Null => Ok(Caller::Unknown),
            Scalar::Text(text) if text.trim().is_empty() => Ok(Caller::Unknown),
            Scalar::Text(text) => read_caller(text, numbering).or_else(|why| {
                fault(
                    Refusal::BadCaller,
                    format!("caller: {why}; null when it isn't known, \"withheld\": true when it is hidden"),
                )
            }),
            Scalar::Bool(_) | Scalar::Other(_) => fault(
                Refusal::BadCaller,
                format!("caller must be text such as \"+8613911112222\" or null, not {}", self.caller.kind()),
            ),
        }
    }

    fn at(&self, rules: &Rules<'_>) -> Result<Timestamp, Fault> {
        let at = match &self.at {
            Scalar::Absent | Scalar::Null => return Ok(rules.now),
            Scalar::Text(text) => {
                Timestamp::parse(text).or_else(|why| fault(Refusal::BadTime, format!("at: {why}")))?
            }
            Scalar::Bool(_) | Scalar::Other(_) => {
                return fault(
                    Refusal::BadTime,
                    format!("at must be text such as \"2026-11-23T08:00:00Z\", not {}", self.at.kind()),
                );
            }
        };
        let (ahead, ago) = (at.since(rules.now), rules.now.since(at));
        if ahead > rules.future_limit {
            let text = format!(
                "at is {} s ahead of this gateway's clock ({}); at most {} s are allowed: check the clocks and the time zone",
                ahead.as_secs(),
                rules.now,
                rules.future_limit.as_secs()
            );
            return fault(Refusal::InTheFuture, text);
        }
        if ago > rules.past_limit {
            let text = format!("at is {} s ago; at most {} s are allowed", ago.as_secs(), rules.past_limit.as_secs());
            return fault(Refusal::TooOld, text);
        }
        Ok(at)
    }

    fn reason(&self) -> Result<Reason, Fault> {
        let words = || Reason::ALL.map(Reason::as_str).join(", ");
        match &self.reason {
            Scalar::Absent | Scalar::Null => Ok(Reason::Unknown),
            Scalar::Text(text) => match Reason::parse(text) {
                Some(reason) => Ok(reason),
                None => {
                    fault(Refusal::BadReason, format!("unknown reason {:?}: it is one of {}", quoted(text), words()))
                }
            },
            Scalar::Bool(_) | Scalar::Other(_) => {
                fault(Refusal::BadReason, format!("reason must be one of {}, not {}", words(), self.reason.kind()))
            }
        }
    }

    fn service_number(&self, numbering: &Numbering) -> Result<Option<ShortNumber>, Fault> {
        match &self.service_number {
            Scalar::Absent | Scalar::Null => Ok(None),
            Scalar::Text(text) => match ShortNumber::parse(text.strip_prefix('+').unwrap_or(text))
                .and_then(|_| read_service_number(text, numbering))
            {
                Ok(number) => Ok(Some(number)),
                Err(_) => {
                    fault(Refusal::BadServiceNumber, "service_number: 1 to 15 digits such as \"12599\"".to_owned())
                }
            },
            Scalar::Bool(_) | Scalar::Other(_) => fault(
                Refusal::BadServiceNumber,
                format!("service_number must be text such as \"12599\", not {}", self.service_number.kind()),
            ),
        }
    }
}

fn fault<T>(refusal: Refusal, text: String) -> Result<T, Fault> {
    Err(Fault { refusal, text })
}

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED).collect()
}

impl Scalar<'_> {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Absent => "nothing",
            Self::Null => "null",
            Self::Text(_) => "text",
            Self::Bool(_) => "true or false",
            Self::Other(kind) => kind,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(value))
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Other("a number"))
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Other("a number"))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Other("a number"))
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other("an array"))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other("an object"))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Element<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ElementVisitor)
    }
}

struct ElementVisitor;

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = Element<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a call")
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Element::Other("null"))
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Element::Other("true or false"))
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Element::Other("a number"))
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Element::Other("a number"))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Element::Other("a number"))
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Element::Other("text"))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Element::Other("an array"))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        while let Some(Key(name)) = entries.next_key::<Key<'de>>()? {
            let value = entries.next_value::<Scalar<'de>>()?;
            let place = match &*name {
                "id" => &mut fields.id,
                "caller" => &mut fields.caller,
                "withheld" => &mut fields.withheld,
                "called" => &mut fields.called,
                "at" => &mut fields.at,
                "reason" => &mut fields.reason,
                "service_number" => &mut fields.service_number,
                other => {
                    fields.stray.get_or_insert_with(|| Stray::Unknown(quoted(other)));
                    continue;
                }
            };
            if !matches!(place, Scalar::Absent) {
                fields.stray.get_or_insert_with(|| Stray::Repeated(name.into_owned()));
            }
            *place = value;
        }
        Ok(Element::Object(fields))
    }
}

/// A field name, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}
