use crate::delta_seconds;
use crate::fields::{Fields, is_token, members, trim};
use std::collections::BTreeSet;
use std::time::Duration;

/// One member of a Cache-Control field (RFC 9111, section 5.2) or of a targeted field (RFC 9213, section 2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directive {
    /// In lower case: directives are "compared case-insensitively".
    pub(crate) name: String,
    pub(crate) argument: Argument,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Argument {
    Absent,
    /// A token or the content of a quoted string of Cache-Control: "recipients ought to accept both forms, even if a
    /// specific form is required for generation".
    Text(String),
    /// The integer of a targeted field.
    Seconds(Duration),
    /// The string or token of a targeted field, where a number cannot be written as a string.
    Names(String),
    /// Present, but not to be understood.
    Invalid,
}

/// A field whose members cannot be told apart. What an unclosed quote or a wrong separator hides may be `private`, so
/// nothing is concluded from the rest either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Takes a Cache-Control field apart.
pub(crate) fn directives(field: &str) -> Result<Vec<Directive>, Malformed> {
    let mut found = Vec::new();
    for member in split(field)? {
        let member = trim(&member);
        if member.is_empty() {
            continue;
        }
        let (name, argument) = match member.split_once('=') {
            None => (member, Argument::Absent),
            // No whitespace is allowed around the equals sign.
            Some((name, _)) if name.ends_with([' ', '\t']) => (trim(name), Argument::Invalid),
            Some((name, argument)) => (name, read_argument(argument)),
        };
        // `private; max-age=60` is one member, and its name is not a token.
        if !is_token(name) {
            return Err(Malformed);
        }
        found.push(Directive { name: name.to_ascii_lowercase(), argument });
    }
    Ok(found)
}

/// Splits at the commas outside quoted strings. A quote opens a string only as the first character of an argument: a
/// stray one must not swallow the directives after it.
fn split(field: &str) -> Result<Vec<String>, Malformed> {
    let mut found = Vec::new();
    let mut member = String::new();
    let mut characters = field.chars();
    while let Some(character) = characters.next() {
        let opens = character == '"' && member.strip_suffix('=').is_some_and(|name| !name.contains('='));
        if character == ',' {
            found.push(std::mem::take(&mut member));
            continue;
        }
        member.push(character);
        if opens {
            loop {
                let quoted = characters.next().ok_or(Malformed)?;
                member.push(quoted);
                match quoted {
                    '"' => break,
                    '\\' => member.push(characters.next().ok_or(Malformed)?),
                    _ => {}
                }
            }
        }
    }
    found.push(member);
    Ok(found)
}

fn read_argument(argument: &str) -> Argument {
    let Some(quoted) = argument.strip_prefix('"') else {
        return if is_token(argument) { Argument::Text(argument.to_owned()) } else { Argument::Invalid };
    };
    let mut content = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' if characters.as_str().is_empty() => return Argument::Text(content),
            '"' => return Argument::Invalid,
            '\\' => content.extend(characters.next()),
            _ => content.push(character),
        }
    }
    Argument::Invalid
}

/// How far a `private` or `no-cache` response directive reaches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Extent {
    #[default]
    Nothing,
    /// The fields that the qualified form names, in lower case.
    Fields(BTreeSet<String>),
    /// The unqualified form.
    Response,
}

impl Extent {
    /// "If directives conflict, the most restrictive directive should be honored" (RFC 9111, section 4.2.1).
    fn widen(&mut self, argument: Argument) {
        *self = match (std::mem::take(self), Self::of(argument)) {
            (Self::Nothing, other) | (other, Self::Nothing) => other,
            (Self::Fields(mut some), Self::Fields(more)) => {
                some.extend(more);
                Self::Fields(some)
            }
            (Self::Response, _) | (_, Self::Response) => Self::Response,
        };
    }

    /// An argument that is not a list of field names restricts as much as none: "often handled by caches as if an
    /// unqualified directive was received".
    fn of(argument: Argument) -> Self {
        let (Argument::Text(list) | Argument::Names(list)) = argument else { return Self::Response };
        let names: BTreeSet<String> = members(&list).map(str::to_ascii_lowercase).collect();
        if names.is_empty() || !names.iter().all(|name| is_token(name)) { Self::Response } else { Self::Fields(names) }
    }
}

