//! What a verified token says.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::base64url;
use crate::json;
use crate::policy::Policy;
use crate::rejection::Rejection;

/// What a verified token says (RFC 7519, section 4).
#[derive(Clone, PartialEq)]
pub struct Claims {
    members: Map<String, Value>,
    issuer: String,
    expires_at: Duration,
    valid_until: Duration,
    fingerprint: String,
}

/// The claims that say something of the token, not of whom it is about (RFC 7519, sections 4.1.4 to 4.1.7).
const OF_THE_TOKEN: [&str; 4] = ["exp", "iat", "jti", "nbf"];

impl Claims {
    /// Reads the claims set and holds it against the policy.
    pub(crate) fn parse(text: &[u8], policy: &Policy, now: Duration) -> Result<Self, Rejection> {
        let members = json::object(text).ok_or(Rejection::ClaimsMalformed)?;
        let issuer = text_claim(&members, "iss")?.filter(|issuer| *issuer == policy.issuer());
        let issuer = issuer.ok_or(Rejection::IssuerMismatch)?.to_owned();
        if !is_for_us(members.get("aud"), policy.audience())? {
            return Err(Rejection::AudienceMismatch);
        }
        let expires_at = time_claim(&members, "exp")?.ok_or(Rejection::ExpiryMissing)?;
        // RFC 7519, section 4.1.4: "on or after which the JWT MUST NOT be accepted for processing".
        let valid_until = expires_at.saturating_add(policy.leeway());
        if now >= valid_until {
            return Err(Rejection::TokenExpired);
        }
        let latest = now.saturating_add(policy.leeway());
        // RFC 7519, section 4.1.5: "before which the JWT MUST NOT be accepted for processing".
        if time_claim(&members, "nbf")?.is_some_and(|not_before| latest < not_before) {
            return Err(Rejection::TokenNotYetValid);
        }
        if time_claim(&members, "iat")?.is_some_and(|issued_at| latest < issued_at) {
            return Err(Rejection::TokenIssuedInFuture);
        }
        // RFC 7519, sections 4.1.2 and 4.1.7: both are strings. As numbers, two of them could be one text.
        text_claim(&members, "sub")?;
        text_claim(&members, "jti")?;
        let fingerprint = fingerprint(&members);
        Ok(Self { members, issuer, expires_at, valid_until, fingerprint })
    }

    /// Equal for two tokens that say the same, and else different: every claim counts but when the token was issued, until
    /// when it is good, and its number. What was answered to one of them may be what is true for the other.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Who issued the token: the policy's issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whom the token is about.
    pub fn subject(&self) -> Option<&str> {
        self.members.get("sub").and_then(Value::as_str)
    }

    /// When the token expires, since the Unix epoch.
    pub fn expires_at(&self) -> Duration {
        self.expires_at
    }

    /// When the token stops to be accepted, since the Unix epoch: the leeway later. These claims may be remembered until then.
    pub fn valid_until(&self) -> Duration {
        self.valid_until
    }

    /// The claim called `name` as text, if it is a string, a number or a boolean.
    ///
    /// Where no claim has that name, `realm.role` is the member `role` of the claim `realm`; the claim with the longest
    /// matching name is tried first.
    pub fn text(&self, name: &str) -> Option<String> {
        scalar(find(&self.members, name)?).map(Cow::into_owned)
    }

    /// The claim called `name`, as for [`Claims::text`] and also an array of such values, as the value of a header field.
    ///
    /// The elements of an array are joined by commas. A comma inside a value, `%`, and every byte that is not visible ASCII are
    /// percent-encoded: whoever splits at the commas and decodes the pieces has the claim back, and no claim can end the field
    /// or pass for two. None for an empty array.
    pub fn header_value(&self, name: &str) -> Option<String> {
        match find(&self.members, name)? {
            Value::Array(elements) => {
                let encoded: Option<Vec<String>> =
                    elements.iter().map(|element| scalar(element).map(|text| percent_encoded(&text))).collect();
                encoded.filter(|elements| !elements.is_empty()).map(|elements| elements.join(","))
            }
            value => scalar(value).map(|text| percent_encoded(&text)),
        }
    }

