//! QR codes as inline SVG, for addresses and secrets that a phone's camera should take over. The text beside the code
//! always says the same: nobody needs a camera.

use std::fmt;

use askama::filters::HtmlSafe;
use qrcodegen::{QrCode, QrCodeEcc};

/// The quiet zone around the code, in modules (ISO/IEC 18004 asks for four).
const QUIET: i32 = 4;

/// A drawing of ours that templates show without escaping: made by [`svg`] alone, out of numbers and an escaped label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawing(String);

impl fmt::Display for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Drawing {}

/// A QR code as SVG: dark modules on a light ground in every colour scheme, because cameras want it so. `says` is its
/// text alternative. None if the text is too long for a code (some 2,300 bytes).
pub fn svg(text: &str, says: &str) -> Option<Drawing> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let side = code.size() + 2 * QUIET;
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let run = (x..code.size()).take_while(|&at| code.get_module(at, y)).count();
            let run = i32::try_from(run).unwrap_or(0);
            if run > 0 {
                path.push_str(&format!("M{} {}h{run}v1h-{run}z", x + QUIET, y + QUIET));
            }
            x += run.max(1);
        }
    }
    Some(Drawing(format!(
        "<svg class=\"qr\" role=\"img\" aria-label=\"{says}\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{path}\" fill=\"#000\"/></svg>",
        says = says.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;"),
    )))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_quiet_zone_and_an_escaped_label() {
        let drawn = svg("https://home.example/invitations/abc", "\"A\" & <b>").unwrap().to_string();
        assert!(drawn.contains("aria-label=\"&quot;A&quot; &amp; &lt;b>\""), "{drawn}");
        // The upper left finder pattern begins with seven dark modules, four modules from both edges.
        assert!(drawn.contains("d=\"M4 4h7v1h-7z"), "{drawn}");
        assert_eq!(svg(&"a".repeat(4000), ""), None);
    }
}
