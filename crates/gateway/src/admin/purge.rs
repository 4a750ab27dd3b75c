//! `POST purge`: what is stored and concerned is not served as fresh any more.

use std::cell::RefCell;
use std::fmt;

use serde::Serialize;
use serde_json::Value;
use tidegate_http_cache::purge::{Generations, Manner, Question, Target};

use super::json;
use crate::caching::{chosen_query, purge};
use crate::forward::milliseconds;
use crate::memory::Memory;
use crate::path::normalise;
use crate::platform::{Content, Head, LogFailure, Platform};
use crate::rejection::Rejection;
use crate::reply::Reply;
use crate::route::Gateway;
use crate::url::Url;

/// The longest order: a thousand URLs of a usual length, many times over.
const ORDER_BYTES_MAX: usize = 1024 * 1024;

/// The longest tag, as in `Cache-Tag`: a longer one is on no response.
const TAG_BYTES_MAX: usize = 1024;

/// What the operator has in hand when the purge is in the log.
#[derive(Serialize)]
struct Receipt {
    /// The number of the purge, and which log counts.
    generation: u64,
    log: String,
    /// How many things were purged.
    targets: usize,
    soft: bool,
    /// From now on, at every edge that reaches the log.
    visible_everywhere_within_ms: u64,
}

pub(super) async fn answer<P: Platform>(
    gateway: &Gateway,
    memory: &RefCell<Memory>,
    head: &impl Head,
    platform: &P,
) -> Result<Reply<P::Body>, Rejection> {
    let text = match head.content(ORDER_BYTES_MAX).await {
        Content::Text(text) => text,
        Content::TooLarge => return Err(Rejection::ContentTooLarge),
        Content::Unreadable => return Err(Rejection::Purge(Mistake::NoJson)),
    };
    let Order { targets, manner } = Order::read(&text, &Selections::of(gateway)).map_err(Rejection::Purge)?;
    let count = targets.len();
    match purge(targets, manner, memory, platform).await {
        Ok(generation) => Ok(json(&Receipt {
            generation: generation.sequence,
            log: format!("{:016x}", generation.log),
            targets: count,
            soft: manner == Manner::Soft,
            visible_everywhere_within_ms: milliseconds(Generations::PROMISE),
        })),
        Err(LogFailure::Absent) => Err(Rejection::NoPurgeLog),
        Err(LogFailure::Unreachable(_)) => Err(Rejection::PurgeLogUnavailable),
    }
}

/// Why a purge is refused. Says where the mistake is, never what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// The content is no JSON object, or has a member twice.
    NoJson,
    /// A member that does not exist.
    UnknownMember,
    /// The value of a member is of another kind.
    Kind {
        /// The member.
        member: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// Something in a list is wrong.
    Item {
        /// The member.
        member: &'static str,
        /// The position in its list.
        index: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It names nothing.
    Nothing,
    /// It names more than one purge may.
    TooMany,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoJson => f.write_str("The content must be one JSON object, each of its members there once."),
            Self::UnknownMember => f.write_str(
                "A member is none of `tags`, `urls`, `prefixes`, `all` and `soft`, which are all there are.",
            ),
            Self::Kind { member, expected } => write!(f, "`{member}` must be {expected}."),
            Self::Item { member, index, why } => write!(f, "`{member}[{index}]` {why}."),
            Self::Nothing => f.write_str("Nothing is named: give `tags`, `urls`, `prefixes`, or `\"all\": true`."),
            Self::TooMany => write!(f, "More than {} things are named: purge them in parts.", Question::MAX_TARGETS),
        }
    }
}

/// The lists of query parameters by which caches choose what an origin gets, each once.
struct Selections<'g>(Vec<&'g [String]>);

impl<'g> Selections<'g> {
    fn of(gateway: &'g Gateway) -> Self {
        let caches = gateway.routes.iter().filter_map(|route| route.cache.as_ref());
        let mut selections = Vec::new();
        for selection in caches.filter_map(|cache| cache.query.as_deref()) {
            if !selections.contains(&selection) {
                selections.push(selection);
            }
        }
        Self(selections)
    }
}

/// What is to be purged, and how.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    targets: Vec<Target>,
    manner: Manner,
}

