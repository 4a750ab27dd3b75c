//! `tidegate explain`: what happens to a request, and why. Every decision is asked of the gateway's own types.

mod limits;
mod policies;
mod request;
mod routing;

use std::fmt::Write;
use std::time::Duration;

use tidegate_config::Checked;
use tidegate_gateway::path::normalise;
use tidegate_steering::region_of;

pub(crate) use request::Request;

/// The explanation: short lines under a few headings.
#[derive(Debug, Default)]
struct Lines(String);

impl Lines {
    /// A line under a heading; lines without a heading belong to the one above.
    fn add(&mut self, heading: &str, text: impl AsRef<str>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{heading:<9}{}", text.as_ref());
    }

    /// Lines under one heading.
    fn add_all(&mut self, heading: &str, texts: impl IntoIterator<Item = String>) {
        let mut heading = heading;
        for text in texts {
            self.add(heading, text);
            heading = "";
        }
    }
}

/// Says what happens to a request.
pub(crate) fn explain(checked: &Checked, request: &Request) -> String {
    let gateway = &checked.gateway;
    let mut lines = Lines::default();
    let Request { method, scheme, path: sent, query, .. } = request;
    let query = query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    lines.add("request", format!("{method} {scheme}://{}{sent}{query}", request.authority()));
    if request.authority.is_none() {
        lines.add("", "no host is given: add --header \"host: …\" or write a whole URL");
    }
    lines.add("client", client(request, &gateway.settings.client_ip));
    let path = match normalise(sent) {
        Ok(path) => path,
        Err(rejection) => {
            lines.add("path", format!("refused with {}: {rejection}", rejection.status()));
            return lines.0;
        }
    };
    let spelling =
        if path.as_str() == sent { "matched and forwarded as sent" } else { "matched and forwarded like this" };
    lines.add("path", format!("{path} ({spelling})"));
    if let Some(admin) = gateway.settings.admin.as_ref().filter(|admin| is_below(path.as_str(), &admin.path)) {
        lines.add("route", format!("none: below {} the operators' endpoints answer", admin.path));
        return lines.0;
    }
    if let Some(route) = routing::explain(gateway, request, &path, &mut lines) {
        policies::explain(checked, route, request, &path, &mut lines);
    }
    lines.0
}

fn is_below(path: &str, admin: &str) -> bool {
    path.strip_prefix(admin).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What is known of the client.
fn client(request: &Request, client_ip: &str) -> String {
    let location = &request.location;
    let mut known = vec![match request.header(client_ip) {
        Some(address) => format!("address {address}"),
        None => format!("address unknown (no header {client_ip})"),
    }];
    let facts = [("colo", &location.colo), ("country", &location.country), ("continent", &location.continent)];
    known.extend(facts.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_deref()?))));
    known.push(match region_of(location) {
        Some(region) => format!("region {region} ({})", region.name()),
        None => "region unknown (no --cf country=…)".to_owned(),
    });
    known.join(", ")
}

/// A duration as the file would write it.
fn in_words(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let whole = units.into_iter().find(|(_, length)| milliseconds.checked_rem(*length) == Some(0));
    match whole.and_then(|(unit, length)| Some((unit, milliseconds.checked_div(length)?))) {
        Some((unit, count)) => format!("{count}{unit}"),
        None => format!("{milliseconds}ms"),
    }
}
