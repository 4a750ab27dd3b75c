//! Thousands of schedules of each kind, drawn from seeds. A seed that fails says how to see it again.

use tidegate_simulation::{Family, Plan, Weather, World};

#[test]
fn a_schedule_is_the_same_each_time() {
    for seed in 0..20 {
        let [first, second] = [0, 1].map(|_| World::traced(Plan::draw(seed, Family::Mixed, Weather::Hostile)));
        assert_eq!(first.trace, second.trace);
        assert_eq!(first.counts, second.counts);
    }
}
