//! How far something is: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

/// Shows how far something is, on standard error.
pub struct Progress {
    what: &'static str,
    bar: Option<ProgressBar>,
    tenths: AtomicU64,
}

impl Progress {
    /// Begins; `what` is what is counted, such as "events".
    pub fn of(what: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:40} {pos} of {len} {msg} ({eta})");
            let bar = ProgressBar::new(0).with_message(what);
            match style {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self { what, bar, tenths: AtomicU64::new(0) }
    }

    /// So many of so many are done.
    pub fn at(&self, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            return bar.set_position(done);
        }
        let tenths = if total < 100 && done < total { 0 } else { (done * 10).checked_div(total).unwrap_or(10) };
        if tenths > self.tenths.fetch_max(tenths, Ordering::Relaxed) {
            super::complain(&format!("{done} of {total} {}", self.what));
        }
    }

    /// So many are done, of who knows how many.
    pub fn so_far(&self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(done);
            return bar.set_position(done);
        }
        let thousands = done / 10_000;
        if thousands > self.tenths.fetch_max(thousands, Ordering::Relaxed) {
            super::complain(&format!("{done} {}", self.what));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
