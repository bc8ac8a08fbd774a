//! How people join: an owner makes a link, whoever holds it joins once. The token is a keyed digest of who made it and of
//! the form's key, so that a form that is sent twice gives the same link, and only its digest is kept.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::accounts::{finish, taken, today};
use super::household::owners_only;
use super::tries::{by_address, take};
use crate::app::App;
use crate::domain::access::{Actor, Role, Via};
use crate::domain::ids::{AccountId, HouseholdId, InvitationId, MemberId, SubmissionKey};
use crate::domain::membership;
use crate::domain::person::{Email, Zone};
use crate::domain::text::MemberName;
use crate::error::{Error, Result};
use crate::passwords::Password;
use crate::store::attempts::{self, Scope};
use crate::store::invitations::{self as rows, Invitation};
use crate::store::ledger::{self, Origin};
use crate::store::{accounts, members};

/// For how many days an invitation may be made.
pub const DAYS: [i64; 3] = [1, 7, 30];

/// For how many days it is made unless somebody says otherwise.
pub const USUAL_DAYS: i64 = 7;

/// How long after an invitation was made its link is shown to whoever made it, in seconds.
const SHOWN_FOR: i64 = 60 * 60;

/// How many bytes of the keyed digest are the token.
const TOKEN: usize = 20;

/// Somebody who joins.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// The member's name.
    pub name: MemberName,
    /// The address to sign in with.
    pub email: Email,
    /// The first password.
    pub password: Password,
    /// The member's time zone.
    pub zone: Zone,
}

/// Makes an invitation for an owner. The same form again makes none, and its link is the same.
///
/// # Errors
/// [`Error::Forbidden`] if the member is no owner at this moment; [`Error::SubmissionReused`].
pub async fn invite(app: &App, actor: &Actor, key: SubmissionKey, role: Role, days: i64) -> Result<()> {
    let token = token(app, actor.household, Some(actor.member), key);
    let (app, actor) = (app.clone(), actor.clone());
    finish(async move {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        ledger::hold(&mut tx, actor.household).await?;
        owners_only(&members::state(&mut tx, actor.household).await?, &actor)?;
        let digest = digest(&token);
        if let Some(earlier) = rows::by_token(&mut tx, digest).await? {
            return if (earlier.role, earlier.days) == (role, days) { Ok(()) } else { Err(Error::SubmissionReused) };
        }
        let made_by = Some(actor.member);
        rows::insert(&mut tx, &rows::New { household: actor.household, made_by, digest, role, days, now }).await?;
        Ok(tx.commit().await?)
    })
    .await
}

/// The link's path that a form has made, for the owner who sent it, within an hour: afterwards it is shown no more.
///
/// # Errors
/// If the database refuses.
pub async fn made(app: &App, actor: &Actor, key: SubmissionKey) -> Result<Option<(String, Invitation)>> {
    let now = app.clock.now();
    let token = token(app, actor.household, Some(actor.member), key);
    let found = rows::by_token(&app.db, digest(&token)).await?;
    let fresh = found.filter(|made| made.is_open(now) && now.seconds_since(made.made_at) < SHOWN_FOR);
    Ok(fresh.map(|made| (path(&token), made)))
}

/// Makes an invitation for whoever runs the installation. Returns the link's path.
///
/// # Errors
/// [`Error::NotFound`] if there is no such household.
pub async fn invite_for_operator(app: &App, household: HouseholdId, role: Role, days: i64) -> Result<String> {
    let token = token(app, household, None, SubmissionKey(Uuid::new_v4()));
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    ledger::hold(&mut tx, household).await?;
    let new = rows::New { household, made_by: None, digest: digest(&token), role, days, now };
    rows::insert(&mut tx, &new).await?;
    tx.commit().await?;
    Ok(path(&token))
}

/// Takes an invitation back. One that was used stays used.
///
/// # Errors
/// [`Error::Forbidden`] if the member is no owner at this moment; [`Error::NotFound`].
pub async fn revoke(app: &App, actor: &Actor, id: InvitationId) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    ledger::hold(&mut tx, actor.household).await?;
    owners_only(&members::state(&mut tx, actor.household).await?, actor)?;
    if !rows::revoke(&mut tx, actor, id, now).await? {
        return Err(Error::NotFound);
    }
    Ok(tx.commit().await?)
}

/// The invitation that a token opens. One that is wrong, used, taken back or has run out is not found, and counts as a
/// try of the network address.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Throttled`].
pub async fn open(app: &App, address: IpAddr, token: &str) -> Result<Invitation> {
    match rows::by_token(&app.db, digest(token)).await? {
        Some(found) if found.is_open(app.clock.now()) => Ok(found),
        _ => {
            take(app, &[by_address(app, Scope::Invitation, address)]).await?;
            Err(Error::NotFound)
        }
    }
}

/// Somebody joins by an invitation and uses it up. Of two at once, one joins.
///
/// # Errors
/// [`Error::NotFound`] as in [`open`]; [`Error::Refused`] if the name or the address is taken; [`Error::Throttled`].
pub async fn accept(app: &App, address: IpAddr, token: &str, new: NewPerson) -> Result<AccountId> {
    let _seat = app.passwords.seat(address)?;
    let found = open(app, address, token).await?;
    let tried = [by_address(app, Scope::Invitation, address)];
    take(app, &tried).await?;
    let hash = app.passwords.hash(&new.password).await?;
    let (app, digest) = (app.clone(), digest(token));
    finish(async move {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        ledger::hold(&mut tx, found.household).await?;
        // Somebody may have been first, or an owner may have thought better of it.
        let found = rows::by_token(&mut tx, digest).await?.filter(|found| found.is_open(now)).ok_or(Error::NotFound)?;
        let (account, member) = (AccountId::new(), MemberId::new());
        let state = members::state(&mut tx, found.household).await?;
        let joined = membership::join(&state, member, new.name.clone(), found.role)?;
        accounts::insert(&mut tx, now, account, &new.email, &hash, &new.zone).await.map_err(taken)?;
        accounts::insert_member(&mut tx, now, found.household, member, account, &new.name, found.role).await?;
        let origin = Origin {
            household: found.household,
            actor: Some(member),
            via: Via::Page,
            via_ref: Some(found.id.to_string()),
            batch: None,
        };
        ledger::append_household(&mut tx, now, &origin, today(now, &new.zone), vec![joined]).await?;
        rows::accept(&mut tx, found.household, found.id, member, now).await?;
        tx.commit().await?;
        attempts::give_back(&app.db, now, &tried).await?;
        Ok(account)
    })
    .await
}

fn path(token: &str) -> String {
    format!("/invitations/{token}")
}

/// The token of an invitation: the same for the same form of the same member.
fn token(app: &App, household: HouseholdId, made_by: Option<MemberId>, key: SubmissionKey) -> String {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, &app.key.subkey("invitations"));
    let mut context = hmac::Context::with_key(&secret);
    for part in [household.0, made_by.map_or(Uuid::nil(), |member| member.0), key.0] {
        context.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(&context.sign().as_ref()[..TOKEN])
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::new().chain_update(b"lifeops.invitation.1\0").chain_update(token.as_bytes()).finalize().into()
}
