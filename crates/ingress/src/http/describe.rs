//! What `POST /v1/calls` takes and answers, in OpenAPI: the description that `/openapi.json` gives on this listener.

use model::Reason;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};

/// A missed call.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the description of what Element reads")]
pub(super) struct Call {
    /// Names the call: the same id for the same called number is the same call, however often it is sent.
    #[schema(min_length = 1, max_length = 128, pattern = "^[ -~]+$", example = "call-4711")]
    id: String,
    /// Who missed it: best in international form with `+`; as your network writes it is fine too.
    #[schema(pattern = r"^\+[1-9][0-9]{7,14}$", example = "+8613800000001")]
    called: String,
    /// Who rang; null where that isn't known.
    #[schema(pattern = r"^\+[1-9][0-9]{7,14}$", example = "+8613900000001")]
    caller: Option<String>,
    /// The caller withheld the number: then `caller` is not even looked at.
    withheld: Option<bool>,
    /// When, in RFC 3339; now where it is absent. Neither far ahead (an hour) nor long ago (seven days).
    #[schema(format = DateTime)]
    at: Option<String>,
    /// Why it was not answered; `unknown` where it is absent.
    #[schema(schema_with = reasons, required = false)]
    reason: Option<String>,
    /// The number that the core network forwarded to.
    #[schema(pattern = "^[0-9]{1,15}$", example = "10086")]
    service_number: Option<String>,
}

/// One, or many at once.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the description of what a body holds")]
pub(super) enum Calls {
    /// One.
    One(Call),
    /// Many.
    Many(Vec<Call>),
}

/// Why nothing was taken.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the description of what Complaint writes")]
pub(super) struct Fault {
    /// Whose fault it is and what to do, in a sentence.
    error: String,
}

fn reasons() -> Schema {
    let words = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(Reason::ALL.map(Reason::as_str)));
    let none = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Null));
    OneOfBuilder::new().item(words).item(none).into()
}

struct Token;

impl Modify for Token {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let components = api.components.get_or_insert_default();
        components
            .security_schemes
            .insert("bearer".to_owned(), SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)).into());
    }
}

/// The description.
#[derive(OpenApi)]
#[openapi(
    info(title = "Afterring: missed calls", description = "Where the core network reports missed calls. See docs/api.md."),
    paths(super::take),
    components(schemas(Call)),
    modifiers(&Token),
    security(("bearer" = []))
)]
pub(super) struct Description;
