use crate::entity_tag::EntityTag;
use crate::fields::{ENVELOPED, NEVER_STORED};
use crate::freshness::StaleWindows;
use crate::purge::Believed;
use crate::vary::Selecting;
use crate::{date, delta_seconds};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// The longest encoded envelope, in bytes. Header sections of 16 KiB and more are refused by many an HTTP
/// implementation.
pub const MAX_ENVELOPE: usize = 16 * 1024;

/// The first byte of an encoded envelope. It changes whenever the meaning of the bytes after it does; an envelope of
/// another version is a miss.
const VERSION: u8 = 3;

/// What is remembered about a stored response beside its body and its ordinary header fields.
///
/// To store: take the fields [`withheld`](Self::withheld) off the response, set
/// [`ENVELOPE_FIELD`](crate::ENVELOPE_FIELD) to [`encode`](Self::encode), and give the whole to a store that keeps it
/// for [`keep`](Self::keep). To reply: take the same fields and whatever the store added off again, set
/// [`fields`](Self::fields), then `Age` and `Cache-Status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    // Invariant: 200 to 599.
    pub(crate) status: u16,
    /// The fields of `ENVELOPED` that the response had, by lower-case name.
    pub(crate) fields: Vec<(String, String)>,
    /// Names that the response itself excepted from storage, in lower case.
    pub(crate) dropped: BTreeSet<String>,
    pub(crate) selecting: Selecting,
    /// `corrected_initial_age` (RFC 9111, section 4.2.3).
    pub(crate) initial_age: Duration,
    /// Since the Unix epoch.
    pub(crate) response_time: Duration,
    /// How long the origin took to answer.
    pub(crate) cost: Duration,
    /// `freshness_lifetime` (RFC 9111, section 4.2.1).
    pub(crate) lifetime: Duration,
    pub(crate) content_length: Option<u64>,
    pub(crate) must_revalidate: bool,
    pub(crate) proxy_revalidate: bool,
    pub(crate) s_maxage: bool,
    /// It is validated before every use (RFC 9111, section 5.2.2.4).
    pub(crate) no_cache: bool,
    /// The content is in a coding, which a part of it cannot be cut from here.
    pub(crate) coded: bool,
    /// For how long it may be used after its lifetime: by its own directives, else by the operator's rules.
    pub(crate) stale: StaleWindows,
    /// Shared with its variants, and with no response that is stored under the same key after an invalidation.
    pub(crate) family: u64,
}

/// For how long what is stale stays in the store: to be validated, or for a client that accepts it.
const KEPT_STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// Why an envelope could not be read. Either way there is nothing to reuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecodable {
    /// Written by another version of this crate.
    Version,
    /// Not an envelope, or damaged.
    Damaged,
}

impl Stored {
    /// The same response as a member of this family: see [`variant_key`](crate::variant_key).
    #[must_use]
    pub fn of_family(self, family: u64) -> Self {
        Self { family, ..self }
    }

    /// What purges leave of it; `None`: nothing.
    #[must_use]
    pub fn believed(self, believed: Believed, now: Duration) -> Option<Self> {
        match believed {
            Believed::Current => Some(self),
            // From here on it counts as stale, and its stale windows begin.
            Believed::Stale => Some(Self { lifetime: self.lifetime.min(self.age(now)), ..self }),
            // Nobody may be served what may be purged: what `no-cache` forbids is forbidden here too.
            Believed::Unknown => Some(Self { no_cache: true, ..self }),
            Believed::Gone { .. } => None,
        }
    }

    /// Its family.
    pub fn family(&self) -> u64 {
        self.family
    }

    /// Is it validated before every use (RFC 9111, section 5.2.2.4)?
    pub fn is_always_validated(&self) -> bool {
        self.no_cache
    }

    /// Are both selected by the same request fields, whatever their values?
    pub fn is_variant_of(&self, other: &Self) -> bool {
        self.selecting.keys().eq(other.selecting.keys())
    }

    /// The length of its content, if it says so.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The fields to put back on a reply, with lower-case names.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The fields that do not go into the store beside the body, by lower-case name: those never stored (RFC 9111,
    /// section 3.1) and those that the envelope carries.
    pub fn withheld(&self) -> impl Iterator<Item = &str> {
        NEVER_STORED.into_iter().chain(ENVELOPED).chain(self.dropped.iter().map(String::as_str))
    }

    /// `current_age` (RFC 9111, section 4.2.3). It never falls below the age on arrival, whatever the clock does.
    pub fn age(&self, now: Duration) -> Duration {
        let resident_time = now.saturating_sub(self.response_time);
        self.initial_age.saturating_add(resident_time)
    }

