//! Files of a record: added, relabelled, replaced, removed, and what undoing makes of that; given, when, then.

use lifeops::domain::attachment::{
    Attachment, BlobId, Label, NewFile, Standing, attach, change, fold, remove, replace,
};
use lifeops::domain::event::Payload;
use lifeops::domain::fold::{happenings, marks};
use lifeops::domain::ids::{AttachmentId, EventId, UploadId};
use lifeops::domain::summary::Summary;
use lifeops::domain::text::FileName;

use super::{Told, event_id, on};

fn file(name: &str, content: u8) -> NewFile {
    NewFile {
        upload: UploadId::new(),
        blob: BlobId([content; 32]),
        file_name: FileName::of(name),
        media_type: "application/pdf".to_owned(),
        size: 7,
    }
}

fn id(payload: &Payload) -> AttachmentId {
    match payload {
        Payload::AttachmentAdded(added) => added.attachment_id,
        other => panic!("{other:?} adds no file"),
    }
}

/// Adds a file; returns the event and the file.
fn add(told: &mut Told, name: &str, content: u8) -> (EventId, AttachmentId) {
    let payload = attach(&file(name, content), Some(Label::Receipt), None, None);
    let file = id(&payload);
    (told.tell("2026-01-01", payload), file)
}

fn now(told: &Told, id: AttachmentId) -> Attachment {
    fold(&told.facts).into_iter().find(|file| file.id == id).unwrap()
}

#[test]
fn what_puts_a_file_away_can_be_undone() {
    let mut told = Told::new();
    let (added, scan) = add(&mut told, "scan.pdf", 1);
    assert_eq!(now(&told, scan).standing, Standing::Present);
    let removed = told.tell("2026-02-01", remove(&now(&told, scan)).unwrap());
    assert_eq!(now(&told, scan).standing, Standing::Removed);
    assert!(remove(&now(&told, scan)).is_err() && replace(&now(&told, scan), &file("x", 2)).is_err());
    told.retract(removed);
    assert_eq!(now(&told, scan).standing, Standing::Present);

    let better = replace(&now(&told, scan), &file("better.pdf", 2)).unwrap();
    let second = id(&better);
    let replaced = told.tell("2026-03-01", better);
    assert_eq!((now(&told, scan).standing, now(&told, second).standing), (Standing::Superseded, Standing::Present));
    assert_eq!(now(&told, second).label, Some(Label::Receipt), "what it is goes on");
    told.retract(replaced);
    assert_eq!((now(&told, scan).standing, now(&told, second).standing), (Standing::Present, Standing::Undone));

    told.retract(added);
    assert_eq!(now(&told, scan).standing, Standing::Undone);
    assert_eq!(fold(&told.facts).len(), 2, "every content that an event mentions stays known");
}

#[test]
fn only_what_differs_is_said() {
    let mut told = Told::new();
    let (_, scan) = add(&mut told, "scan.pdf", 1);
    let same = FileName::of("scan.pdf");
    assert_eq!(change(&now(&told, scan), Some(Label::Receipt), &same).unwrap(), None);
    assert_eq!(change(&now(&told, scan), None, &same).unwrap(), None, "no label is no change");
    let Some(Payload::AttachmentChanged(changed)) = change(&now(&told, scan), Some(Label::Manual), &same).unwrap()
    else {
        panic!("nothing changed")
    };
    assert_eq!((changed.label, changed.file_name.clone()), (Some(Label::Manual), None));
    let event = told.tell("2026-02-01", changed);
    assert_eq!(now(&told, scan).label, Some(Label::Manual));
    told.retract(event);
    assert_eq!(now(&told, scan).label, Some(Label::Receipt));
    let again = replace(&now(&told, scan), &file("scan.pdf", 1));
    assert!(again.is_err(), "the same file in its own place");
    assert!(replace(&now(&told, scan), &file("other name.pdf", 1)).is_ok());
}

#[test]
fn a_file_is_a_happening_unless_it_comes_with_a_note() {
    let mut told = Told::new();
    add(&mut told, "alone.pdf", 1);
    let of_note = attach(&file("of a note.pdf", 2), None, Some(event_id(9)), None);
    let before = Summary::of(&told.facts[1].payload, on("2026-01-01"), &[]);
    assert_eq!(before.text, "Receipt: alone.pdf");
    assert_eq!(Summary::after(Some(&before), &of_note, on("2026-02-01"), &[]), before, "the note has said it");
    told.tell("2026-02-01", of_note);
    assert_eq!(happenings(&told.facts, &marks(&told.facts)), [true, true, false]);
}

#[test]
fn a_label_has_a_word_and_a_noun() {
    for label in Label::ALL {
        assert_eq!(label.as_str().parse::<Label>().unwrap(), label);
    }
    assert!("poem".parse::<Label>().is_err());
    assert_eq!(
        (Label::noun(None), Label::noun(Some(Label::Other)), Label::noun(Some(Label::Photo))),
        ("File", "File", "Photo")
    );
}

#[test]
fn names_of_files_are_harmless_and_keep_their_extension() {
    for (typed, kept) in [
        ("C:\\Users\\ana\\Rechnung.pdf", "Rechnung.pdf"),
        ("../../etc/passwd", "passwd"),
        ("a\r\nb.txt", "a  b.txt"),
        ("\u{202e}fdp.exe", "fdp.exe"),
        ("..", "file"),
        ("", "file"),
    ] {
        assert_eq!(FileName::of(typed).as_str(), kept, "{typed:?}");
    }
    let renamed = FileName::of("My archive").with_extension_of(&FileName::of("backup.tar.gz"));
    assert_eq!(renamed.as_str(), "My archive.gz");
    assert_eq!(FileName::of("a.txt").with_extension_of(&FileName::of("b.pdf")).as_str(), "a.txt");
}
