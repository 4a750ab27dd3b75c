//! Questions and answers on their way.

use std::rc::Rc;

use tidegate_rate_limit::Ask;

use super::queue::{Event, Reply};
use super::{World, tell};
use crate::clock::Moment;

/// A question that an isolate sent, until it is answered or given up.
pub(super) struct Call {
    isolate: usize,
    life: u32,
    /// Taken when the call is over.
    ask: Option<Ask>,
    pub(super) bytes: Rc<[u8]>,
    /// When it was asked, and what the object's clock showed.
    pub(super) asked: (Moment, u64),
    request: Option<usize>,
    /// Which instances decided it, when, and what their clock showed.
    pub(super) decided: Vec<(u64, Moment, u64)>,
}

impl World {
    /// An isolate asks.
    pub(super) fn call(&mut self, isolate: usize, ask: Ask, request: Option<usize>) {
        let bytes = ask.encode().into();
        let life = self.isolates[isolate].life;
        let asked = (self.now, self.object.shows(self.now));
        self.calls.push(Call { isolate, life, ask: Some(ask), bytes, asked, request, decided: Vec::new() });
        let call = self.calls.len() - 1;
        tell!(self, "call {call} of {isolate} for {request:?}");
        self.send(call);
        let deadline = if self.healed { 600_000 } else { self.plan.network.deadline_ms };
        if self.plan.network.again {
            self.queue.add(self.now + deadline / 2, Event::Again { call });
        }
        self.queue.add(self.now + deadline, Event::Deadline { call });
    }

    /// Puts a question on the wire, again or for the first time.
    pub(super) fn send(&mut self, call: usize) {
        let Call { isolate, ref ask, .. } = self.calls[call];
        if ask.is_none() {
            return;
        }
        for _ in 0..self.copies() {
            if let Some(delay) = self.delay(isolate) {
                self.queue.add(self.now + delay, Event::Question { call });
            }
        }
    }

    /// Puts an answer on the wire.
    pub(super) fn reply(&mut self, call: usize, mut answer: Reply) {
        let isolate = self.calls[call].isolate;
        if let Reply::Answer { bytes, .. } = &mut answer
            && !self.healed
            && self.random.permille(self.plan.network.cut_permille)
        {
            let length = self.random.below(bytes.len().max(1));
            *bytes = bytes[..length].into();
        }
        if let Some(delay) = self.delay(isolate) {
            self.queue.add(self.now + delay, Event::Answer { call, answer });
        }
    }

    /// The isolate waits no longer.
    pub(super) fn deadline(&mut self, call: usize) {
        if self.calls[call].ask.is_some() {
            self.answer(call, &Reply::Failed);
        }
    }

    /// Ends a call, once: what comes later finds nobody.
    pub(super) fn close(&mut self, call: usize) -> Option<(usize, Ask, Option<usize>)> {
        let Call { isolate, life, ref mut ask, request, .. } = self.calls[call];
        let ask = ask.take()?;
        (self.isolates[isolate].life == life).then_some((isolate, ask, request))
    }

    fn copies(&mut self) -> u64 {
        1 + u64::from(!self.healed && self.random.permille(self.plan.network.twice_permille))
    }

    /// How long a message takes one way, if it arrives.
    fn delay(&mut self, isolate: usize) -> Option<u64> {
        let network = &self.plan.network;
        if self.healed {
            return Some(network.one_way_ms[isolate]);
        }
        let lost = self.random.permille(network.lost_permille);
        if lost || self.now < self.isolates[isolate].cut_off_until {
            return None;
        }
        let usual = network.one_way_ms[isolate] + self.random.between(0, network.jitter_ms);
        let times = if self.random.permille(network.slow_permille) { self.random.between(2, 10) } else { 1 };
        Some(usual * times)
    }
}
