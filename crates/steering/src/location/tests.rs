use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::table::{CANADA, COUNTRIES, Table, UNITED_STATES};

/// ISO 3166-1 alpha-2: the 249 officially assigned codes.
const ISO_3166_1: &str = "\
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC \
CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD \
GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH \
KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW \
MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC \
SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY \
UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// ISO 3166-2:US: 50 states, the District of Columbia, six outlying areas.
const UNITED_STATES_SUBDIVISIONS: &str = "\
AK AL AR AS AZ CA CO CT DC DE FL GA GU HI IA ID IL IN KS KY LA MA MD ME MI MN MO MP MS MT NC ND NE NH NJ NM NV NY OH \
OK OR PA PR RI SC SD TN TX UM UT VA VI VT WA WI WV WY";

/// ISO 3166-2:CA: ten provinces, three territories.
const CANADA_SUBDIVISIONS: &str = "AB BC MB NB NL NS NT NU ON PE QC SK YT";

/// What Cloudflare's Regions API is known to answer: a region, the countries that lie in it as a whole.
const PUBLISHED: [(Region, &str); 13] = [
    (Region::Eeu, "AL AT BG BY CZ DK EE FI GR HR HU LT LV MD MK NO PL RO RS SE SK TR UA"),
    (Region::Enam, "BB DO HN JM PR"),
    (Region::Me, "AE AM AZ BH CY GE IL IQ JO KW LB OM PS QA SA"),
    (Region::Naf, "BF CI CM DJ DZ EG ET GH NG SN TN"),
    (Region::Neas, "HK JP KR MN MO TW"),
    (Region::Nsam, "CO CR EC GD GT GY PA PE SR TT"),
    (Region::Oc, "AU FJ NC NZ PF"),
    (Region::Saf, "AO BW CD KE MG MU MW MZ NA RE RW TZ UG ZA ZM ZW"),
    (Region::Sas, "IN KZ LK MV NP PK"),
    (Region::Seas, "BD BN BT GU ID KH LA MY PH SG TH VN"),
    (Region::Ssam, "AR BO CL PY"),
    (Region::Weu, "BE CH ES FR GB IE IS LU NL PT SI"),
    (Region::Wnam, "MX"),
];

/// The countries that the same API divides between two regions.
const PUBLISHED_SPLIT: [(&str, [Region; 2]); 6] = [
    ("BR", [Region::Nsam, Region::Ssam]),
    ("CA", [Region::Enam, Region::Wnam]),
    ("DE", [Region::Eeu, Region::Weu]),
    ("IT", [Region::Eeu, Region::Weu]),
    ("RU", [Region::Eeu, Region::Sas]),
    ("US", [Region::Enam, Region::Wnam]),
];

/// The states and provinces for which it names one region.
const PUBLISHED_SUBDIVISIONS: [(&str, Region, &str); 4] = [
    ("US", Region::Enam, "FL GA IL IN MA ME MI MN NC NJ NY OH PA SD TN VA"),
    ("US", Region::Wnam, "AK AZ CA CO HI NE NM NV OK OR TX UT WA"),
    ("CA", Region::Enam, "MB NS ON QC SK"),
    ("CA", Region::Wnam, "AB BC"),
];

/// What the documentation says: section by section, code by code, the region and the basis.
type Documented = BTreeMap<&'static str, BTreeMap<&'static str, (Region, &'static str)>>;

fn place(country: &str, subdivision: &str, continent: &str) -> Location {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Location {
        country: text(country),
        continent: text(continent),
        region_code: text(subdivision),
        ..Location::default()
    }
}

#[track_caller]
fn check(country: &str, subdivision: &str, continent: &str, region: Option<Region>) {
    let place = place(country, subdivision, continent);
    assert_eq!(region_of(&place), region, "{place:?}");
}

fn documented() -> Documented {
    let mut sections = Documented::new();
    let mut section = "";
    for line in include_str!("../../../../docs/regions.md").lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading;
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, code, _, region, basis, _] = cells[..] else { continue };
        let Ok(region) = region.parse() else { continue };
        let previous = sections.entry(section).or_default().insert(code, (region, basis));
        assert_eq!(previous, None, "{section}: two rows for {code}");
    }
    sections
}

fn regions(rows: &BTreeMap<&'static str, (Region, &'static str)>) -> Vec<(String, Region)> {
    rows.iter().map(|(code, (region, _))| ((*code).to_owned(), *region)).collect()
}

fn entries(table: &Table) -> Vec<(String, Region)> {
    table.iter().map(|(code, region)| (String::from_utf8(code.to_vec()).unwrap(), *region)).collect()
}

#[test]
fn every_country_of_iso_3166_has_a_region_and_no_other_code_has_one() {
    let assigned: BTreeSet<&str> = ISO_3166_1.split(' ').chain(["XK"]).collect();
    assert_eq!(assigned.len(), 250);
    for first in 'A'..='Z' {
        for second in 'A'..='Z' {
            let code = format!("{first}{second}");
            let region = region_of(&place(&code, "", ""));
            assert_eq!(region.is_some(), assigned.contains(code.as_str()), "{code}");
        }
    }
}

