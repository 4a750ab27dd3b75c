//! Names, codes and single words.

use serde_json::{Value, json};
use tidegate_steering::{Colo, Country, Region};

use super::{Invalid, TOKEN, Text, is_token};
use crate::authoring::suggest::did_you_mean;

/// Defines a newtype over the text that the file has.
macro_rules! words {
    ($($(#[doc = $doc:literal])+ $name:ident = $example:literal, $expected:literal, $rules:tt, $parse:expr;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(in crate::authoring) struct $name(pub(in crate::authoring) String);

        impl Text for $name {
            const EXAMPLE: &'static str = $example;

            fn expected() -> String {
                $expected.to_owned()
            }

            fn rules() -> Value {
                json!($rules)
            }

            fn parse(text: &str) -> Result<Self, Invalid> {
                let parse: fn(&str) -> Result<String, Invalid> = $parse;
                parse(text).map(Self)
            }
        }
    )+};
}

words! {
    /// What the file calls a pool, an origin, an issuer, a limit, a cache or a route.
    Name = "\"a-name\"", "a name", { "title": "name", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" }, name;

    /// The name of a Worker secret.
    SecretName = "\"TIDEGATE_ADMIN_TOKEN\"", "the name of a Worker secret",
        { "title": "name of a Worker secret", "pattern": "^[A-Z][A-Z0-9_]{0,63}$" }, secret_name;

    /// The name of a header, in lower case.
    HeaderName = "\"accept-language\"", "the name of a header", { "title": "header name", "pattern": TOKEN }, header_name;

    /// The value of a header in a condition.
    FieldValue = "\"1\"", "the value of a header",
        { "title": "header value", "pattern": "^([!-~]([ -~]*[!-~])?)?$" }, field_value;

    /// The name of a claim.
    ClaimName = "\"sub\"", "the name of a claim", { "title": "claim name", "minLength": 1 }, claim_name;

    /// A scope that a token must grant.
    Scope = "\"read\"", "a scope", { "title": "scope", "pattern": "^[!#-\\[\\]-~]+$" }, scope;

    /// The name of a cookie.
    CookieName = "\"session\"", "the name of a cookie", { "title": "cookie name", "pattern": TOKEN }, cookie_name;

    /// The name of a query parameter.
    QueryName = "\"page\"", "the name of a query parameter", { "title": "query parameter", "pattern": "^[!\"$%'-<>@-~]+$" }, query_name;

    /// A request method.
    Method = "\"GET\"", "a method", { "title": "method", "pattern": "^[!#$%&'*+.^_`|~0-9A-Z-]+$" }, method;

    /// A text that is compared as it stands, such as an audience.
    Audience = "\"api\"", "text", { "title": "text", "minLength": 1 }, some_text;

    /// A value of a source.
    SourceValue = "\"pro\"", "a value", { "title": "value", "minLength": 1 }, some_text;

    /// A file beside the configuration.
    FileName = "\"keys.json\"", "the name of a file", { "title": "file name", "minLength": 1 }, some_text;

    /// A Cloudflare load-balancing region.
    RegionCode = "\"WEU\"", "a region code", { "title": "region", "pattern": "^[A-Z]{2,4}$" }, region;

    /// A country, ISO 3166-1 alpha-2.
    CountryCode = "\"DE\"", "a country code", { "title": "country", "pattern": "^[A-Z][A-Z1]$" }, country;

    /// A Cloudflare location, by the code of its airport.
    ColoCode = "\"FRA\"", "the code of a Cloudflare location", { "title": "colo", "pattern": "^[A-Z]{3}$" }, colo;
}

fn name(text: &str) -> Result<String, Invalid> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if first && text.len() <= 64 && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    let hint = "a name has 1 to 64 letters, digits, `-`, `_` and `.`, and begins with a letter or a digit";
    Err(Invalid::new(format!("cannot be `{text}`"), hint))
}

fn secret_name(text: &str) -> Result<String, Invalid> {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase());
    if first && text.len() <= 64 && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    // The text may be the secret itself: it is not repeated.
    let hint = "write the name of a Worker secret, capitals, digits and `_`, as in `TIDEGATE_ADMIN_TOKEN`";
    Err(Invalid::secret("is not the name of a Worker secret", hint))
}

fn header_name(text: &str) -> Result<String, Invalid> {
    if is_token(text) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(Invalid::new(format!("cannot be the header `{text}`"), "a header's name has letters, digits and `-`"))
}

fn field_value(text: &str) -> Result<String, Invalid> {
    // RFC 9110, section 5.5: a field value has no outer whitespace, so such a condition would never hold.
    if text.trim() == text && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Ok(text.to_owned());
    }
    let hint = "write the exact value in visible ASCII, without outer spaces";
    Err(Invalid::new("is a value that no header has", hint))
}

fn claim_name(text: &str) -> Result<String, Invalid> {
    if !text.is_empty() && !text.contains(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(Invalid::new("is not the name of a claim", "write the claim as the token has it, for example `sub`"))
}

fn scope(text: &str) -> Result<String, Invalid> {
    // RFC 6749, section 3.3: scope-token.
    let fits = |byte: u8| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~');
    if !text.is_empty() && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    let hint = if text.contains(' ') {
        let scopes: Vec<String> = text.split_whitespace().map(|scope| format!("{scope:?}")).collect();
        format!("list the scopes one by one: `[{}]`", scopes.join(", "))
    } else {
        "a scope is visible ASCII without quotes and backslashes".to_owned()
    };
    Err(Invalid::new(format!("cannot be the scope `{text}`"), hint))
}

fn cookie_name(text: &str) -> Result<String, Invalid> {
    // RFC 6265, section 4.1.1: cookie-name is a token.
    if is_token(text) {
        return Ok(text.to_owned());
    }
    let hint = "a cookie's name has no spaces, quotes, `=`, `,` or `;`";
    Err(Invalid::new(format!("cannot be the cookie `{text}`"), hint))
}

fn query_name(text: &str) -> Result<String, Invalid> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"&=#?".contains(&byte)) {
        return Ok(text.to_owned());
    }
    let hint = "write the name alone, as it is sent: `page` for `?page=2`";
    Err(Invalid::new(format!("cannot be the query parameter `{text}`"), hint))
}

