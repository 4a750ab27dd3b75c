//! The region of each country, and of the subdivisions of the United States and Canada.
//!
//! Why each entry is what it is stands in `docs/regions.md`, row by row; a test compares the two. To change an entry,
//! change both.

use crate::region::Region::{self, Eeu, Enam, Me, Naf, Neas, Nsam, Oc, Saf, Sas, Seas, Ssam, Weu, Wnam};

/// Codes and their regions, sorted by code, so that a binary search finds one.
pub(crate) type Table = [([u8; 2], Region)];

/// The region of a country, by its upper-case ISO 3166-1 alpha-2 code.
pub(crate) fn country(code: [u8; 2]) -> Option<Region> {
    find(&COUNTRIES, code)
}

/// The region of a part of a country that spans two regions, by its upper-case ISO 3166-2 code without the country.
pub(crate) fn subdivision(country: [u8; 2], code: [u8; 2]) -> Option<Region> {
    match &country {
        b"US" => find(&UNITED_STATES, code),
        b"CA" => find(&CANADA, code),
        _ => None,
    }
}

/// The region of a continent, by the upper-case code that the platform gives it.
///
/// A guess for clients about whom nothing better is known: the region with the most of the continent's network hubs.
pub(crate) fn continent(code: [u8; 2]) -> Option<Region> {
    match &code {
        b"AF" => Some(Saf),
        b"AN" | b"OC" => Some(Oc),
        b"AS" => Some(Seas),
        b"EU" => Some(Weu),
        b"NA" => Some(Enam),
        b"SA" => Some(Ssam),
        _ => None,
    }
}

fn find(table: &Table, code: [u8; 2]) -> Option<Region> {
    let position = table.binary_search_by(|(entry, _)| entry.cmp(&code)).ok()?;
    table.get(position).map(|(_, region)| *region)
}

