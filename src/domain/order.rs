//! The order of titles: by the rules of Unicode's root collation, so that it is the same on every engine and machine.

use std::sync::LazyLock;

use icu_collator::options::CollatorOptions;
use icu_collator::{Collator, CollatorBorrowed};

/// How many bytes of a title's key count: those of its first forty letters or so.
const LONGEST: usize = 96;

static ROOT: LazyLock<Option<CollatorBorrowed<'static>>> =
    LazyLock::new(|| Collator::try_new(Default::default(), CollatorOptions::default()).ok());

/// What a title is ordered by, byte by byte.
pub fn title_key(title: &str) -> Vec<u8> {
    let mut key = Vec::new();
    match &*ROOT {
        Some(root) => {
            let Ok(()) = root.write_sort_key_to(title, &mut key);
        }
        None => key.extend_from_slice(title.as_bytes()),
    }
    key.truncate(LONGEST);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_ordered_as_people_expect() {
        let mut titles = ["Zebra", "äpfel", "apple", "Ångström", "azure", "10", "2", "Éclair", "eclair", "東"];
        titles.sort_by_key(|title| title_key(title));
        assert_eq!(titles, ["10", "2", "Ångström", "äpfel", "apple", "azure", "eclair", "Éclair", "Zebra", "東"]);
        assert!(title_key(&"x".repeat(200)).len() <= LONGEST);
    }
}
