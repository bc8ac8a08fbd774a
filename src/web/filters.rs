//! The filters of lists, in addresses, in a form and as links that remove them: one way for every page that has them.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::domain::ids::MemberId;
use crate::domain::instant::Instant;
use crate::domain::text::{Category, Tag, fold};
use crate::domain::when::Occurred;
use crate::store::filter::{Entered, Filter, MOST_TAGS, Sort, Time};
use crate::store::people::People;
use crate::store::views::Suggestions;

use super::forms::{Errors, RawForm};
use super::look::Look;
use super::paths::with_query;

/// Reads the filters of an address; what is wrong with a date goes to `errors`.
pub fn read(asked: &RawForm, today: Date, errors: &mut Errors) -> Filter {
    let word = |name: &str| asked.text(name).trim().to_owned();
    let date = |name: &str, errors: &mut Errors| {
        let at = asked.get(name);
        if at.is_blank() {
            return None;
        }
        errors.take(name, at.parse(|at| Occurred::parse_any_date(at, today)))
    };
    let mut tags: Vec<String> = Vec::new();
    for typed in asked.all("tag") {
        for tag in typed.text.split([',', ';']) {
            let tag = tag.trim().trim_start_matches('#').trim();
            let known = tags.iter().any(|known| fold(known) == fold(tag));
            if Tag::parse(tag).is_err() || known {
                continue;
            }
            if tags.len() == MOST_TAGS {
                let most = format!("Only the first {MOST_TAGS} tags count. Take some of them away");
                if errors.of("tag").is_none() {
                    errors.add("tag", most);
                }
                continue;
            }
            tags.push(tag.to_owned());
        }
    }
    let (from, until) = (date("from", errors), date("until", errors));
    if let (Some(from), Some(until)) = (from, until)
        && from.from_key() > until.until_key()
    {
        errors.add("until", "The end lies before the beginning. Enter a later one");
    }
    Filter {
        category: Some(word("category")).filter(|category| Category::parse(category).is_ok()),
        any_tag: word("any") == "yes" && tags.len() > 1,
        tags,
        from,
        until,
        // Without a range it means nothing.
        time: if word("time") == "recorded" && (from.is_some() || until.is_some()) {
            Time::Recorded
        } else {
            Time::Happened
        },
        by: word("who").parse().ok().map(MemberId),
        files: word("files") == "yes",
        deleted: word("deleted") == "yes",
        sort: match word("sort").as_str() {
            "happened" => Sort::Happened,
            "title" => Sort::Title,
            _ => Sort::Activity,
        },
    }
}

/// What the range of a filter means in instants, for a member in this zone.
pub fn entered(filter: &Filter, zone: &TimeZone) -> Entered {
    let at = |key: String| -> Option<Instant> {
        let civil: jiff::civil::DateTime = key.parse().ok()?;
        Some(zone.to_ambiguous_zoned(civil).compatible().ok()?.timestamp().into())
    };
    Entered {
        // What begins after everything that can be told finds nothing.
        from: filter.from.map(|from| at(from.from_key()).unwrap_or(Instant::from_micros(i64::MAX))),
        until: filter.until.and_then(|until| at(until.until_key())).map(|until| until.plus_seconds(60)),
    }
}

/// A filter as names and values: in an address, or hidden in another form of the page.
pub fn pairs(filter: &Filter) -> Vec<(&'static str, String)> {
    let yes = |set: bool| if set { "yes".to_owned() } else { String::new() };
    let date = |date: Option<Occurred>| date.map(|date| date.to_string()).unwrap_or_default();
    let has_range = filter.from.is_some() || filter.until.is_some();
    let entered = has_range && filter.time == Time::Recorded;
    let mut pairs = vec![("category", filter.category.clone().unwrap_or_default())];
    pairs.extend(filter.tags.iter().map(|tag| ("tag", tag.clone())));
    pairs.extend([
        ("any", yes(filter.any_tag && filter.tags.len() > 1)),
        ("from", date(filter.from)),
        ("until", date(filter.until)),
        ("time", if entered { "recorded".to_owned() } else { String::new() }),
        ("who", filter.by.map(|by| by.0.to_string()).unwrap_or_default()),
        ("files", yes(filter.files)),
        ("deleted", yes(filter.deleted)),
        ("sort", sort_word(filter.sort).to_owned()),
    ]);
    pairs.retain(|(_, value)| !value.is_empty());
    pairs
}

