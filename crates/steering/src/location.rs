//! Where a client is, and which region that makes.

use crate::place::{TOR, UNKNOWN, fold};
use crate::region::Region;
use crate::table;

/// What the platform knows about where a request came from; any part can be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// The data centre that took the request: three letters, `FRA`.
    pub colo: Option<String>,
    /// The client's country: ISO 3166-1 alpha-2, `DE`; also `T1` (Tor) and `XX` (unknown).
    pub country: Option<String>,
    /// The client's continent: `AF`, `AN`, `AS`, `EU`, `NA`, `OC` or `SA`.
    pub continent: Option<String>,
    /// The client's state or province: ISO 3166-2, without the country (`CA`) or with it (`US-CA`).
    pub region_code: Option<String>,
    /// The number of the autonomous system that the client's address belongs to: its network operator.
    pub asn: Option<u32>,
}

/// Tells a client's region: from its state or province in the United States and Canada, else from its country, else,
/// for a country code that nobody knows or that is missing, from its continent. Letter case does not matter.
///
/// `None` for clients whose place is hidden or unknown (`T1`, `XX`), whatever their continent: the exit of a Tor
/// circuit says nothing about where its user is.
///
/// Cloudflare's own load balancer takes the region of the data centre that the client reached. The client's country is
/// taken here, because what a data centre's region is can only be asked from an authenticated API.
#[must_use]
pub fn region_of(location: &Location) -> Option<Region> {
    let country = location.country.as_deref().and_then(fold);
    if matches!(country, Some(TOR | UNKNOWN)) {
        return None;
    }
    let subdivision = || table::subdivision(country?, location.region_code.as_deref().and_then(subdivision_code)?);
    let continent = || location.continent.as_deref().and_then(fold).and_then(table::continent);
    subdivision().or_else(|| country.and_then(table::country)).or_else(continent)
}

/// The part of an ISO 3166-2 code behind the country's, whether or not the country's is there.
fn subdivision_code(code: &str) -> Option<[u8; 2]> {
    fold(code.split_once('-').map_or(code, |(_, subdivision)| subdivision))
}

#[cfg(test)]
mod tests;
