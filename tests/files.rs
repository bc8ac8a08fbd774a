//! Files of records, through the pages: adding, seeing, opening, relabelling, replacing, removing, bringing back.

use image::{ImageFormat, Rgb, RgbImage};
use lifeops::store::db::sql;

use crate::support::{Home, Page, Visitor, audit, count_events, words};

/// A picture of this size, as a PNG: red on the left, blue on the right.
pub fn picture(width: u32, height: u32) -> Vec<u8> {
    let colour = |x, _| if x < width / 2 { Rgb([200, 20, 20]) } else { Rgb([20, 20, 200]) };
    let mut png = Vec::new();
    let image = RgbImage::from_fn(width, height, colour);
    image.write_to(&mut std::io::Cursor::new(&mut png), ImageFormat::Png).unwrap();
    png
}

/// The smallest of documents.
pub const PDF: &[u8] = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
                         3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n";

/// Adds a file through the record's page of files; returns the page that follows.
pub async fn add(visitor: &Visitor, record: &str, name: &str, bytes: impl Into<Vec<u8>>) -> Page {
    let form = visitor.open(&format!("{record}/attachments")).await.form("Add files");
    visitor.submit(&form.choose("files", name, bytes), "Add files").await
}

/// The address of a file by its name, as a page links to it.
#[track_caller]
pub fn address(page: &Page, name: &str) -> String {
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string();
    let plain = encoded.replace("%2E", ".").replace("%2D", "-").replace("%5F", "_");
    let found = page.links().into_iter().map(|(_, to)| to).find(|to| {
        to.starts_with("/attachments/") && to.split('?').next().is_some_and(|to| to.ends_with(&format!("/{plain}")))
    });
    let found = found.unwrap_or_else(|| panic!("no link to {name}: {:?}", page.links()));
    found.split('?').next().unwrap().to_owned()
}

/// The page of a file by its name, from the record's page of files.
pub async fn details(visitor: &Visitor, record: &str, name: &str) -> Page {
    let all = visitor.open(&format!("{record}/attachments")).await;
    for (_, to) in all.links() {
        let is_one = to.starts_with(&format!("{record}/attachments/"));
        if is_one {
            let page = visitor.open(&to).await;
            if page.heading() == name {
                return page;
            }
        }
    }
    panic!("there is no file {name}: {:?}", all.links());
}

/// How many rows a table has.
pub async fn rows(home: &Home, table: &'static str) -> i64 {
    sql(format!("select count(*) as n from {table}")).one(&home.server.app.db).await.unwrap().int("n").unwrap()
}

