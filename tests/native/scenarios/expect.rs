//! What a step expects, held against what happened.

use std::collections::BTreeMap;

use serde_json::Value;

use super::edge::Served;
use super::file::{Asked, Call, Expect, Wanted};
use super::message::{Headers, is_like};
use super::world::Received;

/// One thing that is not as expected.
pub(super) struct Difference {
    pub(super) what: String,
    pub(super) expected: String,
    pub(super) got: String,
}

/// What happened behind one step, all of its requests together.
pub(super) struct Behind<'b> {
    pub(super) received: &'b [Received],
    pub(super) calls: &'b BTreeMap<Call, usize>,
}

fn differs(what: impl Into<String>, expected: impl Into<String>, got: impl Into<String>) -> Vec<Difference> {
    vec![Difference { what: what.into(), expected: expected.into(), got: got.into() }]
}

impl Expect {
    /// One reply.
    pub(super) fn reply(&self, served: &Served) -> Vec<Difference> {
        let Served { response, record, .. } = served;
        let mut found = Vec::new();
        if response.status != self.status {
            let got = format!("{} {}", response.status, response.body);
            found.extend(differs("status", self.status.to_string(), got));
        }
        found.extend(fields("header", &self.headers, &response.headers));
        if let Some(body) = &self.body
            && !is_like(&response.body, body)
        {
            found.extend(differs("body", body, &response.body));
        }
        if let Some(code) = &self.problem {
            found.extend(problem(code, self.status, &response.headers, &response.body));
        }
        if let Some(expected) = &self.record {
            let got = serde_json::from_str(&record.line()).unwrap();
            if !contains(&got, expected) {
                found.extend(differs("record", expected.to_string(), got.to_string()));
            }
        }
        found
    }

    /// What happened behind the replies.
    pub(super) fn behind(&self, behind: &Behind<'_>) -> Vec<Difference> {
        let mut found = Vec::new();
        let asked: Vec<&str> = behind.received.iter().map(|received| received.server.as_str()).collect();
        if let Some(expected) = &self.asked
            && !expected.are(&asked)
        {
            found.extend(differs("asked", format!("{expected:?}"), format!("{asked:?}")));
        }
        for (call, expected) in &self.calls {
            let got = behind.calls.get(call).copied().unwrap_or_default();
            if got != *expected {
                found.extend(differs(format!("calls: {call:?}"), expected.to_string(), got.to_string()));
            }
        }
        if self.seen.is_empty() && self.target.is_none() && self.received.is_none() {
            return found;
        }
        let Some(last) = behind.received.last() else {
            found.extend(differs("seen", "a request to a server", "none"));
            return found;
        };
        found.extend(fields("seen header", &self.seen, &last.headers));
        let target = format!("{} {}", last.method, last.target);
        if let Some(expected) = &self.target
            && *expected != target
        {
            found.extend(differs("target", expected, target));
        }
        if let Some(expected) = &self.received
            && *expected != last.body
        {
            found.extend(differs("received", expected, &last.body));
        }
        found
    }
}

fn fields(what: &str, expected: &BTreeMap<String, Wanted>, headers: &Headers) -> Vec<Difference> {
    let difference = |(name, wanted): (&String, &Wanted)| {
        let got = headers.get(name);
        let (fits, expected) = match wanted {
            Wanted::Absent(_) => (got.is_none(), "absent".to_owned()),
            Wanted::Like(pattern) => (got.as_ref().is_some_and(|got| is_like(got, pattern)), pattern.clone()),
            Wanted::Not { not } => (got.as_ref().is_some_and(|got| got != not), format!("something else than {not}")),
        };
        if fits { Vec::new() } else { differs(format!("{what} {name}"), expected, got.as_deref().unwrap_or("absent")) }
    };
    expected.iter().flat_map(difference).collect()
}

/// A problem is of the type that the step names, and whole (RFC 9457, section 3.1).
fn problem(code: &str, status: u16, headers: &Headers, body: &str) -> Vec<Difference> {
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    let kind = problem["type"].as_str().unwrap_or_default();
    let got = kind.rsplit(['/', '#']).next().unwrap_or_default();
    if got != code {
        return differs("problem", code, body);
    }
    let whole = headers.get("content-type").as_deref() == Some("application/problem+json")
        && headers.get("cache-control").as_deref() == Some("no-store")
        && headers.get("x-request-id").as_deref() == problem["request_id"].as_str()
        && problem["status"] == status
        && ["title", "detail"].iter().all(|member| problem[*member].is_string());
    if whole { Vec::new() } else { differs("problem", "all of its members and fields", format!("{headers:?} {body}")) }
}

/// Whether `whole` has every member of `part`, with the same values.
fn contains(whole: &Value, part: &Value) -> bool {
    match part {
        Value::Object(members) => members.iter().all(|(name, value)| contains(&whole[name], value)),
        Value::Array(items) => {
            let Some(whole) = whole.as_array().filter(|whole| whole.len() == items.len()) else { return false };
            whole.iter().zip(items).all(|(whole, part)| contains(whole, part))
        }
        // A member that is not there.
        Value::Bool(false) => whole.is_null() || whole == part,
        value => whole == value,
    }
}

impl Asked {
    fn are(&self, asked: &[&str]) -> bool {
        match self {
            Self::One(server) => asked == [server],
            Self::InOrder(servers) => asked == servers,
            Self::Times(expected) => {
                let mut times: BTreeMap<&str, usize> = BTreeMap::new();
                asked.iter().for_each(|server| *times.entry(server).or_default() += 1);
                let expected = expected.iter().map(|(server, count)| (server.as_str(), *count));
                times == expected.filter(|(_, count)| *count > 0).collect()
            }
        }
    }
}
