//! Permits by the answer that brought them.

/// Batches that the object knows of are told apart no further than this.
const MAX_TOLD: usize = 8;

/// Permits that expire together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Batch {
    /// The latest question whose answer is in it.
    sequence: u64,
    permits: u64,
    expiry: u64,
}

/// All permits, in the order of their expiry.
#[derive(Clone, Debug, Default)]
pub(super) struct Batches {
    batches: Vec<Batch>,
}

impl Batches {
    pub(super) fn sum(&self) -> u64 {
        self.batches.iter().fold(0, |sum, batch| sum.saturating_add(batch.permits))
    }

    /// When the last of them expires, zero if there is none.
    pub(super) fn last(&self) -> u64 {
        self.batches.last().map_or(0, |batch| batch.expiry)
    }

    pub(super) fn living_after(&self, time: u64) -> u64 {
        let living = self.batches.iter().filter(|batch| batch.expiry > time);
        living.fold(0, |sum, batch| sum.saturating_add(batch.permits))
    }

    pub(super) fn expiries_before(&self, time: u64) -> impl Iterator<Item = u64> {
        self.batches.iter().map(|batch| batch.expiry).take_while(move |expiry| *expiry < time)
    }

    pub(super) fn add(&mut self, sequence: u64, permits: u64, expiry: u64) {
        if permits > 0 {
            self.insert(Batch { sequence, permits, expiry });
        }
    }

    /// What answers up to this one have brought lives at least until `expiry`.
    pub(super) fn extend(&mut self, sequence: u64, expiry: u64) {
        for batch in self.batches.iter_mut().filter(|batch| batch.sequence <= sequence) {
            batch.expiry = batch.expiry.max(expiry);
        }
        for batch in std::mem::take(&mut self.batches) {
            self.insert(batch);
        }
    }

    /// What answers up to this one have brought and is still here.
    pub(super) fn told(&self, sequence: u64) -> u64 {
        let told = self.batches.iter().filter(|batch| batch.sequence <= sequence);
        told.fold(0, |sum, batch| sum.saturating_add(batch.permits))
    }

    /// Gives up all but so many: first those of answers up to `sequence`, because the object hears of those at once, and of
    /// those the ones that expire first.
    pub(super) fn keep(&mut self, permits: u64, sequence: u64) {
        let mut excess = self.sum().saturating_sub(permits);
        for told in [true, false] {
            for batch in self.batches.iter_mut().filter(|batch| (batch.sequence <= sequence) == told) {
                let less = excess.min(batch.permits);
                batch.permits = batch.permits.saturating_sub(less);
                excess = excess.saturating_sub(less);
            }
        }
        self.batches.retain(|batch| batch.permits > 0);
    }

    /// Joins batches of answers up to this one that expire together; if there are still many, the first expires earlier
    /// than it has to.
    pub(super) fn merge(&mut self, sequence: u64) {
        let mut told = 0_usize;
        let mut merged: Vec<Batch> = Vec::with_capacity(self.batches.len());
        let excess = self.batches.iter().filter(|batch| batch.sequence <= sequence).count().saturating_sub(MAX_TOLD);
        for batch in &self.batches {
            let is_told = batch.sequence <= sequence;
            told = told.saturating_add(usize::from(is_told));
            let before = merged.iter_mut().rfind(|before| is_told && before.sequence <= sequence);
            match before.filter(|before| before.expiry == batch.expiry || told <= excess) {
                Some(before) => {
                    before.permits = before.permits.saturating_add(batch.permits);
                    before.sequence = before.sequence.max(batch.sequence);
                }
                None => merged.push(*batch),
            }
        }
        self.batches = merged;
    }

    pub(super) fn roll(&mut self, now: u64) {
        self.batches.retain(|batch| batch.expiry > now);
    }

    fn insert(&mut self, batch: Batch) {
        let place = self.batches.partition_point(|earlier| earlier.expiry <= batch.expiry);
        self.batches.insert(place, batch);
    }
}
