//! Line icons, drawn on a 24 by 24 grid. A page carries one inline sprite with just the icons that it uses; an icon only
//! ever repeats what a word beside it says.

use memchr::memmem;

/// Name and drawing of every icon, by name.
const DRAWINGS: [(&str, &str); 27] = [
    ("alert", r#"<path d="M12 4 3 19.5h18z"/><path d="M12 10v4.5M12 17v.2"/>"#),
    (
        "bike",
        r#"<circle cx="6" cy="15.8" r="3.4"/><circle cx="18" cy="15.8" r="3.4"/><path d="M6 15.8 9.3 9.5h6L12 15.8H6M18 15.8 14.6 6.5h2.6M8 7.5h3M9.3 9.5 8.7 7.5"/>"#,
    ),
    (
        "cap",
        r#"<path d="M2.8 9.6 12 5.2l9.2 4.4L12 14z"/><path d="M6.8 11.7v4.1c1.5 1.3 3.2 1.9 5.2 1.9s3.7-.6 5.2-1.9v-4.1M21.2 9.6v4.9"/>"#,
    ),
    (
        "car",
        r#"<path d="M3.5 16.5v-3l2-1.2 1.8-4A2.2 2.2 0 0 1 9.3 7h5.2a2.2 2.2 0 0 1 1.9 1l2.3 4.2 1.8 1v3.3h-1.7M9.7 16.5h4.6M5.3 16.5H3.5M6 12.2h12"/><circle cx="7.5" cy="16.7" r="1.9"/><circle cx="16.5" cy="16.7" r="1.9"/>"#,
    ),
    ("change", r#"<path d="M4.5 8.5h13.5l-3.2-3.2M19.5 15.5H6l3.2 3.2"/>"#),
    (
        "clip",
        r#"<path d="m18.3 11.3-6.6 6.6a4 4 0 0 1-5.6-5.6l7-7a2.7 2.7 0 0 1 3.8 3.8l-6.9 6.9a1.3 1.3 0 0 1-1.9-1.9l6.2-6.2"/>"#,
    ),
    ("cross", r#"<path d="m6.5 6.5 11 11M17.5 6.5l-11 11"/>"#),
    (
        "drop",
        r#"<path d="M12 3.5c3.2 3.7 5.3 6.5 5.3 9.5a5.3 5.3 0 0 1-10.6 0c0-3 2.1-5.8 5.3-9.5z"/><path d="M9.6 13.2a2.5 2.5 0 0 0 2.4 2.5"/>"#,
    ),
    ("gauge", r#"<path d="M4.3 17a8.3 8.3 0 1 1 15.4 0"/><path d="m12 15 3.6-5"/><circle cx="12" cy="15.5" r="1"/>"#),
    (
        "heart",
        r#"<path d="M12 19.8S4.5 15.3 4.5 9.9A4 4 0 0 1 12 7.8a4 4 0 0 1 7.5 2.1c0 5.4-7.5 9.9-7.5 9.9z"/><path d="M12 10.2v4.6M9.7 12.5h4.6"/>"#,
    ),
    ("house", r#"<path d="M3.5 11.5 12 4.5l8.5 7M5.8 9.8v9.7h12.4V9.8M10 19.5v-5.3h4v5.3"/>"#),
    ("key", r#"<circle cx="8.2" cy="15.8" r="4.2"/><path d="m11.2 12.8 8.3-8.3M15 9l2.6 2.6M17.8 6.2l1.7 1.7"/>"#),
    ("lock", r#"<rect x="5.5" y="10.5" width="13" height="9" rx="1.5"/><path d="M8.5 10.5V8a3.5 3.5 0 0 1 7 0v2.5"/>"#),
    ("note", r#"<path d="m5 19 .9-3.9L15.6 5.4a1.5 1.5 0 0 1 2.1 0l.9.9a1.5 1.5 0 0 1 0 2.1L8.9 18.1z"/>"#),
    ("page", r#"<path d="M6.5 3.5h7.5l4 4v13h-11.5z"/><path d="M13.8 3.7v4h4M9.2 12h5.6M9.2 15.5h5.6"/>"#),
    (
        "passport",
        r#"<rect x="5.5" y="3.5" width="13" height="17" rx="2"/><circle cx="12" cy="10.3" r="3.2"/><path d="M8.8 10.3h6.4M9.5 17h5"/>"#,
    ),
    (
        "paw",
        r#"<path d="M5.3 11v.8M9.5 6v1.4M14.5 6v1.4M18.7 11v.8" stroke-width="3"/><path d="M12 12.2c-2.5 0-4.5 2.5-4.5 4.4 0 1.5 1.1 2.4 2.3 2.4.9 0 1.4-.4 2.2-.4s1.3.4 2.2.4c1.2 0 2.3-.9 2.3-2.4 0-1.9-2-4.4-4.5-4.4z"/>"#,
    ),
    (
        "people",
        r#"<circle cx="9" cy="8.5" r="3"/><path d="M3.5 18.5c.4-3.2 2.6-5 5.5-5s5.1 1.8 5.5 5M15.5 6a3 3 0 0 1 0 5.3M17 14c2 .6 3.2 2.2 3.5 4.5"/>"#,
    ),
    (
        "photo",
        r#"<rect x="4" y="5.5" width="16" height="13" rx="1.5"/><circle cx="9" cy="10" r="1.5"/><path d="m4.5 16.5 4.5-4 3.5 3 3-2.5 4 3.5"/>"#,
    ),
    ("plus", r#"<path d="M12 5v14M5 12h14"/>"#),
    (
        "receipt",
        r#"<path d="M6.5 3.8v16.4l1.9-1.3 1.8 1.3 1.8-1.3 1.8 1.3 1.8-1.3 1.9 1.3V3.8z"/><path d="M9.7 8.5h4.6M9.7 12h4.6"/>"#,
    ),
    ("restore", r#"<path d="M5 12.5a7 7 0 1 0 2-5.4L4.8 9.2"/><path d="M4.8 4.8v4.4h4.4"/>"#),
    (
        "seal",
        r#"<circle cx="12" cy="10" r="5.5"/><path d="m9.8 10 1.6 1.6 2.9-3M8.8 14.6 7.5 20.5l4.5-2.2 4.5 2.2-1.3-5.9"/>"#,
    ),
    ("search", r#"<circle cx="10.5" cy="10.5" r="5.5"/><path d="m14.8 14.8 4.7 4.7"/>"#),
    ("to", r#"<path d="M4 12h15.5M14 6.5 19.5 12 14 17.5"/>"#),
    (
        "umbrella",
        r#"<path d="M3.8 12.8a8.2 8.2 0 0 1 16.4 0z"/><path d="M12 4.6V3.3M12 12.8v5.4a1.9 1.9 0 0 0 3.8 0"/>"#,
    ),
    ("undo", r#"<path d="M9 5.5 4.8 9.7 9 13.9"/><path d="M4.8 9.7h9.4a4.6 4.6 0 0 1 0 9.2H11"/>"#),
];

/// Where the layout leaves room for the sprite: this, names of icons that a fragment may bring in later, `-->`.
const MARKER: &str = "<!--icons";

/// How an icon is used.
const USE: &str = "href=\"#i-";

/// Puts the sprite into a rendered page. Text that people typed is escaped, so it can be taken neither for the marker
/// nor for the use of an icon.
pub fn with_sprite(html: &str) -> String {
    let Some(at) = memmem::find(html.as_bytes(), MARKER.as_bytes()) else { return html.to_owned() };
    let (before, rest) = (&html[..at], &html[at + MARKER.len()..]);
    let Some((named, after)) = rest.split_once("-->") else { return html.to_owned() };
    let mut used = [false; DRAWINGS.len()];
    let mut uses = |name: &str| {
        if let Ok(nth) = DRAWINGS.binary_search_by_key(&name, |(name, _)| name) {
            used[nth] = true;
        }
    };
    named.split_whitespace().for_each(&mut uses);
    for at in memmem::find_iter(html.as_bytes(), USE.as_bytes()) {
        if let Some((name, _)) = html[at + USE.len()..].split_once('"') {
            uses(name);
        }
    }
    let mut page = String::with_capacity(html.len() + 4096);
    page.push_str(before);
    page.push_str("<svg id=\"sprite\" class=\"sprite\" width=\"0\" height=\"0\" aria-hidden=\"true\">");
    for ((name, drawing), _) in DRAWINGS.iter().zip(used).filter(|(_, used)| *used) {
        for piece in ["<symbol id=\"i-", name, "\" viewBox=\"0 0 24 24\">", drawing, "</symbol>"] {
            page.push_str(piece);
        }
    }
    page.push_str("</svg>");
    page.push_str(after);
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drawings_stand_in_order_and_are_found() {
        assert!(DRAWINGS.is_sorted_by_key(|(name, _)| *name));
        for (name, drawing) in DRAWINGS {
            let html = with_sprite(&format!("<!--icons--><use href=\"#i-{name}\"/>"));
            assert!(html.contains(drawing) && html.matches("<symbol").count() == 1, "{name}");
        }
    }

    #[test]
    fn a_page_carries_only_the_icons_it_uses() {
        let html = with_sprite("<!--icons note --><p><use href=\"#i-car\"/></p>");
        assert!(html.contains("id=\"i-car\"") && html.contains("id=\"i-note\""));
        assert!(!html.contains("id=\"i-paw\"") && !html.contains("<!--"));
    }
}
