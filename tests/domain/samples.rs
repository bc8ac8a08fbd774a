//! Frozen samples: a payload of every released kind and version decodes for ever, and is written as it was.

use lifeops::domain::event::Payload;

/// Kind, version, bytes. Never change a line: add one.
const SAMPLES: &[(&str, i64, &str)] = &[
    (
        "record_created",
        1,
        r#"{"title":"Corolla","visibility":"household","category":"Car","description":"Ben’s","tags":["winter"],"fields":[{"name":"Plate","type":"text","value":"KE 418 D"},{"name":"Price","type":"money","value":"13900.00 EUR"}],"external":{"source":"homebox","ref":"17"}}"#,
    ),
    ("record_created", 1, r#"{"title":"Bare","visibility":"private","tags":[],"fields":[]}"#),
    (
        "record_updated",
        1,
        r#"{"set":{"title":"Corolla, 2014","category":"Car","description":"x"},"clear":[],"fields_set":[{"name":"Tested","type":"date","value":"2026-01"},{"name":"Seats","type":"number","value":"5"},{"name":"Manual","type":"link","value":"https://example.org/m"}],"fields_cleared":["Plate"],"tags_added":["a"],"tags_removed":["b"],"corrects":"01900000-0000-7000-8000-000000000001"}"#,
    ),
    (
        "record_updated",
        1,
        r#"{"set":{},"clear":["category","description"],"fields_set":[],"fields_cleared":[],"tags_added":[],"tags_removed":[]}"#,
    ),
    (
        "note_added",
        1,
        r#"{"text":"Oil change","amount":{"minor":"43600","currency":"EUR"},"reading":{"value":"142380","unit":"km"}}"#,
    ),
    ("note_added", 1, r#"{"text":"Bare"}"#),
    (
        "note_corrected",
        1,
        r#"{"note":"01900000-0000-7000-8000-000000000001","text":"Oil","amount":{"minor":"-5","currency":"JPY"},"reading":{"value":"1.4","unit":"bar"}}"#,
    ),
    ("record_deleted", 1, r#"{"reason":"Sold"}"#),
    ("record_deleted", 1, r#"{}"#),
    ("record_restored", 1, r#"{"reason":"Bought back"}"#),
    ("record_shared", 1, r#"{}"#),
    ("record_unshared", 1, r#"{}"#),
    ("record_handed_over", 1, r#"{"to":"0190aaaa-0000-7000-8000-000000000002"}"#),
    ("event_retracted", 1, r#"{"event_id":"01900000-0000-7000-8000-000000000001","reason":"Wrong record"}"#),
    ("household_created", 1, r#"{"name":"The Duarte–Keller household"}"#),
    ("member_joined", 1, r#"{"member_id":"0190aaaa-0000-7000-8000-000000000001","name":"Ana","role":"owner"}"#),
    ("member_renamed", 1, r#"{"member_id":"0190aaaa-0000-7000-8000-000000000001","name":"Ana D"}"#),
    ("member_disabled", 1, r#"{"member_id":"0190aaaa-0000-7000-8000-000000000001"}"#),
    ("member_enabled", 1, r#"{"member_id":"0190aaaa-0000-7000-8000-000000000001"}"#),
    ("household_renamed", 1, r#"{"name":"The Duarte–Keller–Silva household"}"#),
    ("member_role_changed", 1, r#"{"member_id":"0190aaaa-0000-7000-8000-000000000001","role":"viewer"}"#),
    (
        "member_removed",
        1,
        r#"{"member_id":"0190aaaa-0000-7000-8000-000000000001","holds_from":"2026-12-10T09:12:00.000000Z"}"#,
    ),
    (
        "attachment_added",
        1,
        r#"{"attachment_id":"0190aaaa-0000-7000-8000-00000000000a","blob":"013f54400c82da08037759ada907a8b864e97de81c088a182062c4b5622fd2ab","file_name":"Beleg März.pdf","media_type":"application/pdf","size":120345,"label":"receipt","note":"0190aaaa-0000-7000-8000-00000000000b","supersedes":"0190aaaa-0000-7000-8000-00000000000c"}"#,
    ),
    (
        "attachment_added",
        1,
        r#"{"attachment_id":"0190aaaa-0000-7000-8000-00000000000a","blob":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","file_name":"file","media_type":"application/octet-stream","size":0}"#,
    ),
    (
        "attachment_changed",
        1,
        r#"{"attachment_id":"0190aaaa-0000-7000-8000-00000000000a","label":"manual","file_name":"Manual.pdf"}"#,
    ),
    ("attachment_removed", 1, r#"{"attachment_id":"0190aaaa-0000-7000-8000-00000000000a"}"#),
    ("member_reinstated", 1, r#"{"member_id":"0190aaaa-0000-7000-8000-000000000001"}"#),
];

#[test]
fn every_released_payload_decodes_and_is_written_as_it_was() {
    for (kind, version, bytes) in SAMPLES {
        let payload = Payload::decode(kind, *version, bytes.as_bytes()).unwrap();
        assert_eq!(payload.kind(), *kind);
        assert_eq!(String::from_utf8(payload.to_bytes()).unwrap(), *bytes);
    }
}

#[test]
fn every_kind_has_a_sample() {
    for kind in Payload::KINDS {
        assert!(SAMPLES.iter().any(|(sampled, ..)| sampled == kind), "{kind}");
    }
}

#[test]
fn an_older_version_is_lifted() {
    let lifted = Payload::decode("note_added", 0, br#"{"note":"As it was written once"}"#).unwrap();
    let today = Payload::decode("note_added", 1, br#"{"text":"As it was written once"}"#).unwrap();
    assert_eq!(lifted, today);
}

#[test]
fn what_is_not_known_is_refused_and_not_guessed() {
    for (kind, version, bytes) in [
        ("note_added", 2, r#"{"text":"x"}"#),
        ("note_added", 1, r#"{"text":"x","colour":"red"}"#),
        ("note_added", 1, r#"{}"#),
        ("record_exploded", 1, r#"{}"#),
        ("record_deleted", 0, r#"{}"#),
    ] {
        assert!(Payload::decode(kind, version, bytes.as_bytes()).is_err(), "{kind} {version} {bytes}");
    }
}
