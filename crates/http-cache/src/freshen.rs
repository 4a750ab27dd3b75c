use crate::date;
use crate::entity_tag::EntityTag;
use crate::fields::{ENVELOPED, Fields, NEVER_STORED, is_token, members};
use crate::reason::Reason;
use crate::storable::{Exchange, describe};
use crate::stored::Stored;

/// Fields that an update leaves as they are. "A cache MUST [replace] field values already present", with the exception of
/// "Content-Length" and of those "that the cache's stored response depends upon" (RFC 9111, section 3.2): the body stays,
/// and so does what says how it is written.
const DESCRIBES_THE_BODY: [&str; 3] = ["content-encoding", "content-length", "content-range"];

/// A stored response with the fields of a newer answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freshened {
    /// What to keep in place of the old envelope; or why nothing may be kept any longer, not even what is stored.
    pub stored: Result<Stored, Reason>,
    /// The fields of the envelope, for the reply.
    pub fields: Vec<(String, String)>,
    /// All other fields of the answer replace the stored ones, except for these (in lower case).
    pub excepted: Vec<String>,
}

/// Updates a stored response by the 304 that its [`Stored::validators`] were answered with (RFC 9111, section 4.3.4).
///
/// `exchange` is the request for the whole, and the answer's fields. `None` when the answer speaks of another
/// representation: then it says nothing about the stored one, and the request has to go out again without validators.
pub fn freshen(stored: &Stored, exchange: &Exchange<'_>) -> Option<Freshened> {
    identified(stored, exchange.response).then(|| update(stored, exchange))
}

/// Updates a stored response by the 200 to a HEAD (RFC 9111, section 4.3.5).
///
/// "If the stored response and HEAD response have matching values for any received validator fields (ETag and
/// Last-Modified) and, if the HEAD response has a Content-Length header field, the value of Content-Length matches that of
/// the stored response, the cache SHOULD update the stored response". `None` where it "SHOULD consider the stored response
/// to be stale".
pub fn freshen_by_head(stored: &Stored, exchange: &Exchange<'_>) -> Option<Freshened> {
    let response = exchange.response;
    let same = |name: &str| response.get(name).is_none_or(|value| stored.field(name) == Some(value.as_str()));
    let length = response.get("content-length").map(|length| length.parse::<u64>().ok());
    let same_length = length.is_none_or(|length| length.is_some() && length == stored.content_length);
    let same = exchange.status == stored.status() && same("etag") && same("last-modified") && same_length;
    same.then(|| update(stored, exchange))
}

/// Does the 304 speak of the stored response?
fn identified(stored: &Stored, answer: &dyn Fields) -> bool {
    let own = stored.field("etag").and_then(EntityTag::read);
    match answer.get("etag").as_deref().map(EntityTag::read) {
        // "If the new response contains one or more strong validators, then each of those strong validators identifies a
        // selected representation for update. All the stored responses [...] with one of those same strong validators are
        // identified".
        Some(Some(tag)) if !tag.weak => own.is_some_and(|own| own.matches_strongly(tag)),
        // "If the new response contains no strong validators but does contain one or more weak validators, and if those
        // validators correspond to [a] stored response".
        Some(Some(tag)) => own.is_some_and(|own| own.matches_weakly(tag)),
        Some(None) => false,
        // Many an origin leaves them out of a 304: it can only mean the one that it was asked about.
        None => answer.get("last-modified").is_none_or(|modified| {
            let read = |value: &str| date::parse(value, stored.response_time);
            stored.field("last-modified").is_none_or(|own| read(own) == read(&modified))
        }),
    }
}

/// The stored fields with those of an answer on top.
struct Updated<'a> {
    stored: &'a Stored,
    answer: &'a dyn Fields,
}

impl Fields for Updated<'_> {
    fn get(&self, name: &str) -> Option<String> {
        match name {
            "content-length" => self.stored.content_length.map(|length| length.to_string()),
            "content-encoding" => self.stored.coded.then(String::new),
            // What speaks of the answer itself, not of the representation: the stored values have had their day.
            "age" | "connection" | "date" | "set-cookie" | "via" => self.answer.get(name),
            _ => self.answer.get(name).or_else(|| self.stored.field(name).map(str::to_owned)),
        }
    }
}

/// The type of what is stored was permitted when it was stored; an answer that names one replaces it.
fn still_permitted(exchange: &Exchange<'_>) -> Result<(), Reason> {
    match exchange.response.get("content-type") {
        Some(_) => exchange.rules.permit_type(exchange.response),
        None => Ok(()),
    }
}

fn update(stored: &Stored, exchange: &Exchange<'_>) -> Freshened {
    let updated = Updated { stored, answer: exchange.response };
    let described = describe(&Exchange { method: "GET", status: stored.status(), response: &updated, ..*exchange });
    let described = described.and_then(|kept| still_permitted(exchange).map(|()| kept));
    let fields = ENVELOPED.into_iter().filter(|name| !stored.dropped.contains(*name));
    let fields = fields.filter_map(|name| Some((name.to_owned(), updated.get(name)?))).collect();
    let connection = exchange.response.get("connection").unwrap_or_default();
    let nominated = members(&connection).filter(|name| is_token(name)).map(str::to_ascii_lowercase);
    let fixed = NEVER_STORED.into_iter().chain(ENVELOPED).chain(DESCRIBES_THE_BODY).map(str::to_owned);
    let mut excepted: Vec<String> = fixed.chain(nominated).collect();
    excepted.extend(stored.dropped.iter().cloned());
    if let Ok(kept) = &described {
        excepted.extend(kept.dropped.iter().cloned());
    }
    let kept = described.map(|kept| Stored {
        dropped: kept.dropped.union(&stored.dropped).cloned().collect(),
        family: stored.family,
        ..kept
    });
    Freshened { stored: kept, fields, excepted }
}

#[cfg(test)]
mod tests;
