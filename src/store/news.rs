//! What is new: what the others wrote, since a member last said "seen", in records that the member may see. A mark is a
//! position of the ledger: one for everything, and one for each record that was seen by itself since.

use std::collections::HashMap;

use crate::domain::access::{Actor, Visibility};
use crate::domain::ids::{MemberId, RecordId};
use crate::domain::person::Called;
use crate::domain::summary::Summary;
use crate::domain::when::Occurred;
use crate::error::Result;

use super::changes;
use super::conditions::places;
use super::db::{Db, Row, Sql, Tx, sql};
use super::people::People;
use super::surroundings;
use super::views::{self, RecordView};

/// How many records are told at most.
pub const TOLD: usize = 8;

/// How many records, of those that changed last, are looked through in each of four walks.
const LOOKED_THROUGH: usize = 200;

/// How many events of a record are looked at and counted, the latest ones.
pub const COUNTED: i64 = 100;

/// A record in which the others wrote something.
#[derive(Clone, Debug)]
pub struct New {
    /// The record.
    pub record: RecordId,
    /// What it is called.
    pub title: String,
    /// What kind of thing it is.
    pub category: Option<String>,
    /// Whether only the member sees it.
    pub private: bool,
    /// How many events are new; [`COUNTED`] may stand for more.
    pub events: i64,
    /// How many events it has, if all of them came into the member's sight since.
    pub whole: Option<i64>,
    /// Who wrote them, the latest first.
    pub by: Vec<Called>,
    /// The latest of them in words.
    pub last: Summary,
    /// When that happened.
    pub occurred: Occurred,
    /// What the member who keeps the record is called; none if it is the one who asks.
    pub other_keeper: Option<String>,
    /// Up to where the record is seen, once it is.
    pub upto: i64,
}

/// What is new.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// By record, the latest first.
    pub records: Vec<New>,
    /// Whether there is more in further records.
    pub more: bool,
    /// Up to where everything is seen, once it is.
    pub upto: i64,
}

/// The records that changed last, of those that the member may see; and what is new to the member.
///
/// # Errors
/// If the database refuses.
pub async fn lately(db: &Db, actor: &Actor, limit: usize) -> Result<(Vec<RecordView>, News)> {
    let asked = vec![views::lately_statement(actor, limit), news_statement(actor)];
    let (answers, surroundings) = surroundings::with(db, actor, asked).await?;
    let [lately, news] = &answers[..] else { return Ok((Vec::new(), News::default())) };
    let people = &surroundings.people;
    Ok((views::read_lately(lately, people)?, tell(db, actor, news, people).await?))
}

/// Up to where the member has seen everything: as was said last, or where the member joined.
const MARK: &str = "coalesce(
    (select position from seen where household_id = $1 and member_id = $2 and record_id = $1),
    (select min(position) from member_name where household_id = $1 and member_id = $2),
    0)";

/// Of the events of one record, those that are new to the member; `event` is the last few of them.
fn is_new(event: &str, record: &str) -> String {
    format!(
        "{event}.position > {MARK}
         and {event}.position > coalesce((select known.position from seen as known
                                          where known.household_id = $1 and known.member_id = $2
                                            and known.record_id = {record}), 0)
         and ({event}.actor_id is null or {event}.actor_id <> $2)"
    )
}

