//! What the keys of a limit have to agree on.

use tidegate_gateway::source::Source;

use super::allowance::CONCURRENCY;
use super::{Accuracy, Cost, Limit, overrides};
use crate::authoring::problem::{Place, Problem};
use crate::authoring::shape::Reading;
use crate::compiled::{Mode, WhenUnreachable};

/// A reserve is one part in so many of the limit, as the rate-limit crate sets it aside.
const RESERVE: u64 = 20;

/// A bounded limit's share is divided among so many isolates.
const ISOLATES: u64 = 64;

impl Limit {
    /// Notes whatever is wrong between values that are right by themselves. `place` is the table's.
    pub(in crate::authoring::section) fn check(&self, place: &Place, reading: &mut Reading<'_>) {
        self.kinds().check("limit", place, reading);
        let prefix = self.prefix().unwrap_or_default();
        overrides::check(&self.overrides, place, self.kinds().kind(), prefix, reading);
        self.check_prefix(reading);
        self.check_cost(reading);
        self.check_reserve(reading);
        self.check_accuracy(reading);
        self.check_local(place, reading);
    }

    /// Without an address there is nothing to shorten.
    fn check_prefix(&self, reading: &mut Reading<'_>) {
        let Some(key) = self.key() else { return };
        let sources = overrides::sources(&self.overrides).map(|(source, _)| source);
        if !self.ipv6_prefix.is_absent() && !key.into_iter().chain(sources).any(|source| *source == Source::Ip) {
            let hint = "add `ip` to `key`, or remove `ipv6_prefix`";
            reading.error(&self.ipv6_prefix.place, "`ipv6_prefix` has no effect: the key has no address", hint);
        }
    }

    /// What the limit and each of its overrides hold at most, with a name and a place.
    fn capacities(&self) -> Vec<(u64, String, Option<&Place>)> {
        let own = self.kinds().capacity().zip(self.kinds().kind());
        let own = own.map(|(capacity, (_, place))| (capacity, "the limit".to_owned(), Some(place)));
        let others = overrides::each(&self.overrides).filter_map(|(value, other, _)| {
            let (_, place) = other.kinds().kind()?;
            Some((other.kinds().capacity()?, format!("the override for `{}`", value.0), Some(place)))
        });
        own.into_iter().chain(others).collect()
    }

    /// A request that costs more than there ever is can never pass, however long it waits.
    fn check_cost(&self, reading: &mut Reading<'_>) {
        let Some(cost) = self.cost.get() else { return };
        cost.check(reading);
        let kind = self.kinds().kind().map(|(kind, _)| kind);
        if kind == Some(CONCURRENCY) && cost.is_settled() {
            let hint = "remove `reserve` and `settle`: what a request takes comes back when it ends";
            reading.error(&self.cost.place, "`cost` cannot be settled: the limit counts requests in progress", hint);
        }
        let Some((most, place)) = cost.most(&self.cost.place) else { return };
        for (capacity, what, beside) in self.capacities() {
            if most > capacity {
                let message = format!("a request may cost {most}, but {what} never has more than {capacity}");
                let hint = format!("lower the cost to at most {capacity}, or raise {what}");
                // A cost that is left out is 1, which everything holds.
                let problem = Problem::error(place, message, hint);
                reading.problems.push(match beside {
                    Some(beside) => problem.beside(beside, "never has more"),
                    None => problem,
                });
            }
        }
    }

    /// A reserve is set aside before it is needed: it has to hold a request.
    fn check_reserve(&self, reading: &mut Reading<'_>) {
        if self.when_unreachable.get() != Some(&WhenUnreachable::Reserve) {
            return;
        }
        let place = &self.when_unreachable.place;
        match self.kinds().kind() {
            Some((kind @ ("window" | CONCURRENCY), of_kind)) => {
                let message = format!("a limit by `{kind}` cannot have a reserve");
                let problem =
                    Problem::error(place, message, "choose `open` or `closed`, or write a `rate` or a `quota`");
                reading.problems.push(problem.beside(of_kind, "the limit"));
                return;
            }
            Some(_) => {}
            None => return,
        }
        let usual = self.cost.get().and_then(Cost::usual).unwrap_or(1);
        for (capacity, what, beside) in self.capacities() {
            if capacity.checked_div(RESERVE).unwrap_or_default() < usual {
                let message = format!("5 % of {what} is less than one request: there is no reserve");
                let least = usual.saturating_mul(RESERVE);
                let hint = format!("choose `open` or `closed`, or allow at least {least}");
                let problem = Problem::error(place, message, hint);
                reading.problems.push(match beside {
                    Some(beside) => problem.beside(beside, format!("{capacity} at most")),
                    None => problem,
                });
            }
        }
    }

