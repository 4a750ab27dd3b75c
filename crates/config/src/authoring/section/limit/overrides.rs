//! `overrides`: other numbers for some callers.

use tidegate_gateway::source::{Ipv6Prefix, Source, network};

use super::allowance::{ConcurrencyTable, Kind, Kinds, QuotaTable, RateTable, WindowTable};
use crate::authoring::compile::Compiler;
use crate::authoring::problem::{Place, Problem};
use crate::authoring::shape::{Field, Map, Reading};
use crate::authoring::suggest::did_you_mean;
use crate::authoring::table::table;
use crate::authoring::text::{CountryCode, Invalid, KeySource, SourceValue, Text};
use crate::compiled;

table! {
    /// Other numbers. Of the same kind as the limit's own.
    #[table(word = "override", example = "{ rate = { requests = 1000, per = \"1m\" } }")]
    pub(in crate::authoring::section) struct Override {
        /// A rate, where the limit is one.
        rate: Option<RateTable>,
        /// A window, where the limit is one.
        window: Option<WindowTable>,
        /// A quota, where the limit is one.
        quota: Option<QuotaTable>,
        /// How many at the same time, where the limit counts those.
        concurrency: Option<ConcurrencyTable>,
    }
}

/// From a source and its values to other numbers.
pub(in crate::authoring::section) type Overrides = Map<KeySource, Map<SourceValue, Override>>;

impl Override {
    pub(super) fn kinds(&self) -> Kinds<'_> {
        Kinds { rate: &self.rate, window: &self.window, quota: &self.quota, concurrency: &self.concurrency }
    }
}

/// Every override with its value and its place.
pub(super) fn each(overrides: &Field<Overrides>) -> impl Iterator<Item = (&SourceValue, &Override, &Place)> {
    overrides.get().into_iter().flat_map(Map::placed).flat_map(|(_, values, _)| values.placed())
}

/// The sources that have overrides, with the place of their name.
pub(super) fn sources(overrides: &Field<Overrides>) -> impl Iterator<Item = (&Source, &Place)> {
    let entries = overrides.get().into_iter().flat_map(|overrides| &overrides.entries);
    entries.filter_map(|(source, _)| Some((&source.get()?.0, &source.place)))
}

pub(super) fn check(
    overrides: &Field<Overrides>,
    limit: &Place,
    kind: Option<(Kind, &Place)>,
    ipv6_prefix: Ipv6Prefix,
    reading: &mut Reading<'_>,
) {
    let Some(map) = overrides.get() else { return };
    if map.entries.is_empty() && overrides.is_written_in(limit) {
        let hint = "write whose numbers differ, as in `{ \"claim:plan\" = { pro = { … } } }`, or remove it";
        reading.error(&overrides.place, "`overrides` is empty", hint);
    }
    for (source, values) in &map.entries {
        let (Some(source), Some(entries)) = (source.get(), values.get()) else { continue };
        if entries.entries.is_empty() {
            let message = format!("`{}` has no values", source.0);
            reading.error(&values.place, message, "write a value with its numbers, or remove the source");
        }
        for (value, other) in &entries.entries {
            if let Some(value_text) = value.get()
                && let Err(invalid) = check_value(&source.0, &value_text.0, ipv6_prefix, reading)
            {
                let message = format!("the value `{}` {}", value_text.0, invalid.predicate);
                reading.error(&value.place, message, invalid.hint);
            }
            let Some(table) = other.get() else { continue };
            table.kinds().check("override", &other.place, reading);
            if let (Some((of_limit, first)), Some((kind, place))) = (kind, table.kinds().kind())
                && of_limit != kind
            {
                let message = format!("this override is a `{kind}`, but its limit is a `{of_limit}`");
                let hint = format!("write a `{of_limit}` here, or a limit of its own with a `{kind}`");
                reading.problems.push(Problem::error(place, message, hint).beside(first, "the limit"));
            }
        }
    }
}

/// A value that no request ever has is an override that never applies.
fn check_value(source: &Source, value: &str, prefix: Ipv6Prefix, reading: &Reading<'_>) -> Result<(), Invalid> {
    match source {
        Source::Ip => {
            let spelled = network(value.split('/').next().unwrap_or_default(), prefix);
            let is_address = value.split('/').next().unwrap_or_default().parse::<std::net::IpAddr>().is_ok();
            if !is_address {
                return Err(Invalid::new("is no address", "write an address such as `203.0.113.7` or `2001:db8::/64`"));
            }
            if spelled != value {
                return Err(Invalid::new("is never the address of a client", format!("write `{spelled}`")));
            }
            Ok(())
        }
        Source::Country => CountryCode::parse(value).map(|_| ()),
        Source::Asn if value.parse::<u32>().is_ok_and(|number| number.to_string() == value) => Ok(()),
        Source::Asn => {
            Err(Invalid::new("is no number of an autonomous system", "write the number alone, for example `64500`"))
        }
        Source::Route if reading.names.position("route", value).is_none() => {
            let meant = did_you_mean(value, reading.names.all("route"));
            Err(Invalid::new(format!("is no route{meant}"), "write the name of a `[[route]]`"))
        }
        Source::Route | Source::Claim(_) | Source::Header(_) | Source::Cookie(_) => Ok(()),
    }
}

/// The compiled overrides.
type Compiled = Vec<(compiled::Source, Vec<(String, compiled::Allowance)>)>;

pub(super) fn compile(overrides: &Field<Overrides>, compiler: &mut Compiler<'_>) -> Option<Compiled> {
    let entry = |(source, values): &(Field<KeySource>, Field<Map<SourceValue, Override>>),
                 compiler: &mut Compiler<'_>| {
        let values = values
            .get()?
            .entries
            .iter()
            .map(|(value, other)| Some((value.get()?.0.clone(), other.get()?.kinds().compile(compiler)?)));
        Some((compiled::Source::from(&source.get()?.0), values.collect::<Option<_>>()?))
    };
    overrides.get()?.entries.iter().map(|item| entry(item, compiler)).collect()
}
