//! What the ledger really holds, read past the pages.

use std::collections::BTreeMap;

use lifeops::app::App;
use lifeops::store::db::{Db, sql};

/// How often each note's text is in the ledger.
pub async fn notes(db: &Db) -> BTreeMap<String, usize> {
    let rows = sql("select payload from record_events where kind = 'note_added'").all(db).await.unwrap();
    let mut found = BTreeMap::new();
    for row in rows {
        let payload: serde_json::Value = serde_json::from_slice(&row.bytes("payload").unwrap()).unwrap();
        *found.entry(payload["text"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    found
}

/// How many events there are in all.
pub async fn count_events(db: &Db) -> i64 {
    sql("select count(*) as n from record_events").one(db).await.unwrap().int("n").unwrap()
}

/// Insists that the ledger is whole: positions and versions without gaps, the head in place, the chain intact and the
/// projections equal to the fold.
pub async fn audit(app: &App) {
    let households = sql("select id, position from household").all(&app.db).await.unwrap();
    assert!(!households.is_empty());
    for household in households {
        let id = household.uuid("id").unwrap();
        let rows =
            sql("select position, record_id, version from record_events where household_id = $1 order by position")
                .bind(id)
                .all(&app.db)
                .await
                .unwrap();
        let positions: Vec<i64> = rows.iter().map(|row| row.int("position").unwrap()).collect();
        assert_eq!(positions, (1..=household.int("position").unwrap()).collect::<Vec<_>>(), "positions without gaps");
        let mut versions: BTreeMap<uuid::Uuid, i64> = BTreeMap::new();
        for row in &rows {
            let last = versions.entry(row.uuid("record_id").unwrap()).or_default();
            assert_eq!(row.int("version").unwrap(), *last + 1, "versions without gaps");
            *last += 1;
        }
    }
    let findings = lifeops::upkeep::verify::all(app, &[], &|_, _| ()).await.unwrap();
    assert!(findings.is_well(), "{findings:?}");
}
