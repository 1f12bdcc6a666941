//! What a path and a query say, with faults that are told as JSON like all others.

use axum::extract::FromRequestParts;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::request::Parts;

use super::refusal::Refusal;

/// The parts of a path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T, S: Send + Sync> FromRequestParts<S> for Path<T>
where
    axum::extract::Path<T>: FromRequestParts<S, Rejection = PathRejection>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(asked)| Self(asked)).map_err(|why| Refusal::Asked(why.body_text()))
    }
}

/// The fields of a query.
pub(crate) struct Query<T>(pub(crate) T);

impl<T, S: Send + Sync> FromRequestParts<S> for Query<T>
where
    axum::extract::Query<T>: FromRequestParts<S, Rejection = QueryRejection>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        query.map(|axum::extract::Query(asked)| Self(asked)).map_err(|why| Refusal::Asked(why.body_text()))
    }
}
