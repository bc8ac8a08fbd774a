//! The walls of the house: reads the sources and fails when one is broken.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use lifeops::store::db::{Db, sql};
use sha2::{Digest as _, Sha256};

use crate::support::{Engine, Place};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder with this ending: its path from the root, and its text.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.sort();
    let texts: Vec<_> = found
        .into_iter()
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            (name, String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned())
        })
        .collect();
    assert!(!texts.is_empty(), "there is no {ending} below {folder}");
    texts
}

/// Source lines that are code: number and text, without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(number, line)| {
            let comment = line.find("//").filter(|at| !line[..*at].ends_with(':')); // not the one of an address
            (number + 1, comment.map_or(line, |at| &line[..at]))
        })
        .filter(|(_, line)| !line.trim().is_empty())
}

/// Whether a word stands in a line on its own.
fn names(line: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(is_word) && !line[at + word.len()..].starts_with(is_word)
    })
}

#[track_caller]
fn nothing(what: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{what}:\n  {}", broken.join("\n  "));
}

/// Every line of code below `folder` (but not below one of `but`) that names one of the words.
fn mentions(folder: &str, but: &[&str], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in files(folder, ".rs") {
        if but.iter().any(|b| name.starts_with(b)) {
            continue;
        }
        for (number, line) in code(&text) {
            for word in words.iter().filter(|word| names(line, word)) {
                found.push(format!("{name}:{number} names {word}: {}", line.trim()));
            }
        }
    }
    found
}

#[test]
fn sql_is_spoken_only_in_the_store() {
    let drivers = ["sqlx", "rusqlite", "tokio_postgres", "tower_sessions_sqlx_store"];
    nothing("a driver outside src/store", mentions("src", &["src/store/"], &drivers));
}

