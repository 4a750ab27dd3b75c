//! `[[limit]]`: how often a client may ask.

mod accuracy;
mod allowance;
mod check;
mod cost;
mod overrides;

use std::collections::BTreeSet;
use std::time::Duration;

use tidegate_gateway::source::{Ipv6Prefix, Source};

use super::File;
use crate::authoring::compile::{Compiler, all};
use crate::authoring::problem::Problem;
use crate::authoring::shape::{List, Whole};
use crate::authoring::table::{choice, table};
use crate::authoring::text::{KeySource, Name};
use crate::compiled::{self, Mode, WhenUnreachable};
use accuracy::Accuracy;
use allowance::{ConcurrencyTable, Kinds, QuotaTable, RateTable, WindowTable};
use cost::Cost;
use overrides::Overrides;

table! {
    /// How often a client may ask. A limit is one for all edge locations together. It has exactly one of `rate`,
    /// `window`, `quota` and `concurrency`.
    #[table(
        word = "limit",
        example = "[[limit]]",
        rules = { "oneOf": [
            { "required": ["rate"] },
            { "required": ["window"] },
            { "required": ["quota"] },
            { "required": ["concurrency"] },
        ] }
    )]
    pub(super) struct Limit {
        /// What routes call it. Clients see it in the `RateLimit` and `RateLimit-Policy` headers.
        name: Name,
        /// What is counted apart from what; several combine: `ip` (the client's address), `claim:NAME` (a claim of the
        /// token), `header:NAME` (a request header), `cookie:NAME`, `route`, `country` or `asn` (the client's network
        /// operator). Headers and cookies are what the client says they are.
        key: List<KeySource, 1>,
        /// How many bits of an IPv6 address are one client; 64 if left out, which is the smallest network that a
        /// customer gets. Only with `ip`.
        ipv6_prefix: Option<Whole<32, 128>>,
        /// A bucket that refills all the time: smooth, and the cheapest to ask.
        rate: Option<RateTable>,
        /// At most so many in any interval of one length: no burst at the seam of two intervals.
        window: Option<WindowTable>,
        /// At most so many a day, or in another period of the calendar, which starts over for everybody at once.
        quota: Option<QuotaTable>,
        /// At most so many at the same time.
        concurrency: Option<ConcurrencyTable>,
        /// What one request takes: a number, or what a header of the request or of the response says.
        cost: Cost = 1,
        /// Other numbers for some callers: by a source, and by its value. The first that fits, in the order of the
        /// file, holds. A claim is the issuer's word; a header or a cookie is the client's own.
        overrides: Overrides = {},
        /// How exact the limit is: `exact` lets no request too many pass, `{ bounded = 0.01 }` lets a hundredth of the
        /// limit too many pass so that no request waits for a key that is new here, `local` counts in each isolate for
        /// itself.
        accuracy: Accuracy = "exact",
        /// What happens when the limiter does not answer: `closed` refuses the request with 503, `open` lets it pass
        /// and charges it later, `reserve` lets it pass while a twentieth of the limit lasts, which is set aside for
        /// this.
        when_unreachable: WhenUnreachable = "closed",
        /// Whether it refuses: `enforce`, or `shadow`, which counts and says in the log whom it would have refused.
        mode: Mode = "enforce",
        /// For how many keys of a hundred it is enforced; for the others it is a shadow. The same keys at every edge.
        enforce_percent: Whole<0, 100> = 100,
    }
}

choice!(WhenUnreachable { Closed = "closed", Open = "open", Reserve = "reserve" });

choice!(Mode { Enforce = "enforce", Shadow = "shadow" });

impl Limit {
    /// Why the limit can only be decided once a token was validated: what it does by which claim.
    pub(super) fn claim(&self) -> Option<String> {
        let mut key = self.key.get()?.values().map(|source| &source.0);
        if let Some(source) = key.find(|source| source.needs_token()) {
            return Some(format!("counts by `{source}`"));
        }
        let mut sources = overrides::sources(&self.overrides).map(|(source, _)| source);
        sources.find(|source| source.needs_token()).map(|source| format!("has overrides by `{source}`"))
    }

    /// The sources of the key, if all of them are right.
    pub(super) fn key(&self) -> Option<Vec<&Source>> {
        let key = self.key.get()?;
        key.items.iter().map(|source| source.get().map(|source| &source.0)).collect()
    }

    /// How long a request counts at most, for a limit of what happens at the same time.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.kinds().timeout()
    }

    fn kinds(&self) -> Kinds<'_> {
        Kinds { rate: &self.rate, window: &self.window, quota: &self.quota, concurrency: &self.concurrency }
    }

    fn prefix(&self) -> Option<Ipv6Prefix> {
        match self.ipv6_prefix.value? {
            Some(bits) => Ipv6Prefix::new(u8::try_from(bits.0).ok()?),
            None => Some(Ipv6Prefix::default()),
        }
    }

    pub(super) fn compile(&self, compiler: &mut Compiler<'_>) -> Option<compiled::Limit> {
        Some(compiled::Limit {
            name: self.name.get()?.0.clone(),
            key: all(self.key.get()?, |source| compiled::Source::from(&source.0))?,
            ipv6_prefix: self.prefix()?.bits(),
            allowance: self.kinds().compile(compiler)?,
            overrides: overrides::compile(&self.overrides, compiler)?,
            cost: self.cost.get()?.compile()?,
            accuracy: self.accuracy.get()?.compile()?,
            when_unreachable: *self.when_unreachable.get()?,
            mode: *self.mode.get()?,
            enforce_percent: u8::try_from(self.enforce_percent.get()?.0).ok()?,
        })
    }
}

pub(super) fn warn(file: &File, warnings: &mut Vec<Problem>) {
    let routes = file.route.get().into_iter().flat_map(List::values);
    let used: BTreeSet<&str> = routes.flat_map(|route| route.limits()).map(|limit| limit.name.as_str()).collect();
    for (limit, place) in file.limit.get().into_iter().flat_map(List::placed) {
        check::warn(limit, place, warnings);
        let Some(name) = limit.name.get().filter(|name| !used.contains(name.0.as_str())) else { continue };
        let message = format!("no route has the limit `{}`", name.0);
        let hint = format!("add `{}` to the `limits` of a route, or remove the limit", name.0);
        warnings.push(Problem::warning(&limit.name.place, message, hint));
    }
}
