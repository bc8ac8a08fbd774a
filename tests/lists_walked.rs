//! Every page of a list of a hundred thousand records, in each order and both ways, while others write.

use std::collections::HashMap;

use lifeops::domain::ids::RecordId;
use lifeops::store::db::sql;
use lifeops::store::filter::{self, Cursor, Entered, Filter, Sort};

use crate::properties::{House, house};

const RECORDS: i64 = 100_000;

both_engines! {
    async fn every_untouched_record_is_visited_once(engine: Engine) {
        let House { app, actors, place: _place } = house(engine).await;
        let actor = &actors[0];
        crate::ledger::fill(&app.db, actor, RECORDS).await;
        // Many titles alike, and many days.
        sql("update record_label set title_key = $1 where position % 3 = 0").bind(b"same".to_vec()).run(&app.db).await.unwrap();
        let mut moved = RECORDS;
        for (sort, backward) in [(Sort::Activity, false), (Sort::Activity, true), (Sort::Happened, false), (Sort::Title, false), (Sort::Title, true)] {
            let filter = Filter { sort, ..Filter::default() };
            let mut seen: HashMap<RecordId, usize> = HashMap::new();
            let mut cursor = Cursor::Newest;
            if backward {
                // From the last page: an edge beyond everything.
                cursor = match sort {
                    Sort::Title => Cursor::After(filter::Key::Title(vec![0xff; 96], RecordId(uuid::Uuid::max()))),
                    _ => Cursor::After(filter::Key::Activity(0)),
                };
            }
            let mut touched: Vec<RecordId> = Vec::new();
            for page_number in 0.. {
                let page = filter::list(&app.db, actor, &filter, Entered::default(), &cursor).await.unwrap();
                for row in &page.rows {
                    *seen.entry(row.id).or_default() += 1;
                }
                // Somebody writes in a record that is not deleted: it goes to the front of what changed last.
                if page_number % 50 == 0 {
                    let record = uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + 1 + (page_number as u128 * 7919) % 90_000);
                    moved += 1;
                    for table in ["record_label", "record_view"] {
                        let id = if table == "record_view" { "id" } else { "record_id" };
                        sql(format!("update {table} set position = $3, happened = $4 where household_id = $1 and {id} = $2"))
                            .bind(actor.household)
                            .bind(record)
                            .bind(moved)
                            .bind("2026-01-01T00:00~0")
                            .run(&app.db)
                            .await
                            .unwrap();
                    }
                    touched.push(RecordId(record));
                }
                match if backward { page.newer } else { page.older } {
                    Some(next) => cursor = next,
                    None => break,
                }
            }
            let visible = sql("select count(*) as records from record_view where not deleted").one(&app.db).await.unwrap();
            touched.sort();
            touched.dedup();
            let wrong = seen.iter().filter(|(id, times)| **times != 1 && !touched.contains(id)).count();
            let missed = visible.int("records").unwrap() - seen.len() as i64;
            assert_eq!(wrong, 0, "{sort:?}, backward {backward}: seen twice");
            assert!(missed <= touched.len() as i64 && missed >= 0, "{sort:?}, backward {backward}: {missed} missed of which {} may be", touched.len());
            let untouched_missing = sql("select id from record_view where not deleted").all(&app.db).await.unwrap().iter()
                .map(|row| RecordId(row.uuid("id").unwrap()))
                .filter(|id| !seen.contains_key(id) && !touched.contains(id))
                .count();
            assert_eq!(untouched_missing, 0, "{sort:?}, backward {backward}");
        }
    }
}
