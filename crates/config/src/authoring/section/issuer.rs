//! `[[issuer]]`: somebody whose tokens are accepted.

mod keys;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tidegate_jwt::Algorithm;

use super::File;
use super::secret::SecretTable;
use crate::authoring::compile::{Compiler, all, milliseconds};
use crate::authoring::problem::{Place, Problem};
use crate::authoring::shape::{List, Reading};
use crate::authoring::suggest::did_you_mean;
use crate::authoring::table::table;
use crate::authoring::text::{Audience, CookieName, Invalid, MINUTE, Name, SecretName, Span, Text};
use crate::compiled;
use keys::Jwks;

table! {
    /// Somebody whose tokens are accepted. Its keys are either in `jwks` or, for the HS algorithms, one `secret`.
    #[table(
        word = "issuer",
        example = "[[issuer]]",
        rules = { "oneOf": [{ "required": ["jwks"] }, { "required": ["secret"] }] }
    )]
    pub(super) struct Issuer {
        /// What routes call it.
        name: Name,
        /// The `iss` claim of its tokens, character for character.
        issuer: Audience,
        /// A token must be meant for one of these: its `aud` claim.
        audience: List<Audience, 1>,
        /// The algorithms that a token may be signed with, all of one kind: either HS or the others.
        algorithms: List<Algorithm, 1>,
        /// Where its public keys are.
        jwks: Option<Jwks>,
        /// The key of an issuer that signs with HS256, HS384 or HS512: the bytes of a Worker secret, at least 32, 48 or 64.
        secret: Option<SecretTable>,
        /// How far its clock may be from ours, at most `"5m"`.
        leeway: Span<0, { 5 * MINUTE }> = "60s",
        /// The cookie that may hold the token when a request has no `Authorization`.
        cookie: Option<CookieName>,
    }
}

impl Text for Algorithm {
    const EXAMPLE: &'static str = "\"ES256\"";

    fn expected() -> String {
        "an algorithm such as `\"ES256\"`".to_owned()
    }

    fn rules() -> Value {
        // RFC 9864 gave EdDSA on Ed25519 a name of its own.
        let names: Vec<&str> = Algorithm::ALL.into_iter().map(Algorithm::name).chain(["Ed25519"]).collect();
        json!({ "title": "algorithm", "enum": names })
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        text.parse().map_err(|_| {
            if text.eq_ignore_ascii_case("none") {
                let hint = "remove it: a token without a signature proves nothing, and is never accepted";
                return Invalid::new("cannot be `none`", hint);
            }
            let names = Algorithm::ALL.map(Algorithm::name);
            let predicate = format!("cannot be `{text}`{}", did_you_mean(text, names));
            Invalid::new(predicate, format!("the algorithms are {}", names.join(", ")))
        })
    }
}

impl Issuer {
    pub(super) fn check(&self, reading: &mut Reading<'_>) {
        self.check_kinds(reading);
        if let Some(jwks) = self.jwks.written() {
            jwks.check(&self.jwks.place, reading);
        }
        match (self.jwks.is_absent(), self.secret.is_absent()) {
            (true, true) => reading.error(&self.name.place, "this issuer has no keys", self.keys_cure()),
            (false, false) => {
                let message = "this issuer has both `jwks` and `secret`";
                let problem = Problem::error(&self.secret.place, message, "remove one of the two");
                reading.problems.push(problem.beside(&self.jwks.place, "the other one"));
            }
            _ => self.check_keys(reading),
        }
    }

    fn algorithms(&self) -> impl Iterator<Item = (Algorithm, &Place)> {
        self.algorithms.get().into_iter().flat_map(List::placed).map(|(algorithm, place)| (*algorithm, place))
    }

    /// The first algorithm of either kind.
    fn first_of(&self, symmetric: bool) -> Option<(Algorithm, &Place)> {
        self.algorithms().find(|(algorithm, _)| algorithm.is_symmetric() == symmetric)
    }

    /// RFC 8725, section 2.1: with both kinds in one list, a public key could pass as the secret of an HMAC.
    fn check_kinds(&self, reading: &mut Reading<'_>) {
        if let (Some((hmac, place)), Some((public, _))) = (self.first_of(true), self.first_of(false)) {
            let message =
                format!("`{hmac}` and `{public}` cannot stand in one list: one uses a secret, the other a public key");
            reading.error(place, message, "make two issuers of it, or remove one of the two");
        }
    }

