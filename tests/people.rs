//! Everybody × every route × every method, generated from the router's own table: whoever adds a route must say here who
//! may use it.

use lifeops::app::App;
use lifeops::commands::accounts::{self, NewMember};
use lifeops::commands::{household, invitations, records};
use lifeops::domain::access::{Actor, Role, Via};
use lifeops::domain::ids::SubmissionKey;
use lifeops::domain::instant::Instant;
use lifeops::domain::membership::Wish;
use lifeops::domain::person::{Email, Zone};
use lifeops::domain::text::MemberName;
use lifeops::error::Error;
use lifeops::passwords::Password;
use lifeops::store::db::sql;
use lifeops::web::guards::Access;
use lifeops::web::routes::{self, Route};
use reqwest::Method;
use uuid::Uuid;

use crate::household::{member, with_grace};
use crate::invitations::invite;
use crate::support::{FORM, Home, PASSWORD, Page, Visitor, audit, count_events, email, encode, sign_in};

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// What nobody outside may read.
const SECRET: &str = "Lawnmower";

/// Who may use a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Room {
    /// Anybody.
    Open,
    /// Every member who can sign in.
    Members,
    /// Owners and editors; of what is asked about a record, a viewer may see the question refused.
    Writers,
    /// Owners.
    Owners,
    /// Who is leaving.
    Leavers,
}

fn room(route: &Route) -> Room {
    if route.access != Access::Member {
        return Room::Open;
    }
    match (route.method, route.path) {
        (_, path) if path.starts_with("/household/leaving") => Room::Leavers,
        ("GET", "/household") => Room::Members,
        (_, path) if path.starts_with("/household/") => Room::Owners,
        (_, "/records/new" | "/notes") => Room::Writers,
        ("GET", "/" | "/timeline" | "/search" | "/records" | "/records/{record}") => Room::Members,
        ("GET", "/tags" | "/categories") => Room::Members,
        (_, path) if path.starts_with("/tags/") || path.starts_with("/categories/") => Room::Writers,
        // Everybody's own.
        (_, path) if path.starts_with("/views") => Room::Members,
        ("GET", path) if path.starts_with("/records/{record}/history") => Room::Members,
        ("GET", "/records/{record}/attachments" | "/records/{record}/attachments.zip") => Room::Members,
        ("GET", "/records/{record}/attachments/{attachment}") => Room::Members,
        ("GET", "/attachments/{attachment}/{file_name}" | "/thumbnails/{attachment}") => Room::Members,
        (_, path) if path.starts_with("/records/{record}/") => Room::Writers,
        (_, "/sign-out" | "/seen") => Room::Members,
        (_, path) if path.starts_with("/account") => Room::Members,
        other => panic!("teach this test who may use {other:?}"),
    }
}

/// Who knocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Who {
    Nobody,
    Removed,
    Disabled,
    Stranger,
    Leaving,
    Viewer,
    Editor,
    Owner,
}

/// The rows of a session that is about to be ended, to bring it back for the next knock.
struct Kept {
    cookies: Vec<(String, String)>,
    id: String,
    ids: [Uuid; 3],
    data: Vec<u8>,
}

