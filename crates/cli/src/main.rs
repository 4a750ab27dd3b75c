//! `tidegate`: checks, explains and compiles a configuration, offline.
//!
//! Exit codes: 0 for a good file, 1 for a refused one, 2 for a command that cannot be carried out.

mod compile;
mod explain;
mod file;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use explain::Request;

/// Checks, explains and compiles a Tidegate configuration, offline.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reports every mistake in a configuration, with its line and its cure.
    Check {
        /// The configuration, such as tidegate.toml.
        file: PathBuf,
    },
    /// Prints the JSON Schema of the configuration.
    Schema,
    /// Says what happens to a request, and why.
    Explain {
        /// The configuration, such as tidegate.toml.
        file: PathBuf,
        /// The request, such as "GET /x" or "GET https://api.example.com/x?page=2".
        #[arg(long)]
        request: String,
        /// A header of the request, such as "host: api.example.com". May be given several times.
        #[arg(long, value_name = "NAME: VALUE")]
        header: Vec<String>,
        /// What Cloudflare knows of the client: country, continent, colo, region (a subdivision, such as CA) and asn, as in
        /// "country=DE,colo=FRA".
        #[arg(long, value_name = "KEY=VALUE,…", value_delimiter = ',')]
        cf: Vec<String>,
        /// A claim of the request's token, such as "plan=pro". May be given several times.
        #[arg(long, value_name = "NAME=VALUE")]
        claim: Vec<String>,
    },
    /// Writes the form that the Worker loads, and beside it a .json with the version and the secrets that are needed.
    Compile {
        /// The configuration, such as tidegate.toml.
        file: PathBuf,
        /// Where to write, such as build/config.bin. A refused configuration leaves it as it is.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Why a command was not carried out.
#[derive(Debug)]
enum Failure {
    /// The configuration is refused; the report is printed.
    Refused,
    /// The command cannot be carried out, for this reason.
    Impossible(String),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Refused) => ExitCode::from(1),
        Err(Failure::Impossible(reason)) => {
            // There is nobody left to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "tidegate: {reason}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Check { file } => {
            let checked = file::check(&file)?;
            print(&format!("{}: ok, {}\n", file.display(), file::summary(&checked)))
        }
        Command::Schema => print(&format!("{:#}\n", tidegate_config::schema())),
        Command::Explain { file, request, header, cf, claim } => {
            let request = Request::parse(&request, &header, &cf, &claim).map_err(Failure::Impossible)?;
            let checked = file::check(&file)?;
            print(&explain::explain(&checked, &request))
        }
        Command::Compile { file, out } => {
            let checked = file::check(&file)?;
            compile::write(&checked, &out).map_err(Failure::Impossible)?;
            print(&compile::summary(&checked, &out))
        }
    }
}

/// Prints to standard output. Whoever closes it early, as `head` does, has read enough.
fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Impossible(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
