//! The operators' endpoints under `admin.path`.

mod limits;
mod metrics;
mod purge;
mod status;

use std::cell::RefCell;

use tidegate_jwt::{bearer, constant_time_eq};

pub use self::purge::Mistake;
use self::status::{Health, Status};
use crate::memory::Memory;
use crate::path::NormalPath;
use crate::platform::{Head, Platform};
use crate::rejection::Rejection;
use crate::reply::{Fields, Reply, ReplyBody};
use crate::route::Gateway;

/// One of the endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint<'p> {
    Health,
    Status,
    Metrics,
    Purge,
    /// All limits, as this isolate sees them.
    Limits,
    /// One key of one limit; the key is empty when it stands in the query.
    Limit {
        name: &'p str,
        key: &'p str,
    },
    Unknown,
}

/// The endpoint that a path names; `None` when the path is not the operators'.
pub(crate) fn endpoint<'p>(gateway: &Gateway, path: &'p NormalPath) -> Option<Endpoint<'p>> {
    let admin = gateway.settings.admin.as_ref()?;
    let below = path.as_str().strip_prefix(admin.path.as_str())?;
    if !below.is_empty() && !below.starts_with('/') {
        return None;
    }
    let below = below.trim_start_matches('/').trim_end_matches('/');
    Some(match below.split_once('/') {
        None => match below {
            "health" => Endpoint::Health,
            "status" => Endpoint::Status,
            "metrics" => Endpoint::Metrics,
            "purge" => Endpoint::Purge,
            "limits" => Endpoint::Limits,
            _ => Endpoint::Unknown,
        },
        Some(("limits", rest)) => {
            let (name, key) = rest.split_once('/').unwrap_or((rest, ""));
            Endpoint::Limit { name, key }
        }
        Some(_) => Endpoint::Unknown,
    })
}

impl Endpoint<'_> {
    /// The path for the log: what comes after a limit's name is a key's value.
    pub(crate) fn logged<'p>(&self, path: &'p NormalPath) -> &'p str {
        match self {
            Self::Limit { key, .. } if !key.is_empty() => {
                let end = path.as_str().find(key).unwrap_or_default();
                path.as_str().get(..end).unwrap_or_default()
            }
            _ => path.as_str(),
        }
    }

    fn methods(self) -> &'static [&'static str] {
        match self {
            Self::Limit { .. } => &["GET", "HEAD", "DELETE"],
            Self::Purge => &["POST"],
            _ => &["GET", "HEAD"],
        }
    }
}

/// Answers an operator's request.
///
/// `health` is open: it says that the Worker runs, nothing else. Everything else is 404 without the token, so that
/// nobody learns from outside what there is.
pub(crate) async fn answer<P: Platform>(
    endpoint: Endpoint<'_>,
    gateway: &Gateway,
    memory: &RefCell<Memory>,
    head: &impl Head,
    query: Option<&str>,
    platform: &P,
) -> Result<Reply<P::Body>, Rejection> {
    let token = gateway.settings.admin.as_ref().and_then(|admin| admin.token.as_deref());
    let is_open = endpoint == Endpoint::Health;
    if endpoint == Endpoint::Unknown || (!is_open && !is_operator(token, head, platform)) {
        return Err(Rejection::NoRoute);
    }
    if !endpoint.methods().contains(&head.method()) {
        return Err(Rejection::MethodNotAllowed { allow: endpoint.methods().join(", ") });
    }
    match endpoint {
        Endpoint::Health => Ok(json(&Health { status: "ok" })),
        Endpoint::Status => Ok(json(&Status::of(gateway, &memory.borrow(), platform.now()))),
        Endpoint::Metrics => Ok(metrics::reply(gateway, &memory.borrow(), platform.now())),
        Endpoint::Purge => purge::answer(gateway, memory, head, platform).await,
        Endpoint::Limits => Ok(json(&limits::overview(gateway, &memory.borrow()))),
        Endpoint::Limit { name, key } => {
            let key = if key.is_empty() { query.unwrap_or_default() } else { key };
            limits::key(gateway, name, key, memory, head.method(), platform).await
        }
        Endpoint::Unknown => Err(Rejection::NoRoute),
    }
}

/// True when the request shows the operators' token.
fn is_operator<P: Platform>(secret: Option<&str>, head: &impl Head, platform: &P) -> bool {
    let Some(token) = secret.and_then(|name| platform.secret(name)) else { return false };
    let Some(field) = head.field("authorization") else { return false };
    // An empty secret is no secret: unknown means deny.
    !token.is_empty() && bearer(&field).is_ok_and(|shown| constant_time_eq(shown.as_bytes(), token.as_bytes()))
}

pub(crate) fn json<B>(value: &impl serde::Serialize) -> Reply<B> {
    text("application/json", serde_json::to_string(value).unwrap_or_default())
}

fn text<B>(content_type: &'static str, body: String) -> Reply<B> {
    let mut fields = Fields::default();
    fields.push("Content-Type", content_type);
    fields.push("Cache-Control", "no-store");
    Reply { status: 200, fields, body: ReplyBody::Text(body) }
}
