//! The command line. Each command is a few lines that call the library.

use std::process::ExitCode;

mod cli;

/// A page is thousands of small texts, and the system's allocator was a fifth of its cost (docs/benchmarks.md). Version 2
/// and no huge pages, because of what it holds on to.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
