//! Where log lines go: standard error, for a person or as JSON. They name requests and members by their ids, never by
//! what people typed.

use lifeops::config::LogFormat;
use lifeops::store::db::STATEMENTS;
use tracing_subscriber::EnvFilter;

/// Begins logging. A server tells what it does; a command only what is worth a warning. `RUST_LOG` says otherwise.
pub fn begin(format: LogFormat, server: bool) {
    let usual = if server {
        format!("info,{STATEMENTS}=warn,tower_sessions=error")
    } else {
        format!("warn,{STATEMENTS}=error")
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call would fail, and there is none.
    let _ = match format {
        LogFormat::Human => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}
