//! All tags and all categories, with how many records each has; renamed, or merged, over the whole household.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::commands::labels::{self as commands, NewName};
use crate::domain::Refusal;
use crate::domain::text::{Category, Tag, fold};
use crate::store::surroundings;
use crate::store::views::{Label, Suggestions};

use super::editing::may_write;
use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::look::Look;
use super::page::{Flash, Frame, Tab, Who};
use super::paths::{Asked, with_query};
use super::reply::{page, page_with, see_other};
use super::session::Member;

/// How many records are renamed before the answer; more are renamed while a page shows how far it is.
const AT_ONCE: i64 = 500;

/// Which labels a page is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Noun {
    Tag,
    Category,
}

impl Noun {
    fn path(self) -> &'static str {
        match self {
            Self::Tag => "/tags",
            Self::Category => "/categories",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Category => "category",
        }
    }

    fn plural(self) -> &'static str {
        match self {
            Self::Tag => "Tags",
            Self::Category => "Categories",
        }
    }

    fn spelt(self, name: &str) -> String {
        match self {
            Self::Tag => format!("#{name}"),
            Self::Category => format!("\u{201c}{name}\u{201d}"),
        }
    }

    fn of(self, known: &Suggestions) -> &[Label] {
        match self {
            Self::Tag => &known.tags,
            Self::Category => &known.categories,
        }
    }

    fn parse(self, typed: &str) -> Result<NewName, Refusal> {
        match self {
            Self::Tag if typed.contains([',', ';']) => {
                Err(Refusal::new("A tag has no comma and no semicolon: they stand between tags. Leave them out."))
            }
            Self::Tag => Tag::parse(typed.trim().trim_start_matches('#')).map(NewName::Tag),
            Self::Category => Category::parse(typed).map(NewName::Category),
        }
    }

    fn crumbs(self) -> Vec<(String, String)> {
        vec![("/records".to_owned(), "Records".to_owned()), (self.path().to_owned(), self.plural().to_owned())]
    }

    fn records(self, name: &str) -> String {
        with_query("/records", &[(self.word(), name)])
    }
}

/// `GET /tags`
pub async fn tags(state: State<App>, me: Me, asked: Asked) -> Result<Response, HtmlError> {
    all(state, me, asked, Noun::Tag).await
}

/// `GET /categories`
pub async fn categories(state: State<App>, me: Me, asked: Asked) -> Result<Response, HtmlError> {
    all(state, me, asked, Noun::Category).await
}

/// `GET /tags/rename`
pub async fn ask_tag(state: State<App>, me: Me, asked: Asked) -> Result<Response, HtmlError> {
    ask(state, me, asked, Noun::Tag).await
}

/// `GET /categories/rename`
pub async fn ask_category(state: State<App>, me: Me, asked: Asked) -> Result<Response, HtmlError> {
    ask(state, me, asked, Noun::Category).await
}

/// `POST /tags/rename`
pub async fn rename_tag(state: State<App>, me: Me, form: RawForm) -> Result<Response, HtmlError> {
    rename(state, me, form, Noun::Tag).await
}

/// `POST /categories/rename`
pub async fn rename_category(state: State<App>, me: Me, form: RawForm) -> Result<Response, HtmlError> {
    rename(state, me, form, Noun::Category).await
}

/// `GET /tags/progress`
pub async fn tag_progress(state: State<App>, me: Me, asked: Asked) -> Result<Response, HtmlError> {
    progress(state, me, asked, Noun::Tag).await
}

/// `GET /categories/progress`
pub async fn category_progress(state: State<App>, me: Me, asked: Asked) -> Result<Response, HtmlError> {
    progress(state, me, asked, Noun::Category).await
}

async fn all(State(app): State<App>, Me(me): Me, Asked(asked): Asked, noun: Noun) -> Result<Response, HtmlError> {
    let known = surroundings::of(&app.db, &me.actor).await?.known;
    let who = Who::of(&me);
    let (from, to) = (asked.text("renamed"), asked.text("to"));
    let done = noun.of(&known).iter().find(|label| label.key == fold(&to));
    let flash = done.filter(|_| !from.is_empty()).map(|now| {
        let (from, to, words) = (noun.spelt(&from), noun.spelt(&now.label), records_in_words(now.records));
        Flash::new("Renamed", format!("What was {from} is {to} now. {to} stands in {words} that you see."))
    });
    Ok(page(&AllTemplate {
        labels: noun.of(&known).iter().map(|label| LabelView::of(label, noun, who.may_write)).collect(),
        frame: Frame::member(noun.plural(), Tab::Records, who).flash(flash),
        crumbs: noun.crumbs(),
        heading: noun.plural(),
        word: noun.word(),
        other: match noun {
            Noun::Tag => ("/categories", "All categories"),
            Noun::Category => ("/tags", "All tags"),
        },
    }))
}

