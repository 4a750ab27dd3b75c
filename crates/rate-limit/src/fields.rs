//! What a client sees of its limits: `RateLimit-Policy`, `RateLimit` and `Retry-After`.
//!
//! Written by draft-ietf-httpapi-ratelimit-headers-11 (23 May 2026), as structured fields (RFC 9651). What the
//! parameters mean here, where the draft leaves it to the server:
//!
//! - `q` and `w`: the sustained rate, `requests` in `per` seconds. A window is a whole number of seconds (section
//!   3.1.3). If `per` is not, then `w` is `per` rounded up, and `q` is what the rate gives in that time, rounded down:
//!   10 in 100 ms is `q=100;w=1`.
//! - `tidegate-burst`: the burst, where it differs from `q`. Section 3.1 wants a vendor's name in front of such a
//!   parameter.
//! - `r`: how many requests of cost one fit at this moment, at most the burst, as far as this isolate knows: what it was
//!   lent and has not used, and what the object had when it answered last. Not what other isolates were lent, and not what
//!   is set aside for when the object cannot be asked. When any limit denies the request, none is charged, and `r` is what
//!   it was before.
//! - `t` of an allowed request: how long `r` should last, which is the time in which the rate gives `r` requests. A
//!   client that spreads `r` over `t` stays at the sustained rate: section 6 asks for a cap on their ratio, and section
//!   8.5 shows what a short window over a full burst invites. With `r=0`, it is the time until the next request fits.
//! - `t` of a denied request: the time until this very request fits this limit. A limit that did not deny it shows no
//!   `t`, because `Retry-After` should not be earlier than the end of an effective window (section 6).
//! - `Retry-After`: the longest `t` of the limits that denied the request.
//! - `qu` is left out where a unit is a request, and `concurrent-requests` for a limit of requests in progress, which has
//!   no window (`w`).
//! - `w` of a quota is the length of the calendar's window that goes on, and `t` what is left of it.
//! - `pk`: what the caller says, a hash that is the same for the same key and does not show what a limit is keyed by. It
//!   stands in `RateLimit` only, so that `RateLimit-Policy` is the same for everybody (section 3).
//!
//! Seconds are rounded up, and a wait is never zero.

use std::time::Duration;

use sfv::{Integer, KeyRef, ListSerializer, ParameterSerializer, StringRef, key_ref, string_ref};

use crate::allowance::Allowance;
use crate::rate::Rate;
use crate::verdict::Verdict;

const QUOTA: &KeyRef = key_ref("q");
const WINDOW: &KeyRef = key_ref("w");
const BURST: &KeyRef = key_ref("tidegate-burst");
const AVAILABLE: &KeyRef = key_ref("r");
const EFFECTIVE_WINDOW: &KeyRef = key_ref("t");
const UNIT: &KeyRef = key_ref("qu");
const CONCURRENT_REQUESTS: &StringRef = string_ref("concurrent-requests");
const PARTITION: &KeyRef = key_ref("pk");
const UNNAMED: &StringRef = string_ref("");

/// One limit of one request, as a client sees it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The name of the limit.
    pub name: &'a str,
    /// What it allows this client.
    pub allowance: &'a Allowance,
    /// What it says to this request.
    pub verdict: &'a Verdict,
    /// The `pk` parameter; none if it is empty.
    pub partition: &'a [u8],
}