/// The records in which somebody else wrote something. It walks those that changed after the mark, in the order of their
/// latest change, and stops after so many; of each it looks at the last events alone. So it costs the same in a household
/// of a thousand events and of a million. The limits within keep an engine from reading all that came after the mark.
fn news_statement(actor: &Actor) -> Sql {
    let walk = |scope: &str, deleted: &str, name: &str| {
        format!(
            "select * from (
                 select l.record_id, l.position
                 from record_label as l
                 where l.household_id = $1 and l.scope = {scope} and l.deleted = {deleted} and l.kind = 'all'
                   and l.label_key = '' and l.position > {MARK}
                 order by l.position desc
                 limit {LOOKED_THROUGH}) as {name}"
        )
    };
    let (shared, own) = ("$1", "$2");
    let walks = [
        walk(shared, "$3", "shared"),
        walk(shared, "$4", "shared_deleted"),
        walk(own, "$3", "own"),
        walk(own, "$4", "own_deleted"),
    ];
    sql(format!(
        "select v.id, v.version, latest.position
         from ({walks}) as latest
         cross join record_view as v
         where v.household_id = $1 and v.id = latest.record_id and (select 1
                from (select e.position, e.actor_id
                      from record_events as e
                      where e.household_id = $1 and e.record_id = v.id and e.version > v.version - {COUNTED}
                      order by e.version desc
                      limit {COUNTED}) as tail
                where {new}
                limit 1) is not null
         order by latest.position desc
         limit {wanted}",
        walks = walks.join(" union all "),
        new = is_new("tail", "v.id"),
        wanted = TOLD + 1,
    ))
    .bind(actor.household)
    .bind(actor.member)
    .bind(false)
    .bind(true)
}

async fn tell(db: &Db, actor: &Actor, rows: &[Row], people: &People) -> Result<News> {
    let mut upto = 0;
    let mut records = Vec::with_capacity(rows.len());
    for row in rows {
        upto = upto.max(row.int("position")?);
        records.push((RecordId(row.uuid("id")?), row.int("version")?));
    }
    let more = records.len() > TOLD;
    let mut found = counted(db, actor, &records).await?;
    found.truncate(TOLD);
    let mut latest = events(db, actor, &found, people).await?;
    let mut records = Vec::with_capacity(found.len());
    for known in &found {
        let told: Vec<Told> = known.last.iter().filter_map(|position| latest.remove(position)).collect();
        let by = told.iter().filter_map(|told| told.by.clone()).collect();
        let Some(first) = told.into_iter().next() else { continue };
        records.push(New {
            record: known.record,
            title: first.title,
            category: first.category,
            private: first.private,
            events: known.events,
            whole: known.opened.then_some(known.version),
            by,
            last: first.last,
            occurred: first.occurred,
            other_keeper: first.other_keeper,
            upto: known.upto,
        });
    }
    Ok(News { records, more, upto })
}

/// A record with what was counted of it.
struct Counted {
    record: RecordId,
    version: i64,
    upto: i64,
    events: i64,
    /// Whether all of it came into the member's sight since.
    opened: bool,
    /// The latest event of each who wrote, the latest first.
    last: Vec<i64>,
}

/// How much is new in records of these versions, and by whom; the latest first.
async fn counted(db: &Db, actor: &Actor, records: &[(RecordId, i64)]) -> Result<Vec<Counted>> {
    let Some(last) = records.last().copied() else { return Ok(Vec::new()) };
    // A power of two, the last one said again: few different texts, so that each stays prepared. A union drops it again.
    let count = records.len().next_power_of_two();
    let walk = |at: usize| {
        format!(
            "select * from (
                 select e.record_id, e.position, e.actor_id, e.kind
                 from record_events as e
                 where e.household_id = $1 and e.record_id = ${record} and e.version > ${version} - {COUNTED}
                 order by e.version desc
                 limit {COUNTED}) as w{at}",
            record = 2 * at + 3,
            version = 2 * at + 4,
        )
    };
    let walks: Vec<String> = (0..count).map(walk).collect();
    let mut statement = sql(format!(
        "select v.id, v.version, v.position, tail.actor_id, count(*) as events, max(tail.position) as last,
                cast(max(case when tail.kind = 'record_shared' then 1
                              when tail.kind = 'record_handed_over' and v.visibility = 'private' then 1
                              else 0 end) as bigint) as opened
         from ({walks}) as tail
         cross join record_view as v
         where v.household_id = $1 and v.id = tail.record_id
           and (v.visibility = 'household' or (v.visibility = 'private' and v.owner_id = $2))
           and {new}
         group by v.id, v.version, v.position, tail.actor_id
         order by max(tail.position) desc",
        walks = walks.join(" union "),
        new = is_new("tail", "tail.record_id"),
    ))
    .bind(actor.household)
    .bind(actor.member);
    for (record, version) in records.iter().copied().chain(std::iter::repeat(last)).take(count) {
        statement = statement.bind(record).bind(version);
    }
    let mut found: Vec<Counted> = Vec::new();
    for row in &statement.all(db).await? {
        let (record, events, last) = (RecordId(row.uuid("id")?), row.int("events")?, row.int("last")?);
        let opened = row.int("opened")? > 0;
        match found.iter_mut().find(|known| known.record == record) {
            Some(known) => {
                known.events += events;
                known.opened |= opened;
                known.last.push(last);
            }
            None => found.push(Counted {
                record,
                version: row.int("version")?,
                upto: row.int("position")?,
                events,
                opened,
                last: vec![last],
            }),
        }
    }
    Ok(found)
}

