//! Every page of a list of a hundred thousand records, in each order and both ways, while others write.

use std::collections::HashMap;

use lifeops::domain::access::Actor;
use lifeops::domain::ids::RecordId;
use lifeops::domain::query::Query;
use lifeops::domain::searchable::{Kind, mark, spelt_out, term};
use lifeops::store::count::Count;
use lifeops::store::db::{Db, Engine as Stored, sql};
use lifeops::store::filter::{self, Cursor, Entered, Filter, Sort};
use lifeops::store::search::{self, Place, Wanted};

use crate::properties::{House, house};
use crate::support::Home;

const RECORDS: i64 = 100_000;

both_engines! {
    async fn every_untouched_record_is_visited_once(engine: Engine) {
        let House { app, actors, place: _place } = house(engine).await;
        let actor = &actors[0];
        crate::ledger::fill(&app.db, actor, RECORDS).await;
        // Many titles alike, and many days.
        sql("update record_label set title_key = $1 where position % 3 = 0").bind(b"same".to_vec()).run(&app.db).await.unwrap();
        let mut moved = RECORDS;
        for (sort, backward) in [(Sort::Activity, false), (Sort::Activity, true), (Sort::Happened, false), (Sort::Happened, true), (Sort::Title, false), (Sort::Title, true)] {
            let filter = Filter { sort, ..Filter::default() };
            let mut seen: HashMap<RecordId, usize> = HashMap::new();
            let mut cursor = Cursor::Newest;
            if backward {
                // From the last page: an edge beyond everything.
                cursor = match sort {
                    Sort::Title => Cursor::After(filter::Key::Title(vec![0xff; 96], RecordId(uuid::Uuid::max()))),
                    Sort::Happened => Cursor::After(filter::Key::Happened(String::new(), 0)),
                    Sort::Activity => Cursor::After(filter::Key::Activity(0)),
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

/// Gives the records that [`crate::ledger::fill`] made entries of the search: each is found by the words of the first of these
/// conditions on its position `s.position` that holds, in its title and elsewhere.
async fn fill_search(db: &Db, actor: &Actor, words: &[(&str, &[&str], &[&str])]) {
    let terms = if db.engine() == Stored::Postgres { (", terms", ", ''") } else { ("", "") };
    sql(format!(
        "insert into search_record (household_id, record_id, position, title_words, words, note_terms{})
         select household_id, id, position, '', '', ''{} from record_view order by position",
        terms.0, terms.1
    ))
    .run(db)
    .await
    .unwrap();
    let mut before = "1 = 1".to_owned();
    for (condition, title, elsewhere) in words {
        let said = |words: &[&str]| format!(" {} | ", words.join(" "));
        sql(format!("update search_record as s set title_words = $1, words = $2 where {before} and {condition}"))
            .bind(said(title))
            .bind(said(&[*title, *elsewhere].concat()))
            .run(db)
            .await
            .unwrap();
        for (visibility, scope) in [("household", actor.household.0), ("private", actor.member.0)] {
            for deleted in [false, true] {
                let mark = mark(scope, deleted);
                let of = |kind, words: &[&str]| words.iter().map(|word| term(kind, &mark, word)).collect::<Vec<_>>();
                let terms = [
                    vec![term(Kind::Present, &mark, "")],
                    of(Kind::Title, title),
                    of(Kind::Anything, title),
                    of(Kind::Anything, elsewhere),
                ];
                let terms = terms.concat().into_iter().collect();
                let joined =
                    |terms: std::collections::BTreeSet<String>| terms.into_iter().collect::<Vec<_>>().join(" ");
                let of = format!(
                    "{before} and {condition} and s.record_id in (select v.id from record_view as v where v.visibility = $2 and v.deleted = $3)"
                );
                let statement = match db.engine() {
                    Stored::Sqlite => sql(format!(
                        "insert into search_index (rowid, terms) select s.seq, $1 from search_record as s where {of} order by s.seq"
                    ))
                    .bind(joined(spelt_out(terms))),
                    Stored::Postgres => {
                        sql(format!("update search_record as s set terms = array_to_tsvector(string_to_array($1, ' ')) where {of}"))
                            .bind(joined(terms))
                    }
                };
                statement.bind(visibility).bind(deleted).run(db).await.unwrap();
            }
        }
        before.push_str(&format!(" and not ({condition})"));
    }
    // What the projector counts.
    for (visibility, scope) in [("household", actor.household.0), ("private", actor.member.0)] {
        sql("insert into label_count (household_id, scope, kind, label_key, label, records)
             select $1, $2, 'all', '', '', count(*) from record_view where visibility = $3 and not deleted")
        .bind(actor.household)
        .bind(scope)
        .bind(visibility)
        .run(db)
        .await
        .unwrap();
    }
    if db.engine() == Stored::Postgres {
        sql("insert into search_frequency (household_id, term, records)
             select s.household_id, t.term, count(*)
             from search_record as s
             cross join lateral unnest(tsvector_to_array(s.terms)) as t (term)
             group by s.household_id, t.term")
        .run(db)
        .await
        .unwrap();
        sql("analyze search_record").run(db).await.unwrap();
    }
}

both_engines! {
    async fn words_that_stand_together_only_long_ago_are_found_first(engine: Engine) {
        let House { app, actors, place: _place } = house(engine).await;
        let actor = &actors[0];
        crate::ledger::fill(&app.db, actor, 60_000).await;
        // Either word is frequent in titles, but no recent title has both.
        fill_search(&app.db, actor, &[
            ("s.position <= 40", &["alpha", "beta"], &[]),
            ("s.position % 2 = 0", &["alpha"], &["beta"]),
            ("s.position % 2 = 1", &["beta"], &["alpha"]),
        ])
        .await;
        let visible = sql("select id, position from record_view where not deleted order by position desc").all(&app.db).await.unwrap();
        let visible: Vec<(RecordId, i64)> = visible.iter().map(|row| (RecordId(row.uuid("id").unwrap()), row.int("position").unwrap())).collect();
        let by_title = visible.iter().filter(|(_, position)| *position <= 40);
        let wanted: Vec<RecordId> = by_title.chain(&visible).map(|(record, _)| *record).take(60).collect();
        for typed in ["alpha beta", "beta alph"] {
            let query = Query::parse(typed, app.db.language(), jiff::civil::date(2026, 1, 1));
            let looked_for = Wanted { query: &query, filter: &Filter::default(), entered: Entered::default() };
            let (mut seen, mut cursor) = (Vec::new(), search::Cursor::First);
            while seen.len() < 60 {
                let page = search::search(&app.db, actor, &looked_for, cursor.clone()).await.unwrap();
                assert!(cursor != search::Cursor::First || page.count == Count::Many, "{:?}", page.count);
                seen.extend(page.hits.iter().map(|hit| hit.listed.id));
                cursor = page.older.unwrap();
            }
            assert_eq!(seen, wanted, "{typed}");
        }
    }
}

both_engines! {
    async fn a_search_in_another_order_puts_the_latest_in_order_and_then_the_others(engine: Engine) {
        let House { app, actors, place: _place } = house(engine).await;
        let actor = &actors[0];
        let records = 6_000;
        crate::ledger::fill(&app.db, actor, records).await;
        fill_search(&app.db, actor, &[("1 = 1", &[], &["filler"])]).await;
        let scrambled = "update record_label set title_key = $1, happened = $2 where record_id = $3";
        let of = sql("select id, position from record_view where not deleted order by position desc").all(&app.db).await.unwrap();
        let of: Vec<(RecordId, i64)> = of.iter().map(|row| (RecordId(row.uuid("id").unwrap()), row.int("position").unwrap())).collect();
        for (record, position) in &of {
            let key = format!("{:04}", position * 7919 % 997);
            sql(scrambled).bind(key.clone().into_bytes()).bind(format!("1{key}-01-01T00:00~0")).bind(*record).run(&app.db).await.unwrap();
        }
        for sort in [Sort::Title, Sort::Happened] {
            let query = Query::parse("filler", app.db.language(), jiff::civil::date(2026, 1, 1));
            let filter = Filter { sort, ..Filter::default() };
            let wanted = Wanted { query: &query, filter: &filter, entered: Entered::default() };
            let key = |record: &RecordId| {
                let position = of.iter().find(|(known, _)| known == record).unwrap().1;
                (position * 7919 % 997, if sort == Sort::Title { i64::try_from(record.0.as_u128() & 0xffff_ffff).unwrap() } else { position })
            };
            let mut window = Place::default();
            for part in [&of[..5_000], &of[5_000..]] {
                let (mut seen, mut pages) = (Vec::new(), Vec::new());
                let mut cursor = search::Cursor::Sorted(window.clone());
                let apart = loop {
                    let page = search::search(&app.db, actor, &wanted, cursor).await.unwrap();
                    let ids: Vec<RecordId> = page.hits.iter().map(|hit| hit.listed.id).collect();
                    assert_eq!(page.newer.is_some(), !seen.is_empty());
                    if let (Some(newer), Some(last)) = (page.newer, pages.last()) {
                        let back = search::search(&app.db, actor, &wanted, newer).await.unwrap();
                        assert_eq!(&back.hits.iter().map(|hit| hit.listed.id).collect::<Vec<_>>(), last);
                    }
                    seen.extend(ids.clone());
                    pages.push(ids);
                    match page.older {
                        Some(older) => cursor = older,
                        None => break page.apart,
                    }
                };
                let mut wanted: Vec<RecordId> = part.iter().map(|(record, _)| *record).collect();
                wanted.sort_by_key(&key);
                if sort == Sort::Happened {
                    wanted.reverse();
                }
                assert!(seen == wanted, "{sort:?}: {} seen, {} wanted", seen.len(), wanted.len());
                match apart {
                    Some(search::Cursor::Sorted(place)) if part.len() == 5_000 => window = place,
                    None if part.len() < 5_000 => {}
                    other => panic!("{other:?} after {}", part.len()),
                }
            }
        }
    }
}

both_engines! {
    async fn counts_are_exact_or_say_how_far_they_went(engine: Engine) {
        let home = Home::start(engine).await;
        let db = &home.server.app.db;
        let actor = crate::files_limits::ana_of(&home).await;
        let records = 12_000;
        crate::ledger::fill(db, &actor, records).await;
        fill_search(db, &actor, &[
            ("s.position % 37 = 0", &["alpha", "beta"], &[]),
            ("s.position > 11000", &["gamma", "delta"], &[]),
            ("1 = 1", &["beta", "alpha"], &[]),
        ])
        .await;
        sql("insert into label_count (household_id, scope, kind, label_key, label, records)
             select household_id, scope, kind, label_key, min(label), count(*)
             from record_label where not deleted and kind in ('category', 'tag', 'files')
             group by household_id, scope, kind, label_key")
        .run(db)
        .await
        .unwrap();
        sql("update timeline_entry set occurred_from = '1990-01-01T00:00' where household_id = $1 and position % 23 = 0")
            .bind(actor.household)
            .run(db)
            .await
            .unwrap();
        let count = |holds: &dyn Fn(i64) -> bool| (1..=records).filter(|n| n % 50 != 0 && holds(*n)).count();
        let few = count(&|n| n % 4 == 0 && n % 5 == 0);
        let old = count(&|n| n % 4 != 0 && n % 23 == 0);
        let phrase = count(&|n| n % 37 == 0);
        let recent = count(&|n| n > 11_000 && n % 37 != 0 && n % 7 == 0);
        assert!(few < 1000 && old < 1000 && phrase < 1000);
        for (query, quick, whole) in [
            // The rarer of two labels was read to its end.
            ("/records?category=car&tag=garden", few, few),
            ("/records?category=car&tag=garden&sort=title", few, few),
            ("/records?category=pet&tag=kitchen", 1001, 1001),
            // Of what happened in a year only as many records are looked at as a page may cost.
            ("/records?category=pet&until=1990", 0, old),
            ("/records?category=pet&until=1990&sort=title", 0, old),
            ("/search?q=%22alpha+beta%22", 0, phrase),
            ("/search?q=%22alpha+beta%22&sort=title", 0, phrase),
            ("/search?q=%22gamma+delta%22&files=yes", recent, recent),
        ] {
            let words = |count: usize| if count > 1000 { "More than 1,000 records".to_owned() } else { format!("{count} records") };
            let page = home.ana.open(query).await;
            let heading = page.all("#results h2").remove(0);
            match page.find_link("Count them all") {
                None => assert_eq!((heading, quick), (words(whole), whole), "{query}"),
                Some(href) => {
                    let least: usize = heading.strip_prefix("At least ").unwrap().strip_suffix(" records").unwrap().parse().unwrap();
                    assert!(quick == 0 && least < whole && least > whole / 4, "{query}: {heading} of {whole}");
                    let counted = home.ana.open(&href).await;
                    assert_eq!(counted.all("#results h2")[0], words(whole), "{query}");
                    assert!(counted.find_link("Count them all").is_none());
                }
            }
        }
        // Nobody is told to count what is known.
        let page = home.ana.open("/records?category=car&count=all").await;
        assert!(page.find_link("Count them all").is_none() && page.says("More than 1,000 records"));
    }
}
