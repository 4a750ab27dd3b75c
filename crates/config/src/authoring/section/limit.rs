//! `[[limit]]`: how often a client may ask.

use std::collections::BTreeSet;

use tidegate_gateway::source::Source;
use tidegate_rate_limit::{InvalidRate, Rate};

use super::File;
use crate::authoring::compile::{Compiler, all, milliseconds};
use crate::authoring::problem::Problem;
use crate::authoring::shape::{List, Reading, Whole};
use crate::authoring::table::{choice, table};
use crate::authoring::text::{DAY, KeySource, Name, Span};
use crate::compiled::{self, WhenUnreachable};

table! {
    /// How often a client may ask. A limit is one for all edge locations together.
    #[table(word = "limit", example = "[[limit]]")]
    pub(super) struct Limit {
        /// What routes call it. Clients see it in the `RateLimit` and `RateLimit-Policy` headers.
        name: Name,
        /// What is counted apart from what; several combine: `ip` (the client's address), `claim:NAME` (a claim of the
        /// token), `header:NAME` (a request header), `cookie:NAME`, `route`, `country` or `asn` (the client's network
        /// operator). Headers and cookies are what the client says they are.
        key: List<KeySource, 1>,
        /// How many bits of an IPv6 address are one client; 64 if left out, which is the smallest network that a customer
        /// gets. Only with `ip`.
        ipv6_prefix: Option<Whole<32, 128>>,
        /// How much.
        rate: RateTable,
        /// How exact the limit is: `exact` lets no request too many pass.
        accuracy: Accuracy = "exact",
        /// What happens when the limiter does not answer: `closed` refuses the request with 503, `open` lets it pass.
        when_unreachable: WhenUnreachable = "closed",
    }
}

table! {
    /// So many requests in so much time.
    #[table(word = "rate", example = "{ requests = 100, per = \"1m\" }")]
    pub(super) struct RateTable {
        /// How many requests pass in every `per` in the long run.
        requests: Whole<1, { u32::MAX }>,
        /// The period of `requests`, from `"1ms"` to `"366d"`.
        per: Span<1, { 366 * DAY }>,
        /// How many requests may come at the same moment; as many as `requests` if left out.
        burst: Option<Whole<1, { u32::MAX }>>,
    }
}

/// How exact a limit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accuracy {
    Exact,
}

choice!(Accuracy { Exact = "exact" });

choice!(WhenUnreachable { Open = "open", Closed = "closed" });

impl RateTable {
    fn rate(&self) -> Option<Result<Rate, InvalidRate>> {
        let requests = self.requests.get()?.0;
        let burst = self.burst.value?.map_or(requests, |burst| burst.0);
        Some(Rate::new(requests, self.per.get()?.0, burst))
    }
}

impl Limit {
    /// Whether the limit can only be decided once a token was validated, and by which claim.
    pub(super) fn claim(&self) -> Option<String> {
        let mut sources = self.key.get()?.values();
        sources.find(|source| source.0.needs_token()).map(|source| source.0.to_string())
    }

    pub(super) fn check(&self, reading: &mut Reading<'_>) {
        self.check_prefix(reading);
        if let Some(Some(Err(invalid))) = self.rate.get().map(RateTable::rate) {
            let hint = "write fewer requests, or a longer `per`";
            reading.error(&self.rate.place, format!("`rate` is out of range: {invalid}"), hint);
        }
    }

    /// Without an address there is nothing to shorten.
    fn check_prefix(&self, reading: &mut Reading<'_>) {
        let Some(key) = self.key.get().filter(|key| key.values().count() == key.items.len()) else { return };
        if !self.ipv6_prefix.is_absent() && !key.values().any(|source| source.0 == Source::Ip) {
            let hint = "add `ip` to `key`, or remove `ipv6_prefix`";
            reading.error(&self.ipv6_prefix.place, "`ipv6_prefix` has no effect: the key has no address", hint);
        }
    }

    pub(super) fn compile(&self, _: &mut Compiler<'_>) -> Option<compiled::Limit> {
        self.accuracy.get()?;
        let rate = self.rate.get()?.rate()?.ok()?;
        Some(compiled::Limit {
            name: self.name.get()?.0.clone(),
            key: all(self.key.get()?, |source| compiled::Source::from(&source.0))?,
            ipv6_prefix: u8::try_from(self.ipv6_prefix.value?.map_or(64, |bits| bits.0)).ok()?,
            allowance: compiled::Allowance::Rate {
                requests: rate.requests(),
                per: milliseconds(rate.per())?,
                burst: rate.burst(),
            },
            overrides: Vec::new(),
            cost: compiled::Cost::Fixed(1),
            accuracy: compiled::Accuracy::Exact,
            when_unreachable: *self.when_unreachable.get()?,
            mode: compiled::Mode::Enforce,
            enforce_percent: 100,
        })
    }
}

pub(super) fn warn(file: &File, warnings: &mut Vec<Problem>) {
    let routes = file.route.get().into_iter().flat_map(List::values);
    let used: BTreeSet<&str> = routes.flat_map(|route| route.limits()).map(|limit| limit.name.as_str()).collect();
    for limit in file.limit.get().into_iter().flat_map(List::values) {
        let Some(name) = limit.name.get().filter(|name| !used.contains(name.0.as_str())) else { continue };
        let message = format!("no route has the limit `{}`", name.0);
        let hint = format!("add `{}` to the `limits` of a route, or remove the limit", name.0);
        warnings.push(Problem::warning(&limit.name.place, message, hint));
    }
}
