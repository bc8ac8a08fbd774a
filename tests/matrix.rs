//! Every route, every method, everybody who has no business there: generated from the router's own table.

use lifeops::store::db::sql;
use lifeops::web::guards::Access;
use lifeops::web::routes::{self, Route};
use reqwest::Method;
use uuid::Uuid;

use crate::files;
use crate::support::{FORM, Home, Page, Visitor, audit, count_events, encode};

/// Words of Ana's private record and of its file that nobody else may ever read.
const SECRETS: &[&str] =
    &["Zylophone", "Quaggacategory", "quokkatag", "Vexillology", "Umbrellafact", "Jabberwockfile", "Gryphoncontent"];

/// A private record of Ana's and one of the household, each with a note and a file.
struct Scene {
    home: Home,
    private: Things,
    shared: Things,
}

/// What a path may name.
struct Things {
    record: String,
    /// The note's event.
    event: String,
    /// The file.
    attachment: String,
}

impl Scene {
    async fn set(engine: crate::support::Engine) -> Self {
        let home = Home::start(engine).await;
        let secret = home
            .create(
                &home.ana,
                SECRETS[0],
                &[
                    ("category", SECRETS[1]),
                    ("tags", SECRETS[2]),
                    ("visibility", "private"),
                    ("field_name", SECRETS[4]),
                    ("field_value", "7"),
                ],
            )
            .await;
        home.note(&home.ana, &secret, SECRETS[3]).await;
        let shared = home.create(&home.ana, "Lawnmower", &[("visibility", "household")]).await;
        home.note(&home.ana, &shared, "Blade sharpened").await;
        files::add(&home.ana, &secret, &format!("{}.txt", SECRETS[5]), SECRETS[6]).await;
        files::add(&home.ana, &shared, "Manual of the mower.txt", "Keep the blade dry.").await;
        let private = Things::of(&home, secret).await;
        let shared = Things::of(&home, shared).await;
        Self { home, private, shared }
    }

    async fn events(&self) -> i64 {
        count_events(&self.home.server.app.db).await
    }
}

impl Things {
    async fn of(home: &Home, record: String) -> Self {
        let id: Uuid = record.rsplit('/').next().unwrap().parse().unwrap();
        let row = sql("select event_id from record_events where record_id = $1 and kind = 'note_added'")
            .bind(id)
            .one(&home.server.app.db)
            .await
            .unwrap();
        let file =
            sql("select id from attachment where record_id = $1").bind(id).one(&home.server.app.db).await.unwrap();
        Self {
            record: id.to_string(),
            event: row.uuid("event_id").unwrap().to_string(),
            attachment: file.uuid("id").unwrap().to_string(),
        }
    }

    /// What there never was.
    fn unknown() -> Self {
        let new = || Uuid::now_v7().to_string();
        Self { record: new(), event: new(), attachment: new() }
    }

    /// A route's path with this record's identities in it.
    fn path(&self, route: &Route) -> String {
        let mut path = String::new();
        for part in route.path.split('/').skip(1) {
            path.push('/');
            path.push_str(match part {
                "{id}" | "{record}" => &self.record,
                "{event}" | "{note}" => &self.event,
                "{attachment}" => &self.attachment,
                "{member}" | "{invitation}" => &self.record, // nobody's: tests/people.rs knows real ones
                "{token}" => "nothing",
                "{key}" | "{field}" => "title",
                "{file}" | "{name}" | "{file_name}" | "{*path}" => "nothing",
                other if other.starts_with('{') => panic!("{}: teach this test what {other} is", route.path),
                other => other,
            });
        }
        path
    }
}

/// Whether a route leads to one record, or to a file of one.
fn is_of_a_record(route: &Route) -> bool {
    ["/records/{", "/attachments/{", "/thumbnails/{"].iter().any(|start| route.path.starts_with(start))
}

/// A body that every form would take, so that a refusal is about who asks and not about what is said.
fn body() -> Vec<(String, String)> {
    let key = Uuid::now_v7().to_string();
    [
        ("submission", key.as_str()),
        ("version", "2"),
        ("title", "Taken over"),
        ("category", ""),
        ("description", ""),
        ("tags", ""),
        ("visibility", "household"),
        ("meaning", "changed"),
        ("occurred", "2020"),
        ("occurred_time", ""),
        ("text", "I was here"),
        ("amount", ""),
        ("currency", ""),
        ("reading", ""),
        ("unit", ""),
        ("reason", ""),
        ("to", "01900000-0000-7000-8000-000000000001"),
    ]
    .map(|(n, v)| (n.to_owned(), v.to_owned()))
    .to_vec()
}