/// All of ISO 3166-1, and Kosovo under the code `XK` that the European Union and Cloudflare use for it.
///
/// A country that spans two regions stands here with the one where most of its people live. For a request from the
/// United States or Canada of which no subdivision is known that is the east, where two of three live in both.
#[rustfmt::skip]
pub(crate) const COUNTRIES: [([u8; 2], Region); 250] = [
    (*b"AD", Weu), (*b"AE", Me), (*b"AF", Sas), (*b"AG", Enam), (*b"AI", Enam), (*b"AL", Eeu),
    (*b"AM", Me), (*b"AO", Saf), (*b"AQ", Oc), (*b"AR", Ssam), (*b"AS", Oc), (*b"AT", Eeu),
    (*b"AU", Oc), (*b"AW", Nsam), (*b"AX", Eeu), (*b"AZ", Me), (*b"BA", Eeu), (*b"BB", Enam),
    (*b"BD", Seas), (*b"BE", Weu), (*b"BF", Naf), (*b"BG", Eeu), (*b"BH", Me), (*b"BI", Saf),
    (*b"BJ", Naf), (*b"BL", Enam), (*b"BM", Enam), (*b"BN", Seas), (*b"BO", Ssam), (*b"BQ", Nsam),
    (*b"BR", Ssam), (*b"BS", Enam), (*b"BT", Seas), (*b"BV", Saf), (*b"BW", Saf), (*b"BY", Eeu),
    (*b"BZ", Enam), (*b"CA", Enam), (*b"CC", Seas), (*b"CD", Saf), (*b"CF", Naf), (*b"CG", Saf),
    (*b"CH", Weu), (*b"CI", Naf), (*b"CK", Oc), (*b"CL", Ssam), (*b"CM", Naf), (*b"CN", Neas),
    (*b"CO", Nsam), (*b"CR", Nsam), (*b"CU", Enam), (*b"CV", Naf), (*b"CW", Nsam), (*b"CX", Seas),
    (*b"CY", Me), (*b"CZ", Eeu), (*b"DE", Weu), (*b"DJ", Naf), (*b"DK", Eeu), (*b"DM", Enam),
    (*b"DO", Enam), (*b"DZ", Naf), (*b"EC", Nsam), (*b"EE", Eeu), (*b"EG", Naf), (*b"EH", Naf),
    (*b"ER", Naf), (*b"ES", Weu), (*b"ET", Naf), (*b"FI", Eeu), (*b"FJ", Oc), (*b"FK", Ssam),
    (*b"FM", Seas), (*b"FO", Weu), (*b"FR", Weu), (*b"GA", Naf), (*b"GB", Weu), (*b"GD", Nsam),
    (*b"GE", Me), (*b"GF", Nsam), (*b"GG", Weu), (*b"GH", Naf), (*b"GI", Weu), (*b"GL", Enam),
    (*b"GM", Naf), (*b"GN", Naf), (*b"GP", Enam), (*b"GQ", Naf), (*b"GR", Eeu), (*b"GS", Ssam),
    (*b"GT", Nsam), (*b"GU", Seas), (*b"GW", Naf), (*b"GY", Nsam), (*b"HK", Neas), (*b"HM", Saf),
    (*b"HN", Enam), (*b"HR", Eeu), (*b"HT", Enam), (*b"HU", Eeu), (*b"ID", Seas), (*b"IE", Weu),
    (*b"IL", Me), (*b"IM", Weu), (*b"IN", Sas), (*b"IO", Sas), (*b"IQ", Me), (*b"IR", Me),
    (*b"IS", Weu), (*b"IT", Weu), (*b"JE", Weu), (*b"JM", Enam), (*b"JO", Me), (*b"JP", Neas),
    (*b"KE", Saf), (*b"KG", Sas), (*b"KH", Seas), (*b"KI", Oc), (*b"KM", Saf), (*b"KN", Enam),
    (*b"KP", Neas), (*b"KR", Neas), (*b"KW", Me), (*b"KY", Enam), (*b"KZ", Sas), (*b"LA", Seas),
    (*b"LB", Me), (*b"LC", Enam), (*b"LI", Weu), (*b"LK", Sas), (*b"LR", Naf), (*b"LS", Saf),
    (*b"LT", Eeu), (*b"LU", Weu), (*b"LV", Eeu), (*b"LY", Naf), (*b"MA", Naf), (*b"MC", Weu),
    (*b"MD", Eeu), (*b"ME", Eeu), (*b"MF", Enam), (*b"MG", Saf), (*b"MH", Oc), (*b"MK", Eeu),
    (*b"ML", Naf), (*b"MM", Seas), (*b"MN", Neas), (*b"MO", Neas), (*b"MP", Seas), (*b"MQ", Enam),
    (*b"MR", Naf), (*b"MS", Enam), (*b"MT", Weu), (*b"MU", Saf), (*b"MV", Sas), (*b"MW", Saf),
    (*b"MX", Wnam), (*b"MY", Seas), (*b"MZ", Saf), (*b"NA", Saf), (*b"NC", Oc), (*b"NE", Naf),
    (*b"NF", Oc), (*b"NG", Naf), (*b"NI", Enam), (*b"NL", Weu), (*b"NO", Eeu), (*b"NP", Sas),
    (*b"NR", Oc), (*b"NU", Oc), (*b"NZ", Oc), (*b"OM", Me), (*b"PA", Nsam), (*b"PE", Nsam),
    (*b"PF", Oc), (*b"PG", Oc), (*b"PH", Seas), (*b"PK", Sas), (*b"PL", Eeu), (*b"PM", Enam),
    (*b"PN", Oc), (*b"PR", Enam), (*b"PS", Me), (*b"PT", Weu), (*b"PW", Seas), (*b"PY", Ssam),
    (*b"QA", Me), (*b"RE", Saf), (*b"RO", Eeu), (*b"RS", Eeu), (*b"RU", Eeu), (*b"RW", Saf),
    (*b"SA", Me), (*b"SB", Oc), (*b"SC", Saf), (*b"SD", Naf), (*b"SE", Eeu), (*b"SG", Seas),
    (*b"SH", Saf), (*b"SI", Weu), (*b"SJ", Eeu), (*b"SK", Eeu), (*b"SL", Naf), (*b"SM", Weu),
    (*b"SN", Naf), (*b"SO", Saf), (*b"SR", Nsam), (*b"SS", Saf), (*b"ST", Naf), (*b"SV", Nsam),
    (*b"SX", Enam), (*b"SY", Me), (*b"SZ", Saf), (*b"TC", Enam), (*b"TD", Naf), (*b"TF", Saf),
    (*b"TG", Naf), (*b"TH", Seas), (*b"TJ", Sas), (*b"TK", Oc), (*b"TL", Seas), (*b"TM", Sas),
    (*b"TN", Naf), (*b"TO", Oc), (*b"TR", Eeu), (*b"TT", Nsam), (*b"TV", Oc), (*b"TW", Neas),
    (*b"TZ", Saf), (*b"UA", Eeu), (*b"UG", Saf), (*b"UM", Wnam), (*b"US", Enam), (*b"UY", Ssam),
    (*b"UZ", Sas), (*b"VA", Weu), (*b"VC", Nsam), (*b"VE", Nsam), (*b"VG", Enam), (*b"VI", Enam),
    (*b"VN", Seas), (*b"VU", Oc), (*b"WF", Oc), (*b"WS", Oc), (*b"XK", Eeu), (*b"YE", Me),
    (*b"YT", Saf), (*b"ZA", Saf), (*b"ZM", Saf), (*b"ZW", Saf),
];

