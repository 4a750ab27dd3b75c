//! The words of a limit's key and of a cache's partition.

use serde_json::{Value, json};
use tidegate_gateway::source::Source;

use super::{ClaimName, CookieName, HeaderName, Invalid, Text};
use crate::authoring::suggest::did_you_mean;

/// Where a part of a key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::authoring) struct KeySource(pub(in crate::authoring) Source);

const WORDS: [&str; 4] = ["ip", "route", "country", "asn"];
const PREFIXES: [&str; 3] = ["claim", "header", "cookie"];

impl Text for KeySource {
    const EXAMPLE: &'static str = "\"claim:sub\"";

    fn expected() -> String {
        "a source such as `\"ip\"` or `\"claim:sub\"`".to_owned()
    }

    fn rules() -> Value {
        let pattern = "^(ip|route|country|asn|claim:.+|(header|cookie):[!#$%&'*+.^_`|~0-9A-Za-z-]+)$";
        json!({ "title": "source", "pattern": pattern })
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        Ok(Self(match text.split_once(':') {
            None if text == "ip" => Source::Ip,
            None if text == "route" => Source::Route,
            None if text == "country" => Source::Country,
            None if text == "asn" => Source::Asn,
            Some(("claim", name)) => Source::Claim(ClaimName::parse(name)?.0),
            Some(("header", name)) => Source::Header(HeaderName::parse(name)?.0),
            Some(("cookie", name)) => Source::Cookie(CookieName::parse(name)?.0),
            Some((prefix, _)) => return Err(unknown(text, &did_you_mean(prefix, PREFIXES))),
            None => return Err(unknown(text, &did_you_mean(text, WORDS))),
        }))
    }
}

fn unknown(text: &str, meant: &str) -> Invalid {
    let hint = if meant.is_empty() && !text.contains(':') && !text.is_empty() {
        format!(
            "for a claim write `claim:{text}`; the others are `header:…`, `cookie:…`, `ip`, `route`, `country` and `asn`"
        )
    } else {
        "the sources are `ip`, `claim:…`, `header:…`, `cookie:…`, `route`, `country` and `asn`".to_owned()
    };
    Invalid::new(format!("cannot be `{text}`{meant}"), hint)
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn a_source_is_a_word_or_a_prefix_and_a_name() {
        check("ip", Ok(KeySource(Source::Ip)));
        check("route", Ok(KeySource(Source::Route)));
        check("country", Ok(KeySource(Source::Country)));
        check("claim:https://x/org", Ok(KeySource(Source::Claim("https://x/org".to_owned()))));
        check("header:X-Tenant", Ok(KeySource(Source::Header("x-tenant".to_owned()))));
        check("cookie:Session", Ok(KeySource(Source::Cookie("Session".to_owned()))));
        check("asn", Ok(KeySource(Source::Asn)));
    }

    #[test]
    fn another_word_is_probably_a_claim_or_a_slip() {
        let claim =
            "for a claim write `claim:sub`; the others are `header:…`, `cookie:…`, `ip`, `route`, `country` and `asn`";
        check::<KeySource>("sub", Err(("cannot be `sub`", claim)));
        let all = "the sources are `ip`, `claim:…`, `header:…`, `cookie:…`, `route`, `country` and `asn`";
        check::<KeySource>("clam:sub", Err(("cannot be `clam:sub`, did you mean `claim`?", all)));
        check::<KeySource>("contry", Err(("cannot be `contry`, did you mean `country`?", all)));
        check::<KeySource>("", Err(("cannot be ``", all)));
        assert!(KeySource::parse("claim:").is_err());
        assert!(KeySource::parse("header:a b").is_err());
        assert!(KeySource::parse("cookie:a=b").is_err());
    }
}
