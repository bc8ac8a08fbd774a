//! Tints and icons of categories. They repeat what the category's word says.

use crate::domain::text::fold;

/// Categories that are offered from the beginning, with their icon and tint.
pub const BUILT_IN: [(&str, &str, &str); 10] = [
    ("Appliance", "drop", "clay"),
    ("Bicycle", "bike", "slate"),
    ("Car", "car", "slate"),
    ("Health", "heart", "teal"),
    ("Home", "house", "moss"),
    ("Insurance", "umbrella", "teal"),
    ("Lease", "key", "moss"),
    ("Passport", "passport", "plum"),
    ("Pet", "paw", "ochre"),
    ("School", "cap", "plum"),
];

const TINTS: [&str; 6] = ["clay", "ochre", "moss", "teal", "slate", "plum"];

/// How a category looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The icon's name.
    pub icon: &'static str,
    /// The tint's name.
    pub tint: &'static str,
}

impl Look {
    /// The look of a category; a household's own category takes a tint by its name.
    pub fn of(category: Option<&str>) -> Self {
        let Some(category) = category else { return Self { icon: "page", tint: "slate" } };
        let folded = fold(category);
        // The names built in are plain ASCII, and fold to themselves in small letters.
        match BUILT_IN.iter().find(|(name, _, _)| name.eq_ignore_ascii_case(&folded)) {
            Some((_, icon, tint)) => Self { icon, tint },
            None => Self { icon: "page", tint: tint_of(&folded) },
        }
    }
}

/// A tint that stays with a name.
pub fn tint_of(name: &str) -> &'static str {
    let sum = fold(name).bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    TINTS[sum % TINTS.len()]
}
