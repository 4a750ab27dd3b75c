//! How much a limit allows: one of four kinds.

use std::time::Duration;

use tidegate_rate_limit::{InvalidRate, Rate};

use crate::authoring::compile::{Compiler, milliseconds};
use crate::authoring::problem::{Place, Problem};
use crate::authoring::shape::{Field, Reading, Whole};
use crate::authoring::table::{choice, table};
use crate::authoring::text::{DAY, HOUR, SECOND, Span};
use crate::authoring::time_zone::TimeZone;
use crate::compiled::{self, Period};

/// The largest quota: what the RateLimit fields can still say (RFC 9651, section 3.3.1).
const MOST: u64 = 999_999_999_999_999;

/// The largest number of requests of the other kinds.
const MOST_AT_ONCE: u64 = 4_294_967_295;

table! {
    /// So many requests in so much time, refilled all the time.
    #[table(word = "rate", example = "{ requests = 100, per = \"1m\" }")]
    pub(in crate::authoring::section) struct RateTable {
        /// How many requests pass in every `per` in the long run.
        requests: Whole<1, MOST_AT_ONCE>,
        /// The period of `requests`, from `"1ms"` to `"366d"`.
        per: Span<1, { 366 * DAY }>,
        /// How many requests may come at the same moment; as many as `requests` if left out.
        burst: Option<Whole<1, MOST_AT_ONCE>>,
    }
}

table! {
    /// So many requests in any interval of one length.
    #[table(word = "window", example = "{ requests = 1000, per = \"1h\" }")]
    pub(in crate::authoring::section) struct WindowTable {
        /// How many requests pass in any interval of `per`, wherever it begins.
        requests: Whole<1, MOST_AT_ONCE>,
        /// The length of the interval, from `"1s"` to `"366d"`.
        per: Span<SECOND, { 366 * DAY }>,
    }
}

table! {
    /// So many requests a day, or in another period of the calendar.
    #[table(word = "quota", example = "{ requests = 10000, per = \"day\" }")]
    pub(in crate::authoring::section) struct QuotaTable {
        /// How many requests pass in one period.
        requests: Whole<1, MOST>,
        /// The period: `minute`, `hour`, `day`, `week` (it begins on Monday) or `month`.
        per: Period,
        /// By whose clocks a period begins: a name of the IANA database, such as `"Europe/Berlin"`.
        timezone: TimeZone = "UTC",
    }
}

table! {
    /// So many requests at the same time.
    #[table(word = "concurrency limit", example = "{ requests = 50, timeout = \"1m\" }")]
    pub(in crate::authoring::section) struct ConcurrencyTable {
        /// How many requests may be in progress.
        requests: Whole<1, MOST_AT_ONCE>,
        /// How long a request counts at most, from `"1s"` to `"1h"`, should nobody say that it ended.
        timeout: Span<SECOND, HOUR>,
    }
}

choice!(Period { Minute = "minute", Hour = "hour", Day = "day", Week = "week", Month = "month" });

/// The keys for the four kinds, of a limit or of one of its overrides.
#[derive(Clone, Copy)]
pub(super) struct Kinds<'t> {
    pub(super) rate: &'t Field<Option<RateTable>>,
    pub(super) window: &'t Field<Option<WindowTable>>,
    pub(super) quota: &'t Field<Option<QuotaTable>>,
    pub(super) concurrency: &'t Field<Option<ConcurrencyTable>>,
}

/// The name of a kind's key.
pub(super) type Kind = &'static str;

pub(super) const CONCURRENCY: Kind = "concurrency";

impl<'t> Kinds<'t> {
    /// The kinds that are written, right or wrong, with their places.
    fn written(self) -> impl Iterator<Item = (Kind, &'t Place)> {
        let kinds = [
            ("rate", self.rate.is_absent(), &self.rate.place),
            ("window", self.window.is_absent(), &self.window.place),
            ("quota", self.quota.is_absent(), &self.quota.place),
            (CONCURRENCY, self.concurrency.is_absent(), &self.concurrency.place),
        ];
        kinds.into_iter().filter(|(_, is_absent, _)| !is_absent).map(|(kind, _, place)| (kind, place))
    }

    /// The kind, if it is the only one.
    pub(super) fn kind(self) -> Option<(Kind, &'t Place)> {
        let mut written = self.written();
        written.next().filter(|_| written.next().is_none())
    }

    /// Notes none, several, and numbers that do not fit together.
    pub(super) fn check(self, what: &str, place: &Place, reading: &mut Reading<'_>) {
        let mut written: Vec<(Kind, &Place)> = self.written().collect();
        written.sort_by_key(|(_, place)| place.span.start);
        match written.as_slice() {
            [] => {
                let hint = "write one of `rate`, `window`, `quota` and `concurrency`";
                reading.error(place, format!("this {what} does not say how much it allows"), hint);
            }
            [_] => {}
            [(first, first_place), others @ ..] => {
                for (kind, place) in others {
                    let message = format!("this {what} has a `{first}` and a `{kind}`");
                    let hint = "keep one of them, and write a limit of its own for the other";
                    reading.problems.push(Problem::error(place, message, hint).beside(first_place, "the first one"));
                }
            }
        }
        if let Some(Err(invalid)) = self.rate.written().and_then(RateTable::rate) {
            let hint = "write fewer requests, or a longer `per`";
            reading.error(&self.rate.place, format!("`rate` is out of range: {invalid}"), hint);
        }
    }

    /// The most that one request can cost; `None` where that is not known.
    pub(super) fn capacity(self) -> Option<u64> {
        match self.kind()?.0 {
            "rate" => Some(u64::from(self.rate.written()?.rate()?.ok()?.burst())),
            "window" => Some(self.window.written()?.requests.get()?.0),
            "quota" => Some(self.quota.written()?.requests.get()?.0),
            _ => Some(self.concurrency.written()?.requests.get()?.0),
        }
    }

    /// How long a request counts at most.
    pub(super) fn timeout(self) -> Option<Duration> {
        self.concurrency.written()?.timeout.get().map(|timeout| timeout.0)
    }

    pub(super) fn compile(self, compiler: &mut Compiler<'_>) -> Option<compiled::Allowance> {
        if let Some(rate) = self.rate.written() {
            let rate = rate.rate()?.ok()?;
            let per = milliseconds(rate.per())?;
            return Some(compiled::Allowance::Rate { requests: rate.requests(), per, burst: rate.burst() });
        }
        if let Some(window) = self.window.written() {
            let per = milliseconds(window.per.get()?.0)?;
            return Some(compiled::Allowance::Window { requests: window.requests.get()?.small()?, per });
        }
        if let Some(quota) = self.quota.written() {
            let calendar = compiler.calendar(*quota.per.get()?, quota.timezone.get()?)?;
            return Some(compiled::Allowance::Quota { requests: quota.requests.get()?.0, calendar });
        }
        let concurrency = self.concurrency.written()?;
        let timeout = milliseconds(concurrency.timeout.get()?.0)?;
        Some(compiled::Allowance::Concurrency { requests: concurrency.requests.get()?.small()?, timeout })
    }
}

impl RateTable {
    fn rate(&self) -> Option<Result<Rate, InvalidRate>> {
        let requests = self.requests.get()?.small()?;
        let burst = self.burst.value?.map_or(Some(requests), Whole::small)?;
        Some(Rate::new(requests, self.per.get()?.0, burst))
    }
}
