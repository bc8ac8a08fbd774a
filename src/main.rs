//! The command line. Each command is a few lines that call the library.

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    cli::run()
}