    /// The age at which the response becomes stale.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// For how long it is still fresh; zero when it is stale.
    pub fn ttl(&self, now: Duration) -> Duration {
        self.lifetime.saturating_sub(self.age(now))
    }

    /// Must it be validated once it is stale, in every circumstance? So say `must-revalidate`, `proxy-revalidate` and
    /// `s-maxage` (RFC 9111, sections 5.2.2.2, 5.2.2.8 and 5.2.2.10), and `no-cache` says so from the start (section
    /// 5.2.2.4).
    pub fn forbids_stale_reuse(&self) -> bool {
        self.must_revalidate || self.proxy_revalidate || self.s_maxage || self.no_cache
    }

    /// The fields of a request that asks the origin whether this response still holds; none if that cannot be asked.
    ///
    /// "When generating a conditional request for validation, a cache MUST send the relevant entity tags (using [...]
    /// If-None-Match [...]) if the entity tags were provided in the stored response(s) being validated" and "SHOULD send
    /// the Last-Modified value (using If-Modified-Since)" (RFC 9111, section 4.3.1). What is no entity tag or no date
    /// identifies nothing, and only a 200 is validated: preconditions are for "a successful response" (RFC 9110, section
    /// 13.2.1).
    pub fn validators(&self) -> Vec<(&'static str, &str)> {
        if self.status != 200 {
            return Vec::new();
        }
        let tag = self.field("etag").filter(|tag| EntityTag::read(tag).is_some());
        let modified = self.field("last-modified").filter(|value| date::parse(value, self.response_time).is_some());
        let tag = tag.map(|tag| ("if-none-match", tag));
        tag.into_iter().chain(modified.map(|modified| ("if-modified-since", modified))).collect()
    }

    /// How long a store keeps it, from its arrival: as long as it is good for anything.
    pub fn keep(&self) -> Duration {
        let accepted =
            if self.forbids_stale_reuse() && self.validators().is_empty() { Duration::ZERO } else { KEPT_STALE };
        let stale = accepted.max(self.stale.while_revalidate).max(self.stale.if_error);
        self.ttl(self.response_time).saturating_add(stale).min(delta_seconds::GREATEST)
    }

    /// When it was asked for, or last confirmed, since the Unix epoch.
    pub fn sent(&self) -> Duration {
        self.response_time.saturating_sub(self.cost)
    }

    /// Until when it is fresh, since the Unix epoch; in the past when it is stale on arrival.
    pub fn fresh_until(&self) -> Duration {
        self.response_time.saturating_add(self.lifetime).saturating_sub(self.initial_age)
    }

    /// Until when it is good for anything, since the Unix epoch.
    pub fn keep_until(&self) -> Duration {
        self.response_time.saturating_add(self.keep())
    }

    /// Should a request that finds it fresh have it refreshed, after its reply? See
    /// [`refresh_ahead`](crate::refresh_ahead). `random` are 64 random bits.
    pub fn refresh_ahead(&self, now: Duration, random: u64) -> bool {
        let lifetime = self.lifetime.saturating_sub(self.initial_age);
        !self.no_cache && crate::refresh_ahead(lifetime, self.ttl(now), self.cost, random)
    }

    /// For how long it has been stale; zero while it is fresh.
    pub fn overdue(&self, now: Duration) -> Duration {
        self.age(now).saturating_sub(self.lifetime)
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields().find_map(|(field, value)| (field == name).then_some(value))
    }

    /// The envelope as a header value: visible ASCII, at most [`MAX_ENVELOPE`] bytes.
    pub fn encode(&self) -> String {
        // Writing this structure into memory cannot fail; if it did, an empty envelope reads as a miss.
        postcard::to_extend(self, vec![VERSION]).map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).unwrap_or_default()
    }

    /// Reads an envelope.
    ///
    /// # Errors
    ///
    /// When it is of another version or damaged: then nothing is stored here.
    pub fn decode(envelope: &str) -> Result<Self, Undecodable> {
        if envelope.len() > MAX_ENVELOPE {
            return Err(Undecodable::Damaged);
        }
        let bytes = URL_SAFE_NO_PAD.decode(envelope).map_err(|_| Undecodable::Damaged)?;
        match bytes.split_first() {
            Some((&VERSION, body)) => match postcard::take_from_bytes::<Self>(body) {
                Ok((stored, [])) if (200..600).contains(&stored.status) => Ok(stored),
                _ => Err(Undecodable::Damaged),
            },
            Some(_) => Err(Undecodable::Version),
            None => Err(Undecodable::Damaged),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
