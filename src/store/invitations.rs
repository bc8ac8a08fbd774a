//! Invitations: links into a household. Only a digest of a link's token is kept. An invitation stands as long as it is
//! neither used nor revoked nor run out, and whoever made it still looks after the household.

use crate::domain::access::{Actor, Role};
use crate::domain::ids::{HouseholdId, InvitationId, MemberId};
use crate::domain::instant::Instant;

use super::db::{Db, DbError, On, Row, Tx, bad, sql};

/// An invitation, with the names that pages show.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Its id: names it in a list, opens nothing.
    pub id: InvitationId,
    /// The household.
    pub household: HouseholdId,
    /// What the household is called.
    pub household_name: String,
    /// What whoever joins may do.
    pub role: Role,
    /// For how many days it was made.
    pub days: i64,
    /// Who made it; none for whoever runs the installation.
    pub made_by: Option<MemberId>,
    /// What they are called.
    pub made_by_name: Option<String>,
    /// When it was made.
    pub made_at: Instant,
    /// When it runs out.
    pub expires_at: Instant,
    /// When it was taken back.
    pub revoked_at: Option<Instant>,
    /// When it was used.
    pub accepted_at: Option<Instant>,
    /// Who joined by it.
    pub accepted_by_name: Option<String>,
    /// Whether whoever made it still looks after the household.
    stands: bool,
}

impl Invitation {
    /// Whether somebody may still join by it.
    pub fn is_open(&self, now: Instant) -> bool {
        self.stands && self.revoked_at.is_none() && self.accepted_at.is_none() && now < self.expires_at
    }
}

const COLUMNS: &str = "i.id, i.household_id, h.name as household_name, i.role, i.days, i.made_by, \
    m.name as made_by_name, i.made_at, i.expires_at, i.revoked_at, i.accepted_at, a.name as accepted_by_name, \
    (i.made_by is null or (m.role = 'owner' and not m.disabled and m.removed_at is null)) as stands";

const JOINED: &str = "invitation as i
    join household as h on h.id = i.household_id
    left join member as m on m.household_id = i.household_id and m.id = i.made_by
    left join member as a on a.household_id = i.household_id and a.id = i.accepted_by";

/// A household's newest invitations, for an owner; nothing for anybody else.
pub async fn of_household(db: &Db, actor: &Actor) -> Result<Vec<Invitation>, DbError> {
    let rows = sql(format!(
        "select {COLUMNS} from {JOINED}
          where i.household_id = $1
            and exists (select 1 from member as me
                         where me.household_id = $1 and me.id = $2 and me.role = 'owner' and not me.disabled
                           and me.removed_at is null)
          order by i.made_at desc, i.id desc
          limit 50"
    ))
    .bind(actor.household)
    .bind(actor.member)
    .all(db)
    .await?;
    rows.iter().map(read).collect()
}

/// The invitation whose token has this digest: whoever holds the token asks.
pub async fn by_token<'a>(on: impl Into<On<'a>>, digest: [u8; 32]) -> Result<Option<Invitation>, DbError> {
    let row =
        sql(format!("select {COLUMNS} from {JOINED} where i.token_digest = $1")).bind(digest).optional(on).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Invitation, DbError> {
    Ok(Invitation {
        id: InvitationId(row.uuid("id")?),
        household: HouseholdId(row.uuid("household_id")?),
        household_name: row.text("household_name")?,
        role: row.text("role")?.parse().map_err(|_| bad("role", "it is no role"))?,
        days: row.int("days")?,
        made_by: row.opt_uuid("made_by")?.map(MemberId),
        made_by_name: row.opt_text("made_by_name")?,
        made_at: row.instant("made_at")?,
        expires_at: row.instant("expires_at")?,
        revoked_at: row.opt_instant("revoked_at")?,
        accepted_at: row.opt_instant("accepted_at")?,
        accepted_by_name: row.opt_text("accepted_by_name")?,
        stands: row.bool("stands")?,
    })
}

/// An invitation that is made.
#[derive(Clone, Copy, Debug)]
pub struct New {
    /// The household.
    pub household: HouseholdId,
    /// Who makes it; none for whoever runs the installation.
    pub made_by: Option<MemberId>,
    /// The digest of its token.
    pub digest: [u8; 32],
    /// What whoever joins may do.
    pub role: Role,
    /// For how many days.
    pub days: i64,
    /// When it is made.
    pub now: Instant,
}

/// Keeps a new invitation.
pub async fn insert(tx: &mut Tx, new: &New) -> Result<(), DbError> {
    sql("insert into invitation (household_id, id, token_digest, role, days, made_by, made_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)")
    .bind(new.household)
    .bind(InvitationId::new())
    .bind(new.digest)
    .bind(new.role.as_str())
    .bind(new.days)
    .bind(new.made_by)
    .bind(new.now)
    .bind(new.now.plus_seconds(new.days * 86_400))
    .run(tx)
    .await?;
    Ok(())
}

/// Takes an invitation back, unless it is used, or taken back already. Returns whether there is one at all.
pub async fn revoke(tx: &mut Tx, actor: &Actor, id: InvitationId, now: Instant) -> Result<bool, DbError> {
    sql("update invitation set revoked_at = $3
          where household_id = $1 and id = $2 and revoked_at is null and accepted_at is null")
    .bind(actor.household)
    .bind(id)
    .bind(now)
    .run(&mut *tx)
    .await?;
    let found = sql("select 1 as found from invitation where household_id = $1 and id = $2")
        .bind(actor.household)
        .bind(id)
        .optional(tx)
        .await?;
    Ok(found.is_some())
}

/// Takes back every open invitation that a member has made, for good.
pub async fn revoke_of(tx: &mut Tx, household: HouseholdId, made_by: MemberId, now: Instant) -> Result<(), DbError> {
    sql("update invitation set revoked_at = $3
          where household_id = $1 and made_by = $2 and revoked_at is null and accepted_at is null and expires_at > $3")
    .bind(household)
    .bind(made_by)
    .bind(now)
    .run(tx)
    .await?;
    Ok(())
}

/// Uses an invitation up.
pub async fn accept(
    tx: &mut Tx,
    household: HouseholdId,
    id: InvitationId,
    member: MemberId,
    now: Instant,
) -> Result<(), DbError> {
    sql("update invitation set accepted_at = $3, accepted_by = $4 where household_id = $1 and id = $2")
        .bind(household)
        .bind(id)
        .bind(now)
        .bind(member)
        .run(tx)
        .await?;
    Ok(())
}
