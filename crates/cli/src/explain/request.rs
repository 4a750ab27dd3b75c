//! The request that is explained.

use tidegate_gateway::matching::{Found, Matcher, RouteMatch};
use tidegate_gateway::path::NormalPath;
use tidegate_steering::Location;

/// A request as somebody describes it on the command line.
#[derive(Debug)]
pub(crate) struct Request {
    pub(super) method: String,
    pub(super) scheme: String,
    /// Host and port; `None` when nothing names one.
    pub(super) authority: Option<String>,
    /// As sent.
    pub(super) path: String,
    /// Without the `?`.
    pub(super) query: Option<String>,
    /// Lower-case names and values, in order.
    headers: Vec<(String, String)>,
    pub(super) location: Location,
    /// Names and values of the token's claims, as far as they are given.
    claims: Vec<(String, String)>,
}

/// What a request without a host is asked of.
const SOME_HOST: &str = "localhost";

impl Request {
    /// Reads the four kinds of arguments; the error says what to write.
    pub(crate) fn parse(request: &str, headers: &[String], cf: &[String], claims: &[String]) -> Result<Self, String> {
        let (method, target) = match request.trim().split_once(' ') {
            Some((method, target)) => (method.to_owned(), target.trim()),
            None => ("GET".to_owned(), request.trim()),
        };
        let headers = headers.iter().map(|header| read_header(header)).collect::<Result<Vec<_>, _>>()?;
        let (scheme, authority, rest) = match target.split_once("://") {
            Some((scheme, rest)) if !target.starts_with('/') => {
                let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
                (scheme.to_lowercase(), Some(authority.to_owned()), rest)
            }
            _ if target.starts_with('/') => ("https".to_owned(), None, target),
            _ => return Err(format!("--request {request:?}: write a method and a path or URL, as in \"GET /x\"")),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (rest, None),
        };
        let host = headers.iter().find(|(name, _)| name == "host").map(|(_, value)| value.clone());
        Ok(Self {
            method,
            scheme,
            authority: authority.or(host),
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
            query,
            headers,
            location: read_location(cf)?,
            claims: claims.iter().map(|claim| read_claim(claim)).collect::<Result<_, _>>()?,
        })
    }

    /// The host and port that the request is for.
    pub(super) fn authority(&self) -> &str {
        self.authority.as_deref().unwrap_or(SOME_HOST)
    }

    /// A header by its lower-case name; several lines are joined by ", ".
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> =
            self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// A claim of the token, if it is given.
    pub(super) fn claim(&self, name: &str) -> Option<String> {
        self.claims.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// Asks the gateway's matcher about this request.
    pub(super) fn find<'m>(&self, matcher: &'m Matcher, path: &'m NormalPath) -> Found<'m> {
        matcher.find(self.authority(), path, &self.method, &|name| self.header(name))
    }

    /// Whether a single route would answer this request if there were no other.
    pub(super) fn fits(&self, route: RouteMatch, path: &NormalPath) -> bool {
        Matcher::new(&[route]).is_ok_and(|matcher| matches!(self.find(&matcher, path), Found::Route { .. }))
    }
}

fn read_header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_lowercase(), value.trim().to_owned())),
        _ => Err(format!("--header {text:?}: write a name and a value, as in \"host: api.example.com\"")),
    }
}

fn read_claim(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err(format!("--claim {text:?}: write a name and a value, as in \"plan=pro\"")),
    }
}

fn read_location(facts: &[String]) -> Result<Location, String> {
    let mut location = Location::default();
    for fact in facts {
        let Some((key, value)) = fact.split_once('=') else {
            return Err(format!("--cf {fact:?}: write a key and a value, as in \"country=DE\""));
        };
        let value = value.trim();
        let place = match key.trim() {
            "country" => &mut location.country,
            "continent" => &mut location.continent,
            "colo" => &mut location.colo,
            "region" | "regionCode" | "region_code" => &mut location.region_code,
            "asn" => {
                let number =
                    value.parse().map_err(|_| format!("--cf {fact:?}: write a number, as in \"asn=64500\""))?;
                location.asn = Some(number);
                continue;
            }
            other => return Err(format!("--cf {other:?}: the keys are country, continent, colo, region and asn")),
        };
        *place = Some(value.to_owned());
    }
    Ok(location)
}