/// A filter in an address, with more behind it.
pub fn address(path: &str, filter: &Filter, more: &[(&str, &str)]) -> String {
    let pairs = pairs(filter);
    let all: Vec<(&str, &str)> =
        pairs.iter().map(|(name, value)| (*name, value.as_str())).chain(more.iter().copied()).collect();
    with_query(path, &all)
}

fn sort_word(sort: Sort) -> &'static str {
    match sort {
        Sort::Activity => "",
        Sort::Happened => "happened",
        Sort::Title => "title",
    }
}

/// To where an address is given a name.
pub fn keep(address: &str) -> String {
    with_query("/views/new", &[("address", address)])
}

/// A filter that is set, as a link that removes it.
#[derive(Debug)]
pub struct Chip {
    /// The address without it.
    pub href: String,
    /// What it is.
    pub words: String,
}

/// The filters that are set, each as a link that removes it. `more` goes into each address.
pub fn chips(path: &str, filter: &Filter, people: &People, more: &[(&str, &str)]) -> Vec<Chip> {
    let mut chips = Vec::new();
    let mut add = |words: String, without: Filter| chips.push(Chip { href: address(path, &without, more), words });
    if let Some(category) = &filter.category {
        add(category.clone(), Filter { category: None, ..filter.clone() });
    }
    for (at, tag) in filter.tags.iter().enumerate() {
        let mut without = filter.clone();
        without.tags.remove(at);
        let or = if filter.any_tag && at > 0 { "or " } else { "" };
        add(format!("{or}#{tag}"), without);
    }
    let verb = if filter.time == Time::Recorded { "entered " } else { "" };
    if let Some(from) = filter.from {
        add(format!("{verb}from {}", from.words()), Filter { from: None, ..filter.clone() });
    }
    if let Some(until) = filter.until {
        add(format!("{verb}until {}", until.words()), Filter { until: None, ..filter.clone() });
    }
    if let Some(by) = filter.by {
        let name = people.called(by, i64::MAX).map_or_else(|| "somebody else".to_owned(), |called| called.to_string());
        add(format!("by {name}"), Filter { by: None, ..filter.clone() });
    }
    if filter.files {
        add("with files".to_owned(), Filter { files: false, ..filter.clone() });
    }
    if filter.deleted {
        add("deleted".to_owned(), Filter { deleted: false, ..filter.clone() });
    }
    chips
}

/// The filters in words, for titles: "Car, #winter".
pub fn words(chips: &[Chip]) -> String {
    chips.iter().map(|chip| chip.words.as_str()).collect::<Vec<_>>().join(", ")
}

/// The form in which filters are chosen.
#[derive(Debug)]
pub struct FilterForm {
    /// Where it leads.
    pub action: &'static str,
    /// Whether anything is chosen.
    pub is_set: bool,
    /// To where the filter is given a name.
    pub keep: String,
    /// What goes with it.
    pub hidden: Vec<(&'static str, String)>,
    /// The address without any filter, if that is more than without the form.
    pub cleared: Option<String>,
    /// Kinds of events to choose from: word, name, whether chosen; none where records are listed.
    pub kinds: Vec<(&'static str, &'static str, bool)>,
    /// Whether it stands beside something else, and is kept short.
    pub compact: bool,
    /// The categories to choose from.
    pub categories: Vec<CategoryChoice>,
    /// Whether none is chosen.
    pub any_category: bool,
    /// The tags, as they were typed.
    pub tags: String,
    /// Tags in use, with their number of records if it is of those that are looked for.
    pub known_tags: Vec<(String, Option<i64>)>,
    /// Whether any one of the tags is enough.
    pub any_tag: bool,
    /// The beginning of the range, as it was typed.
    pub from: String,
    /// Its end.
    pub until: String,
    /// Whether it means the time of entry.
    pub recorded: bool,
    /// Members to choose from: identity, name, whether chosen.
    pub people: Vec<(String, String, bool)>,
    /// Only records with files.
    pub files: bool,
    /// How many there are of them; 0 if nobody says.
    pub with_files: i64,
    /// Deleted records instead.
    pub deleted: bool,
    /// The orders to choose from: word, name, whether chosen; none where there is but one.
    pub sorts: Vec<(&'static str, &'static str, bool)>,
}

impl FilterForm {
    /// The address without any filter.
    pub fn clear(&self) -> String {
        if let Some(cleared) = &self.cleared {
            return cleared.clone();
        }
        let hidden: Vec<(&str, &str)> = self.hidden.iter().map(|(name, value)| (*name, value.as_str())).collect();
        with_query(self.action, &hidden)
    }

