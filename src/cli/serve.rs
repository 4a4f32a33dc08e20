use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::config::{ListenAddress, Overrides};
use crate::gateway;

/// Serve KMS: verify, decide, rotate
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  keystile serve --config keystile.toml --data-dir /var/lib/keystile

Standard output tells where it listens, one line for each listener, and nothing else.
SIGTERM drains and stops; SIGHUP reloads the configuration, identities and policies.")]
pub(super) struct Serve {
    /// The configuration file; without one, defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the gateway listens [default: 127.0.0.1:4599]; port 0 picks a free one;
    /// unix:PATH is a Unix-domain socket
    #[arg(long, value_name = "ADDR")]
    listen: Option<ListenAddress>,
    /// Where health, readiness and metrics are served [default: 127.0.0.1:4600]; beyond this machine only with
    /// admin_token_file in the configuration
    #[arg(long, value_name = "ADDR")]
    admin_listen: Option<ListenAddress>,
    /// Where data is kept [default: ./keystile-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Serve POST /clock, which moves the engine's clock: for tests of what takes a year
    #[arg(long)]
    test_clock: bool,
}

impl Serve {
    pub(super) fn run(self) -> ExitCode {
        let overrides = Overrides {
            listen: self.listen,
            admin_listen: self.admin_listen,
            data_dir: self.data_dir,
            test_clock: self.test_clock,
        };
        match gateway::run(gateway::Options { config: self.config, overrides }) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("keystile: {error}");
                ExitCode::from(2)
            }
        }
    }
}