impl Order {
    fn read(text: &str, selections: &Selections<'_>) -> Result<Self, Mistake> {
        let members = tidegate_jwt::unique_object(text.as_bytes()).ok_or(Mistake::NoJson)?;
        let mut order = Self { targets: Vec::new(), manner: Manner::Hard };
        for (name, value) in &members {
            match name.as_str() {
                "tags" => order.each("tags", value, |tag| tag_target(tag).map(|tag| vec![tag]))?,
                "urls" => order.each("urls", value, |url| url_targets(url, selections))?,
                "prefixes" => {
                    order.each("prefixes", value, |prefix| prefix_target(prefix).map(|prefix| vec![prefix]))?
                }
                "all" if is_true("all", value)? => order.targets.push(Target::ALL),
                "soft" if is_true("soft", value)? => order.manner = Manner::Soft,
                "all" | "soft" => {}
                _ => return Err(Mistake::UnknownMember),
            }
        }
        match order.targets.len() {
            0 => Err(Mistake::Nothing),
            _ => Ok(order),
        }
    }

    fn each(
        &mut self,
        member: &'static str,
        value: &Value,
        targets: impl Fn(&str) -> Result<Vec<Target>, &'static str>,
    ) -> Result<(), Mistake> {
        let list = value.as_array().ok_or(Mistake::Kind { member, expected: "a list of strings" })?;
        for (index, item) in list.iter().enumerate() {
            let text = item.as_str().ok_or("is no string");
            let found = text.and_then(&targets).map_err(|why| Mistake::Item { member, index, why })?;
            for target in found {
                // A thousand at most.
                if !self.targets.contains(&target) {
                    self.targets.push(target);
                }
            }
            if self.targets.len() > Question::MAX_TARGETS {
                return Err(Mistake::TooMany);
            }
        }
        Ok(())
    }
}

fn is_true(member: &'static str, value: &Value) -> Result<bool, Mistake> {
    value.as_bool().ok_or(Mistake::Kind { member, expected: "`true` or `false`" })
}

fn tag_target(tag: &str) -> Result<Target, &'static str> {
    if tag.is_empty() || tag.len() > TAG_BYTES_MAX {
        return Err("is empty or longer than 1024 bytes, as no tag is");
    }
    Ok(Target::tag(tag))
}

/// A URL without a query stands for all of its queries. One with a query stands for the one that the origin gets, which is
/// what the caches choose of it.
fn url_targets(text: &str, selections: &Selections<'_>) -> Result<Vec<Target>, &'static str> {
    let Place { host, url, path } = Place::read(text)?;
    let host = host.as_deref();
    let mut targets = vec![Target::url(host, &path, url.query)];
    if url.query.is_some() {
        let chosen = selections.0.iter().map(|selection| chosen_query(selection, &url));
        targets.extend(chosen.map(|query| Target::url(host, &path, Some(&query))));
    }
    Ok(targets)
}

fn prefix_target(text: &str) -> Result<Target, &'static str> {
    let Place { host, url, path } = Place::read(text)?;
    if url.query.is_some() {
        return Err("has a query: a prefix is a path, such as `/items`, and concerns everything at and below it");
    }
    if path.ends_with('*') {
        return Err("ends with `*`: a prefix is a path, such as `/items`, and concerns everything at and below it");
    }
    Ok(Target::prefix(host.as_deref(), &path))
}

/// A URL as operators write it: `https://a.example/items`, or `/items` for every host.
struct Place<'a> {
    /// As requests have it; `None`: every host.
    host: Option<String>,
    url: Url<'a>,
    /// As the origin gets it.
    path: String,
}