/// Writes the value of `RateLimit-Policy`: each limit's name and what it allows at `now`.
///
/// The field is a list that is never empty (section 3): without limits the value is the empty string, and the field
/// must not be sent.
pub fn policy_field(limits: &[Shown<'_>], now: Duration) -> String {
    let mut list = ListSerializer::new();
    for Shown { name, allowance, .. } in limits {
        let item = item(&mut list, name);
        match allowance {
            Allowance::Rate(rate) => {
                let (quota, window) = quota_and_window(rate);
                let item = item.parameter(QUOTA, integer(quota)).parameter(WINDOW, integer(window));
                if u64::from(rate.burst()) != quota {
                    item.parameter(BURST, rate.burst());
                }
            }
            Allowance::Window(window) => {
                let seconds = whole_seconds(window.per());
                item.parameter(QUOTA, integer(u64::from(window.requests()))).parameter(WINDOW, integer(seconds));
            }
            Allowance::Quota(quota) => {
                let windows = quota.calendar().windows(now);
                let seconds = whole_seconds(windows.end.saturating_sub(windows.start));
                item.parameter(QUOTA, integer(quota.requests())).parameter(WINDOW, integer(seconds));
            }
            Allowance::Concurrency(concurrency) => {
                let quota = integer(u64::from(concurrency.requests()));
                item.parameter(QUOTA, quota).parameter(UNIT, CONCURRENT_REQUESTS);
            }
        }
    }
    list.finish().unwrap_or_default()
}

/// Writes the value of `RateLimit`: each limit's name and what is left of it.
///
/// Give it the verdicts of one request: whether the request as a whole was denied shows in all of them. Without limits
/// the value is the empty string, and the field must not be sent.
pub fn limit_field(limits: &[Shown<'_>]) -> String {
    let denied = limits.iter().any(|shown| !shown.verdict.is_allowed());
    let mut list = ListSerializer::new();
    for Shown { name, allowance, verdict, partition } in limits {
        let (remaining, window) = match **verdict {
            // Nobody knows what is left.
            Verdict::Open | Verdict::Closed { .. } => continue,
            Verdict::Allowed { remaining, .. } if denied => (remaining, None),
            // What is in progress ends when it ends.
            Verdict::Allowed { remaining, .. } if matches!(allowance, Allowance::Concurrency(_)) => (remaining, None),
            Verdict::Allowed { remaining, effective_window } => (remaining, Some(effective_window)),
            Verdict::Denied { remaining, retry_after } => (remaining, Some(retry_after)),
        };
        let mut item = item(&mut list, name).parameter(AVAILABLE, integer(remaining));
        if let Some(window) = window {
            item = item.parameter(EFFECTIVE_WINDOW, integer(whole_seconds(window)));
        }
        if !partition.is_empty() {
            item.parameter(PARTITION, *partition);
        }
    }
    list.finish().unwrap_or_default()
}

/// Returns the value of `Retry-After` in seconds (RFC 9110, section 10.2.3), at least 1; none if no limit denies.
pub fn retry_after_seconds(verdicts: &[&Verdict]) -> Option<u64> {
    verdicts.iter().filter_map(|verdict| verdict.retry_after()).map(whole_seconds).max()
}

/// Returns `q` and `w`. As `w` is not shorter than the period, `q` is not smaller than the number of requests.
fn quota_and_window(rate: &Rate) -> (u64, u64) {
    let window = whole_seconds(rate.per());
    let given = u128::from(rate.requests()).saturating_mul(Duration::from_secs(window).as_nanos());
    let quota = given.checked_div(rate.per().as_nanos()).unwrap_or(0);
    (u64::try_from(quota).unwrap_or(u64::MAX), window)
}

/// Returns a time in whole seconds as the fields write it: rounded up, and at least 1.
pub fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)).max(1)
}

fn integer(value: u64) -> Integer {
    // RFC 9651, section 3.3.1: an Integer has at most 15 digits.
    Integer::try_from(value).unwrap_or(Integer::MAX)
}

fn item<'a>(list: &'a mut ListSerializer<String>, name: &str) -> ParameterSerializer<&'a mut String> {
    let name = printable(name);
    list.bare_item(StringRef::from_str(&name).unwrap_or(UNNAMED))
}

/// Returns the name as a String can hold it (RFC 9651, section 3.3.3): other bytes than printable ASCII, and `%` so
/// that two names never look the same, are percent-encoded.
fn printable(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'%' | ..0x20 | 0x7f.. => {
                text.push('%');
                text.extend([byte >> 4, byte & 0xf].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0')));
            }
            _ => text.push(char::from(byte)),
        }
    }
    text
}

#[cfg(test)]
mod tests;
