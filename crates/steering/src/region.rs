//! The thirteen regions of Cloudflare's load balancing.

use std::fmt;
use std::str::FromStr;

/// A load-balancing region, by the code that Cloudflare gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Region {
    /// Western North America.
    Wnam,
    /// Eastern North America.
    Enam,
    /// Western Europe.
    Weu,
    /// Eastern Europe.
    Eeu,
    /// Northern South America.
    Nsam,
    /// Southern South America.
    Ssam,
    /// Oceania.
    Oc,
    /// Middle East.
    Me,
    /// Northern Africa.
    Naf,
    /// Southern Africa.
    Saf,
    /// Southern Asia.
    Sas,
    /// Southeast Asia.
    Seas,
    /// Northeast Asia.
    Neas,
}

impl Region {
    /// Every region, in the order of the declaration.
    pub const ALL: [Self; 13] = [
        Self::Wnam,
        Self::Enam,
        Self::Weu,
        Self::Eeu,
        Self::Nsam,
        Self::Ssam,
        Self::Oc,
        Self::Me,
        Self::Naf,
        Self::Saf,
        Self::Sas,
        Self::Seas,
        Self::Neas,
    ];

    /// The code in configurations, in upper case.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.words().0
    }

    /// The name in English.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Wnam => ("WNAM", "Western North America"),
            Self::Enam => ("ENAM", "Eastern North America"),
            Self::Weu => ("WEU", "Western Europe"),
            Self::Eeu => ("EEU", "Eastern Europe"),
            Self::Nsam => ("NSAM", "Northern South America"),
            Self::Ssam => ("SSAM", "Southern South America"),
            Self::Oc => ("OC", "Oceania"),
            Self::Me => ("ME", "Middle East"),
            Self::Naf => ("NAF", "Northern Africa"),
            Self::Saf => ("SAF", "Southern Africa"),
            Self::Sas => ("SAS", "Southern Asia"),
            Self::Seas => ("SEAS", "Southeast Asia"),
            Self::Neas => ("NEAS", "Northeast Asia"),
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Region {
    type Err = InvalidRegion;

    /// Reads a code in any letter case.
    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|region| region.code().eq_ignore_ascii_case(code)).ok_or(InvalidRegion)
    }
}

/// A text that is no region's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidRegion;

impl fmt::Display for InvalidRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a region code; there are ")?;
        for (position, region) in Region::ALL.into_iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            f.write_str(region.code())?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidRegion {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_in_any_letter_case() {
        for region in Region::ALL {
            assert_eq!(region.to_string().parse(), Ok(region));
            assert_eq!(region.code().to_lowercase().parse(), Ok(region));
        }
    }

    #[test]
    fn the_codes_are_cloudflares() {
        let codes: Vec<&str> = Region::ALL.into_iter().map(Region::code).collect();
        let documented =
            ["WNAM", "ENAM", "WEU", "EEU", "NSAM", "SSAM", "OC", "ME", "NAF", "SAF", "SAS", "SEAS", "NEAS"];
        assert_eq!(codes, documented);
    }

    #[test]
    fn anything_else_is_refused_and_the_codes_are_named() {
        for code in ["", "EU", "WEUR", "WEU ", "APAC"] {
            assert_eq!(code.parse::<Region>(), Err(InvalidRegion), "{code}");
        }
        assert!(
            InvalidRegion.to_string().ends_with("WNAM, ENAM, WEU, EEU, NSAM, SSAM, OC, ME, NAF, SAF, SAS, SEAS, NEAS")
        );
    }
}
