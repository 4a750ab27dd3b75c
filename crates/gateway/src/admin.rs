//! The operators' endpoints under `admin.path`.

use tidegate_jwt::{bearer, constant_time_eq};

use crate::memory::{Counters, Memory};
use crate::path::NormalPath;
use crate::platform::{Head, Platform};
use crate::rejection::Rejection;
use crate::reply::{Fields, Reply, ReplyBody};
use crate::route::Gateway;

/// Answers an operator's request; `None` when the path is not the operators'.
///
/// `health` is open: it says that the Worker runs, nothing else. Everything else is 404 without the token, so that
/// nobody learns from outside what there is.
pub(crate) fn answer<P: Platform>(
    gateway: &Gateway,
    memory: &Memory,
    head: &impl Head,
    path: &NormalPath,
    platform: &P,
) -> Option<Result<Reply<P::Body>, Rejection>> {
    let admin = gateway.settings.admin.as_ref()?;
    let below = path.as_str().strip_prefix(admin.path.as_str())?;
    if !below.is_empty() && !below.starts_with('/') {
        return None;
    }
    let endpoint = below.trim_start_matches('/').trim_end_matches('/');
    let known = matches!(endpoint, "health" | "status");
    if !known || (endpoint != "health" && !is_operator(admin.token.as_deref(), head, platform)) {
        return Some(Err(Rejection::NoRoute));
    }
    if !matches!(head.method(), "GET" | "HEAD") {
        return Some(Err(Rejection::MethodNotAllowed { allow: "GET, HEAD".to_owned() }));
    }
    Some(Ok(json(match endpoint {
        "status" => serde_json::to_string(&Status::of(gateway, memory)),
        _ => serde_json::to_string(&Health { status: "ok" }),
    })))
}

/// True when the request shows the operators' token.
fn is_operator<P: Platform>(secret: Option<&str>, head: &impl Head, platform: &P) -> bool {
    let Some(token) = secret.and_then(|name| platform.secret(name)) else { return false };
    let Some(field) = head.field("authorization") else { return false };
    // An empty secret is no secret: unknown means deny.
    !token.is_empty() && bearer(&field).is_ok_and(|shown| constant_time_eq(shown.as_bytes(), token.as_bytes()))
}

fn json<B>(text: serde_json::Result<String>) -> Reply<B> {
    let mut fields = Fields::default();
    fields.push("Content-Type", "application/json");
    fields.push("Cache-Control", "no-store");
    Reply { status: 200, fields, body: ReplyBody::Text(text.unwrap_or_default()) }
}

#[derive(serde::Serialize)]
struct Health {
    status: &'static str,
}

/// What `GET status` says. The counters are those of the isolate that answers, and say so.
#[derive(serde::Serialize)]
struct Status<'a> {
    config: &'a str,
    routes: Vec<&'a str>,
    pools: Vec<PoolStatus<'a>>,
    isolate: &'a Counters,
}

#[derive(serde::Serialize)]
struct PoolStatus<'a> {
    name: &'a str,
    origins: Vec<&'a str>,
}

impl<'a> Status<'a> {
    fn of(gateway: &'a Gateway, memory: &'a Memory) -> Self {
        let pools = gateway.pools.iter().map(|pool| PoolStatus {
            name: pool.name(),
            origins: pool.origins().iter().map(|origin| origin.name()).collect(),
        });
        Self {
            config: &gateway.version,
            routes: gateway.routes.iter().map(|route| route.name.as_str()).collect(),
            pools: pools.collect(),
            isolate: memory.counters(),
        }
    }
}
