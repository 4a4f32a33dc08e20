//! The `keystile` program.

/// Requests allocate small things and free them soon, on whichever thread: what this one is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    keystile::cli::run()
}
