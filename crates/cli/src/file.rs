//! Reading and reporting a configuration file.

use std::env;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use tidegate_config::{Checked, Problem, Severity, render};

use crate::Failure;

/// Reads and checks a file, and prints what is wrong or unwise in it.
pub(crate) fn check(path: &Path) -> Result<Checked, Failure> {
    let text = read(path).map_err(|reason| Failure::Impossible(format!("cannot read {}: {reason}", path.display())))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    match tidegate_config::check(&text, &|name| read(&folder.join(name))) {
        Ok(checked) => {
            report(&checked.warnings, &text, path);
            Ok(checked)
        }
        Err(problems) => {
            report(&problems, &text, path);
            Err(Failure::Refused)
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        _ => error.to_string(),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(good).filter(|byte| **byte == b'\n').count().saturating_add(1);
        format!("line {line} is not UTF-8; save the file as UTF-8")
    })
}

/// Draws the problems on standard error, in colour for a terminal.
fn report(problems: &[Problem], text: &str, path: &Path) {
    if problems.is_empty() {
        return;
    }
    let color = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let name = path.display().to_string();
    let drawn = render(problems, text, &name, color);
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let summary = if errors > 0 {
        format!("{name}: {}", counted(errors, "problem"))
    } else {
        format!("{name}: {}", counted(problems.len(), "warning"))
    };
    // There is nobody left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "{drawn}\n{summary}");
}

/// "4 routes, 3 pools".
pub(crate) fn summary(checked: &Checked) -> String {
    let counts = checked.counts().into_iter().filter(|(_, count)| *count > 0);
    counts.map(|(name, count)| counted(count, name)).collect::<Vec<_>>().join(", ")
}

/// "1 route", "2 routes".
fn counted(count: usize, singular: &str) -> String {
    if count == 1 { format!("1 {singular}") } else { format!("{count} {singular}s") }
}