    /// What one isolate can do for itself depends on the kind.
    fn check_accuracy(&self, reading: &mut Reading<'_>) {
        let Some((kind, of_kind)) = self.kinds().kind() else { return };
        let (word, hint) = match self.accuracy.get() {
            Some(Accuracy::Local) if kind != "rate" => ("local", "write a `rate`, or remove `accuracy`"),
            Some(Accuracy::Bounded(_)) if kind == CONCURRENCY => ("bounded", "remove `accuracy`"),
            Some(Accuracy::Exact | Accuracy::Local | Accuracy::Bounded(_)) | None => return,
        };
        let problem = Problem::error(&self.accuracy.place, format!("a limit by `{kind}` cannot be `{word}`"), hint);
        reading.problems.push(problem.beside(of_kind, "the limit"));
    }

    /// What asks nobody cannot find anybody unreachable.
    fn check_local(&self, table: &Place, reading: &mut Reading<'_>) {
        if matches!(self.accuracy.get(), Some(Accuracy::Local)) && self.when_unreachable.is_written_in(table) {
            let hint = "remove `when_unreachable`, or choose another `accuracy`";
            let message = "`when_unreachable` has no effect: `local` asks nobody";
            let problem = Problem::error(&self.when_unreachable.place, message, hint);
            reading.problems.push(problem.beside(&self.accuracy.place, "counts in each isolate"));
        }
    }
}

/// What is unwise in a limit without errors.
pub(super) fn warn(limit: &Limit, table: &Place, warnings: &mut Vec<Problem>) {
    warn_of_shadow(limit, table, warnings);
    warn_of_bounded(limit, warnings);
    warn_of_overrides(limit, warnings);
}

fn warn_of_shadow(limit: &Limit, table: &Place, warnings: &mut Vec<Problem>) {
    if limit.mode.get() == Some(&Mode::Shadow) && limit.enforce_percent.is_written_in(table) {
        let hint = "write `mode = \"enforce\"` to enforce it for this share, or remove `enforce_percent`";
        let message = "`enforce_percent` has no effect: a shadow is enforced for nobody";
        let problem = Problem::warning(&limit.enforce_percent.place, message, hint);
        warnings.push(problem.beside(&limit.mode.place, "the mode"));
    }
}

fn warn_of_bounded(limit: &Limit, warnings: &mut Vec<Problem>) {
    let Some(share) = limit.accuracy.get().and_then(Accuracy::share) else { return };
    let Some(capacity) = limit.kinds().capacity() else { return };
    let each = capacity.saturating_mul(u64::from(share.0)).checked_div(ISOLATES.saturating_mul(1_000_000));
    if each.is_some_and(|each| each < 1) {
        let message = "this share of the limit is less than one request for an isolate: it is as good as `exact`";
        let hint = "write a larger share, or `accuracy = \"exact\"`";
        warnings.push(Problem::warning(&limit.accuracy.place, message, hint));
    }
}

fn warn_of_overrides(limit: &Limit, warnings: &mut Vec<Problem>) {
    let key = limit.key().unwrap_or_default();
    let shares = key.iter().all(|source| matches!(source, Source::Route | Source::Country | Source::Asn));
    for (source, place) in overrides::sources(&limit.overrides) {
        // Cloudflare removes what clients send under `cf-`.
        let is_chosen = match source {
            Source::Cookie(_) => true,
            Source::Header(name) => !name.starts_with("cf-"),
            Source::Ip | Source::Claim(_) | Source::Route | Source::Country | Source::Asn => false,
        };
        if is_chosen {
            let message = format!("a client chooses its `{source}` itself, and with it its numbers");
            let hint = "use a claim of the token, or see to it that only your own systems can send it";
            warnings.push(Problem::warning(place, message, hint));
        } else if shares && !key.contains(&source) && *source != Source::Route {
            let message = format!("requests with different `{source}` have different numbers, but one count");
            warnings.push(Problem::warning(place, message, format!("add `{source}` to `key`")));
        }
    }
}
