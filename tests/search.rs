//! The search, through its page: what it finds, who finds it, and that whatever is typed is no error.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::files::add;
use crate::support::{Engine, Home, Page, Store, Visitor, words};

#[derive(Deserialize)]
struct Suite {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    language: String,
    /// In the order of their keys.
    records: BTreeMap<String, Told>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Told {
    title: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    fields: BTreeMap<String, String>,
    #[serde(default)]
    occurred: String,
    #[serde(default)]
    notes: Vec<Note>,
    #[serde(default)]
    files: Vec<String>,
}

#[derive(Deserialize)]
struct Note {
    text: String,
    #[serde(default)]
    occurred: String,
    #[serde(default)]
    amount: String,
    #[serde(default)]
    currency: String,
}

#[derive(Deserialize)]
struct Case {
    query: String,
    /// All of them.
    finds: Vec<String>,
    /// Some of the others.
    #[serde(default)]
    misses: Vec<String>,
    #[serde(default)]
    first: Option<String>,
    why: String,
}

/// Asks for words and returns the page.
pub async fn look_for(visitor: &Visitor, query: &str) -> Page {
    visitor.open(&format!("/search?q={}", encoded(query))).await
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The titles that a page of the search lists.
pub fn titles(page: &Page) -> Vec<String> {
    page.all("main .rows h3")
}

async fn tell(home: &Home, told: &Told) {
    let form = home.ana.open("/records/new").await.form(words::NEW);
    let form = form.fill("title", &told.title).fill("category", &told.category).fill("tags", &told.tags.join(", "));
    let form = form.fill("description", &told.description).fill("occurred", &told.occurred);
    let form = told.fields.iter().enumerate().fold(form, |form, (nth, (name, value))| {
        form.fill_nth("field_name", nth, name).fill_nth("field_value", nth, value)
    });
    let answer = home.ana.press(&form, words::NEW).await;
    let record = answer.expect_redirect().split('?').next().unwrap_or_default().to_owned();
    for note in &told.notes {
        let form =
            home.ana.open(&record).await.form(words::NOTE).fill("text", &note.text).fill("occurred", &note.occurred);
        let form = form.fill("amount", &note.amount).fill("currency", &note.currency);
        home.ana.press(&form, words::NOTE).await.expect_redirect();
    }
    for file in &told.files {
        add(&home.ana, &record, file, *b"words").await;
    }
}

/// Runs the cases of some groups, and names every one that fails.
async fn conforms(engine: Engine, names: &[&str]) {
    let suite: Suite = serde_json::from_str(include_str!("samples/search.json")).unwrap();
    assert!(suite.groups.iter().map(|group| group.cases.len()).sum::<usize>() >= 120);
    let mut failures = Vec::new();
    for group in suite.groups.iter().filter(|group| names.contains(&group.name.as_str())) {
        let language = group.language.parse().unwrap();
        let home = Home::start_in(engine, Store::Directory, |settings| settings.search_language = language).await;
        let mut keys = BTreeMap::new();
        for (key, told) in &group.records {
            tell(&home, told).await;
            assert!(keys.insert(told.title.clone(), key.clone()).is_none(), "{} twice", told.title);
        }
        for case in &group.cases {
            let page = look_for(&home.ana, &case.query).await;
            let found: Vec<&String> = titles(&page).iter().map(|title| &keys[title]).collect();
            let (mut all, mut wanted) = (found.clone(), case.finds.iter().collect::<Vec<_>>());
            all.sort();
            wanted.sort();
            let first = case.first.as_ref().is_none_or(|first| found.first() == Some(&first));
            if all != wanted || !first || case.misses.iter().any(|miss| found.contains(&miss)) {
                let (name, Case { query, why, first, .. }) = (&group.name, case);
                failures.push(format!("{name} [{query}] ({why}): found {found:?}, not {wanted:?}, first {first:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} cases:\n{}", failures.len(), failures.join("\n"));
}

both_engines! {
    async fn english(engine: Engine) {
        conforms(engine, &["english"]).await;
    }

    async fn western(engine: Engine) {
        conforms(engine, &["german", "french", "spanish", "turkish"]).await;
    }

    async fn greek_and_cyrillic(engine: Engine) {
        conforms(engine, &["greek", "russian"]).await;
    }

    async fn without_word_spaces(engine: Engine) {
        conforms(engine, &["japanese", "chinese", "korean", "thai"]).await;
    }

    async fn numbers_signs_and_operators(engine: Engine) {
        conforms(engine, &["mixed"]).await;
    }
}
