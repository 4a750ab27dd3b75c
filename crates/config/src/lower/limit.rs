//! The limits, and the calendars that their quotas share.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tidegate_gateway::route::{Cost, Limit, Override, Percent};
use tidegate_gateway::source::Ipv6Prefix;
use tidegate_rate_limit::{
    Accuracy, Allowance, Calendar, Concurrency, Mode, Period, Quota, Rate, WhenUnreachable, Window, Zone,
};

use super::{shared, words};
use crate::compiled;

pub(super) fn calendar(calendar: compiled::Calendar) -> Result<Rc<Calendar>, String> {
    let period = match calendar.period {
        compiled::Period::Minute => Period::Minute,
        compiled::Period::Hour => Period::Hour,
        compiled::Period::Day => Period::Day,
        compiled::Period::Week => Period::Week,
        compiled::Period::Month => Period::Month,
    };
    let zone = Zone::new(calendar.first_offset, calendar.transitions).map_err(words)?;
    Ok(Rc::new(Calendar::new(period, zone)))
}

pub(super) fn limit(limit: compiled::Limit, calendars: &[Rc<Calendar>]) -> Result<Rc<Limit>, String> {
    let allowance = self::allowance(limit.allowance, calendars)?;
    let overrides = limit.overrides.into_iter().map(|(source, values)| {
        let mut allowances = BTreeMap::new();
        for (value, other) in values {
            allowances.insert(value, self::allowance(other, calendars)?);
        }
        Ok(Override { source: source.into(), allowances })
    });
    let overrides = overrides.collect::<Result<Vec<Override>, String>>()?;
    let cost = self::cost(limit.cost);
    let capacities = overrides.iter().flat_map(|other| other.allowances.values()).map(Allowance::capacity);
    if u64::from(cost.most()) > capacities.fold(allowance.capacity(), u64::min) {
        return Err("the cost is above the capacity".to_owned());
    }
    Ok(Rc::new(Limit {
        name: limit.name,
        key: limit.key.into_iter().map(Into::into).collect(),
        ipv6_prefix: Ipv6Prefix::new(limit.ipv6_prefix).ok_or("`ipv6_prefix` is out of range")?,
        allowance,
        overrides,
        cost,
        accuracy: match limit.accuracy {
            compiled::Accuracy::Exact => Accuracy::Exact,
            compiled::Accuracy::Bounded { parts_per_million } => Accuracy::Bounded { parts_per_million },
            compiled::Accuracy::Local => Accuracy::Local,
        },
        when_unreachable: match limit.when_unreachable {
            compiled::WhenUnreachable::Open => WhenUnreachable::Open,
            compiled::WhenUnreachable::Closed => WhenUnreachable::Closed,
            compiled::WhenUnreachable::Reserve => WhenUnreachable::Reserve,
        },
        mode: match limit.mode {
            compiled::Mode::Enforce => Mode::Enforce,
            compiled::Mode::Shadow => Mode::Shadow,
        },
        enforce_percent: Percent::new(limit.enforce_percent).ok_or("`enforce_percent` is out of range")?,
    }))
}

fn allowance(allowance: compiled::Allowance, calendars: &[Rc<Calendar>]) -> Result<Allowance, String> {
    Ok(match allowance {
        compiled::Allowance::Rate { requests, per, burst } => {
            Allowance::Rate(Rate::new(requests, Duration::from_millis(per), burst).map_err(words)?)
        }
        compiled::Allowance::Window { requests, per } => {
            Allowance::Window(Window::new(requests, Duration::from_millis(per)).map_err(words)?)
        }
        compiled::Allowance::Quota { requests, calendar } => {
            Allowance::Quota(Quota::new(requests, shared(calendars, calendar, "calendar")?).map_err(words)?)
        }
        compiled::Allowance::Concurrency { requests, timeout } => {
            Allowance::Concurrency(Concurrency::new(requests, Duration::from_millis(timeout)).map_err(words)?)
        }
    })
}

fn cost(cost: compiled::Cost) -> Cost {
    match cost {
        compiled::Cost::Fixed(cost) => Cost::Fixed(cost),
        compiled::Cost::Header { name, otherwise, at_most } => Cost::Header { name, otherwise, at_most },
        compiled::Cost::Settled { reserve, header } => Cost::Settled { reserve, header },
    }
}