/// The objects that lie in the store, finished or not.
pub fn objects(home: &Home) -> Vec<std::path::PathBuf> {
    fn walk(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(&home.server.place().objects(), &mut found);
    found
}

all_stores! {
    async fn files_come_with_a_record_a_note_and_by_themselves(engine: Engine, store: Store) {
        let home = Home::start_in(engine, store, |_| ()).await;
        let photo = picture(1000, 600);
        let form = home.ana.open("/records/new").await.form(words::NEW).fill("title", "Water heater");
        let form = form.fill("label", "photo").choose("files", "front.png", photo.clone()).choose("files", "plate.png", picture(20, 20));
        let record = home.ana.press(&form, words::NEW).await.expect_redirect();
        let record = record.split('?').next().unwrap().to_owned();
        let form = home.ana.open(&record).await.form(words::NOTE).fill("text", "Anode rod changed").fill("label", "receipt");
        let page = home.ana.submit(&form.choose("files", "Rechnung März.pdf", PDF), words::NOTE).await;
        assert_eq!(page.headings().iter().filter(|(_, words)| words.starts_with("Anode rod changed")).count(), 1);
        let page = add(&home.ana, &record, "notes.txt", "left valve: turn twice").await;
        assert!(page.says("Water heater has its new files"));
        // With a few words they are a note, and the file belongs to it.
        let form = home.ana.open(&format!("{record}/attachments")).await.form("Add files").fill("text", "The maker wrote");
        let refused = home.ana.press(&form, "Add files").await.expect(422);
        let form = refused.form("Add files");
        assert!(refused.says("Choose a file") && form.value("text") == "The maker wrote");
        let events = count_events(&home.server.app.db).await;
        let page = home.ana.submit(&form.choose("files", "letter.txt", "Dear Ana"), "Add files").await;
        assert_eq!(count_events(&home.server.app.db).await, events + 2);
        assert_eq!(page.headings().iter().filter(|(_, words)| words.contains("The maker wrote")).count(), 1);
        assert!(!page.headings().iter().any(|(_, words)| words.contains("letter.txt")), "it stands with the note");
        // Photos are a gallery with words for those who do not see it; the others a list with type and size.
        assert_eq!(page.attributes("img", "alt"), ["Photo: front.png", "Photo: plate.png"]);
        assert!(page.says("Receipt: Rechnung März.pdf") && page.says("PDF, ") && page.says("Text, 22\u{a0}bytes"));
        // What comes out is what went in.
        for (name, bytes) in [("front.png", photo.as_slice()), ("Rechnung März.pdf", PDF), ("notes.txt", b"left valve: turn twice")] {
            let page = home.ben.get(&address(&page, name)).await.expect(200);
            assert!(page.raw == bytes, "{name} came back as {} bytes", page.raw.len());
        }
        let picture = home.mila.get(&page.attributes("img", "src")[0]).await.expect(200);
        assert_eq!(picture.header("content-type"), "image/jpeg");
        let small = image::load_from_memory(&picture.raw).unwrap();
        assert_eq!((small.width(), small.height()), (480, 288));
        assert_eq!(rows(&home, "upload").await, 0, "nothing waits");
        audit(&home.server.app).await;
    }

    async fn the_same_content_is_kept_once_in_a_household_and_apart_in_another(engine: Engine, store: Store) {
        let home = Home::start_in(engine, store, |_| ()).await;
        let (car, boat) = (home.create(&home.ana, "Car", &[]).await, home.create(&home.ben, "Boat", &[]).await);
        let elsewhere = home.create(&home.cleo, "Car", &[]).await;
        let bytes = vec![7; 100_000];
        // Two members at the same moment, and twice in one form.
        let forms = [
            home.ana.open(&format!("{car}/attachments")).await.form("Add files").choose("files", "a.bin", bytes.clone()),
            home.ben.open(&format!("{boat}/attachments")).await.form("Add files").choose("files", "b.bin", bytes.clone()),
        ];
        let forms = forms.map(|form| form.choose("files", "again.bin", bytes.clone()));
        let (one, two) = tokio::join!(home.ana.press(&forms[0], "Add files"), home.ben.press(&forms[1], "Add files"));
        for page in [&one, &two] {
            page.expect_redirect();
        }
        add(&home.cleo, &elsewhere, "a.bin", bytes.clone()).await;
        assert_eq!((rows(&home, "attachment").await, rows(&home, "blob").await), (5, 2));
        crate::support::eventually("spare objects to go", || objects(&home).len() == 2);
        let household = home.ana.open("/household").await;
        assert!(household.says("100\u{a0}KB, without a limit"), "{}", household.text());
        assert!(household.says("4 files, including removed and replaced ones") && household.says("300\u{a0}KB, because the same content is kept once"));
        assert!(home.cleo.open("/household").await.says("1 file, also if it was removed or replaced"));
        // One goes; the others stay readable.
        let file = details(&home.ana, &car, "a.bin").await;
        let ask = home.ana.open(&file.link("Remove it")).await;
        let page = home.ana.submit(&ask.form("Remove it"), "Remove it").await;
        assert!(page.says("The file stays in the story"));
        let other = home.ben.open(&boat).await;
        assert!(home.ben.get(&address(&other, "b.bin")).await.expect(200).raw == bytes);
        audit(&home.server.app).await;
    }
}

both_engines! {
    async fn a_refused_form_keeps_its_files(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        let form = home.ana.open(&record).await.form(words::NOTE).fill("text", "Serviced").fill("occurred", "31 2 2026");
        let form = form.choose("files", "one.pdf", PDF).choose("files", "two.txt", "second");
        let page = home.ana.press(&form, words::NOTE).await.expect(422);
        assert!(page.says("one.pdf") && page.says("two.txt") && page.says("Here already"), "{}", page.text());
        assert_eq!((rows(&home, "upload").await, rows(&home, "attachment").await), (2, 0));
        let form = page.form(words::NOTE);
        assert_eq!(form.value("text"), "Serviced");
        let ids = form.values("kept");
        assert_eq!(ids.len(), 2);
        // Nobody else may take what waits, or give it up.
        let theirs = home.ben.open(&record).await.form(words::NOTE).fill("text", "Mine now").force("kept", &ids[0]);
        let refused = home.ben.press(&theirs.force("known", &ids[1]), words::NOTE).await.expect(422);
        assert!(refused.says("is not here any more") && !refused.says("one.pdf"));
        assert_eq!(rows(&home, "upload").await, 2);
        // One is unticked, another added: the first comes without being chosen again.
        let form = form.fill("occurred", "1 2 2026").untick("kept", &ids[1]).choose("files", "three.txt", "third");
        let page = home.ana.submit(&form, words::NOTE).await;
        let names = ["one.pdf", "two.txt", "three.txt"].map(|name| page.says(name));
        assert_eq!(names, [true, false, true]);
        assert!(home.ana.get(&address(&page, "one.pdf")).await.expect(200).raw == PDF);
        crate::support::eventually("what was unticked to go", || objects(&home).len() == 2);
        assert_eq!(rows(&home, "upload").await, 0);
        // Also while a record is begun, and through the buttons of its form.
        let form = home.ana.open("/records/new").await.form(words::NEW).choose("files", "plan.pdf", PDF);
        let page = home.ana.press(&form, "Add another fact").await.expect(200);
        let page = home.ana.press(&page.form(words::NEW), words::NEW).await.expect(422);
        let form = page.form(words::NEW).fill("title", "House");
        assert!(home.ana.submit(&form, words::NEW).await.says("plan.pdf"));
        // Whoever sends such a form once more, because the answer got lost, gets the answer.
        let events = count_events(&home.server.app.db).await;
        for (page, button) in [(format!("{record}/attachments"), "Add files"), (record.clone(), words::NOTE)] {
            let form = home.ana.open(&page).await.form(button).fill("occurred", "soon").choose("files", "late.txt", page.as_bytes());
            let form = home.ana.press(&form.fill("text", "Late"), button).await.expect(422).form(button).fill("occurred", "2019");
            let first = home.ana.press(&form, button).await.expect_redirect();
            let again = home.ana.press(&form, button).await.expect_redirect();
            assert_eq!(first, again);
            // With other words it is another form, and says so.
            let other = home.ana.press(&form.fill("text", "Later still"), button).await.expect(409);
            assert!(other.says("press once more") && other.form(button).value("text") == "Later still");
        }
        assert_eq!(count_events(&home.server.app.db).await, events + 4);
        audit(&home.server.app).await;
    }

    async fn a_record_that_is_deleted_meanwhile_takes_nobodys_words(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        let pages = [(format!("{record}/attachments"), "Add files"), (record.clone(), words::NOTE)];
        let mut forms = Vec::new();
        for (page, button) in &pages {
            let form = home.ana.open(page).await.form(button).fill("text", "The serial number is 77-1");
            forms.push(form.choose("files", "plate.txt", format!("from {page}")));
        }
        let ask = home.ben.open(&format!("{record}/delete")).await;
        home.ben.submit(&ask.form("Delete"), "Delete").await;
        for (form, (_, button)) in forms.iter().zip(&pages) {
            let page = home.ana.press(form, button).await.expect(422);
            let again = page.form(button);
            assert!(page.says("Restore it first") && page.says("plate.txt"), "{}", page.text());
            assert_eq!((again.value("text").as_str(), again.values("kept").len()), ("The serial number is 77-1", 1));
        }
        assert_eq!(rows(&home, "attachment").await, 0);
        audit(&home.server.app).await;
    }

    async fn a_form_that_was_sent_twice_adds_its_files_once(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        let form = home.ana.open(&record).await.form(words::NOTE).fill("text", "Serviced").choose("files", "a.pdf", PDF);
        let (one, two) = tokio::join!(home.ana.press(&form, words::NOTE), home.ana.press(&form, words::NOTE));
        assert_eq!(one.expect_redirect(), two.expect_redirect());
        assert_eq!((rows(&home, "attachment").await, rows(&home, "blob").await), (1, 1));
        crate::support::eventually("the second upload to go", || objects(&home).len() == 1);
        // The same form with another file is another form.
        let other = form.clone().choose("files", "b.pdf", "else");
        let page = home.ana.press(&other, words::NOTE).await.expect(409);
        assert!(page.says("a.pdf") && page.says("b.pdf"));
        home.ana.submit(&page.form(words::NOTE), words::NOTE).await;
        assert_eq!(rows(&home, "attachment").await, 3);
        audit(&home.server.app).await;
    }

    async fn a_file_is_relabelled_replaced_removed_and_brought_back(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        add(&home.ana, &record, "manual.pdf", PDF).await;
        let page = details(&home.ana, &record, "manual.pdf").await;
        let form = page.form("Save").fill("file_name", "Manual 2019.pdf").fill("label", "manual");
        let page = home.ana.submit(&form, "Save").await;
        assert_eq!(page.heading(), "Manual 2019.pdf");
        assert!(page.says("Manual, PDF"));
        let events = count_events(&home.server.app.db).await;
        assert!(home.ana.submit(&page.form("Save"), "Save").await.says("Nothing to save"));
        assert_eq!(count_events(&home.server.app.db).await, events, "an unchanged form appends nothing");
        for (name, words) in [("", "Enter a name for the file"), ("a/b", "cannot contain /"), (&"ü".repeat(200), "too long")] {
            let refused = home.ana.press(&page.form("Save").fill("file_name", name), "Save").await.expect(422);
            assert!(refused.text().contains(words), "{}", refused.text());
            assert_eq!(refused.form("Save").value("file_name"), name);
        }
        // Another file takes its place: the old one opens from the story.
        let ask = home.ana.open(&page.link("Put another file")).await;
        assert!(home.ana.press(&ask.form("Replace it"), "Replace it").await.expect(422).says("Choose the file"));
        let form = ask.form("Replace it").choose("files", "Manual 2024.pdf", [PDF, b"%more"].concat());
        let story = home.ben.submit(&form, "Replace it").await;
        assert!(story.says("It takes the place of Manual 2019.pdf, which stays readable"));
        let all = home.ana.open(&format!("{record}/attachments")).await;
        assert!(all.says("Manual: Manual 2024.pdf") && all.says("Manual: Manual 2019.pdf replaced"), "the label goes on: {}", all.text());
        assert!(home.ana.get(&address(&story, "manual.pdf")).await.expect(200).raw == PDF);
        let old = home.ana.open(&page.path).await;
        assert!(old.says("Another file has taken its place") && old.find_form("Save").is_none());
        // Removed, and brought back in the story.
        let new = details(&home.ana, &record, "Manual 2024.pdf").await;
        let ask = home.ana.open(&new.link("Remove it")).await;
        let story = home.ana.submit(&ask.form("Remove it"), "Remove it").await;
        let all = home.ana.open(&format!("{record}/attachments")).await;
        assert!(all.says("There are no files yet") && all.says("Removed or replaced"));
        let gone = home.ana.open(&new.path).await;
        assert!(gone.says("It was removed from the record") && gone.find_link("Bring it back").is_some());
        let refused = home.ana.press(&ask.form("Remove it"), "Remove it").await;
        refused.expect_redirect();
        assert!(home.ana.open(&format!("{}/remove", new.path)).await.says("It was removed"), "there is nothing to ask");
        let again = ask.form("Remove it").fill("submission", "01a217bd-1883-7574-8f43-38d4e1371882");
        assert!(home.ana.press(&again, "Remove it").await.expect(422).says("was removed"));
        let undo = story.link("Undo “Manual 2024.pdf was removed”");
        let ask = home.ana.open(&undo).await;
        let story = home.ana.submit(&ask.form("Bring it back"), "Bring it back").await;
        assert!(story.says("Manual 2024.pdf was brought back"), "{}", story.text());
        assert!(home.ana.open(&format!("{record}/attachments")).await.says("Manual 2024.pdf"));
        // The replacing is undone: the first one is back, with the name that it was given.
        let undo = story.link("Undo “Manual: Manual 2024.pdf”");
        let ask = home.ana.open(&undo).await;
        home.ana.submit(&ask.form("Undo"), "Undo").await;
        let all = home.ana.open(&format!("{record}/attachments")).await;
        let here: Vec<_> = all.all(".papers").into_iter().take(1).collect();
        assert!(here[0].contains("Manual 2019.pdf") && !here[0].contains("Manual 2024.pdf"), "{}", all.text());
        audit(&home.server.app).await;
        lifeops::upkeep::rebuild::all(&home.server.app, &|_, _| {}).await.unwrap();
        audit(&home.server.app).await;
    }

    async fn a_file_can_join_an_older_note(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Car", &[]).await;
        let page = home.note(&home.ana, &record, "New tyres").await;
        let page = home.ben.open(&page.link("Add files “New tyres”")).await;
        assert!(page.says("Add files to the note “New tyres”"));
        let page = home.ben.submit(&page.form("Add files").choose("files", "receipt.pdf", PDF), "Add files").await;
        let note = page.all("article").into_iter().find(|text| text.starts_with("New tyres")).unwrap();
        assert!(note.contains("receipt.pdf"), "{note}");
        // The note of another record takes none.
        let other = home.create(&home.ana, "Boat", &[]).await;
        let note = sql("select event_id from record_events where kind = 'note_added'").one(&home.server.app.db).await.unwrap();
        let form = home.ana.open(&format!("{other}/attachments")).await.form("Add files");
        let form = form.force("note", &note.uuid("event_id").unwrap().to_string()).choose("files", "x.pdf", PDF);
        assert!(home.ana.press(&form, "Add files").await.expect(422).says("This note is not here any more"));
        audit(&home.server.app).await;
    }

    async fn a_file_is_for_those_who_see_its_record(engine: Engine) {
        let home = Home::start(engine).await;
        let diary = home.create(&home.ana, "Diary", &[("visibility", "private")]).await;
        let page = add(&home.ana, &diary, "page.png", picture(30, 30)).await;
        let file = details(&home.ana, &diary, "page.png").await;
        let bytes = address(&file, "page.png");
        let small = page.attributes("img", "src")[0].clone();
        let zip = format!("{diary}/attachments.zip");
        let paths = [bytes.clone(), small, zip, file.path.clone(), format!("{diary}/attachments")];
        for path in &paths {
            home.ana.get(path).await.expect(200);
            for stranger in [&home.ben, &home.mila, &home.cleo] {
                stranger.get(path).await.expect(404);
                stranger.ask(reqwest::Method::HEAD, path, None, Vec::new()).await.expect(404);
            }
            assert!(home.server.visitor().get(path).await.expect_redirect().starts_with("/sign-in"));
        }
        for act in ["replace", "remove"] {
            home.ben.get(&format!("{}/{act}", file.path)).await.expect(404);
        }
        // Through a record that one does see, it is not found either.
        let shared = home.create(&home.ben, "Shared", &[]).await;
        let id = file.path.rsplit('/').next().unwrap();
        home.ben.get(&format!("{shared}/attachments/{id}")).await.expect(404);
        // A digest opens nothing.
        let digest = home.ana.get(&bytes).await.header("etag").trim_matches('"').to_owned();
        assert_eq!(digest.len(), 64);
        for path in [format!("/attachments/{digest}/page.png"), format!("/thumbnails/{digest}"), format!("/blobs/{digest}")] {
            home.ana.get(&path).await.expect(404);
        }
        // Shared, everyone has it; kept private again, nobody else.
        let ask = home.ana.open(&format!("{diary}/share")).await;
        home.ana.submit(&ask.form("Share"), "Share").await;
        for path in &paths {
            home.mila.get(path).await.expect(200);
            home.cleo.get(path).await.expect(404);
        }
        home.mila.get(&format!("{}/remove", file.path)).await.expect(403);
        let ask = home.ana.open(&format!("{diary}/keep-private")).await;
        home.ana.submit(&ask.form("Keep it"), "Keep it").await;
        for path in &paths {
            home.ben.get(path).await.expect(404);
        }
    }

    async fn everything_of_a_record_comes_as_one_zip(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Müller’s car", &[]).await;
        let big: Vec<u8> = (0..3_000_000_u32).map(|n| (n / 7) as u8).collect();
        for (name, bytes) in [("a.txt", b"one".to_vec()), ("a.txt", b"two".to_vec()), ("A.TXT", b"three".to_vec()), ("ä.bin", big.clone()), ("empty", Vec::new())] {
            add(&home.ana, &record, name, bytes).await;
        }
        let zip = home.mila.get(&format!("{record}/attachments.zip")).await.expect(200);
        assert!(zip.header("content-disposition").contains("filename*=UTF-8''M%C3%BCller%E2%80%99s%20car.zip"));
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(zip.raw)).unwrap();
        let mut found = std::collections::BTreeMap::new();
        for at in 0..archive.len() {
            let mut file = archive.by_index(at).unwrap();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
            found.insert(file.name().unwrap().into_owned(), bytes);
        }
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["A.TXT", "a (2).txt", "a (3).txt", "empty", "ä.bin"], "names differ also where case does not count");
        assert!(found["ä.bin"] == big && found["a (2).txt"] == b"two" && found["empty"].is_empty());
    }
}