    /// The same with more that goes with it.
    pub fn with(mut self, hidden: Vec<(&'static str, String)>) -> Self {
        self.hidden = hidden.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        self
    }

    /// The same where there is but one order, and kept short.
    pub fn in_one_order(mut self) -> Self {
        self.sorts.clear();
        self.compact = true;
        self
    }

    /// The same for a search: kept short, and its usual order is another one.
    pub fn of_search(mut self) -> Self {
        if let Some(usual) = self.sorts.first_mut() {
            usual.1 = SEARCH_ORDER;
        }
        self.compact = true;
        self
    }

    /// The form for a filter.
    pub fn of(action: &'static str, filter: &Filter, asked: &RawForm, known: &Suggestions, people: &People) -> Self {
        let sorts = [
            (Sort::Activity, "latest change first"),
            (Sort::Happened, "what happened last first"),
            (Sort::Title, "by title"),
        ];
        // What is counted is what is there, not what was deleted.
        let counts = !filter.deleted;
        Self {
            action,
            is_set: *filter != Filter::default(),
            keep: keep(&address(action, filter, &[])),
            hidden: Vec::new(),
            cleared: None,
            kinds: Vec::new(),
            // Radio buttons as long as they are seen at a glance.
            compact: known.categories.len() > 12,
            categories: categories(known, filter.category.as_deref(), counts),
            any_category: filter.category.is_none(),
            tags: match filter.tags.len() < MOST_TAGS {
                true => filter.tags.join(", "),
                // Perhaps more than count were typed: they come back.
                false => asked.all("tag").map(|typed| typed.text.as_str()).collect::<Vec<_>>().join(", "),
            },
            known_tags: known.tags.iter().map(|label| (label.label.clone(), counts.then_some(label.records))).collect(),
            any_tag: filter.any_tag,
            from: asked.text("from"),
            until: asked.text("until"),
            recorded: asked.text("time") == "recorded",
            people: people
                .all()
                .filter(|person| person.present || filter.by == Some(person.member))
                .map(|person| (person.member.0.to_string(), person.name.clone(), filter.by == Some(person.member)))
                .collect(),
            files: filter.files,
            with_files: if counts { known.with_files } else { 0 },
            deleted: filter.deleted,
            sorts: sorts.map(|(sort, name)| (sort_word(sort), name, sort == filter.sort)).into(),
        }
    }
}

/// What the search is usually ordered by, in words.
pub const SEARCH_ORDER: &str = "titles first, then latest change first";

/// What a list is ordered by, in words.
pub fn sort_words(sort: Sort) -> &'static str {
    match sort {
        Sort::Activity => "latest change first",
        Sort::Happened => "what happened last first",
        Sort::Title => "by title",
    }
}

/// The categories in use, and the chosen one even if nothing is in it.
fn categories(known: &Suggestions, wanted: Option<&str>, counts: bool) -> Vec<CategoryChoice> {
    let chosen = wanted.map(fold);
    let mut choices: Vec<CategoryChoice> = known
        .categories
        .iter()
        .map(|label| {
            CategoryChoice::of(&label.label, chosen.as_ref() == Some(&label.key), counts.then_some(label.records))
        })
        .collect();
    if let Some(category) = wanted.filter(|_| !choices.iter().any(|choice| choice.chosen)) {
        choices.push(CategoryChoice::of(category, true, None));
    }
    choices
}

/// A category to choose.
#[derive(Debug)]
pub struct CategoryChoice {
    /// Its name.
    pub name: String,
    /// Its icon.
    pub icon: &'static str,
    /// Its tint.
    pub tint: &'static str,
    /// Whether it is chosen.
    pub chosen: bool,
    /// How many records it has.
    pub count: Option<i64>,
}

impl CategoryChoice {
    fn of(name: &str, chosen: bool, count: Option<i64>) -> Self {
        let look = Look::of(Some(name));
        Self { name: name.to_owned(), icon: look.icon, tint: look.tint, chosen, count }
    }
}
