//! `[gateway]`: what holds for every request.

use super::File;
use super::secret::SecretTable;
use crate::authoring::compile::Compiler;
use crate::authoring::problem::Problem;
use crate::authoring::shape::{List, Reading};
use crate::authoring::table::{choice, table};
use crate::authoring::text::{AdminPath, HeaderName};
use crate::compiled;

/// The least length of the operators' token, in bytes: 16 random ones cannot be guessed.
const TOKEN_BYTES: usize = 16;

table! {
    /// What holds for every request.
    #[table(word = "table", example = "{ client_ip = \"cf-connecting-ip\" }")]
    pub(super) struct Gateway {
        /// The one header trusted for the client's address.
        client_ip: HeaderName = "cf-connecting-ip",
        /// The operators' endpoints. If left out, there are none.
        admin: Option<Admin>,
        /// When a reply carries the `Tidegate-Explain` header.
        explain: Explain = "never",
        /// Response headers that no standard asks for: `server-timing`, `x-request-id` (errors always have it).
        response_headers: List<ResponseHeader> = [],
    }
}

table! {
    /// The operators' endpoints.
    #[table(word = "table", example = "{ path = \"/_tidegate\", token = { secret = \"TIDEGATE_ADMIN_TOKEN\" } }")]
    pub(super) struct Admin {
        /// The path under which they live, on every host. It wins over every route.
        path: AdminPath,
        /// The bearer token that operators show, of at least 16 bytes. Without it only `GET {path}/health` answers.
        token: Option<SecretTable>,
    }
}

/// When a reply explains itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Explain {
    Never,
}

choice!(Explain { Never = "never" });

/// A response header that no standard asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResponseHeader {
    ServerTiming,
    RequestId,
}

choice!(ResponseHeader { ServerTiming = "server-timing", RequestId = "x-request-id" });

impl Gateway {
    pub(super) fn compile(
        &self,
        cache_backend: compiled::CacheBackend,
        compiler: &mut Compiler<'_>,
    ) -> Option<compiled::Settings> {
        self.explain.get()?;
        let admin = match self.admin.value.as_ref()? {
            Some(admin) => Some(admin.compile(compiler)?),
            None => None,
        };
        let headers = self.response_headers.get()?;
        Some(compiled::Settings {
            client_ip: self.client_ip.get()?.0.clone(),
            admin,
            server_timing: headers.values().any(|header| *header == ResponseHeader::ServerTiming),
            request_id: headers.values().any(|header| *header == ResponseHeader::RequestId),
            cache_backend,
        })
    }
}

impl Admin {
    fn compile(&self, compiler: &mut Compiler<'_>) -> Option<compiled::Admin> {
        let token = match self.token.value.as_ref()? {
            Some(secret) => {
                let name = secret.name()?;
                compiler.secrets.need(name, "gateway.admin.token", TOKEN_BYTES);
                Some(name.0.clone())
            }
            None => None,
        };
        Some(compiled::Admin { path: self.path.get()?.0.clone(), token })
    }
}

/// The operators' path wins over every route: a route below it would never be reached.
pub(super) fn check(file: &File, reading: &mut Reading<'_>) {
    let admin = file.gateway.get().and_then(|gateway| gateway.admin.written());
    let Some(path) = admin.map(|admin| &admin.path) else { return };
    let Some(below) = path.get() else { return };
    for route in file.route.get().into_iter().flat_map(List::values) {
        let Some((pattern, place)) = route.path() else { continue };
        let rest = pattern.text.strip_prefix(&below.0);
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            let message = format!("no request reaches this route: `{}` is the path of the operators", below.0);
            let hint = "move the route, or choose another `path` for `gateway.admin`";
            reading.problems.push(Problem::error(place, message, hint).beside(&path.place, "the operators' path"));
        }
    }
}

/// Whoever can sign a token should not become an operator by it.
pub(super) fn warn(file: &File, warnings: &mut Vec<Problem>) {
    let admin = file.gateway.get().and_then(|gateway| gateway.admin.written());
    let Some(token) = admin.map(|admin| &admin.token) else { return };
    let Some(name) = token.written().and_then(SecretTable::name) else { return };
    for issuer in file.issuer.get().into_iter().flat_map(List::values) {
        if let Some((secret, place)) = issuer.secret_name().filter(|(secret, _)| *secret == name) {
            let message = format!("the secret `{}` is both the operators' token and a key of an issuer", secret.0);
            let hint = "give the operators a secret of their own";
            warnings.push(Problem::warning(place, message, hint).beside(&token.place, "here too"));
        }
    }
}