/// The response directives of RFC 9111, section 5.2.2, as one field states them. Directives that are not known here are
/// ignored (section 5.2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ResponseControl {
    pub(crate) no_store: bool,
    pub(crate) private: Extent,
    pub(crate) no_cache: Extent,
    pub(crate) public: bool,
    pub(crate) must_understand: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) proxy_revalidate: bool,
    pub(crate) max_age: Option<Duration>,
    pub(crate) s_maxage: Option<Duration>,
    /// RFC 5861, sections 3 and 4.
    pub(crate) stale_while_revalidate: Option<Duration>,
    pub(crate) stale_if_error: Option<Duration>,
}

impl ResponseControl {
    pub(crate) fn of(directives: impl IntoIterator<Item = Directive>) -> Self {
        let mut control = Self::default();
        for Directive { name, argument } in directives {
            match name.as_str() {
                // An argument is not allowed here, and does not make the directive mean less.
                "no-store" => control.no_store = true,
                "must-revalidate" => control.must_revalidate = true,
                "proxy-revalidate" => control.proxy_revalidate = true,
                "must-understand" => control.must_understand = true,
                // This one permits, so it has to be spelled right.
                "public" => control.public |= argument == Argument::Absent,
                "private" => control.private.widen(argument),
                "no-cache" => control.no_cache.widen(argument),
                "max-age" => lifetime(&mut control.max_age, &argument),
                "s-maxage" => lifetime(&mut control.s_maxage, &argument),
                "stale-while-revalidate" => lifetime(&mut control.stale_while_revalidate, &argument),
                "stale-if-error" => lifetime(&mut control.stale_if_error, &argument),
                _ => {}
            }
        }
        control
    }
}

/// RFC 9111, section 4.2.1: "when there is more than one value present for a given directive, either the first
/// occurrence should be used or the response should be considered stale", and "caches are encouraged to consider
/// responses that have invalid freshness information to be stale".
fn lifetime(slot: &mut Option<Duration>, argument: &Argument) {
    slot.get_or_insert(seconds(argument).unwrap_or(Duration::ZERO));
}

fn seconds(argument: &Argument) -> Option<Duration> {
    match argument {
        Argument::Text(digits) => delta_seconds::parse(digits),
        Argument::Seconds(seconds) => Some(*seconds),
        Argument::Absent | Argument::Names(_) | Argument::Invalid => None,
    }
}

/// What `max-stale` accepts (RFC 9111, section 5.2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MaxStale {
    AnyAge,
    AtMost(Duration),
}

/// The request directives of RFC 9111, section 5.2.1. They are advisory; one whose argument is invalid is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RequestControl {
    pub(crate) no_store: bool,
    pub(crate) no_cache: bool,
    pub(crate) only_if_cached: bool,
    pub(crate) max_age: Option<Duration>,
    pub(crate) min_fresh: Option<Duration>,
    pub(crate) max_stale: Option<MaxStale>,
    /// RFC 5861, section 4: "when used as a request Cache-Control extension, its scope of application is the request it
    /// appears in".
    pub(crate) stale_if_error: Option<Duration>,
}

impl RequestControl {
    /// Reads Cache-Control, and Pragma only where there is none: `Pragma: no-cache` (RFC 9111, section 5.4) is how an
    /// HTTP/1.0 client says `no-cache`.
    pub(crate) fn read(request: &dyn Fields) -> Result<Self, Malformed> {
        match request.get("cache-control") {
            Some(field) => Self::of(&field),
            None => Ok(Self { no_cache: says_no_cache(request.get("pragma")), ..Self::default() }),
        }
    }

    /// Reads the value of a Cache-Control field.
    pub(crate) fn of(field: &str) -> Result<Self, Malformed> {
        let mut control = Self::default();
        for Directive { name, argument } in directives(field)? {
            match name.as_str() {
                "no-store" => control.no_store = true,
                "no-cache" => control.no_cache = true,
                "only-if-cached" => control.only_if_cached = true,
                "max-age" => control.max_age = control.max_age.or_else(|| seconds(&argument)),
                "min-fresh" => control.min_fresh = control.min_fresh.or_else(|| seconds(&argument)),
                "stale-if-error" => control.stale_if_error = control.stale_if_error.or_else(|| seconds(&argument)),
                "max-stale" => {
                    let accepted = match argument {
                        Argument::Absent => Some(MaxStale::AnyAge),
                        _ => seconds(&argument).map(MaxStale::AtMost),
                    };
                    control.max_stale = control.max_stale.or(accepted);
                }
                _ => {}
            }
        }
        Ok(control)
    }
}

/// Does a Pragma field contain `no-cache`?
pub(crate) fn says_no_cache(pragma: Option<String>) -> bool {
    pragma.is_some_and(|value| members(&value).any(|member| member.eq_ignore_ascii_case("no-cache")))
}

#[cfg(test)]
mod tests;