#[test]
fn every_state_province_and_territory_has_a_region() {
    for (country, codes) in [("US", UNITED_STATES_SUBDIVISIONS), ("CA", CANADA_SUBDIVISIONS)] {
        for code in codes.split(' ') {
            let country = fold(country).unwrap();
            assert!(table::subdivision(country, fold(code).unwrap()).is_some(), "{code}");
        }
    }
    assert_eq!(UNITED_STATES.len(), UNITED_STATES_SUBDIVISIONS.split(' ').count());
    assert_eq!(CANADA.len(), CANADA_SUBDIVISIONS.split(' ').count());
}

#[test]
fn the_tables_are_sorted_for_the_binary_search() {
    for table in [&COUNTRIES[..], &UNITED_STATES[..], &CANADA[..]] {
        assert!(table.is_sorted_by(|(one, _), (next, _)| one < next));
    }
}

#[test]
fn what_cloudflare_publishes_is_followed() {
    for (region, codes) in PUBLISHED {
        for code in codes.split(' ') {
            check(code, "", "", Some(region));
        }
    }
    for (country, region, codes) in PUBLISHED_SUBDIVISIONS {
        for code in codes.split(' ') {
            check(country, code, "", Some(region));
        }
    }
    for (country, halves) in PUBLISHED_SPLIT {
        let region = region_of(&place(country, "", "")).unwrap();
        assert!(halves.contains(&region), "{country}");
    }
}

#[test]
fn a_state_or_province_decides_in_the_united_states_and_canada() {
    check("US", "CA", "NA", Some(Region::Wnam));
    check("US", "NY", "NA", Some(Region::Enam));
    check("US", "HI", "OC", Some(Region::Wnam));
    check("CA", "BC", "NA", Some(Region::Wnam));
    check("CA", "ON", "NA", Some(Region::Enam));
    check("US", "US-TX", "NA", Some(Region::Wnam));
}

#[test]
fn without_a_state_or_province_both_countries_are_eastern() {
    for subdivision in ["", "ZZ", "TEX", "US-", "-"] {
        check("US", subdivision, "NA", Some(Region::Enam));
        check("CA", subdivision, "NA", Some(Region::Enam));
    }
}

#[test]
fn a_subdivision_of_any_other_country_is_ignored() {
    check("DE", "BE", "EU", Some(Region::Weu));
    check("MX", "CA", "NA", Some(Region::Wnam));
    check("PT", "NY", "EU", Some(Region::Weu));
    check("", "CA", "", None);
}

#[test]
fn a_territory_is_where_it_is_under_either_of_its_codes() {
    for code in ["AS", "GU", "MP", "PR", "UM", "VI"] {
        check("US", code, "", region_of(&place(code, "", "")));
    }
}

#[test]
fn letter_case_does_not_matter() {
    check("jp", "", "", Some(Region::Neas));
    check("uS", "wa", "", Some(Region::Wnam));
    check("", "", "eu", Some(Region::Weu));
}

#[test]
fn the_continent_decides_only_for_an_unknown_or_missing_country() {
    for country in ["", "ZZ", "A1", "USA", "é"] {
        check(country, "", "AF", Some(Region::Saf));
        check(country, "", "AN", Some(Region::Oc));
        check(country, "", "AS", Some(Region::Seas));
        check(country, "", "EU", Some(Region::Weu));
        check(country, "", "NA", Some(Region::Enam));
        check(country, "", "OC", Some(Region::Oc));
        check(country, "", "SA", Some(Region::Ssam));
        check(country, "", "T1", None);
        check(country, "", "", None);
    }
    check("EG", "", "EU", Some(Region::Naf));
}

#[test]
fn a_hidden_or_unknown_place_has_no_region() {
    for country in ["XX", "xx", "T1", "t1"] {
        check(country, "", "", None);
        check(country, "CA", "NA", None);
    }
}

#[test]
fn the_documentation_says_what_the_tables_say() {
    let documented = documented();
    assert_eq!(regions(&documented["Countries"]), entries(&COUNTRIES));
    assert_eq!(regions(&documented["United States"]), entries(&UNITED_STATES));
    assert_eq!(regions(&documented["Canada"]), entries(&CANADA));
    for (code, (region, _)) in &documented["Continents"] {
        assert_eq!(table::continent(fold(code).unwrap()), Some(*region), "{code}");
    }
    assert_eq!(documented["Continents"].len(), 7);
}

#[test]
fn the_documentation_gives_the_basis_of_each_entry() {
    let documented = documented();
    let is_in = |codes: &str, code: &str| codes.split(' ').any(|listed| listed == code);
    for (code, (_, basis)) in &documented["Countries"] {
        let expected = if PUBLISHED_SPLIT.iter().any(|(split, _)| split == code) {
            "published, split"
        } else if PUBLISHED.iter().any(|(_, codes)| is_in(codes, code)) {
            "published"
        } else {
            "geography"
        };
        assert_eq!(*basis, expected, "{code}");
    }
    for (section, country) in [("United States", "US"), ("Canada", "CA")] {
        for (code, (_, basis)) in &documented[section] {
            let published = PUBLISHED_SUBDIVISIONS.iter().any(|(of, _, codes)| *of == country && is_in(codes, code));
            let outlying = ["AS", "GU", "MP", "PR", "UM", "VI"].contains(code) && country == "US";
            let expected = match (published, outlying, *code) {
                (true, ..) => "published",
                (_, true, _) => "as a country",
                (.., "MO") => "published, split",
                _ => "geography",
            };
            assert_eq!(*basis, expected, "{section}: {code}");
        }
    }
}
