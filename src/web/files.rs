//! Files as pages show them: photos in a gallery, the others in a list.

use crate::domain::attachment::{Attachment, Label, Standing};
use crate::domain::event::AttachmentAdded;
use crate::domain::ids::{AttachmentId, EventId, RecordId};
use crate::domain::media::{is_photo, is_shown_inline, size_words, words};
use crate::store::history::HistoryEntry;

use super::moments::Moment;
use super::paths::in_path;

/// The files of a record.
#[derive(Clone, Debug, Default)]
pub struct FilesShown {
    /// Pictures, latest first.
    pub photos: Vec<FileView>,
    /// Everything else, latest first.
    pub papers: Vec<FileView>,
    /// Where the rest of them is, if there are more.
    pub more: Option<String>,
}

/// A file.
#[derive(Clone, Debug)]
pub struct FileView {
    /// The attachment.
    pub id: AttachmentId,
    /// Where it opens.
    pub href: String,
    /// Its small picture.
    pub thumbnail: Option<String>,
    /// What it is, in a line: its label and its name.
    pub title: String,
    /// Its name.
    pub name: String,
    /// What it is on its record.
    pub label: String,
    /// Its type and size.
    pub words: String,
    /// When it happened.
    pub when: Moment,
    /// The icon of its kind.
    pub icon: &'static str,
    /// Where everything about it stands.
    pub page: String,
    /// Whether what stands above it names it already.
    pub alone: bool,
    /// What a click does: "Open" or "Download".
    pub does: &'static str,
    /// What has become of it, if it is not present.
    pub fate: &'static str,
}

impl FileView {
    /// A file as an event added it.
    pub fn of_event(record: RecordId, entry: &HistoryEntry, added: &AttachmentAdded) -> Self {
        let file = Attachment::added(entry.event, entry.position, entry.occurred, added);
        Self { alone: true, ..Self::of(record, &file) }
    }

    /// A file as it stands.
    pub fn of(record: RecordId, file: &Attachment) -> Self {
        let name = file.file_name.to_string();
        let label = file.label.filter(|label| *label != Label::Other).map(|label| label.words().to_owned());
        Self {
            id: file.id,
            href: address(file),
            thumbnail: is_photo(&file.media_type).then(|| format!("/thumbnails/{}", file.id)),
            title: match &label {
                Some(label) => format!("{label}: {name}"),
                None => name.clone(),
            },
            words: format!("{}, {}", words(&file.media_type, &name), size_words(file.size)),
            name,
            label: label.unwrap_or_default(),
            when: Moment::occurred(file.occurred),
            icon: icon(file),
            page: format!("/records/{record}/attachments/{}", file.id),
            alone: false,
            does: if is_shown_inline(&file.media_type) { "Open" } else { "Download" },
            fate: match file.standing {
                Standing::Present => "",
                Standing::Superseded => "replaced",
                Standing::Removed => "removed",
                Standing::Undone => "its adding was undone",
            },
        }
    }
}

/// Where a file opens.
pub fn address(file: &Attachment) -> String {
    format!("/attachments/{}/{}", file.id, in_path(file.file_name.as_str()))
}

/// The icon of a file's kind.
pub fn icon(file: &Attachment) -> &'static str {
    match file.label {
        Some(Label::Receipt) => "receipt",
        _ if is_photo(&file.media_type) => "photo",
        _ => "page",
    }
}

impl FilesShown {
    /// A record's files.
    pub fn of(record: RecordId, files: &[Attachment], more: Option<String>) -> Self {
        let (photos, papers) =
            files.iter().map(|file| FileView::of(record, file)).partition::<Vec<_>, _>(|file| file.thumbnail.is_some());
        Self { photos, papers, more }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.photos.is_empty() && self.papers.is_empty()
    }
}

/// The files of notes, beneath them in the story.
#[derive(Clone, Debug, Default)]
pub struct StoryFiles(Vec<(EventId, FileView)>);

impl StoryFiles {
    /// Of a record's present files.
    pub fn of(record: RecordId, files: &[Attachment]) -> Self {
        let of_note = files.iter().filter_map(|file| Some((file.note?, FileView::of(record, file))));
        Self(of_note.collect())
    }

    /// Whether a file stands beneath its note.
    pub fn has(&self, file: AttachmentId) -> bool {
        self.0.iter().any(|(_, known)| known.id == file)
    }

    /// Those of a note.
    pub fn of_note(&self, note: EventId) -> Vec<FileView> {
        self.0.iter().filter(|(of, _)| *of == note).map(|(_, file)| file.clone()).collect()
    }
}