#[test]
fn the_domain_is_pure() {
    let words = [
        "tokio",
        "axum",
        "sqlx",
        "rusqlite",
        "std::fs",
        "std::net",
        "std::io",
        "std::env",
        "std::process",
        "SystemTime",
    ];
    nothing("the domain does I/O or reads a clock", mentions("src/domain", &[], &words));
    let clocks = ["Timestamp::now", "Zoned::now", "std::time::Instant", "OffsetDateTime::now_utc"];
    nothing("the domain reads a clock", mentions("src/domain", &[], &clocks));
    let mut broken = Vec::new();
    for (name, text) in files("src/domain", ".rs") {
        for (number, line) in code(&text) {
            let ours = line.match_indices("crate::").map(|(at, _)| &line[at + 7..]);
            if ours.into_iter().any(|rest| !rest.starts_with("domain")) {
                broken.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    nothing("the domain imports something of ours", broken);
}

#[test]
fn dependencies_point_inwards() {
    nothing(
        "the store looks up",
        mentions("src/store", &[], &["crate::commands", "crate::web", "crate::api", "crate::upkeep", "crate::cli"]),
    );
    nothing(
        "commands look up",
        mentions("src/commands", &[], &["crate::web", "crate::api", "crate::upkeep", "crate::cli"]),
    );
    nothing("upkeep looks up", mentions("src/upkeep", &[], &["crate::web", "crate::api", "crate::cli"]));
    nothing(
        "commands know HTTP",
        mentions(
            "src/commands",
            &[],
            &["axum", "http", "hyper", "tower", "tower_http", "askama", "axum_login", "tower_sessions"],
        ),
    );
    nothing("web and command line know each other", mentions("src/web", &[], &["crate::api", "crate::cli"]));
    if root().join("src/api").exists() {
        nothing("the API knows the pages", mentions("src/api", &[], &["crate::web", "crate::cli", "askama"]));
    }
}

#[test]
fn only_the_ledger_writes_events() {
    let mut broken = Vec::new();
    for (name, text) in files("src", ".rs") {
        for (number, line) in code(&text) {
            let line = line.to_lowercase();
            let writes = ["insert into record_events", "update record_events", "delete from record_events"];
            if writes.iter().any(|w| line.contains(w)) && !name.starts_with("src/store/ledger") {
                broken.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    nothing("events are written outside the ledger", broken);
}

#[test]
fn the_store_of_files_is_behind_one_module_and_writes_through() {
    nothing("object_store", mentions("src", &["src/blobs/objects.rs"], &["object_store"]));
    // A file that is not on the disk when its event is would be lost with the power; no test can take that away.
    let objects = std::fs::read_to_string(root().join("src/blobs/objects.rs")).unwrap();
    assert!(objects.contains("with_fsync(true)"));
}

#[test]
fn nothing_is_unsafe_and_no_work_is_left_open() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""), "Cargo.toml forbids unsafe code");
    nothing("macros that end the program", mentions("src", &[], &["todo!", "unimplemented!", "dbg!"]));
    let mut open = Vec::new();
    for folder in ["src", "templates", "migrations", "static"] {
        for (name, text) in files(folder, "") {
            for (number, line) in text.lines().enumerate() {
                if ["TODO", "FIXME"].iter().any(|word| names(line, word)) && !name.ends_with(".min.js") {
                    open.push(format!("{name}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    nothing("work left open", open);
}

// ---- Migrations ----

#[test]
fn both_engines_have_the_same_migrations() {
    let list = |engine: &str| -> Vec<String> {
        files(&format!("migrations/{engine}"), ".sql")
            .into_iter()
            .map(|(name, _)| name.rsplit('/').next().unwrap().to_owned())
            .collect()
    };
    let names = list("sqlite");
    assert_eq!(names, list("postgres"));
    for (n, name) in names.iter().enumerate() {
        assert!(name.starts_with(&format!("{:04}_", n + 1)), "{name} is number {}", n + 1);
    }
}

#[test]
fn every_statement_of_ours_is_lower_case() {
    let mut broken = Vec::new();
    for (name, text) in files("migrations", ".sql") {
        for (number, line) in text.lines().enumerate() {
            let line = line.split("--").next().unwrap_or_default();
            let shouted = ["SELECT", "CREATE", "INSERT", "UPDATE", "DELETE", "TABLE", "PRIMARY", "WHERE", "INDEX"];
            if shouted.iter().any(|word| names(line, word)) {
                broken.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    nothing("shouted SQL", broken);
}

/// Table and column names of a migrated database, with whether the column may be null.
async fn columns(engine: Engine) -> BTreeSet<(String, String)> {
    let place = Place::empty(engine).await;
    let db: Db = place.open().await;
    db.migrate().await.unwrap();
    let text = match engine {
        Engine::Sqlite => {
            "select m.name as table_name, c.name as column_name from sqlite_master m, pragma_table_info(m.name) c
              where m.type = 'table' and m.name not like 'sqlite%' and m.name not like '%_sqlx_%'"
        }
        Engine::Postgres => {
            "select table_name::text as table_name, column_name::text as column_name from information_schema.columns
              where table_schema = 'public' and table_name not like '%_sqlx_%'"
        }
    };
    let rows = sql(text).all(&db).await.unwrap();
    let found = rows.iter().map(|row| (row.text("table_name").unwrap(), row.text("column_name").unwrap())).collect();
    db.close().await;
    found
}

mod both_engines_have_the_same_tables_and_columns {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let (sqlite, postgres) = (columns(Engine::Sqlite).await, columns(Engine::Postgres).await);
        assert!(sqlite.iter().any(|(table, _)| table == "record_events"), "{sqlite:?}");
        let only = |a: &BTreeSet<_>, b: &BTreeSet<_>| a.difference(b).cloned().collect::<Vec<(String, String)>>();
        // Full text differs: an index beside the table, whose rows it names; a column with an index, and how frequent terms are.
        let mut apart = only(&sqlite, &postgres);
        apart.retain(|(table, _)| !table.starts_with("search_index"));
        assert_eq!(apart, [("search_record".to_owned(), "seq".to_owned())], "only on SQLite");
        let mut apart = only(&postgres, &sqlite);
        apart.retain(|(table, _)| table != "search_frequency");
        assert_eq!(apart, [("search_record".to_owned(), "terms".to_owned())], "only on PostgreSQL");
    }
}

both_engines! {
    /// `household_id` is the first column of every primary key and unique index of household data, so that an
    /// installation can be partitioned by it.
    async fn every_key_of_household_data_begins_with_the_household(engine: Engine) {
        let place = Place::empty(engine).await;
        let db = place.open().await;
        db.migrate().await.unwrap();
        let text = match engine {
            Engine::Sqlite => {
                "select m.name as table_name, i.name as key_name, c.name as column_name
                   from sqlite_master m, pragma_index_list(m.name) i, pragma_index_info(i.name) c
                  where m.type = 'table' and i.\"unique\" = 1 and c.seqno = 0
                    and exists (select 1 from pragma_table_info(m.name) h where h.name = 'household_id')"
            }
            Engine::Postgres => {
                "select t.relname::text as table_name, k.relname::text as key_name, a.attname::text as column_name
                   from pg_index i
                   join pg_class t on t.oid = i.indrelid
                   join pg_class k on k.oid = i.indexrelid
                   join pg_namespace n on n.oid = t.relnamespace and n.nspname = 'public'
                   join pg_attribute a on a.attrelid = t.oid and a.attnum = i.indkey[0]
                  where i.indisunique
                    and exists (select 1 from pg_attribute h where h.attrelid = t.oid and h.attname = 'household_id')"
            }
        };
        let rows = sql(text).all(&db).await.unwrap();
        assert!(!rows.is_empty());
        // A session is found by its hashed id before anybody knows whose it is.
        let exempt = ["member_session"];
        let mut broken = Vec::new();
        for row in &rows {
            let (table, key, column) =
                (row.text("table_name").unwrap(), row.text("key_name").unwrap(), row.text("column_name").unwrap());
            if column != "household_id" && !exempt.contains(&table.as_str()) {
                broken.push(format!("{table}: {key} begins with {column}"));
            }
        }
        db.close().await;
        nothing("keys that do not begin with the household", broken);
    }
}

// ---- Templates and assets ----

/// The opening tags of a template: line number and text.
fn tags(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('<') {
        let rest = &text[at..];
        if !rest[1..].starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        // A quoted value may hold a `>`, and an expression of the template a quote.
        let (mut quote, mut depth) = (None, 0_u32);
        for (offset, c) in rest.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                '"' | '\'' if depth == 0 && quote == Some(c) => quote = None,
                '"' | '\'' if depth == 0 && quote.is_none() => quote = Some(c),
                '>' if depth == 0 && quote.is_none() => {
                    found.push((text[..at].lines().count().max(1), &rest[..=offset]));
                    break;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn templates_use_nothing_that_is_banned() {
    let banned = [
        "hx-boost",
        "hx-on",
        "hx-confirm",
        "hx-prompt",
        "hx-disable",
        "hx-put",
        "hx-patch",
        "hx-delete",
        "hx-vals=\"js:",
        "hx-trigger=\"every",
        "revealed",
        "intersect",
        "mouseenter",
        "keyup",
        "js:",
        " style=",
        " placeholder=",
        " required",
        "javascript:",
        "<script>",
        "<style",
        "target=\"_blank\"",
        "tabindex=\"1",
        "onclick",
        "onsubmit",
        "onchange",
        "oninput",
        "onload",
    ];
    let mut broken = Vec::new();
    for (name, text) in files("templates", ".html") {
        for (number, tag) in tags(&text) {
            let place = format!("{name}:{number}: {}", tag.chars().take(160).collect::<String>());
            for word in banned.iter().filter(|word| tag.contains(*word)) {
                broken.push(format!("{word} in {place}"));
            }
            let htmx = tag.match_indices("hx-").collect::<Vec<_>>();
            if htmx.iter().any(|(at, _)| !tag[..*at].ends_with("data-")) && !tag.contains("htmx-config") {
                broken.push(format!("hx- without data- in {place}"));
            }
            let element = tag[1..].split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
            let is_link = element == "a" && tag.contains("href=");
            let oob = tag.contains("data-hx-swap-oob");
            let works_without = element == "form" || element == "meta" || is_link || oob;
            if !htmx.is_empty() && !works_without {
                broken.push(format!("data-hx on an element that does nothing without script: {place}"));
            }
            if element == "button" && !tag.contains("type=") {
                broken.push(format!("a button without a type: {place}"));
            }
            if tag.contains("role=\"alert\"") && !name.contains("_summary") {
                broken.push(format!("role=alert outside the error summary: {place}"));
            }
        }
        if text.contains("|safe") || text.contains("| safe") {
            let allowed = ["html", "icon", "svg", "sprite"]; // what only our own code can make
            for (number, line) in text.lines().enumerate().filter(|(_, l)| l.contains("safe")) {
                if !allowed.iter().any(|word| line.contains(word)) {
                    broken.push(format!("unescaped in {name}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    nothing("banned in templates", broken);
}

fn sha256(path: &str) -> String {
    let bytes = std::fs::read(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn vendored_files_are_what_their_table_says() {
    for (table, folder) in [("static/VENDORED.md", "static"), ("tests/vendor/README.md", "tests/vendor")] {
        let text = std::fs::read_to_string(root().join(table)).unwrap();
        let mut seen = Vec::new();
        for line in text.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
            let sum =
                cells.iter().rev().find(|cell| cell.len() == 64).unwrap_or_else(|| panic!("{table}: no sum in {line}"));
            assert_eq!(sha256(&format!("{folder}/{}", cells[1])), **sum, "{}", cells[1]);
            seen.push(cells[1].to_owned());
        }
        let scripts = std::fs::read_dir(root().join(folder)).unwrap().map(|e| e.unwrap().file_name());
        // `app.js` is our own.
        for script in scripts.filter(|name| name.to_string_lossy().ends_with(".js") && name != "app.js") {
            let name = script.to_string_lossy().into_owned();
            assert!(seen.contains(&name), "{folder}/{name} is not in {table}");
        }
    }
    let htmx = sha256("static/htmx-4.0.1.min.js");
    assert_eq!(htmx, "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130", "htmx 4.0.1 as published");
}

fn gzipped(text: &str) -> usize {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap().len()
}

#[test]
fn assets_stay_light() {
    let css = std::fs::read_to_string(root().join("static/app.css")).unwrap();
    assert!(gzipped(&css) <= 8 * 1024, "the style sheet is {} bytes gzipped, more than 8 kB", gzipped(&css));
    let scripts: usize = files("static", ".js").iter().map(|(_, text)| gzipped(text)).sum();
    assert!(scripts <= 14 * 1024, "the scripts are {scripts} bytes gzipped, more than 14 kB");
    for banned in ["@import", "@font-face", "url(http", "outline: none !", "forced-color-adjust", "text-align: justify"]
    {
        assert!(!css.contains(banned), "{banned} in the style sheet");
    }
}

// ---- The palette: contrast as WCAG 2.2 defines it, recomputed from the style sheet's own tokens ----

/// The tokens of the light palette, and of the dark one on top of it.
fn palettes() -> [(&'static str, BTreeMap<String, [f64; 3]>); 2] {
    let css = std::fs::read_to_string(root().join("static/app.css")).unwrap();
    let block = |from: &str| {
        let start = css.find(from).unwrap_or_else(|| panic!("the style sheet has no {from}"));
        let rest = &css[start..];
        let open = rest.find(":root").map(|at| at + rest[at..].find('{').unwrap()).unwrap();
        rest[open + 1..].split('}').next().unwrap().to_owned()
    };
    let light = tokens(&block("@layer tokens {"));
    let mut dark = light.clone();
    dark.extend(tokens(&block("@media (prefers-color-scheme: dark)")));
    [("light", light), ("dark", dark)]
}

fn tokens(block: &str) -> BTreeMap<String, [f64; 3]> {
    let mut found = BTreeMap::new();
    for declaration in block.split(';') {
        let Some((name, value)) = declaration.split_once(':') else { continue };
        let (Some(name), Some(hex)) = (name.trim().strip_prefix("--"), value.trim().strip_prefix('#')) else {
            continue;
        };
        if hex.len() == 6 {
            let part = |n: usize| f64::from(u8::from_str_radix(&hex[n..n + 2], 16).unwrap()) / 255.0;
            found.insert(name.to_owned(), [part(0), part(2), part(4)]);
        }
    }
    found
}

/// WCAG 2.2, "relative luminance".
fn luminance(colour: [f64; 3]) -> f64 {
    let [r, g, b] = colour.map(|c| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

/// WCAG 2.2, "contrast ratio".
fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn contrast_is_computed_as_wcag_says() {
    assert!((contrast([0.0; 3], [1.0; 3]) - 21.0).abs() < 1e-9);
    let grey = [f64::from(0x76_u8) / 255.0; 3];
    assert!((contrast(grey, [1.0; 3]) - 4.54).abs() < 0.01);
}

#[test]
fn the_palette_keeps_its_contrast() {
    let pages: &[&str] = &["bg", "surface", "sunken"];
    let pairs: &[(&str, &[&str], f64)] = &[
        ("text", &["bg", "surface", "sunken", "mark", "danger-bg", "ok-bg", "warn-bg"], 7.0),
        ("muted", pages, 7.0),
        ("link", pages, 7.0),
        ("visited", pages, 7.0),
        ("accent", pages, 7.0),
        ("on-accent", &["accent", "accent-2"], 7.0),
        ("on-cloth", &["cloth", "cloth-2"], 7.0),
        ("danger", &["bg", "surface", "sunken", "danger-bg"], 7.0),
        ("ok", &["bg", "surface", "sunken", "ok-bg"], 7.0),
        ("warn", &["bg", "surface", "sunken", "warn-bg"], 7.0),
        ("clay-ink", &["clay"], 7.0),
        ("ochre-ink", &["ochre"], 7.0),
        ("moss-ink", &["moss"], 7.0),
        ("teal-ink", &["teal"], 7.0),
        ("slate-ink", &["slate"], 7.0),
        ("plum-ink", &["plum"], 7.0),
        ("border", pages, 3.0),
        ("ring", pages, 3.0),
        ("ring", &["ring-in"], 3.0),
    ];
    let mut broken = Vec::new();
    for (scheme, palette) in palettes() {
        let colour = |name: &str| *palette.get(name).unwrap_or_else(|| panic!("no token --{name} in {scheme}"));
        for (ink, papers, least) in pairs {
            for paper in *papers {
                let ratio = contrast(colour(ink), colour(paper));
                if ratio < *least {
                    broken.push(format!("{scheme}: {ink} on {paper} is {ratio:.2}, less than {least}"));
                }
            }
        }
    }
    nothing("contrast", broken);
}

/// A file of tests that nobody names would be left out without a word.
#[test]
fn every_file_of_tests_is_in_the_one_binary() {
    let all = std::fs::read_to_string(root().join("tests/all.rs")).unwrap();
    for entry in std::fs::read_dir(root().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let is_room = path.extension().is_some_and(|end| end == "rs") || path.join("mod.rs").exists();
        if is_room && name != "all" {
            assert!(all.contains(&format!("mod {name};")), "{} is in no run: name it in tests/all.rs", path.display());
        }
    }
}
