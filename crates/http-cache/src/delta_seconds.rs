use std::time::Duration;

/// RFC 9111, section 1.2.2: a value that is too great to represent is considered to be 2147483648 seconds.
pub(crate) const GREATEST: Duration = Duration::from_secs(2_147_483_648);

/// Reads delta-seconds (RFC 9111, section 1.2.2): `1*DIGIT`, saturating. `None` for anything else, a sign or a fraction
/// included.
pub(crate) fn parse(value: &str) -> Option<Duration> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Only an overflow is left to fail here: "what matters is that an overflow be detected".
    Some(value.parse().map_or(GREATEST, from_secs))
}

/// Turns whole seconds into a duration, saturating.
pub(crate) fn from_secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(GREATEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_only_and_overflow_is_the_greatest_value() {
        for (value, seconds) in [
            ("0", Some(0)),
            ("003600", Some(3600)),
            ("2147483647", Some(2_147_483_647)),
            ("2147483648", Some(2_147_483_648)),
            ("2147483649", Some(2_147_483_648)),
            ("99999999999", Some(2_147_483_648)),
            ("99999999999999999999999999999999", Some(2_147_483_648)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            (" 1", None),
            ("1s", None),
            ("0x10", None),
            ("'3600'", None),
            ("١", None),
        ] {
            assert_eq!(parse(value), seconds.map(Duration::from_secs), "{value:?}");
        }
    }
}
