//! Who keeps a record and who sees it: its owner's to say, and nobody else's, also by undoing.

use crate::domain::Refusal;
use crate::domain::access::Actor;
use crate::domain::event::{Fact, Payload};
use crate::domain::fold::{fold_again, holding};
use crate::domain::ids::{EventId, MemberId};
use crate::domain::text::Reason;
use crate::domain::verbs;
use crate::error::{Error, Result};
use crate::store::db::Tx;
use crate::store::views::RecordView;
use crate::store::{people, streams};

use super::door::living;

/// Refuses whoever does not keep the record.
pub(super) fn kept_by(view: &RecordView, actor: &Actor) -> Result<()> {
    if view.is_kept_by(actor.member) {
        return Ok(());
    }
    Err(Error::Forbidden(format!("Only {} may change who sees and keeps this record.", view.owner_name)))
}

/// The record goes to another member, who must be here to take it.
pub(super) async fn hand_over(tx: &mut Tx, actor: &Actor, view: &RecordView, to: MemberId) -> Result<Payload> {
    kept_by(view, actor)?;
    let payload = verbs::hand_over(&view.state, to)?;
    here(tx, actor, to).await?;
    Ok(payload)
}

/// A record is never left with somebody who cannot get at it.
async fn here(tx: &mut Tx, actor: &Actor, member: MemberId) -> Result<()> {
    if people::is_present(tx, actor, member).await? {
        return Ok(());
    }
    let sentence = "Whoever would keep this record is not in the household any more. Hand it to somebody who is.";
    Err(Refusal::new(sentence).into())
}

/// Whether an event, or what it undoes, says who sees or keeps the record: undoing it changes what later undoing means,
/// even where it changes nothing today.
fn concerns_keeping(facts: &[Fact], at: usize) -> bool {
    match &facts[at].payload {
        Payload::RecordShared(_) | Payload::RecordUnshared(_) | Payload::RecordHandedOver(_) => true,
        Payload::EventRetracted(retraction) => facts[..at]
            .iter()
            .position(|fact| fact.event == retraction.event_id)
            .is_some_and(|target| concerns_keeping(facts, target)),
        _ => false,
    }
}

pub(super) async fn retract(
    tx: &mut Tx,
    actor: &Actor,
    view: &RecordView,
    event: EventId,
    reason: &Option<Reason>,
    zone: &jiff::tz::TimeZone,
) -> Result<Payload> {
    let facts = streams::facts(&mut *tx, actor.household, view.id).await?;
    let holds = holding(&facts);
    let at = facts.iter().position(|fact| fact.event == event).ok_or(Error::NotFound)?;
    let target = &facts[at].payload;
    if !matches!(target, Payload::RecordDeleted(_)) {
        living(view, zone)?;
    }
    let payload = verbs::retract(event, target, !holds[at], reason.clone())?;
    // Undoing may not reach further than doing: who sees and keeps a record is its owner’s to say.
    let mut with = facts.clone();
    with.push(Fact {
        position: view.position + 1,
        version: view.state.version + 1,
        event: EventId::new(),
        payload: payload.clone(),
        ..facts[at].clone()
    });
    let Some((after, _)) = fold_again(&view.state, &with) else { return Ok(payload) };
    let (seen, kept) = (after.visibility != view.state.visibility, after.owner != view.state.owner);
    if seen || kept || concerns_keeping(&facts, at) {
        kept_by(view, actor)?;
    }
    if let Some(back_to) = after.owner.filter(|_| kept) {
        here(tx, actor, back_to).await?;
    }
    Ok(payload)
}
