//! `tidegate compile`: the form that the Worker loads, and what has to be known to deploy it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidegate_config::{Checked, compile};
use tidegate_gateway::route::CacheBackend;

use crate::file;

/// Writes the compiled form to `out` and the manifest beside it. Both are complete or not there at all.
pub(crate) fn write(checked: &Checked, out: &Path) -> Result<(), String> {
    let manifest_path = manifest_path(out);
    if out.file_name().is_none() || manifest_path == out {
        return Err(format!("cannot write to {}: name a file such as build/config.bin", out.display()));
    }
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder).map_err(|error| format!("cannot make the folder {}: {error}", folder.display()))?;
    }
    let manifest = format!("{:#}\n", manifest(checked));
    let files = [(out.to_owned(), compile(checked)), (manifest_path, manifest.into_bytes())];
    let mut written = Vec::new();
    for (path, content) in &files {
        let draft = draft(path);
        fs::write(&draft, content).map_err(|error| format!("cannot write {}: {error}", draft.display()))?;
        written.push((draft, path));
    }
    for (draft, path) in written {
        fs::rename(&draft, path).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}

/// The manifest's place: `config.json` beside `config.bin`.
fn manifest_path(out: &Path) -> PathBuf {
    out.with_extension("json")
}

/// Where a file is written before it takes its name, so that nobody reads half of it.
fn draft(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}

fn manifest(checked: &Checked) -> Value {
    let secrets = checked
        .secrets
        .iter()
        .map(|secret| json!({ "name": secret.name, "for": secret.used_by, "minimum_bytes": secret.minimum_bytes }));
    json!({
        "version": checked.gateway.version,
        "routes": checked.gateway.routes.len(),
        // The deployment has to turn it on.
        "workers_cache": checked.gateway.settings.cache_backend == CacheBackend::WorkersCache,
        "secrets": secrets.collect::<Vec<_>>(),
    })
}

/// What was written, and the secrets that have to be there.
pub(crate) fn summary(checked: &Checked, out: &Path) -> String {
    let mut text = format!("{}: version {}, {}\n", out.display(), checked.gateway.version, file::summary(checked));
    for secret in &checked.secrets {
        // Writing to a String cannot fail.
        let _ = match secret.minimum_bytes {
            0 | 1 => writeln!(text, "needs the secret {} for {}", secret.name, secret.used_by),
            least => writeln!(text, "needs the secret {} for {}, at least {least} bytes", secret.name, secret.used_by),
        };
    }
    text
}