/// The states, the District of Columbia, and the territories, which the platform reports as countries of their own but
/// ISO 3166-2 lists here too.
#[rustfmt::skip]
pub(crate) const UNITED_STATES: [([u8; 2], Region); 57] = [
    (*b"AK", Wnam), (*b"AL", Enam), (*b"AR", Enam), (*b"AS", Oc), (*b"AZ", Wnam), (*b"CA", Wnam),
    (*b"CO", Wnam), (*b"CT", Enam), (*b"DC", Enam), (*b"DE", Enam), (*b"FL", Enam), (*b"GA", Enam),
    (*b"GU", Seas), (*b"HI", Wnam), (*b"IA", Enam), (*b"ID", Wnam), (*b"IL", Enam), (*b"IN", Enam),
    (*b"KS", Wnam), (*b"KY", Enam), (*b"LA", Enam), (*b"MA", Enam), (*b"MD", Enam), (*b"ME", Enam),
    (*b"MI", Enam), (*b"MN", Enam), (*b"MO", Enam), (*b"MP", Seas), (*b"MS", Enam), (*b"MT", Wnam),
    (*b"NC", Enam), (*b"ND", Enam), (*b"NE", Wnam), (*b"NH", Enam), (*b"NJ", Enam), (*b"NM", Wnam),
    (*b"NV", Wnam), (*b"NY", Enam), (*b"OH", Enam), (*b"OK", Wnam), (*b"OR", Wnam), (*b"PA", Enam),
    (*b"PR", Enam), (*b"RI", Enam), (*b"SC", Enam), (*b"SD", Enam), (*b"TN", Enam), (*b"TX", Wnam),
    (*b"UM", Wnam), (*b"UT", Wnam), (*b"VA", Enam), (*b"VI", Enam), (*b"VT", Enam), (*b"WA", Wnam),
    (*b"WI", Enam), (*b"WV", Enam), (*b"WY", Wnam),
];

/// The provinces and territories.
#[rustfmt::skip]
pub(crate) const CANADA: [([u8; 2], Region); 13] = [
    (*b"AB", Wnam), (*b"BC", Wnam), (*b"MB", Enam), (*b"NB", Enam), (*b"NL", Enam), (*b"NS", Enam),
    (*b"NT", Wnam), (*b"NU", Enam), (*b"ON", Enam), (*b"PE", Enam), (*b"QC", Enam), (*b"SK", Enam),
    (*b"YT", Wnam),
];
