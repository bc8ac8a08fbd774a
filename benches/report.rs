//! Numbers in order, and tables in Markdown.

use std::fmt::Write as _;

/// The middle of some numbers; nothing's is zero.
pub fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() % 2) {
        (0, _) => 0.0,
        (n, 1) => sorted[n / 2],
        (n, _) => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

/// The least and the most of some numbers.
pub fn range(of: &[f64]) -> (f64, f64) {
    of.iter().fold((f64::INFINITY, 0.0_f64), |(least, most), n| (least.min(*n), most.max(*n)))
}

/// A number with as many digits as it deserves.
pub fn number(n: f64) -> String {
    let whole = |n: f64| {
        let digits = format!("{n:.0}");
        let mut grouped = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at) % 3 == 0 {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        grouped
    };
    match n {
        n if n >= 100.0 => whole(n),
        n if n >= 10.0 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

/// What a run has to say: printed as it comes, and kept.
#[derive(Debug, Default)]
pub struct Report {
    pub text: String,
}

impl Report {
    pub fn line(&mut self, line: &str) {
        println!("{line}");
        let _ = writeln!(self.text, "{line}");
    }

    pub fn heading(&mut self, words: &str) {
        self.line(&format!("\n### {words}\n"));
    }

    pub fn columns(&mut self, names: &[&str]) {
        self.line(&format!("| {} |", names.join(" | ")));
        self.line(&format!("|{}", " --- |".repeat(names.len())));
    }

    pub fn row(&mut self, cells: &[String]) {
        self.line(&format!("| {} |", cells.join(" | ")));
    }
}

/// How long the same thing takes in a small and in a large household.
#[derive(Debug, Default)]
pub struct Growth {
    seen: Vec<Seen>,
}

/// Engine, what, and the p50 at each size.
type Seen = (String, String, Vec<(usize, f64)>);

impl Growth {
    pub fn note(&mut self, engine: &str, what: &str, size: usize, p50: f64) {
        match self.seen.iter_mut().find(|(e, w, _)| e == engine && w == what) {
            Some((_, _, at)) => at.push((size, p50)),
            None => self.seen.push((engine.to_owned(), what.to_owned(), vec![(size, p50)])),
        }
    }

    /// Says how everything grew, if there is more than one size.
    pub fn write(&self, report: &mut Report) {
        let grown: Vec<_> = self.seen.iter().filter(|(_, _, at)| at.len() > 1).collect();
        let Some((_, _, sizes)) = grown.first() else { return };
        let (small, large) = (sizes[0].0, sizes[sizes.len() - 1].0);
        report.line("\n## Growth\n");
        let head = |size: usize| format!("p50 ms at {} events", number(size as f64));
        report.columns(&["engine", "what", &head(small), &head(large), "**ratio**"]);
        for (engine, what, at) in grown {
            let (first, last) = (at[0].1, at[at.len() - 1].1);
            let ratio = format!("**{:.2}**", last / first);
            report.row(&[engine.clone(), what.clone(), number(first), number(last), ratio]);
        }
    }
}
