//! Requests in progress: from when they are let through until they end.

use std::time::Duration;

use super::entry::Standing;
use super::permits::Started;
use super::{Ask, Holder, Placed, Receipt};
use crate::allowance::Allowance;
use crate::question::Intent;
use crate::verdict::Verdict;
use crate::want::{Mode, Want, WhenUnreachable};

impl Holder {
    /// Collects what was started for a request that passes, for its receipt. A permit that came too late to start the
    /// request is none: its limit then says what it says when it can't be asked.
    pub(super) fn in_progress(
        &mut self,
        object: &str,
        wants: &[Want],
        verdicts: &mut [Verdict],
        receipt: Option<Receipt>,
    ) -> Option<Receipt> {
        let counts = |want: &Want| matches!(want.allowance(), Allowance::Concurrency(_));
        if !wants.iter().any(counts) {
            return receipt;
        }
        let mut running = Vec::new();
        for (want, verdict) in wants.iter().zip(verdicts.iter_mut()).filter(|(want, _)| counts(want)) {
            if !matches!(verdict, Verdict::Allowed { .. }) {
                continue;
            }
            let permits = self.table.find(want.key()).and_then(|entry| entry.permits.as_mut());
            match permits.and_then(|permits| permits.confirm()) {
                Some(started) => running.push((want.clone(), started)),
                None if want.when_unreachable() == WhenUnreachable::Open => *verdict = Verdict::Open,
                None => *verdict = Verdict::Closed { retry_after: Duration::from_secs(1) },
            }
        }
        let refuses = |(want, verdict): (&Want, &Verdict)| want.mode() == Mode::Enforce && !verdict.is_allowed();
        if wants.iter().zip(verdicts.iter()).any(refuses) {
            running.drain(..).for_each(|(want, started)| self.end(&want, started));
        }
        if running.is_empty() {
            return receipt;
        }
        Some(Receipt { object: object.to_owned(), running, ..receipt.unwrap_or_default() })
    }

    /// Ends what a receipt says is in progress, and returns a question that gives back what now lies idle.
    pub(super) fn finish(&mut self, receipt: Receipt, now: Duration, clock: u64) -> Option<Ask> {
        let Receipt { object, running, .. } = receipt;
        let wants: Vec<Want> = running.iter().map(|(want, _)| want.clone()).collect();
        running.into_iter().for_each(|(want, started)| self.end(&want, started));
        let mut idle = Vec::new();
        for want in wants {
            let Some(entry) = self.table.find(want.key()).filter(|entry| entry.is_of(&want)) else { continue };
            let timeout = entry.timeout();
            let Some(permits) = &mut entry.permits else { continue };
            if permits.is_to_return(timeout, clock) {
                idle.push(want);
            }
        }
        if idle.is_empty() || !self.circuits.allows(&object, clock) {
            return None;
        }
        let mut places = Vec::new();
        for want in &idle {
            let (place, _) = self.table.place(want, self.request, self.sequence, clock);
            if let Some(permits) = self.table.at(place).and_then(|entry| entry.permits.as_mut()) {
                permits.return_idle();
            }
            let price = want.allowance().price(want.cost());
            places.push(Placed { place, price, standing: Standing::Asks, comes_back: false });
        }
        self.counters.refreshes = self.counters.refreshes.saturating_add(1);
        let mut ask = self.ask(&object, &idle, &places, Intent::Refresh, now, clock);
        // Nothing more is wanted.
        ask.question.items.iter_mut().for_each(|item| item.demand = 0);
        Some(ask)
    }

    fn end(&mut self, want: &Want, started: Started) {
        if let Some(permits) = self.table.find(want.key()).and_then(|entry| entry.permits.as_mut()) {
            permits.finish(started);
        }
    }
}
