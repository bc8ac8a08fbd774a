//! Connections to PostgreSQL: that they are encrypted as the address asks, that one that went away is not missed, and
//! that a transaction ends as it should however it ends.

use lifeops::store::db::{Db, DbError, sql};

use crate::support::{Engine, Home, Place, server_url};

async fn empty() -> (Place, Db) {
    let place = Place::empty(Engine::Postgres).await;
    let db = place.open().await;
    sql("create table thing (n bigint primary key)").run(&db).await.unwrap();
    (place, db)
}

async fn numbers(db: &Db) -> Vec<i64> {
    let rows = sql("select n from thing order by n").all(db).await.unwrap();
    rows.iter().map(|row| row.int("n").unwrap()).collect()
}

/// Ends every connection to a database but the one that asks.
async fn cut(place: &Place) {
    let other = place.open().await;
    let ended = sql("select count(pg_terminate_backend(pid, 10000)) as ended from pg_stat_activity
                      where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'");
    assert!(ended.one(&other).await.unwrap().int("ended").unwrap() > 0);
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_cut_while_it_rested_is_opened_again() {
    let (place, db) = empty().await;
    let mut tx = db.begin().await.unwrap();
    sql("insert into thing (n) values (1)").later(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    cut(&place).await;
    assert_eq!(numbers(&db).await, [1]);
    cut(&place).await;
    let mut tx = db.begin().await.unwrap();
    sql("insert into thing (n) values (2)").run(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(numbers(&db).await, [1, 2]);
    // In the middle of a transaction nothing is tried again: it is gone whole.
    let mut tx = db.begin().await.unwrap();
    sql("insert into thing (n) values (3)").run(&mut tx).await.unwrap();
    cut(&place).await;
    assert!(sql("insert into thing (n) values (4)").run(&mut tx).await.is_err());
    assert!(tx.commit().await.is_err());
    assert_eq!(numbers(&db).await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_household_does_not_notice() {
    let home = Home::start(Engine::Postgres).await;
    let record = home.create(&home.ana, "Boiler", &[]).await;
    cut(home.server.place()).await;
    home.ana.open(&record).await;
    cut(home.server.place()).await;
    assert!(home.note(&home.ana, &record, "Anode replaced").await.text().contains("Anode replaced"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_holds_whole_or_not_at_all() {
    let (_place, db) = empty().await;
    // Dropped: undone, and its connection serves again.
    let mut tx = db.begin().await.unwrap();
    sql("insert into thing (n) values (1)").run(&mut tx).await.unwrap();
    drop(tx);
    // What travels later fails at the end at the latest, and takes everything with it.
    let mut tx = db.begin().await.unwrap();
    sql("insert into thing (n) values (2)").later(&mut tx).await.unwrap();
    sql("insert into thing (n) values (2)").later(&mut tx).await.unwrap();
    let ended = tx.commit().await;
    assert!(matches!(ended, Err(DbError::Unique(_))), "{ended:?}");
    // Where a statement failed, there is nothing to keep.
    let mut tx = db.begin().await.unwrap();
    sql("insert into thing (n) values (3)").run(&mut tx).await.unwrap();
    assert!(sql("insert into thing (n) values (3)").run(&mut tx).await.is_err());
    assert!(matches!(tx.commit().await, Err(DbError::Aborted)));
    assert_eq!(numbers(&db).await, Vec::<i64>::new());
    // More than travel at once, in order.
    let mut tx = db.begin().await.unwrap();
    for n in 0..100_i64 {
        sql("insert into thing (n) select $1 where $1 = (select count(*) from thing)")
            .bind(n)
            .later(&mut tx)
            .await
            .unwrap();
    }
    let seen = sql("select count(*) as n from thing").one(&mut tx).await.unwrap().int("n").unwrap();
    assert_eq!(seen, 100);
    tx.commit().await.unwrap();
    assert_eq!(numbers(&db).await, (0..100).collect::<Vec<i64>>());
}

/// Whoever hangs up in the middle of a statement leaves a connection that serves the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_nobody_waits_for_harms_no_other() {
    let (_place, db) = empty().await;
    for n in 0..40_i64 {
        let slow = sql("select cast(pg_sleep(0.02) as text) as slept, $1 as n").bind(n).all(&db);
        let hurried = tokio::time::timeout(std::time::Duration::from_millis(n as u64 % 5), slow).await;
        assert!(hurried.is_err() || n % 5 > 0);
        assert_eq!(sql("select $1 as n").bind(n).one(&db).await.unwrap().int("n").unwrap(), n);
    }
}

/// The words of `sslmode`, against a server whose certificate is for 127.0.0.1 and signed by nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_encrypted_as_the_address_asks() {
    let server = server_url("TEST_POSTGRES_DURABLE");
    let certificate = server_url("TEST_POSTGRES_CERTIFICATE");
    let encrypted = |options: String| {
        let url = format!("{server}?{options}");
        async move {
            let db = Db::open_postgres(&url, 1).await?;
            let row = sql("select ssl from pg_stat_ssl where pid = pg_backend_pid()").one(&db).await?;
            let encrypted = row.bool("ssl")?;
            db.close().await;
            Ok::<bool, DbError>(encrypted)
        }
    };
    for (options, expected) in [
        ("sslmode=disable".to_owned(), false),
        ("sslmode=prefer".to_owned(), true),
        ("sslmode=require".to_owned(), true),
        (format!("sslmode=verify-ca&sslrootcert={certificate}"), true),
        (format!("sslmode=verify-full&sslrootcert={certificate}"), true),
    ] {
        assert_eq!(encrypted(options.clone()).await.unwrap(), expected, "{options}");
    }
    for options in [
        "sslmode=verify-ca".to_owned(),
        "sslmode=verify-full".to_owned(),
        "sslmode=verify-full&sslrootcert=/none".to_owned(),
    ] {
        let refused = encrypted(options.clone()).await;
        assert!(refused.is_err(), "{options}");
    }
    // By another name the certificate is nobody's, unless the name does not matter.
    let other = server.replace("127.0.0.1", "localhost");
    assert!(Db::open_postgres(&format!("{other}?sslmode=verify-full&sslrootcert={certificate}"), 1).await.is_err());
    let db = Db::open_postgres(&format!("{other}?sslmode=verify-ca&sslrootcert={certificate}"), 1).await.unwrap();
    db.close().await;
}