/// An event with what is told of its record.
struct Told {
    title: String,
    category: Option<String>,
    private: bool,
    by: Option<Called>,
    last: Summary,
    occurred: Occurred,
    other_keeper: Option<String>,
}

/// The latest event of each who wrote, by position.
async fn events(db: &Db, actor: &Actor, found: &[Counted], people: &People) -> Result<HashMap<i64, Told>> {
    let positions: Vec<i64> = found.iter().flat_map(|known| known.last.iter().copied()).collect();
    let Some((places, positions)) = places(3, &positions) else { return Ok(HashMap::new()) };
    let rows = sql(format!(
        "select e.position, e.record_id, e.kind, e.payload_version, e.payload, e.occurred, v.title, v.category,
                v.visibility, v.owner_id, e.actor_id,
                case when e.kind = 'record_updated' then t.changes end as changes
         from record_events as e
         join timeline_entry as t
             on t.household_id = e.household_id and t.record_id = e.record_id and t.version = e.version
         join record_view as v on v.household_id = e.household_id and v.id = e.record_id
         where e.household_id = $1 and e.position in ({places})
           and (v.visibility = 'household' or (v.visibility = 'private' and v.owner_id = $2))"
    ))
    .bind(actor.household)
    .bind(actor.member)
    .bind_all(positions)
    .all(db)
    .await?;
    let mut told = HashMap::with_capacity(rows.len());
    for row in &rows {
        let position = row.int("position")?;
        let payload = changes::payload(row)?;
        let occurred = Occurred::parse_iso(row.str("occurred")?).map_err(|e| super::db::bad("occurred", &e.0))?;
        let keeper = row.opt_uuid("owner_id")?.map(MemberId);
        told.insert(
            position,
            Told {
                title: row.text("title")?,
                category: row.opt_text("category")?,
                private: row.str("visibility")? == Visibility::Private.as_str(),
                by: people.called_in(row, "actor_id")?,
                last: Summary::of(&payload, occurred, &changes::read(row)?),
                occurred,
                other_keeper: keeper
                    .filter(|keeper| *keeper != actor.member)
                    .map(|keeper| people.name(Some(keeper)).to_owned()),
            },
        );
    }
    Ok(told)
}

/// Notes that a member has seen what is in one record, or in all of them, up to a position: not beyond the ledger's end,
/// and never less than was seen before.
///
/// # Errors
/// If the database refuses.
pub async fn mark(tx: &mut Tx, actor: &Actor, record: Option<RecordId>, upto: i64) -> Result<()> {
    let everything = RecordId::household_stream(actor.household);
    sql("
        insert into seen (household_id, member_id, record_id, position)
        select household.id, $2, $3, case when household.position < $4 then household.position else $4 end
        from household
        where household.id = $1
        on conflict (household_id, member_id, record_id) do update set position = excluded.position
        where seen.position < excluded.position")
    .bind(actor.household)
    .bind(actor.member)
    .bind(record.unwrap_or(everything))
    .bind(upto)
    .run(&mut *tx)
    .await?;
    // What the mark for everything covers needs no mark of its own.
    sql("
        delete from seen
        where household_id = $1 and member_id = $2 and record_id <> $3
          and position <= (select position from seen where household_id = $1 and member_id = $2 and record_id = $3)")
    .bind(actor.household)
    .bind(actor.member)
    .bind(everything)
    .run(&mut *tx)
    .await?;
    Ok(())
}