impl<'a> Place<'a> {
    fn read(text: &'a str) -> Result<Self, &'static str> {
        let (is_anywhere, url) = if text.starts_with('/') {
            (true, Url::of_target(text))
        } else {
            let url = Url::cut(text).filter(|url| matches!(url.scheme, "http" | "https"));
            (false, url.ok_or("is neither an absolute URL nor a path that begins with `/`")?)
        };
        let path = normalise(url.path).map_err(|_| "has a path that the gateway refuses")?;
        if !url.authority.is_ascii() {
            return Err("has a host that is not ASCII: write it as requests have it, `xn--…`");
        }
        let host = url.authority.to_ascii_lowercase();
        // Requests come without the port that is the scheme's own.
        let port = if url.scheme == "https" { ":443" } else { ":80" };
        let host = host.strip_suffix(port).unwrap_or(&host).to_owned();
        Ok(Self { host: (!is_anywhere).then_some(host), url, path: path.as_str().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, order: Result<(Vec<Target>, Manner), Mistake>) {
        let page = ["page".to_owned()];
        let selections = Selections(vec![&page[..]]);
        let order = order.map(|(targets, manner)| Order { targets, manner });
        assert_eq!(Order::read(text, &selections), order, "{text}");
    }

    #[test]
    fn what_is_named_is_purged() {
        let hard = |targets: &[Target]| Ok((targets.to_vec(), Manner::Hard));
        check(r#"{"tags":["a","b","a"]}"#, hard(&[Target::tag("a"), Target::tag("b")]));
        check(r#"{"all":true}"#, hard(&[Target::ALL]));
        check(r#"{"all":true,"soft":true}"#, Ok((vec![Target::ALL], Manner::Soft)));
        check(r#"{"soft":false,"all":false,"tags":["a"]}"#, hard(&[Target::tag("a")]));
        let (one, all) = (Target::url(Some("a.example"), "/x", None), Target::url(None, "/x", None));
        check(r#"{"urls":["https://A.example:443/%78","/y/../x"]}"#, hard(&[one, all]));
        check(r#"{"prefixes":["http://a.example:8080/x/"]}"#, hard(&[Target::prefix(Some("a.example:8080"), "/x")]));
        check(r#"{"prefixes":["/"]}"#, hard(&[Target::prefix(None, "/")]));
    }

    #[test]
    fn a_query_is_also_the_one_that_caches_choose() {
        let targets = ["page=2&utm=x", "page=2"].map(|query| Target::url(None, "/x", Some(query)));
        check(r#"{"urls":["/x?page=2&utm=x"]}"#, Ok((targets.to_vec(), Manner::Hard)));
    }

    #[test]
    fn a_purge_that_leaves_something_open_is_refused() {
        for text in ["", "[]", "{", r#"{"all":true,"all":false}"#, r#"{"all":true} x"#] {
            check(text, Err(Mistake::NoJson));
        }
        for text in [r#"{"tag":["a"]}"#, r#"{"all":true,"dry_run":true}"#] {
            check(text, Err(Mistake::UnknownMember));
        }
        for text in ["{}", r#"{"soft":true}"#, r#"{"all":false}"#, r#"{"tags":[]}"#] {
            check(text, Err(Mistake::Nothing));
        }
        for (text, member, expected) in [
            (r#"{"tags":"a"}"#, "tags", "a list of strings"),
            (r#"{"all":"true"}"#, "all", "`true` or `false`"),
            (r#"{"all":true,"soft":1}"#, "soft", "`true` or `false`"),
        ] {
            check(text, Err(Mistake::Kind { member, expected }));
        }
    }

    #[test]
    fn what_is_wrong_in_a_list_is_named_by_its_position() {
        for (text, member, index, start) in [
            (r#"{"tags":["a",""]}"#, "tags", 1, "is empty"),
            (r#"{"tags":[1]}"#, "tags", 0, "is no string"),
            (r#"{"urls":["items/1"]}"#, "urls", 0, "is neither"),
            (r#"{"urls":["ftp://a.example/x"]}"#, "urls", 0, "is neither"),
            (r#"{"urls":["/x%00"]}"#, "urls", 0, "has a path"),
            (r#"{"urls":["https://ä.example/"]}"#, "urls", 0, "has a host"),
            (r#"{"prefixes":["/a","/x?y"]}"#, "prefixes", 1, "has a query"),
            (r#"{"prefixes":["/images/*"]}"#, "prefixes", 0, "ends with `*`"),
        ] {
            let mistake = Order::read(text, &Selections(Vec::new()));
            let fits = matches!(&mistake, Err(Mistake::Item { member: found, index: at, why })
                if *found == member && *at == index && why.starts_with(start));
            assert!(fits, "{text}: {mistake:?}");
        }
    }

    #[test]
    fn a_thousand_things_are_purged_at_once_and_no_more() {
        let tags = |count: usize| {
            let tags: Vec<String> = (0..count).map(|tag| format!("\"{tag}\"")).collect();
            format!(r#"{{"tags":[{}]}}"#, tags.join(","))
        };
        let selections = Selections(Vec::new());
        assert_eq!(Order::read(&tags(1_000), &selections).map(|order| order.targets.len()), Ok(1_000));
        assert_eq!(Order::read(&tags(1_001), &selections), Err(Mistake::TooMany));
    }
}
