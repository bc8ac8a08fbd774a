//! The hash chain, step by step, against vectors that were computed once by another program (see
//! `tests/samples/chain.py`) and are frozen in `tests/samples/chain.json`.

use std::str::FromStr;

use lifeops::domain::chain;
use lifeops::domain::event::Event;
use lifeops::domain::ids::{BatchId, EventId, HouseholdId, MemberId, RecordId};
use lifeops::domain::instant::Instant;
use lifeops::domain::when::Occurred;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../samples/chain.json")).unwrap()
}

fn event(vector: &Value) -> Event {
    let text = |key: &str| vector[key].as_str().unwrap().to_owned();
    let optional = |key: &str| vector[key].as_str().map(str::to_owned);
    Event {
        household: HouseholdId::from_str(&text("household")).unwrap(),
        position: vector["position"].as_i64().unwrap(),
        event: EventId::from_str(&text("event")).unwrap(),
        record: RecordId::from_str(&text("record")).unwrap(),
        version: vector["version"].as_i64().unwrap(),
        kind: text("kind"),
        payload_version: vector["payload_version"].as_i64().unwrap(),
        payload: text("payload").into_bytes(),
        salt: chain::unhex(&text("salt")).unwrap(),
        actor: optional("actor").map(|id| MemberId::from_str(&id).unwrap()),
        via: text("via"),
        via_ref: optional("via_ref"),
        batch: optional("batch").map(|id| BatchId::from_str(&id).unwrap()),
        occurred: Occurred::parse_iso(&text("occurred")).unwrap(),
        recorded: Instant::parse(&text("recorded")).unwrap(),
        hash: chain::unhex(&text("hash")).unwrap(),
    }
}

#[test]
fn every_step_is_as_it_was_frozen() {
    let vectors = vectors();
    let events = vectors["events"].as_array().unwrap();
    assert_eq!(events.len(), 10);
    let household = HouseholdId::from_str(events[0]["household"].as_str().unwrap()).unwrap();
    let mut head = chain::genesis(household);
    assert_eq!(chain::hex(&head), vectors["genesis"]);
    for vector in events {
        let event = event(vector);
        assert_eq!(chain::hex(&chain::payload_digest(&event.salt, &event.payload)), vector["payload_digest"]);
        assert_eq!(String::from_utf8(chain::envelope(&event)).unwrap(), vector["envelope"].as_str().unwrap());
        assert_eq!(chain::hex(&chain::leaf(&event)), vector["leaf"]);
        head = chain::link(&head, &chain::leaf(&event));
        assert_eq!(chain::hex(&head), vector["hash"]);
    }
}

#[test]
fn any_changed_column_changes_the_leaf() {
    let vectors = vectors();
    let sound = event(&vectors["events"][3]);
    let leaf = chain::leaf(&sound);
    let mut changed = vec![sound.clone(); 14];
    changed[0].household = HouseholdId::new();
    changed[1].position += 1;
    changed[2].event = EventId::new();
    changed[3].record = RecordId::new();
    changed[4].version += 1;
    changed[5].kind.push('x');
    changed[6].payload_version += 1;
    changed[7].payload.push(b' ');
    changed[8].salt[0] ^= 1;
    changed[9].actor = None;
    changed[10].via = "cli".into();
    changed[11].via_ref = Some("x".into());
    changed[12].batch = Some(BatchId::new());
    changed[13].occurred = Occurred::parse_iso("1999").unwrap();
    for (column, event) in changed.iter().enumerate() {
        assert_ne!(chain::leaf(event), leaf, "column {column}");
    }
    let mut recorded = sound;
    recorded.recorded = recorded.recorded.plus_seconds(1);
    assert_ne!(chain::leaf(&recorded), leaf);
}

#[test]
fn a_head_code_is_the_hash_in_groups() {
    let code = chain::head_code(&[0xab; 32]);
    assert_eq!(code.len(), 64 + 7);
    assert_eq!(code.replace('-', ""), "ab".repeat(32));
}
