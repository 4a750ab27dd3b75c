//! Step "auth": who sends this, and may they?

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tidegate_jwt::{Claims, KeyPlan, KeyRing, KeySet, Token, VerifiedToken};

use crate::apart::apart;
use crate::forward::rejoin_cookies;
use crate::memory::{Memory, Tokens, Verified};
use crate::platform::{Head, Platform, SignatureCheck};
use crate::rejection::Rejection;
use crate::route::{Issuer, Keys, TokenAuth};

/// Who a request comes from.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) issuer: Rc<str>,
    pub(crate) claims: Rc<Claims>,
    /// Whether the token had been verified here before.
    pub(crate) remembered: bool,
}

/// The outcome of this step.
pub(crate) struct Authenticated {
    pub(crate) identity: Result<Identity, Rejection>,
    pub(crate) notes: Notes,
}

/// What the step leaves behind beside its outcome.
#[derive(Default)]
pub(crate) struct Notes {
    /// An issuer whose keys should be fetched anew once the reply is on its way.
    pub(crate) refresh: Option<Rc<Issuer>>,
    /// Why keys could not be had or used, for the log.
    pub(crate) error: Option<String>,
}

/// Finds the token, verifies it (or remembers that it did) and asks for the scopes of the route.
pub(crate) async fn authenticate<P: Platform>(
    auth: &TokenAuth,
    memory: &RefCell<Memory>,
    head: &impl Head,
    platform: &P,
    now: Duration,
) -> Authenticated {
    let mut notes = Notes::default();
    let identity = match identify(auth, memory, head, platform, now, &mut notes).await {
        Ok(identity) => match identity.claims.missing_scope(&auth.scopes) {
            None => Ok(identity),
            Some(_) => Err(tidegate_jwt::Rejection::ScopeInsufficient.into()),
        },
        Err(refused) => Err(refused),
    };
    let identity = identity.map_err(|refused| refused.into_rejection(auth));
    Authenticated { identity, notes }
}

/// Why a request has no identity, before the route's scopes are added for the challenge.
enum Refused {
    Token(tidegate_jwt::Rejection),
    KeysUnavailable { retry_after: Duration },
}

impl From<tidegate_jwt::Rejection> for Refused {
    fn from(rejection: tidegate_jwt::Rejection) -> Self {
        Self::Token(rejection)
    }
}

impl Refused {
    fn into_rejection(self, auth: &TokenAuth) -> Rejection {
        match self {
            Self::Token(rejection) => Rejection::Token { rejection, scopes: auth.scopes.clone() },
            Self::KeysUnavailable { retry_after } => Rejection::KeysUnavailable { retry_after },
        }
    }
}