    /// What the token allows: the claim `scope` (RFC 8693, section 4.2), or else `scp`, as text with spaces or as an array.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let scopes = self.members.get("scope").or_else(|| self.members.get("scp"));
        let text = scopes.and_then(Value::as_str).unwrap_or_default();
        let array = scopes.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        text.split(' ').filter(|scope| !scope.is_empty()).chain(array.iter().filter_map(Value::as_str))
    }

    /// The first of the `required` scopes that the token lacks.
    pub fn missing_scope<'r>(&self, required: &'r [String]) -> Option<&'r str> {
        required.iter().map(String::as_str).find(|required| !self.scopes().any(|scope| scope == *required))
    }
}

fn fingerprint(members: &Map<String, Value>) -> String {
    let mut hash = Sha256::new();
    // The map is sorted by name, and no name or value can hold a line feed that is not escaped.
    for (name, value) in members.iter().filter(|(name, _)| !OF_THE_TOKEN.contains(&name.as_str())) {
        hash.update(Value::from(name.as_str()).to_string());
        hash.update(":");
        hash.update(value.to_string());
        hash.update("\n");
    }
    base64url::encode(&hash.finalize())
}

/// RFC 7519, section 4.1.3: `aud` is one string or an array of them, and one has to name us.
fn is_for_us(claim: Option<&Value>, audience: &[String]) -> Result<bool, Rejection> {
    let is_ours = |name: &str| audience.iter().any(|ours| ours == name);
    match claim {
        None => Ok(audience.is_empty()),
        Some(Value::String(name)) => Ok(is_ours(name)),
        Some(Value::Array(names)) => {
            let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
            Ok(names.ok_or(Rejection::ClaimsMalformed)?.into_iter().any(is_ours))
        }
        Some(_) => Err(Rejection::ClaimsMalformed),
    }
}

fn text_claim<'m>(members: &'m Map<String, Value>, name: &str) -> Result<Option<&'m str>, Rejection> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Rejection::ClaimsMalformed),
    }
}

/// RFC 7519, section 2, NumericDate: seconds since the Unix epoch, "non-integer values can be represented". Times before the
/// epoch count as the epoch, and times that no clock reaches as the last one.
fn time_claim(members: &Map<String, Value>, name: &str) -> Result<Option<Duration>, Rejection> {
    let Some(claim) = members.get(name) else { return Ok(None) };
    if let Some(seconds) = claim.as_u64() {
        return Ok(Some(Duration::from_secs(seconds)));
    }
    let seconds = claim.as_f64().ok_or(Rejection::ClaimsMalformed)?;
    if seconds <= 0.0 {
        return Ok(Some(Duration::ZERO));
    }
    Ok(Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)))
}

fn find<'m>(members: &'m Map<String, Value>, name: &str) -> Option<&'m Value> {
    let nested = || {
        name.rmatch_indices('.').find_map(|(dot, _)| {
            let (claim, rest) = name.split_at_checked(dot)?;
            find(members.get(claim)?.as_object()?, rest.strip_prefix('.')?)
        })
    };
    members.get(name).or_else(nested)
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn percent_encoded(text: &str) -> String {
    const HEXADECIMAL: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b'!'..=b'~') && !matches!(byte, b'%' | b',') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.extend(HEXADECIMAL.get(usize::from(byte >> 4)));
            encoded.extend(HEXADECIMAL.get(usize::from(byte & 0xf)));
        }
    }
    encoded
}

/// Claims are about a person: nothing of them but the issuer gets into a log by accident.
impl fmt::Debug for Claims {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Claims")
            .field("issuer", &self.issuer)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
