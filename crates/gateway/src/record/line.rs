//! A record as one line of JSON (RFC 8259), written straight into one text: every request has a line, and the derived form
//! takes three times as long.

use serde::Serialize;

use super::Record;

/// What stands before the value of a member that is not the first.
macro_rules! member {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

impl Record {
    /// The log line: one line of JSON.
    #[must_use]
    pub fn line(&self) -> String {
        // Taken apart by name, so that a new field does not compile until it is written.
        #[rustfmt::skip]
        let Self {
            time_ms, request_id, method, path, route, auth, issuer, limits, limited_by, cache, purged, pool, origin,
            because, attempts, status, rejection, error, duration_ms, origin_ms, config, colo,
        } = self;
        let mut line = Line(String::with_capacity(512));
        line.number("{\"time_ms\":", *time_ms);
        line.text(member!("request_id"), request_id);
        line.text(member!("method"), method);
        line.known(member!("path"), Some(path.as_str()).filter(|path| !path.is_empty()));
        line.known(member!("route"), route.as_deref());
        line.known(member!("auth"), *auth);
        line.known(member!("issuer"), issuer.as_deref());
        if !limits.is_empty() {
            line.value(member!("limits"), limits);
        }
        line.known(member!("limited_by"), *limited_by);
        if let Some(cache) = cache {
            line.value(member!("cache"), cache);
        }
        if *purged > 0 {
            line.number(member!("purged"), u64::try_from(*purged).unwrap_or(u64::MAX));
        }
        line.known(member!("pool"), pool.as_deref());
        line.known(member!("origin"), origin.as_deref());
        line.known(member!("because"), because.as_deref());
        line.number(member!("attempts"), u64::from(*attempts));
        line.number(member!("status"), u64::from(*status));
        line.known(member!("rejection"), *rejection);
        line.known(member!("error"), error.as_deref());
        line.number(member!("duration_ms"), *duration_ms);
        line.number(member!("origin_ms"), *origin_ms);
        line.text(member!("config"), config);
        line.known(member!("colo"), colo.as_deref());
        let Line(mut text) = line;
        text.push('}');
        text
    }
}

struct Line(String);

impl Line {
    fn number(&mut self, member: &str, number: u64) {
        self.0.push_str(member);
        // Digits need no escaping.
        self.0.push_str(&number.to_string());
    }

    fn known(&mut self, member: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(member, text);
        }
    }

    fn text(&mut self, member: &str, text: &str) {
        if !text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            return self.value(member, text);
        }
        self.0.push_str(member);
        self.0.push('"');
        self.0.push_str(text);
        self.0.push('"');
    }

    /// Whatever else: what has to be escaped, and what has members of its own.
    fn value(&mut self, member: &str, value: &(impl Serialize + ?Sized)) {
        self.0.push_str(member);
        // Numbers and texts, and lists of them, always serialize.
        self.0.push_str(&serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{CacheRecord, LimitRecord};
    use super::*;

    #[track_caller]
    fn check(record: &Record, members: Value) {
        let mut expected = json!({
            "time_ms": 0, "request_id": "", "method": "", "attempts": 0, "status": 0, "duration_ms": 0, "origin_ms": 0,
            "config": "",
        });
        expected.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let line = record.line();
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
        assert!(!line.contains(['\n', '\r']), "{line:?}");
    }

    #[test]
    fn what_is_not_known_is_not_in_the_line() {
        check(&Record::default(), json!({}));
    }

    #[test]
    fn every_field_has_its_member() {
        let text = |text: &str| Some(text.to_owned());
        let record = Record {
            time_ms: u64::MAX,
            request_id: "id".to_owned(),
            method: "GET".to_owned(),
            path: "/a".to_owned(),
            route: text("r"),
            auth: Some("token"),
            issuer: text("i"),
            limits: vec![LimitRecord { name: "l".to_owned(), verdict: "allowed", remaining: Some(1) }],
            limited_by: Some("lease"),
            cache: Some(CacheRecord::new("hit")),
            purged: 2,
            pool: text("p"),
            origin: text("o"),
            because: text("b"),
            attempts: 1,
            status: 200,
            rejection: Some("x"),
            error: text("e"),
            duration_ms: 2,
            origin_ms: 3,
            config: "v".to_owned(),
            colo: text("FRA"),
        };
        let members = json!({
            "time_ms": u64::MAX, "request_id": "id", "method": "GET", "path": "/a", "route": "r", "auth": "token",
            "issuer": "i", "limits": [{ "name": "l", "verdict": "allowed", "remaining": 1 }], "limited_by": "lease",
            "cache": { "outcome": "hit" }, "purged": 2, "pool": "p", "origin": "o", "because": "b", "attempts": 1, "status": 200,
            "rejection": "x", "error": "e", "duration_ms": 2, "origin_ms": 3, "config": "v", "colo": "FRA",
        });
        check(&record, members);
    }

    #[test]
    fn no_text_can_end_its_member_or_its_line() {
        for text in ["a\"b", "\"", "a\\", "\\\"", "a\nb", "\r", "\u{0}", "\u{1f}", "\u{7f}", "\u{2028}", "ü", "{},:"] {
            let record = Record { error: Some(text.to_owned()), method: text.to_owned(), ..Record::default() };
            check(&record, json!({ "error": text, "method": text }));
        }
    }
}