async fn identify<P: Platform>(
    auth: &TokenAuth,
    memory: &RefCell<Memory>,
    head: &impl Head,
    platform: &P,
    now: Duration,
    notes: &mut Notes,
) -> Result<Identity, Refused> {
    let credential = credential(auth, head)?;
    if let Some(verified) = memory.borrow_mut().tokens.get(credential.presented()?, now) {
        // A token that opens one route says nothing about a route that trusts other issuers.
        if auth.issuers.iter().any(|issuer| *issuer.name == *verified.issuer) {
            let Verified { issuer, claims, .. } = verified;
            return Ok(Identity { issuer, claims, remembered: true });
        }
    }
    let token = credential.token()?;
    let claimed = Token::parse(token)?.unverified_issuer();
    let mut refused = Refused::Token(tidegate_jwt::Rejection::IssuerMismatch);
    for issuer in auth.issuers.iter().filter(|issuer| Some(issuer.policy.issuer()) == claimed.as_deref()) {
        match apart(verify(token, issuer, memory, platform, now, notes)).await {
            Ok(claims) => {
                let claims = Rc::new(claims);
                let name: Rc<str> = issuer.name.as_str().into();
                let until = claims.valid_until().min(now.saturating_add(Tokens::TRUST));
                let verified = Verified { issuer: Rc::clone(&name), claims: Rc::clone(&claims), until };
                memory.borrow_mut().tokens.remember(token, verified);
                return Ok(Identity { issuer: name, claims, remembered: false });
            }
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// The token as it came: from `Authorization`, or from a cookie.
enum Credential {
    Authorization(String),
    Cookie(String),
}

impl Credential {
    /// What may be a token: one that is remembered was read as one before.
    fn presented(&self) -> Result<&str, tidegate_jwt::Rejection> {
        match self {
            Self::Authorization(field) => tidegate_jwt::presented(field),
            Self::Cookie(token) => Ok(token),
        }
    }

    fn token(&self) -> Result<&str, tidegate_jwt::Rejection> {
        match self {
            Self::Authorization(field) => tidegate_jwt::bearer(field),
            Self::Cookie(token) => Ok(token),
        }
    }
}

/// `Authorization` wins: a cookie is sent by browsers without anybody asking for it.
fn credential(auth: &TokenAuth, head: &impl Head) -> Result<Credential, tidegate_jwt::Rejection> {
    if let Some(field) = head.field("authorization") {
        return Ok(Credential::Authorization(field));
    }
    for name in auth.issuers.iter().filter_map(|issuer| issuer.cookie.as_deref()) {
        let Some(cookies) = head.field("cookie") else { break };
        let cookies = rejoin_cookies(&cookies).map_or(Cow::Borrowed(cookies.as_str()), Cow::Owned);
        if let Some(token) = tidegate_jwt::cookie(&cookies, name)? {
            return Ok(Credential::Cookie(token.to_owned()));
        }
    }
    Err(tidegate_jwt::Rejection::TokenMissing)
}

/// Verifies one token with the keys of one issuer: the signature first, then the claims (RFC 7519, section 7.2).
async fn verify<P: Platform>(
    credential: &str,
    issuer: &Rc<Issuer>,
    memory: &RefCell<Memory>,
    platform: &P,
    now: Duration,
    notes: &mut Notes,
) -> Result<Claims, Refused> {
    let token = Token::parse(credential)?;
    let keys = keys(issuer, token.key_id(), memory, platform, now, notes).await?;
    let verified = signed_by_one_of(token, issuer, &keys, platform, notes).await?;
    Ok(verified.claims(&issuer.policy, now)?)
}

async fn signed_by_one_of<P: Platform>(
    token: Token<'_>,
    issuer: &Issuer,
    keys: &KeySet,
    platform: &P,
    notes: &mut Notes,
) -> Result<VerifiedToken, Refused> {
    for key in token.candidates(&issuer.policy, keys)? {
        let check = SignatureCheck {
            algorithm: token.algorithm(),
            key,
            signing_input: token.signing_input(),
            signature: token.signature(),
        };
        match platform.verify(check).await {
            Ok(true) => return Ok(token.verified_by(key)),
            Ok(false) => {}
            // A key that the platform cannot use verifies nothing: unknown means deny.
            Err(error) => notes.error = Some(format!("a key of issuer {}: {}", issuer.name, error.reason)),
        }
    }
    Err(Refused::Token(tidegate_jwt::Rejection::SignatureInvalid))
}

/// The keys of an issuer, from memory whenever memory has them.
async fn keys<P: Platform>(
    issuer: &Rc<Issuer>,
    key_id: Option<&str>,
    memory: &RefCell<Memory>,
    platform: &P,
    now: Duration,
    notes: &mut Notes,
) -> Result<Rc<KeySet>, Refused> {
    let url = match &issuer.keys {
        Keys::Fixed(keys) => return Ok(Rc::clone(keys)),
        Keys::Secret(name) => return secret_keys(name, memory, platform),
        Keys::Url(url) => url,
    };
    let plan = ring(&mut memory.borrow_mut(), issuer).plan(key_id, now);
    match plan {
        KeyPlan::Use => {}
        KeyPlan::UseThenRefresh => notes.refresh = Some(Rc::clone(issuer)),
        KeyPlan::Fetch => notes.error = fetch_keys(issuer, url, memory, platform, now).await.err(),
        KeyPlan::Unavailable { retry_after } => return Err(Refused::KeysUnavailable { retry_after }),
    }
    let keys = ring(&mut memory.borrow_mut(), issuer).keys(platform.now());
    keys.ok_or(Refused::KeysUnavailable { retry_after: Duration::from_secs(1) })
}

fn ring<'m>(memory: &'m mut Memory, issuer: &Issuer) -> &'m mut KeyRing {
    memory.rings.entry(issuer.name.clone()).or_default()
}

/// Fetches the keys of an issuer for later requests: what a reply may leave behind as work.
///
/// # Errors
/// Why the keys could not be had, for the log; the last good ones stay.
pub async fn refresh_keys<P: Platform>(
    issuer: &Rc<Issuer>,
    memory: &RefCell<Memory>,
    platform: &P,
) -> Result<(), String> {
    match &issuer.keys {
        Keys::Url(url) => fetch_keys(issuer, url, memory, platform, platform.now()).await,
        Keys::Fixed(_) | Keys::Secret(_) => Ok(()),
    }
}

/// Fetches a key set; a set that cannot be had or read never replaces the last good one.
async fn fetch_keys<P: Platform>(
    issuer: &Rc<Issuer>,
    url: &str,
    memory: &RefCell<Memory>,
    platform: &P,
    now: Duration,
) -> Result<(), String> {
    ring(&mut memory.borrow_mut(), issuer).attempt(now);
    let fetched = match platform.key_set(url).await {
        Ok(text) => KeySet::parse(&text).map_err(|error| error.to_string()),
        Err(error) => Err(error.reason),
    };
    let now = platform.now();
    let mut memory = memory.borrow_mut();
    match fetched {
        Ok(keys) => {
            ring(&mut memory, issuer).fetched(keys, now);
            Ok(())
        }
        Err(reason) => {
            ring(&mut memory, issuer).failed(now);
            Err(format!("the keys of issuer {}: {reason}", issuer.name))
        }
    }
}

/// The key set in a Worker secret, parsed once an isolate.
fn secret_keys<P: Platform>(name: &str, memory: &RefCell<Memory>, platform: &P) -> Result<Rc<KeySet>, Refused> {
    let unavailable = || Refused::KeysUnavailable { retry_after: Duration::from_secs(60) };
    if let Some(keys) = memory.borrow().secrets.get(name) {
        return Ok(Rc::clone(keys));
    }
    let text = platform.secret(name).ok_or_else(unavailable)?;
    let parsed =
        if text.trim_start().starts_with('{') { KeySet::parse(&text) } else { KeySet::from_secret(text.as_bytes()) };
    let keys = Rc::new(parsed.map_err(|_| unavailable())?);
    memory.borrow_mut().secrets.insert(name.to_owned(), Rc::clone(&keys));
    Ok(keys)
}