async fn ask(State(app): State<App>, Me(me): Me, Asked(asked): Asked, noun: Noun) -> Result<Response, HtmlError> {
    may_write(&me)?;
    let known = surroundings::of(&app.db, &me.actor).await?.known;
    let Some(label) = find(&known, noun, &asked.text("label")) else { return Ok(see_other(noun.path())) };
    let mut errors = Errors::none();
    if !asked.has("to") {
        return Ok(form(&me, &known, noun, label, &label.label, errors));
    }
    let to = errors.take("to", asked.get("to").parse(|to| noun.parse(to)));
    if to.as_ref().is_some_and(|to| to.as_str() == label.label) {
        errors.add("to", "That is its name already. Enter another one");
    }
    let Some(to) = to.filter(|_| errors.is_empty()) else {
        return Ok(form(&me, &known, noun, label, &asked.text("to"), errors));
    };
    let to = as_known(&known, noun, label, to);
    Ok(page(&confirm(&me, &known, noun, label, to.as_str())))
}

fn find<'a>(known: &'a Suggestions, noun: Noun, name: &str) -> Option<&'a Label> {
    noun.of(known).iter().find(|label| label.key == fold(name))
}

/// A new name that another label has already is spelt as that one.
fn as_known(known: &Suggestions, noun: Noun, label: &Label, to: NewName) -> NewName {
    let other = find(known, noun, to.as_str()).filter(|other| other.key != label.key);
    other.and_then(|other| noun.parse(&other.label).ok()).unwrap_or(to)
}

fn records_in_words(count: i64) -> String {
    match count {
        1 => "1 record".to_owned(),
        count => format!("{count} records"),
    }
}

fn form(me: &Member, known: &Suggestions, noun: Noun, label: &Label, typed: &str, errors: Errors) -> Response {
    let heading = format!("Rename {}", noun.spelt(&label.label));
    let others =
        noun.of(known).iter().filter(|other| other.key != label.key).map(|other| other.label.clone()).collect();
    page_with(
        errors.status(),
        &RenameTemplate {
            frame: Frame::member(heading.clone(), Tab::Records, Who::of(me)).wrong(!errors.is_empty()),
            crumbs: noun.crumbs(),
            heading,
            count: records_in_words(label.records),
            action: format!("{}/rename", noun.path()),
            back: noun.path(),
            label: label.label.clone(),
            word: noun.word(),
            typed: typed.to_owned(),
            others,
            errors,
        },
    )
}

fn confirm(me: &Member, known: &Suggestions, noun: Noun, label: &Label, to: &str) -> ConfirmTemplate {
    let (from, new) = (noun.spelt(&label.label), noun.spelt(to));
    let merged = find(known, noun, to).filter(|other| other.key != label.key);
    let question = match merged {
        Some(_) => format!("Merge {from} into {new}?"),
        None => format!("Rename {from} to {new}?"),
    };
    let count = records_in_words(label.records);
    let mut sentences = vec![format!(
        "{count} {} the {} {new} instead of {from}: one entry in the story of each.",
        if label.records == 1 { "gets" } else { "get" },
        noun.word()
    )];
    sentences.extend(merged.map(|other| {
        format!(
            "{new} is in use already, in {}. The two cannot be told apart afterwards.",
            records_in_words(other.records)
        )
    }));
    sentences.push("Deleted records, and what others keep private, stay as they are.".to_owned());
    let narrowed = with_query("", &[(noun.word(), &label.label)]);
    let is_of = |address: &str| {
        address.split(['?', '&']).any(|pair| pair.eq_ignore_ascii_case(narrowed.trim_start_matches('?')))
    };
    sentences.extend(me.views.iter().filter(|view| is_of(&view.address)).map(|view| {
        format!("Your view \u{201c}{}\u{201d} goes on looking for {from}: keep it anew afterwards.", view.name)
    }));
    ConfirmTemplate {
        frame: Frame::member(question.clone(), Tab::Records, Who::of(me)),
        crumbs: noun.crumbs(),
        question,
        sentences,
        action: format!("{}/rename", noun.path()),
        label: label.label.clone(),
        to: to.to_owned(),
        button: format!("{} in {count}", if merged.is_some() { "Merge" } else { "Rename" }),
        back: noun.path(),
    }
}

