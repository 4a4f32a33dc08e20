//! The `keystile` program.

fn main() -> std::process::ExitCode {
    keystile::cli::run()
}
