//! Plays the story: each entry through the command that a page would have called, at its own moment.

use std::collections::HashMap;

use bytes::Bytes;

use super::script::{Change, Deed, Paper, Said, Scene};
use crate::app::App;
use crate::commands::files::{self, NewFiles};
use crate::commands::{notes, records, uploads};
use crate::domain::access::Actor;
use crate::domain::attachment::{Attachment, NewFile};
use crate::domain::field::Field;
use crate::domain::ids::{EventId, RecordId, SubmissionKey};
use crate::domain::record::Record;
use crate::domain::text::{Category, Description, FieldName, Title};
use crate::domain::verbs::{EditRecord, NewRecord};
use crate::error::{Error, Result};
use crate::store::{attachments, views};

/// The household as far as it has been played.
pub(super) struct Player<'a> {
    app: &'a App,
    members: Vec<(String, Actor)>,
    records: HashMap<&'static str, RecordId>,
    labels: HashMap<(&'static str, String), EventId>,
    /// What each record said before its last change: what somebody sees whose form was opened by then.
    before: HashMap<&'static str, Record>,
}

impl<'a> Player<'a> {
    /// Before the first entry.
    pub(super) fn new(app: &'a App) -> Self {
        Self { app, members: Vec::new(), records: HashMap::new(), labels: HashMap::new(), before: HashMap::new() }
    }

    /// Somebody has joined.
    pub(super) fn welcome(&mut self, name: &str, member: Actor) {
        self.members.push((name.to_owned(), member));
    }

    /// How many records have begun.
    pub(super) fn records(&self) -> usize {
        self.records.len()
    }

    /// Plays one entry.
    pub(super) async fn play(&mut self, scene: &Scene) -> Result<()> {
        let app = super::at(self.app, scene.at);
        let absent = || Error::internal("nobody of that name has joined");
        let (_, actor) = self.members.get(scene.who).ok_or_else(absent)?;
        let key = SubmissionKey::new();
        let written = if let Deed::Begin(new) = &scene.deed {
            let written = records::create(&app, actor, key, NewRecord::clone(new)).await?;
            self.records.insert(scene.record, written.record);
            written
        } else {
            let record = *self.records.get(scene.record).ok_or_else(|| Error::internal("it has not begun"))?;
            let named = |label: &String| {
                let event = self.labels.get(&(scene.record, label.clone())).copied();
                event.ok_or_else(|| Error::internal(format!("nothing here is called {label}")))
            };
            match &scene.deed {
                Deed::Begin(_) => return Err(Error::internal("it has begun")),
                Deed::Change(change) => {
                    let now = views::record(&app.db, actor, record).await?.state;
                    let seen = if change.meanwhile { self.before.get(scene.record) } else { Some(&now) };
                    let form = form(seen.ok_or_else(|| Error::internal("nothing changed meanwhile"))?, change)?;
                    let written = records::edit(&app, actor, key, record, form).await?;
                    self.before.insert(scene.record, now);
                    written
                }
                Deed::Note(note) => notes::add(&app, actor, key, record, note.clone()).await?,
                Deed::Reword(label, note) => {
                    let version = views::record(&app.db, actor, record).await?.state.version;
                    notes::correct(&app, actor, key, record, named(label)?, version, note.clone()).await?
                }
                Deed::Delete(reason) => records::delete(&app, actor, key, record, reason.clone()).await?,
                Deed::Restore(reason) => records::restore(&app, actor, key, record, reason.clone()).await?,
                Deed::Share => records::share(&app, actor, key, record).await?,
                Deed::Unshare => records::unshare(&app, actor, key, record).await?,
                Deed::HandOver(name) => {
                    let (_, to) = self.members.iter().find(|(known, _)| known == name).ok_or_else(absent)?;
                    records::hand_over(&app, actor, key, record, to.member).await?
                }
                Deed::Undo(label, reason) => {
                    records::retract(&app, actor, key, record, named(label)?, reason.clone()).await?
                }
                Deed::File(paper, note, label, occurred) => {
                    let note = note.as_ref().map(named).transpose()?;
                    let new = NewFiles { files: vec![arrived(&app, actor, paper).await?], label: *label };
                    files::add(&app, actor, key, record, note, new, *occurred).await?
                }
                Deed::Relabel(paper, label, name) => {
                    let file = present(&app, actor, record, named(paper)?).await?;
                    files::change(&app, actor, key, record, file.id, *label, name.clone()).await?
                }
                Deed::Replace(paper, by) => {
                    let file = present(&app, actor, record, named(paper)?).await?;
                    let by = arrived(&app, actor, by).await?;
                    files::replace(&app, actor, key, record, file.id, by).await?
                }
                Deed::Remove(paper) => {
                    let file = present(&app, actor, record, named(paper)?).await?;
                    files::remove(&app, actor, key, record, file.id).await?
                }
            }
        };
        let event = written.event.ok_or_else(|| Error::internal("this says what the record says already"))?;
        if let Some(label) = &scene.label {
            self.labels.insert((scene.record, label.clone()), event);
        }
        Ok(())
    }
}

/// A paper, taken in as an upload is.
async fn arrived(app: &App, actor: &Actor, paper: &Paper) -> Result<NewFile> {
    let most = app.settings.file_limit;
    let bytes = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(paper.bytes))]);
    Ok(uploads::take(app, actor, paper.name.as_str(), most, bytes).await?)
}

/// The file that an entry added.
async fn present(app: &App, actor: &Actor, record: RecordId, added: EventId) -> Result<Attachment> {
    let (files, _) = attachments::of_record(&app.db, actor, record, None, 100).await?;
    files.into_iter().find(|file| file.event == added).ok_or_else(|| Error::internal("the paper is not there any more"))
}

/// The form as somebody sends it who saw a record and changed some of it.
fn form(seen: &Record, change: &Change) -> Result<EditRecord> {
    let mut fields = Vec::new();
    for (held, value) in seen.fields() {
        fields.push(Field { name: FieldName::parse(&held.label)?, value: value.clone() });
    }
    let mut form = EditRecord {
        version: seen.version,
        title: Title::parse(seen.title())?,
        category: seen.category().map(Category::parse).transpose()?,
        description: seen.description().map(Description::parse).transpose()?,
        tags: seen.tags.clone(),
        fields,
        meaning: change.meaning,
        occurred: change.occurred,
    };
    for said in &change.said {
        match said.clone() {
            Said::Title(title) => form.title = title,
            Said::Category(category) => form.category = Some(category),
            Said::About(words) => form.description = Some(words),
            Said::Tag(tag) => form.tags.push(tag),
            Said::NoTag(tag) => form.tags.retain(|known| known.folded() != tag.folded()),
            Said::NoFact(name) => form.fields.retain(|field| field.name.folded() != name.folded()),
            Said::Fact(fact) => match form.fields.iter_mut().find(|f| f.name.folded() == fact.name.folded()) {
                Some(known) => *known = fact,
                None => form.fields.push(fact),
            },
        }
    }
    Ok(form)
}
