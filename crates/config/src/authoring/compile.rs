//! From the values of a checked file to the compiled form.

use super::names::{Kind, Names, Reference};
use super::section::Secrets;
use super::shape::{Field, List};
use super::time_zone::TimeZone;
use crate::compiled::{Calendar, Period, Position};

/// What compiling needs and gathers.
pub(super) struct Compiler<'n> {
    pub(super) names: &'n Names,
    pub(super) secrets: Secrets,
    /// What quotas refer to, each once.
    pub(super) calendars: Vec<Calendar>,
}

impl Compiler<'_> {
    /// Compiles every item of a list; `None` if one of them is wrong.
    pub(super) fn each<T, C, const LEAST: usize>(
        &mut self,
        list: &Field<List<T, LEAST>>,
        compile: impl Fn(&T, &mut Self) -> Option<C>,
    ) -> Option<Vec<C>> {
        list.get()?.items.iter().map(|item| compile(item.get()?, self)).collect()
    }

    /// The position of a calendar, which is added if it is new.
    pub(super) fn calendar(&mut self, period: Period, zone: &TimeZone) -> Option<Position> {
        let calendar = Calendar {
            period,
            zone: zone.name.clone(),
            first_offset: zone.zone.first_offset(),
            transitions: zone.zone.transitions().to_vec(),
        };
        let known = self.calendars.iter().position(|known| *known == calendar);
        let position = known.unwrap_or(self.calendars.len());
        if known.is_none() {
            self.calendars.push(calendar);
        }
        Position::try_from(position).ok()
    }

    /// The position of what a reference names.
    pub(super) fn position<K: Kind>(&self, reference: &Reference<K>) -> Option<Position> {
        self.names.position(K::TABLE, &reference.name).and_then(|position| Position::try_from(position).ok())
    }

    /// The positions of what a list of references names.
    pub(super) fn positions<K: Kind, const LEAST: usize>(
        &self,
        list: &List<Reference<K>, LEAST>,
    ) -> Option<Vec<Position>> {
        list.items.iter().map(|item| self.position(item.get()?)).collect()
    }
}

/// Every item of a list; `None` if one of them is wrong.
pub(super) fn all<T, C, const LEAST: usize>(list: &List<T, LEAST>, value: impl Fn(&T) -> C) -> Option<Vec<C>> {
    list.items.iter().map(|item| item.get().map(&value)).collect()
}

/// A duration in the milliseconds of the compiled form.
pub(super) fn milliseconds(duration: std::time::Duration) -> Option<u64> {
    u64::try_from(duration.as_millis()).ok()
}
