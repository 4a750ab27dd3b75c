//! From the values of a checked file to the compiled form.

use super::names::{Kind, Names, Reference};
use super::section::Secrets;
use super::shape::{Field, List};
use crate::compiled::Position;

/// What compiling needs and gathers.
pub(super) struct Compiler<'n> {
    pub(super) names: &'n Names,
    pub(super) secrets: Secrets,
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
