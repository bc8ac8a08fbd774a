//! A tag or a category over the whole household: renamed, or merged into another one. One event in each record that has
//! it, all of one batch; in transactions of at most a few hundred events, so that others get to write between them. It can
//! be stopped and gone on with: what is done does not have the old name any more.

use crate::app::App;
use crate::domain::Refusal;
use crate::domain::access::Actor;
use crate::domain::event::{Draft, Payload, RecordUpdated, Set};
use crate::domain::ids::BatchId;
use crate::domain::text::{Category, Tag, fold};
use crate::domain::when::Occurred;
use crate::error::{Error, Result};
use crate::store::ledger::{self, Origin};
use crate::store::{labels, views};

use super::door;

/// How many events a transaction holds at most.
const CHUNK: usize = 100;

/// What is renamed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NewName {
    /// A tag, and what it is called from now on.
    Tag(Tag),
    /// A category.
    Category(Category),
}

impl NewName {
    /// The new name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(tag) => tag.as_str(),
            Self::Category(category) => category.as_str(),
        }
    }

    /// Its kind among the labels of records.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tag(_) => labels::TAG,
            Self::Category(_) => labels::CATEGORY,
        }
    }
}

/// Renames a tag or a category in every record that the member may change and that is not deleted. Returns how many. It runs
/// in a task of its own: a client that hangs up does not stop it.
///
/// # Errors
/// [`Error::Forbidden`] if the member may not write; otherwise as every write. What was committed before a failure stays.
pub async fn rename(app: &App, actor: &Actor, from: &str, to: NewName) -> Result<usize> {
    let (app, actor, from) = (app.clone(), actor.clone(), fold(from));
    let task = tokio::spawn(async move {
        let batch = BatchId::new();
        let mut renamed = 0;
        loop {
            match chunk(&app, &actor, batch, &from, &to).await? {
                0 => return Ok(renamed),
                some => renamed += some,
            }
        }
    });
    task.await.map_err(Error::internal)?
}

async fn chunk(app: &App, actor: &Actor, batch: BatchId, from: &str, to: &NewName) -> Result<usize> {
    let mut tx = app.db.begin().await?;
    let now = app.clock.now();
    let mut hold = ledger::hold(&mut tx, actor.household).await?;
    door::may_write(&mut tx, actor).await?;
    let origin = Origin { batch: Some(batch), ..door::origin(actor) };
    let today = Occurred::day(now.local(&door::zone(actor)).date());
    let carriers = labels::carriers(&mut tx, actor, to.kind(), from, to.as_str(), CHUNK).await?;
    let count = carriers.len();
    for record in carriers {
        let view = views::record(&mut tx, actor, record).await?;
        let mut updated = RecordUpdated::nothing();
        match to {
            NewName::Tag(tag) => {
                updated.tags_removed = view.state.tags.iter().filter(|known| known.folded() == from).cloned().collect();
                if updated.tags_removed.is_empty() {
                    return Err(Refusal::new("The tags changed meanwhile. Try again.").into());
                }
                updated.tags_added = vec![tag.clone()];
            }
            NewName::Category(category) => {
                updated.set = Set { category: Some(category.clone()), ..Set::default() };
            }
        }
        let drafts: Vec<Draft> = vec![(today, Payload::RecordUpdated(updated)).into()];
        door::record_events(&mut tx, &mut hold, now, &origin, record, Some(view), drafts).await?;
    }
    tx.commit().await?;
    Ok(count)
}