/// The same body as a form that can bring a file sends it, and a file.
fn parts() -> Vec<u8> {
    let mut parts = String::new();
    for (name, value) in body() {
        parts += &format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    parts += "--edge\r\nContent-Disposition: form-data; name=\"files\"; filename=\"mine.txt\"\r\n\r\nI was here\r\n--edge--\r\n";
    parts.into_bytes()
}

async fn knock(visitor: &Visitor, method: &str, path: &str) -> Page {
    let method: Method = method.parse().unwrap();
    let sends = method == Method::POST || method == Method::PUT || method == Method::PATCH;
    if sends && ["/attachments", "/replace", "/notes"].iter().any(|end| path.ends_with(end)) {
        return visitor.ask(method, path, Some("multipart/form-data; boundary=edge"), parts()).await;
    }
    let body = if sends { encode(&body()).into_bytes() } else { Vec::new() };
    visitor.ask(method, path, sends.then_some(FORM), body).await
}

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

both_engines! {
    async fn another_members_private_record_is_not_found_on_any_route(engine: Engine) {
        let scene = Scene::set(engine).await;
        let before = scene.events().await;
        let unknown = Things::unknown();
        let people = [("an editor", &scene.home.ben), ("a viewer", &scene.home.mila), ("a stranger", &scene.home.cleo)];
        let mut tried = 0;
        for route in routes::table().iter().filter(|route| is_of_a_record(route)) {
            let path = scene.private.path(route);
            for (who, visitor) in people {
                for visitor in [visitor.clone(), visitor.htmx()] {
                    for method in METHODS {
                        let page = knock(&visitor, method, &path).await;
                        let refused: &[u16] = match method {
                            _ if who == "a viewer" => &[403, 404, 405], // may write nothing anywhere
                            _ if method == route.method => &[404],
                            _ => &[404, 405],
                        };
                        assert!(refused.contains(&page.status), "{who}: {} from {method} {path}: {}", page.status, page.text());
                        no_secrets(&page, who);
                        // And it looks exactly like a record that there never was.
                        let nothing = knock(&visitor, method, &unknown.path(route)).await;
                        assert_eq!(page.status, nothing.status, "{who}: {method} {path}");
                        assert_eq!(bare(&page), bare(&nothing), "{who}: {method} {path}");
                        tried += 1;
                    }
                }
            }
        }
        assert!(tried > 100, "the table has routes of records");
        assert_eq!(scene.events().await, before, "nothing was written");
        audit(&scene.home.server.app).await;
    }

    async fn a_stranger_finds_nothing_of_the_household(engine: Engine) {
        let scene = Scene::set(engine).await;
        let before = scene.events().await;
        for route in routes::table().iter().filter(|route| is_of_a_record(route)) {
            let path = scene.shared.path(route);
            let page = knock(&scene.home.cleo, route.method, &path).await;
            assert_eq!(page.status, 404, "{} {path}: {}", route.method, page.text());
            assert!(!page.body.contains("Lawnmower") && !page.body.contains("the blade dry"), "{path}");
        }
        // The household's event and file under a record of the stranger's own: still not found.
        let own = scene.home.create(&scene.home.cleo, "Own", &[]).await;
        let own = Things {
            record: own.rsplit('/').next().unwrap().to_owned(),
            event: scene.shared.event.clone(),
            attachment: scene.shared.attachment.clone(),
        };
        let lent = ["{event}", "{note}", "{attachment}"];
        for route in routes::table().iter().filter(|r| lent.iter().any(|part| r.path.contains(part))) {
            let page = knock(&scene.home.cleo, route.method, &own.path(route)).await;
            assert!(matches!(page.status, 404 | 422), "{} {}: {}", route.method, route.path, page.text());
            assert!(!page.body.contains("Blade sharpened") && !page.body.contains("the blade dry"), "{}", route.path);
            assert!(!page.body.contains("Manual of the mower"), "{}", route.path);
        }
        assert_eq!(scene.events().await, before + 1, "only the stranger's own record was written");
        audit(&scene.home.server.app).await;
    }

    async fn a_viewer_reads_and_changes_nothing(engine: Engine) {
        let scene = Scene::set(engine).await;
        let before = scene.events().await;
        let mila = &scene.home.mila;
        for route in routes::table().iter().filter(|r| is_of_a_record(r) || ["/records/new", "/notes"].contains(&r.path)) {
            let path = scene.shared.path(route);
            let page = knock(mila, route.method, &path).await;
            if route.method == "POST" {
                assert!(matches!(page.status, 403 | 404), "POST {path}: {} {}", page.status, page.text());
            } else {
                assert!(matches!(page.status, 200 | 403 | 404), "GET {path}: {}", page.status);
                let forms = page.forms();
                let writes = forms.iter().find(|f| f.method == "post" && f.action.starts_with("/records"));
                assert!(writes.is_none(), "{path} offers a viewer {:?}", writes.map(|f| &f.action));
            }
        }
        mila.open(&format!("/records/{}", scene.shared.record)).await.expect_words("Blade sharpened");
        assert_eq!(scene.events().await, before, "nothing was written");
    }

    async fn nobody_gets_further_than_the_door(engine: Engine) {
        let scene = Scene::set(engine).await;
        let before = scene.events().await;
        for route in routes::table() {
            let path = scene.shared.path(&route);
            for method in METHODS {
                let nobody = scene.home.server.visitor();
                let page = knock(&nobody, method, &path).await;
                assert!(page.status < 500, "{method} {path}: {}", page.status);
                no_secrets(&page, "nobody");
                assert!(!page.body.contains("Lawnmower"), "{method} {path}");
                if method != route.method {
                    continue;
                }
                match route.access {
                    Access::Member => {
                        let part = knock(&nobody.htmx(), method, &path).await;
                        if page.status == 403 {
                            // A form takes its words along to the sign-in page.
                            for page in [page, part] {
                                assert_eq!(page.status, 403, "{method} {path}");
                                assert!(page.form_to("/sign-in").has("parked"), "{method} {path}: {}", page.text());
                            }
                            continue;
                        }
                        let to = page.expect_redirect();
                        assert!(to.starts_with("/sign-in"), "{method} {path} leads to {to}");
                        assert!(part.status == 401 || part.status == 303, "{method} {path} as htmx: {}", part.status);
                    }
                    Access::Setup => {
                        // The door that is closed after set-up offers no form.
                        assert!(page.status != 200 || page.forms().iter().all(|f| f.action != "/setup"), "{path}");
                    }
                    Access::Public => {}
                }
            }
        }
        assert_eq!(scene.events().await, before, "nothing was written");
    }

    async fn lists_counts_and_suggestions_leak_nothing(engine: Engine) {
        let scene = Scene::set(engine).await;
        let secret_filters = [
            format!("/records?category={}", SECRETS[1]),
            format!("/records?tag={}", SECRETS[2]),
            "/records?deleted=yes".to_owned(),
        ];
        for (who, visitor) in [("Ben", &scene.home.ben), ("Mila", &scene.home.mila), ("Cleo", &scene.home.cleo)] {
            for route in routes::table().iter().filter(|r| r.method == "GET" && !is_of_a_record(r)) {
                let page = visitor.get(&scene.private.path(route)).await;
                no_secrets(&page, who);
            }
            let page = visitor.open("/records").await;
            let rows = page.all("#results li").len();
            assert_eq!(rows, usize::from(who != "Cleo"), "{who} counts {}", page.text());
            for path in &secret_filters {
                let page = visitor.open(path).await;
                assert!(!page.body.contains(SECRETS[0]), "{who} sees {path}");
                assert!(page.all("#results li h3, #results li h2").is_empty(), "{who} {path}: {}", page.text());
            }
        }
        let ana = scene.home.ana.open("/records").await;
        assert_eq!(ana.all("#results li").len(), 2, "Ana sees both");
        // Deleting or sharing by its owner is what shows and hides it.
        let record = format!("/records/{}", scene.private.record);
        let form = scene.home.ana.open(&format!("{record}/share")).await.form_to(&format!("{record}/share"));
        scene.home.ana.submit(&form, &form.button_words()[0]).await;
        scene.home.ben.open(&record).await.expect_words(SECRETS[3]);
        assert_eq!(scene.home.cleo.get(&record).await.status, 404);
    }

    async fn who_writes_is_who_is_signed_in_whatever_the_form_says(engine: Engine) {
        let scene = Scene::set(engine).await;
        let ana = sql("select m.id, m.household_id from member m where m.name = 'Ana'");
        let ana = ana.one(&scene.home.server.app.db).await.unwrap();
        let (ana, home) = (ana.uuid("id").unwrap(), ana.uuid("household_id").unwrap());
        let names = [
            "member", "member_id", "actor", "actor_id", "owner", "owner_id", "account", "account_id", "user", "by",
        ];
        let mut pairs = body();
        pairs.extend(names.map(|name| (name.to_owned(), ana.to_string())));
        pairs.extend(["household", "household_id"].map(|name| (name.to_owned(), home.to_string())));
        let query: String = names.map(|name| format!("{name}={ana}")).join("&");
        let path = format!("/records/{}/notes?{query}", scene.shared.record);
        scene.home.ben.post(&path, &pairs).await.expect(303);
        scene.home.cleo.post(&format!("/records/new?household={home}&{query}"), &pairs).await.expect(303);
        let said = sql("select m.name, e.household_id from record_events e join member m on m.id = e.actor_id
              where e.kind in ('note_added', 'record_created') order by e.recorded_at desc, e.position desc limit 2");
        let said = said.all(&scene.home.server.app.db).await.unwrap();
        assert_eq!(said[0].text("name").unwrap(), "Cleo");
        assert_ne!(said[0].uuid("household_id").unwrap(), home);
        assert_eq!(said[1].text("name").unwrap(), "Ben");
        for route in routes::table().iter().filter(|r| r.method == "GET") {
            let path = scene.private.path(route);
            let page = scene.home.ben.get(&format!("{path}?{query}&household={home}")).await;
            no_secrets(&page, "Ben with Ana's id in the address");
        }
    }
}

/// The words of a page without what differs from one request to the next.
fn bare(page: &Page) -> String {
    page.text()
        .split_whitespace()
        .filter(|word| !word.chars().any(|c| c.is_ascii_digit()))
        .collect::<Vec<_>>()
        .join(" ")
}

#[track_caller]
fn no_secrets(page: &Page, who: &str) {
    for secret in SECRETS {
        assert!(!page.body.contains(secret), "{who} reads {secret} on {}: {}", page.path, page.text());
    }
}
