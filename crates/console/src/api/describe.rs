//! The API's description, in OpenAPI: what the routes say of themselves, and what is so of all of them.

use std::collections::BTreeMap;

use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{Components, ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, InfoBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoParams, PartialSchema as _, ToSchema};

use crate::Permission;

const ABOUT: &str = "What operators ask of the gateway. Faults are `{\"error\":\"…\"}`. Times are RFC 3339 in UTC. Numbers are in international form \
                     with `+`; in a request they may be written as people write them. See docs/api.md.";

/// Why something was not done.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the description's form of what Refusal writes")]
pub(crate) struct Fault {
    /// Whose fault it is and what to do, in a sentence.
    #[schema(example = "'number': the number is not of digits")]
    error: String,
}

/// Whose.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "the description of a part of a path")]
pub(crate) struct Number {
    /// A phone number: best in international form with `+`; as your network writes it is fine too.
    #[param(example = "+8613800000001", pattern = r"^\+[1-9][0-9]{7,14}$")]
    number: String,
}

/// Why, where a call has no body that says it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the description of a header")]
pub(crate) struct Because {
    /// Why, for the audit log: 1 to 200 characters in one line, in UTF-8; anything else is passed over.
    #[param(rename = "x-reason", example = "ticket 42")]
    reason: Option<String>,
}

/// What is the matter, where somebody may ask but isn't answered as wished.
struct Common {
    status: &'static str,
    name: &'static str,
    says: &'static str,
    header: Option<(&'static str, &'static str)>,
    of: fn(&Operation) -> bool,
}

/// What may be answered to many calls alike.
const COMMON: [Common; 7] = [
    Common {
        status: "400",
        name: "Unread",
        says: "The path, the query or the body can't be read, or says what can't be.",
        header: None,
        of: |call| call.parameters.is_some() || call.request_body.is_some(),
    },
    Common {
        status: "401",
        name: "Unknown",
        says: "Nobody known asks: show a token, or sign in.",
        header: Some(("WWW-Authenticate", "How to say who you are.")),
        of: |_| true,
    },
    Common {
        status: "403",
        name: "Forbidden",
        says: "Who asks may not do this, or a page of another site asks.",
        header: None,
        of: |_| true,
    },
    Common {
        status: "404",
        name: "NotThere",
        says: "There is no such thing, or nothing is known of it.",
        header: None,
        of: |call| {
            let mut parameters = call.parameters.iter().flatten();
            parameters.any(|parameter| matches!(parameter, RefOr::T(named) if is_in_path(named)))
        },
    },
    Common {
        status: "408",
        name: "TooSlow",
        says: "The body took longer than half a minute to arrive.",
        header: None,
        of: |call| call.request_body.is_some(),
    },
    Common {
        status: "413",
        name: "TooLarge",
        says: "The body is larger than 16 KiB.",
        header: None,
        of: |call| call.request_body.is_some(),
    },
    Common {
        status: "503",
        name: "Unavailable",
        says: "It can't be answered now: the store, the log of who did what, or the whole gateway is busy or stopping. Ask again.",
        header: Some(("Retry-After", "After so many seconds.")),
        of: |_| true,
    },
];

fn is_in_path(parameter: &utoipa::openapi::path::Parameter) -> bool {
    parameter.parameter_in == utoipa::openapi::path::ParameterIn::Path
}

/// The whole description, from what the routes say of themselves.
pub(crate) fn document(mut api: OpenApi) -> OpenApi {
    let version = env!("CARGO_PKG_VERSION");
    api.info = InfoBuilder::new().title("Afterring").version(version).description(Some(ABOUT)).build();
    api.security = Some(vec![named("bearer"), named("session")]);
    let components = api.components.get_or_insert_with(Components::new);
    components.schemas.insert(Fault::name().into_owned(), Fault::schema());
    components.responses.extend(COMMON.iter().map(|common| (common.name.to_owned(), response(common).into())));
    components.security_schemes = schemes();
    for (path, item) in &mut api.paths.paths {
        for (method, call) in calls(item) {
            complete(path, method, call);
        }
    }
    api
}