fn method(text: &str) -> Result<String, Invalid> {
    let upper = text.to_ascii_uppercase();
    match upper.as_str() {
        // RFC 9110, section 9.3.6 and 9.3.8: one makes a tunnel, the other shows the request, credentials and all.
        "CONNECT" | "TRACE" => {
            Err(Invalid::new(format!("cannot be `{text}`"), "the gateway never forwards it: remove it"))
        }
        _ if !is_token(text) => Err(Invalid::new(format!("cannot be `{text}`"), "a method is one word, such as `GET`")),
        // RFC 9110, section 9.1: methods are case-sensitive.
        _ if upper != text => {
            Err(Invalid::new(format!("cannot be `{text}`"), format!("methods are capitals: write `{upper}`")))
        }
        _ => Ok(upper),
    }
}

fn some_text(text: &str) -> Result<String, Invalid> {
    if text.trim().is_empty() {
        return Err(Invalid::new("is empty", "write a text between the quotes"));
    }
    Ok(text.to_owned())
}

fn region(text: &str) -> Result<String, Invalid> {
    let meant = text.to_uppercase();
    if meant.parse::<Region>().is_ok() {
        return in_capitals(text, meant, "region");
    }
    let codes = Region::ALL.map(Region::code);
    let hint = format!("the regions are {}", codes.join(", "));
    Err(Invalid::new(format!("is not a region{}", did_you_mean(text, codes)), hint))
}

/// One spelling for every code, so that no two keys mean the same.
fn in_capitals(text: &str, meant: String, what: &str) -> Result<String, Invalid> {
    if text == meant {
        return Ok(meant);
    }
    Err(Invalid::new(format!("is not a {what}"), format!("codes are capitals: write `{meant}`")))
}

fn country(text: &str) -> Result<String, Invalid> {
    let meant = text.to_uppercase();
    if meant.parse::<Country>().is_ok() {
        return in_capitals(text, meant, "country");
    }
    let hint = match meant.as_str() {
        "UK" => "the code of the United Kingdom is `GB`".to_owned(),
        "EU" => "Europe is no country: use `region_pools` with `WEU` and `EEU`".to_owned(),
        _ => "write the two capitals of ISO 3166-1, for example `DE`".to_owned(),
    };
    Err(Invalid::new("is not a country", hint))
}

fn colo(text: &str) -> Result<String, Invalid> {
    let meant = text.to_uppercase();
    if meant.parse::<Colo>().is_ok() {
        return in_capitals(text, meant, "Cloudflare location");
    }
    Err(Invalid::new("is not a Cloudflare location", "write the three capitals of its airport, for example `FRA`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: Text>(good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(T::parse(text).is_ok(), "{text:?} should be {}", T::expected());
        }
        for text in bad {
            assert!(T::parse(text).is_err(), "{text:?} should not be {}", T::expected());
        }
    }

    #[test]
    fn a_name_is_safe_in_a_header_a_path_and_a_log() {
        let longest = "a".repeat(64);
        check::<Name>(
            &["us", "us-1", "per_user", "v1.2", "7", &longest],
            &["", "-us", ".", "a b", "a/b", "é", "a\"b", &format!("{longest}a")],
        );
    }

    #[test]
    fn a_secret_is_named_in_capitals_and_never_repeated() {
        check::<SecretName>(&["A", "TIDEGATE_ADMIN_TOKEN", "K2"], &["", "token", "_A", "2A", "A-B", "hunter2"]);
        assert!(!SecretName::parse("hunter2").unwrap_err().predicate.contains("hunter2"));
    }

    #[test]
    fn header_names_are_compared_without_case() {
        check::<HeaderName>(&["accept", "X-User_Id"], &["", "a b", "a:b", "é"]);
        assert_eq!(HeaderName::parse("X-User-Id").unwrap().0, "x-user-id");
    }

    #[test]
    fn methods_are_capitals_that_may_be_forwarded() {
        check::<Method>(&["GET", "PURGE", "M-SEARCH"], &["get", "Get", "", "G T", "TRACE", "CONNECT", "trace"]);
    }

    #[test]
    fn values_that_never_arrive_are_refused() {
        check::<FieldValue>(&["1", "a b", ""], &[" 1", "1 ", "é", "a\nb"]);
        check::<Scope>(&["read", "orders:write", "https://x/y"], &["", "a b", "\"", "\\"]);
        check::<CookieName>(&["session", "__Host-id"], &["", "a=b", "a;b", "a b"]);
        check::<QueryName>(
            &["page", "filter[a]", "caf%C3%A9", "a\"b'c"],
            &["", "page=2", "?page", "a&b", "a#", "é", "a b"],
        );
        check::<ClaimName>(&["sub", "https://x/org", "realm.roles"], &["", "a\nb"]);
    }

    #[test]
    fn places_have_codes() {
        check::<RegionCode>(&["WEU", "ENAM"], &["weu", "EU", ""]);
        check::<CountryCode>(&["DE", "US", "JP", "BR", "T1"], &["de", "UK", "EU", "XX", "DEU", ""]);
        check::<ColoCode>(&["FRA", "LHR"], &["fra", "FR", "FRAN", ""]);
    }
}