    fn check_keys(&self, reading: &mut Reading<'_>) {
        if let (Some(_), Some((public, place))) = (self.secret.written(), self.first_of(false)) {
            if self.first_of(true).is_none() {
                let message = format!("`{public}` does not work with a `secret`: it is verified with a public key");
                let hint = "write `jwks = { url = \"https://…\" }` instead of `secret`, or use `HS256`";
                reading.problems.push(Problem::error(place, message, hint).beside(&self.secret.place, "the secret"));
            }
            return;
        }
        let Some(jwks) = self.jwks.written() else { return };
        if let (Some((hmac, place)), false) = (self.first_of(true), jwks.is_secret()) {
            if self.first_of(false).is_none() {
                let message = format!("the key of `{hmac}` is a secret: it cannot be published in a key set");
                let hint = "write `secret = { secret = \"NAME\" }` instead of `jwks`";
                reading.problems.push(Problem::error(place, message, hint).beside(&self.jwks.place, "the key set"));
            }
            return;
        }
        for (algorithm, place) in self.algorithms() {
            if jwks.fixed().is_some_and(|keys| !keys.set.keys().iter().any(|key| key.fits(algorithm))) {
                let message = format!("none of the keys fits `{algorithm}`");
                let hint = format!("add a key for `{algorithm}`, or remove it from `algorithms`");
                reading.problems.push(Problem::error(place, message, hint).beside(&self.jwks.place, "the keys"));
            }
        }
    }

    fn keys_cure(&self) -> &'static str {
        match self.first_of(true) {
            Some(_) => "add `secret = { secret = \"NAME\" }`, the name of a Worker secret",
            None => "add `jwks = { url = \"https://…\" }`, or `jwks = { file = \"keys.json\" }`",
        }
    }

    /// The Worker secret that holds the keys.
    pub(super) fn secret_name(&self) -> Option<(&SecretName, &Place)> {
        let named = self.secret.written().and_then(SecretTable::name);
        match named {
            Some(name) => Some((name, &self.secret.place)),
            None => self.jwks.written().and_then(Jwks::secret).map(|name| (name, &self.jwks.place)),
        }
    }

    pub(super) fn compile(&self, compiler: &mut Compiler<'_>) -> Option<compiled::Issuer> {
        let name = self.name.get()?.0.clone();
        let algorithms = self.algorithms.get()?;
        let keys = match self.secret_name() {
            Some((secret, _)) => {
                compiler.secrets.need(secret, format!("issuer {name}"), minimum_bytes(algorithms.values()));
                compiled::Keys::Secret(secret.0.clone())
            }
            None => self.jwks.written()?.compile()?,
        };
        Some(compiled::Issuer {
            name,
            issuer: self.issuer.get()?.0.clone(),
            audience: all(self.audience.get()?, |audience| audience.0.clone())?,
            algorithms: all(algorithms, |algorithm| algorithm.name().to_owned())?,
            leeway: milliseconds(self.leeway.get()?.0)?,
            keys,
            cookie: self.cookie.value.as_ref()?.as_ref().map(|cookie| cookie.0.clone()),
        })
    }
}

/// RFC 7518, section 3.2: a key of at least the size of the hash, for every algorithm that is listed.
fn minimum_bytes<'a>(algorithms: impl Iterator<Item = &'a Algorithm>) -> usize {
    let minimum = |algorithm: &Algorithm| match algorithm {
        Algorithm::Hs256 => 32,
        Algorithm::Hs384 => 48,
        Algorithm::Hs512 => 64,
        // A key set in a secret: as JSON, longer than this.
        _ => 1,
    };
    algorithms.map(minimum).max().unwrap_or(1)
}

pub(super) fn warn(file: &File, warnings: &mut Vec<Problem>) {
    let routes = file.route.get().into_iter().flat_map(List::values);
    let used: BTreeSet<&str> = routes.flat_map(|route| route.issuers()).map(|issuer| issuer.name.as_str()).collect();
    for issuer in file.issuer.get().into_iter().flat_map(List::values) {
        if let Some(jwks) = issuer.jwks.written() {
            jwks.warn(warnings);
        }
        let Some(name) = issuer.name.get().filter(|name| !used.contains(name.0.as_str())) else { continue };
        let message = format!("no route accepts tokens of the issuer `{}`", name.0);
        let hint = format!("write `auth = {{ any = [\"{}\"] }}` in a route, or remove the issuer", name.0);
        warnings.push(Problem::warning(&issuer.name.place, message, hint));
    }
}