async fn rename(State(app): State<App>, Me(me): Me, asked: RawForm, noun: Noun) -> Result<Response, HtmlError> {
    may_write(&me)?;
    let known = surroundings::of(&app.db, &me.actor).await?.known;
    let (from, typed) = (asked.text("label"), asked.text("to"));
    let mut errors = Errors::none();
    let to = errors.take("to", asked.get("to").parse(|to| noun.parse(to)));
    // It is done already, or there never was one.
    let Some(label) = find(&known, noun, &from) else {
        return Ok(see_other(&with_query(noun.path(), &[("renamed", &from), ("to", &typed)])));
    };
    let Some(to) = to else { return Ok(form(&me, &known, noun, label, &typed, errors)) };
    let to = as_known(&known, noun, label, to);
    let name = to.as_str().to_owned();
    if label.records <= AT_ONCE {
        commands::rename(&app, &me.actor, &from, to).await?;
        return Ok(see_other(&with_query(noun.path(), &[("renamed", &label.label), ("to", &name)])));
    }
    let (actor, of) = (me.actor.clone(), label.records.to_string());
    let further = with_query(&format!("{}/progress", noun.path()), &[("label", &from), ("to", &name), ("of", &of)]);
    tokio::spawn(async move {
        if let Err(error) = commands::rename(&app, &actor, &from, to).await {
            tracing::warn!(%error, "a tag or a category was not renamed to the end");
        }
    });
    Ok(see_other(&further))
}

async fn progress(State(app): State<App>, Me(me): Me, Asked(asked): Asked, noun: Noun) -> Result<Response, HtmlError> {
    may_write(&me)?;
    let known = surroundings::of(&app.db, &me.actor).await?.known;
    let (from, to) = (asked.text("label"), asked.text("to"));
    let left = find(&known, noun, &from).map_or(0, |label| label.records);
    if left == 0 || noun.parse(&to).is_err() || fold(&from) == fold(&to) {
        return Ok(see_other(&with_query(noun.path(), &[("renamed", &from), ("to", &to)])));
    }
    let of = asked.text("of").parse::<i64>().unwrap_or(left).clamp(left, i64::MAX);
    let heading = format!("Renaming {} to {}", noun.spelt(&from), noun.spelt(&to));
    let words = format!("{} of {} done.", of - left, records_in_words(of));
    Ok(page(&ProgressTemplate {
        frame: Frame::member(heading.clone(), Tab::Records, Who::of(&me)).status(words.clone()),
        crumbs: noun.crumbs(),
        heading,
        words,
        done: of - left,
        of,
        again: with_query(
            &format!("{}/progress", noun.path()),
            &[("label", &from), ("to", &to), ("of", &of.to_string())],
        ),
        action: format!("{}/rename", noun.path()),
        label: from,
        to,
        back: noun.path(),
    }))
}

#[derive(Debug)]
struct LabelView {
    name: String,
    count: String,
    href: String,
    rename: Option<String>,
    /// A category's icon and tint.
    look: Option<(&'static str, &'static str)>,
}

impl LabelView {
    fn of(label: &Label, noun: Noun, may_write: bool) -> Self {
        let look = Look::of(Some(&label.label));
        Self {
            name: if noun == Noun::Tag { format!("#{}", label.label) } else { label.label.clone() },
            count: records_in_words(label.records),
            href: noun.records(&label.label),
            rename: may_write.then(|| with_query(&format!("{}/rename", noun.path()), &[("label", &label.label)])),
            look: (noun == Noun::Category).then_some((look.icon, look.tint)),
        }
    }
}

#[derive(Template)]
#[template(path = "labels/all.html")]
struct AllTemplate {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    heading: &'static str,
    word: &'static str,
    labels: Vec<LabelView>,
    other: (&'static str, &'static str),
}

#[derive(Template)]
#[template(path = "labels/rename.html")]
struct RenameTemplate {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    heading: String,
    count: String,
    action: String,
    back: &'static str,
    label: String,
    word: &'static str,
    typed: String,
    others: Vec<String>,
    errors: Errors,
}

#[derive(Template)]
#[template(path = "labels/confirm.html")]
struct ConfirmTemplate {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    question: String,
    sentences: Vec<String>,
    action: String,
    label: String,
    to: String,
    button: String,
    back: &'static str,
}

#[derive(Template)]
#[template(path = "labels/progress.html")]
struct ProgressTemplate {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    heading: String,
    words: String,
    done: i64,
    of: i64,
    again: String,
    action: String,
    label: String,
    to: String,
    back: &'static str,
}
