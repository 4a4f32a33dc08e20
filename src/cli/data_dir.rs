//! What the commands that work on stored data have in common.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::config::{Config, Overrides};

/// Which data.
#[derive(Debug, Args)]
pub(super) struct DataDirArgs {
    /// The configuration file of the server; without one, defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the data is kept [default: ./keystile-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl DataDirArgs {
    pub(super) fn config(&self) -> Result<Config, String> {
        let overrides = Overrides { data_dir: self.data_dir.clone(), ..Overrides::default() };
        Config::load(self.config.as_deref(), &overrides).map_err(|error| error.to_string())
    }
}

/// Runs a command to its end; what went wrong is told on stderr.
pub(super) fn finish(work: impl Future<Output = Result<(), String>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => Err(error.to_string()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("keystile: {message}");
            ExitCode::from(2)
        }
    }
}

/// Prints the result of a command.
pub(super) fn print(text: &str) -> Result<(), String> {
    use io::Write;
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| error.to_string())
}