impl Kept {
    async fn of(app: &App, visitor: &Visitor, name: &str) -> Self {
        let member = member(app, name).await;
        let row = sql("select s.id, s.household_id, s.member_id, s.account_id, t.data
              from member_session as s join tower_sessions as t on t.id = s.id where s.member_id = $1")
        .bind(member.member)
        .one(&app.db)
        .await
        .unwrap();
        Self {
            cookies: visitor.cookies().into_iter().collect(),
            id: row.text("id").unwrap(),
            ids: ["household_id", "member_id", "account_id"].map(|column| row.uuid(column).unwrap()),
            data: row.bytes("data").unwrap(),
        }
    }

    /// As if the session had not been ended by the knock before.
    async fn revive(&self, app: &App, visitor: &Visitor) {
        let now = app.clock.now();
        sql("insert into member_session (id, household_id, member_id, account_id, created_at, last_seen, device, address)
             values ($1, $2, $3, $4, $5, $5, '', '') on conflict (id) do nothing")
        .bind(&self.id)
        .bind(self.ids[0])
        .bind(self.ids[1])
        .bind(self.ids[2])
        .bind(now)
        .run(&app.db)
        .await
        .unwrap();
        sql("insert into tower_sessions (id, data, expiry_date) values ($1, $2, $3) on conflict (id) do nothing")
            .bind(&self.id)
            .bind(self.data.as_slice())
            .bind(Instant::from_micros(now.micros() + 1_000_000_000))
            .run(&app.db)
            .await
            .unwrap();
        self.cookies.iter().for_each(|(name, value)| visitor.set_cookie(name, value));
    }
}

struct Scene {
    home: Home,
    leo: Visitor,
    gone: [(Who, Visitor, Kept); 2],
    /// What paths name.
    record: String,
    event: String,
    member: String,
    invitation: String,
    attachment: String,
}

impl Scene {
    async fn set(engine: crate::support::Engine) -> Self {
        let home = Home::start(engine).await;
        let app = &home.server.app;
        let ana = member(app, "Ana").await;
        let mut visitors = Vec::new();
        for name in ["Leo", "Dora", "Rolf", "Vera"] {
            let new = NewMember {
                name: MemberName::parse(name).unwrap(),
                email: Email::parse(&email(name)).unwrap(),
                password: Password::parse(PASSWORD).unwrap(),
                role: Role::Owner,
                zone: Zone::of_machine(),
            };
            accounts::add_member(app, ana.household, new).await.unwrap();
            let visitor = home.server.visitor();
            if name != "Vera" {
                sign_in(&visitor, name).await;
            }
            visitors.push(visitor);
        }
        let [leo, dora, rolf, _]: [Visitor; 4] = visitors.try_into().unwrap();
        let record = home.create(&home.ana, SECRET, &[("visibility", "household")]).await;
        home.note(&home.ana, &record, "Blade sharpened").await;
        let form = home.ana.open(&format!("{record}/attachments")).await.form("Add files");
        home.ana.submit(&form.choose("files", "blade.png", crate::files::picture(40, 30)), "Add files").await;
        invite(&home.ana, "viewer").await;
        let kept = [Kept::of(app, &rolf, "Rolf").await, Kept::of(app, &dora, "Dora").await];
        let of = |name| member(app, name);
        let at_once = with_grace(app, 0);
        let remove = |member| Wish::Remove { member };
        household::change_for_operator(app, ana.household, remove(of("Leo").await.member)).await.unwrap();
        household::change_for_operator(&at_once, ana.household, remove(of("Rolf").await.member)).await.unwrap();
        let disable = Wish::Disable { member: of("Dora").await.member };
        household::change_for_operator(app, ana.household, disable).await.unwrap();
        let record = record.rsplit('/').next().unwrap().to_owned();
        let note = sql("select event_id from record_events where kind = 'note_added'").one(&app.db).await.unwrap();
        let invitation = sql("select id from invitation").one(&app.db).await.unwrap();
        let attachment = sql("select id from attachment").one(&app.db).await.unwrap();
        let [of_rolf, of_dora] = kept;
        Self {
            event: note.uuid("event_id").unwrap().to_string(),
            invitation: invitation.uuid("id").unwrap().to_string(),
            attachment: attachment.uuid("id").unwrap().to_string(),
            member: of("Vera").await.member.to_string(),
            record,
            leo,
            gone: [(Who::Removed, rolf, of_rolf), (Who::Disabled, dora, of_dora)],
            home,
        }
    }

    fn path(&self, route: &Route) -> String {
        let part = |part: &str| match part {
            "{record}" => self.record.clone(),
            "{event}" => self.event.clone(),
            "{member}" => self.member.clone(),
            "{invitation}" => self.invitation.clone(),
            "{attachment}" => self.attachment.clone(),
            "{file_name}" => "blade.png".to_owned(),
            "{file}" | "{token}" => "nothing".to_owned(),
            other if other.starts_with('{') => panic!("{}: teach this test what {other} is", route.path),
            other => other.to_owned(),
        };
        let path = route.path.split('/').map(part).collect::<Vec<_>>().join("/");
        if path.ends_with("/history/field") { format!("{path}?key=title") } else { path }
    }

    /// Every route by every method; `before` runs in front of each knock.
    async fn walk(&self, who: Who, visitor: &Visitor, before: Option<&Kept>) {
        let table = routes::table();
        for route in &table {
            // Whoever may go on leaves the door open for the next knock.
            if route.path == "/sign-out" && before.is_none() && who != Who::Nobody {
                continue;
            }
            let path = self.path(route);
            for method in METHODS {
                let as_asked = if method == "HEAD" { "GET" } else { method };
                let other = table.iter().any(|r| r.path == route.path && r.method == as_asked && r != route);
                if other {
                    continue;
                }
                if let Some(kept) = before {
                    kept.revive(&self.home.server.app, visitor).await;
                }
                let page = knock(visitor, method, &path).await;
                let what = format!("{who:?}: {method} {path}: {} {}", page.status, page.header("location"));
                assert!(page.status < 500, "{what}");
                if [Who::Nobody, Who::Removed, Who::Disabled, Who::Stranger].contains(&who) {
                    assert!(!page.body.contains(SECRET), "{what}");
                }
                if method == route.method || (method == "HEAD" && route.method == "GET") {
                    expect(who, route, &page, &what);
                } else {
                    assert!([303, 404, 405].contains(&page.status), "{what}");
                }
            }
        }
    }
}

/// What the answer must be.
#[track_caller]
fn expect(who: Who, route: &Route, page: &Page, what: &str) {
    let room = room(route);
    let of_theirs =
        ["{record}", "{member}", "{invitation}", "{attachment}"].iter().any(|part| route.path.contains(part));
    let to = page.header("location");
    match (who, room) {
        (_, Room::Open) => {}
        // A form takes its words along to the sign-in page.
        (Who::Nobody, _) if page.status == 403 => {
            assert!(route.method == "POST" && page.form_to("/sign-in").has("parked"), "{what}");
        }
        (Who::Nobody, _) => assert!(page.status == 303 && to.starts_with("/sign-in"), "{what}"),
        (Who::Removed | Who::Disabled, _) => assert!(page.status == 303 && to == "/signed-out", "{what}"),
        (Who::Stranger, _) if of_theirs => assert_eq!(page.status, 404, "{what}"),
        (Who::Stranger, _) => {}
        (Who::Leaving, Room::Leavers) => assert_eq!(page.status, 200, "{what}"),
        (_, Room::Leavers) => assert_eq!(page.status, 404, "{what}"),
        (Who::Leaving | Who::Viewer | Who::Editor, Room::Owners) => assert_eq!(page.status, 403, "{what}"),
        (Who::Leaving | Who::Viewer, Room::Writers) if route.method == "POST" => {
            assert!([403, 404].contains(&page.status), "{what}");
        }
        (Who::Owner, Room::Owners) => assert!([200, 303, 409, 422].contains(&page.status), "{what}"),
        (Who::Leaving | Who::Viewer, Room::Writers) => assert!([200, 403, 404].contains(&page.status), "{what}"),
        (Who::Editor | Who::Owner, Room::Writers) => {}
        (_, Room::Members) => assert!([200, 303, 422, 429].contains(&page.status), "{what}"),
    }
}

async fn knock(visitor: &Visitor, method: &str, path: &str) -> Page {
    let method: Method = method.parse().unwrap();
    let sends = method == Method::POST || method == Method::PUT || method == Method::PATCH;
    let key = Uuid::now_v7().to_string();
    // A body that every form would take, so that a refusal is about who asks and not about what is said.
    let pairs = [
        ("submission", key.as_str()),
        ("version", "2"),
        ("title", "Taken over"),
        ("meaning", "changed"),
        ("visibility", "household"),
        ("occurred", "2020"),
        ("text", "I was here"),
        ("role", "viewer"),
        ("days", "7"),
    ];
    let body = encode(&pairs.map(|(n, v)| (n.to_owned(), v.to_owned()))).into_bytes();
    visitor.ask(method, path, sends.then_some(FORM), if sends { body } else { Vec::new() }).await
}

both_engines! {
    async fn everybody_on_every_route_by_every_method(engine: Engine) {
        let scene = Scene::set(engine).await;
        let home = &scene.home;
        let before = count_events(&home.server.app.db).await;
        scene.walk(Who::Nobody, &home.server.visitor(), None).await;
        for (who, visitor, kept) in &scene.gone {
            scene.walk(*who, visitor, Some(kept)).await;
        }
        for (who, visitor) in [(Who::Leaving, &scene.leo), (Who::Viewer, &home.mila)] {
            scene.walk(who, visitor, None).await;
        }
        assert_eq!(count_events(&home.server.app.db).await, before, "nothing was written");
        for (who, visitor) in [(Who::Stranger, &home.cleo), (Who::Editor, &home.ben)] {
            scene.walk(who, visitor, None).await;
        }
        let theirs = sql("select count(*) as n from record_events where household_id = record_id and position > $1");
        let theirs = theirs.bind(before).one(&home.server.app.db).await.unwrap().int("n").unwrap();
        assert_eq!(theirs, 0, "neither a stranger nor an editor changed the household");
        scene.walk(Who::Owner, &home.ana, None).await;
        audit(&home.server.app).await;
    }

    /// A request that began while its member was an owner ends with what the member is when it writes.
    async fn todays_standing_decides_inside_the_transaction(engine: Engine) {
        let home = Home::start(engine).await;
        let app = &home.server.app;
        let record = home.create(&home.ana, SECRET, &[]).await;
        let record = record.rsplit('/').next().unwrap().parse().unwrap();
        let (ana, ben) = (member(app, "Ana").await, member(app, "Ben").await);
        let stale = Actor {
            household: ben.household,
            member: ben.member,
            role: Role::Owner,
            zone: ben.zone.clone(),
            via: Via::Page,
            via_ref: None,
        };
        let before = count_events(&app.db).await;
        let tries = async || {
            let key = SubmissionKey::new;
            let outs = [
                household::change(app, &stale, key(), Wish::Remove { member: ana.member }).await.map(drop),
                invitations::invite(app, &stale, key(), Role::Owner, 7).await,
                records::delete(app, &stale, key(), record, None).await.map(drop),
            ];
            outs.map(|out| matches!(out, Err(Error::Forbidden(_))))
        };
        assert_eq!(tries().await[..2], [true, true], "an editor looks after nobody");
        let wishes = [
            Wish::ChangeRole { member: ben.member, role: Role::Owner },
            Wish::Remove { member: ben.member },
        ];
        for wish in wishes {
            household::change_for_operator(app, ben.household, wish).await.unwrap();
        }
        assert_eq!(tries().await, [true; 3], "nor does an owner who is leaving, who writes nothing either");
        let keep = Wish::Reinstate { member: ben.member };
        household::change_for_operator(app, ben.household, keep).await.unwrap();
        household::change_for_operator(app, ben.household, Wish::Disable { member: ben.member }).await.unwrap();
        assert_eq!(tries().await, [true; 3], "nor one who is disabled");
        // The editor's deletion, and the four wishes.
        assert_eq!(count_events(&app.db).await, before + 5);
    }
}
