//! Short lists in order, without sorting.

/// Puts something where it belongs in a list that is in order, unless its like is there.
///
/// For short lists: to sort one costs the Worker five kilobytes of code for each type of element.
pub(crate) fn insert<T: Ord>(list: &mut Vec<T>, thing: T) {
    if let Err(place) = list.binary_search(&thing) {
        list.insert(place, thing);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_list_is_in_order_and_has_nothing_twice(things in proptest::collection::vec(0_u8..20, 0..40)) {
            let mut list = Vec::new();
            things.iter().for_each(|thing| insert(&mut list, *thing));
            let mut expected = things;
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(list, expected);
        }
    }
}