fn named(scheme: &str) -> SecurityRequirement {
    SecurityRequirement::new(scheme, Vec::<String>::new())
}

fn schemes() -> BTreeMap<String, RefOr<SecurityScheme>> {
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.description =
        Some("A token, as `afterring tokens add` shows it once, or `admin.token` of the settings.".to_owned());
    let mut session = ApiKeyValue::new("afterring");
    session.description =
        Some("Whoever signed in at `/login`; changes also need the header `x-csrf-token`.".to_owned());
    BTreeMap::from([
        ("bearer".to_owned(), SecurityScheme::Http(bearer).into()),
        ("session".to_owned(), SecurityScheme::ApiKey(ApiKey::Cookie(session)).into()),
    ])
}

fn response(common: &Common) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Fault::name()))).build();
    let mut response = ResponseBuilder::new().description(common.says).content("application/json", content);
    if let Some((name, says)) = common.header {
        let text = ObjectBuilder::new().schema_type(Type::String);
        response = response.header(name, HeaderBuilder::new().schema(Some(text)).description(Some(says)).build());
    }
    response.build()
}

/// The calls of one path, by method.
fn calls(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let methods = [
        ("get", &mut item.get),
        ("put", &mut item.put),
        ("post", &mut item.post),
        ("patch", &mut item.patch),
        ("delete", &mut item.delete),
    ];
    methods.into_iter().filter_map(|(method, call)| call.as_mut().map(|call| (method, call)))
}

/// Gives a call a name of its own, and what all are answered with.
fn complete(path: &str, method: &str, call: &mut Operation) {
    let words =
        path.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty() && *word != "v1");
    call.operation_id = Some([method].into_iter().chain(words).collect::<Vec<_>>().join("_"));
    let open = call.security.as_ref().is_some_and(Vec::is_empty);
    for common in &COMMON {
        if open || !(common.of)(call) {
            continue;
        }
        let answers = &mut call.responses.responses;
        answers.entry(common.status.to_owned()).or_insert_with(|| Ref::from_response_name(common.name).into());
    }
}

/// A permission that a call asks for, as an extension of its description.
pub(crate) fn asks_for(api: &mut OpenApi, permission: Permission) {
    let permission = match permission {
        Permission::Read => "read",
        Permission::SeeNumbers => "see_numbers",
        Permission::ChangePeople => "change_people",
        Permission::Operate => "operate",
        Permission::Administer => "administer",
    };
    for item in api.paths.paths.values_mut() {
        for (_, call) in calls(item) {
            let asks = Extensions::builder().add("x-permission", permission).build();
            call.extensions.get_or_insert_default().merge(asks);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::document;

    /// Every `$ref` in it.
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    match value.as_str() {
                        Some(to) if key == "$ref" => drop(found.insert(to.trim_start_matches('#').to_owned())),
                        _ => references(value, found),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_call_says_what_it_does_who_may_and_what_may_come_back() {
        let api = serde_json::to_value(document(super::super::described().into_openapi())).unwrap();
        let paths = api["paths"].as_object().unwrap();
        let mut names = BTreeSet::new();
        for (path, item) in paths {
            assert!(path.starts_with("/v1/"), "{path}");
            for (method, call) in item.as_object().unwrap() {
                assert!(call["summary"].as_str().is_some_and(|text| text.ends_with(['.', '?'])), "{method} {path}");
                assert!(call["x-permission"].is_string(), "{method} {path}");
                assert!(names.insert(call["operationId"].as_str().unwrap()), "{method} {path}: named as another");
                let answers = call["responses"].as_object().unwrap();
                assert!(answers.keys().any(|status| status.starts_with('2')), "{method} {path}");
                assert!(["401", "403", "503"].iter().all(|status| answers.contains_key(*status)), "{method} {path}");
            }
        }
        assert!(names.len() > 25, "{names:?}");
        let mut named = BTreeSet::new();
        references(&api, &mut named);
        assert!(named.iter().all(|to| api.pointer(to).is_some()), "{named:?}");
    }
}
