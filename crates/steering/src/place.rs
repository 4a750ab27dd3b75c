//! Countries and data centres, as the keys of an operator's lists.

use std::fmt;
use std::str::FromStr;

use crate::table;

/// What Cloudflare calls the country of a client of the Tor network.
pub(crate) const TOR: [u8; 2] = *b"T1";

/// What Cloudflare calls the country of a client that it cannot place.
pub(crate) const UNKNOWN: [u8; 2] = *b"XX";

/// A country by its ISO 3166-1 alpha-2 code, or `XK` (Kosovo), or `T1` (the Tor network).
// Invariant: two upper-case ASCII characters, in the table or `TOR`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl FromStr for Country {
    type Err = InvalidPlace;

    /// Reads a code in any letter case.
    ///
    /// # Errors
    /// The code is nobody's: a list under it would never be used.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let code = fold(text).ok_or(InvalidPlace::Country)?;
        if code == TOR || table::country(code).is_some() { Ok(Self(code)) } else { Err(InvalidPlace::Country) }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Country({self})")
    }
}

/// One of Cloudflare's data centres, by the IATA code of an airport near it, such as `FRA`.
///
/// Which codes exist changes every week, so any three letters are taken.
// Invariant: three upper-case ASCII letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Colo([u8; 3]);

impl FromStr for Colo {
    type Err = InvalidPlace;

    /// Reads a code in any letter case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let code: [u8; 3] = fold(text).ok_or(InvalidPlace::Colo)?;
        if code.iter().all(u8::is_ascii_uppercase) { Ok(Self(code)) } else { Err(InvalidPlace::Colo) }
    }
}

impl fmt::Display for Colo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}

impl fmt::Debug for Colo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Colo({self})")
    }
}

/// A text that names no country or data centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidPlace {
    /// Not in ISO 3166-1.
    Country,
    /// Not three letters.
    Colo,
}

impl fmt::Display for InvalidPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Country => {
                "not an ISO 3166-1 alpha-2 country code such as `DE`; the United Kingdom is `GB`, Greece is `GR`, \
                 the Tor network is `T1`"
            }
            Self::Colo => "not a data centre's code; it has three letters, such as `FRA`",
        })
    }
}

impl std::error::Error for InvalidPlace {}

/// A code of `N` bytes in upper case; `None` when the text has another length.
pub(crate) fn fold<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut code: [u8; N] = text.as_bytes().try_into().ok()?;
    code.make_ascii_uppercase();
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_read_in_any_letter_case() {
        for text in ["de", "De", "DE"] {
            assert_eq!(text.parse::<Country>().map(|country| country.to_string()), Ok("DE".to_owned()));
        }
        assert_eq!("XK".parse::<Country>().map(|country| country.to_string()), Ok("XK".to_owned()));
        assert_eq!("t1".parse::<Country>().map(|country| country.to_string()), Ok("T1".to_owned()));
    }

    #[test]
    fn a_code_outside_of_iso_3166_is_no_country() {
        for text in ["", "D", "DEU", "UK", "EU", "XX", "ZZ", "A1", "D\u{e9}", "é"] {
            assert_eq!(text.parse::<Country>(), Err(InvalidPlace::Country), "{text}");
        }
    }

    #[test]
    fn a_data_centre_has_three_letters() {
        assert_eq!("fra".parse::<Colo>().map(|colo| colo.to_string()), Ok("FRA".to_owned()));
        for text in ["", "FR", "FRAN", "FR1", "F A", "é1"] {
            assert_eq!(text.parse::<Colo>(), Err(InvalidPlace::Colo), "{text}");
        }
    }
}
