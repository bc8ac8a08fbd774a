//! A household to live in: Ana owns it, Ben may write, Mila may read, Cleo lives somewhere else.

use std::collections::BTreeMap;

use lifeops::app::Clock;
use lifeops::commands::accounts::{self, NewMember};
use lifeops::config::Settings;
use lifeops::domain::access::Role;
use lifeops::domain::person::{Email, Zone};
use lifeops::domain::text::MemberName;
use lifeops::passwords::Password;
use tokio::sync::OnceCell;

use super::{Engine, Page, Place, Server, Store, Visitor, words};

/// Everybody's password.
pub const PASSWORD: &str = "a long sentence that nobody guesses";

/// A household and its server. Everybody is signed in.
#[derive(Debug)]
pub struct Home {
    /// The program.
    pub server: Server,
    /// The owner, who set it up.
    pub ana: Visitor,
    /// An editor.
    pub ben: Visitor,
    /// A viewer.
    pub mila: Visitor,
    /// The owner of another household on the same installation.
    pub cleo: Visitor,
}

/// A household that stands ready to be copied, and the cookies of its people.
struct Model {
    place: Place,
    cookies: [BTreeMap<String, String>; 4],
}

impl Home {
    /// A household of one's own: a copy of one that was set up through the pages, once per engine.
    pub async fn start(engine: Engine) -> Self {
        Self::start_in(engine, Store::Directory, |_| ()).await
    }

    /// The same, with its files in a store of this kind and settings of its own.
    pub async fn start_in(engine: Engine, store: Store, set: impl FnOnce(&mut Settings)) -> Self {
        static SQLITE: OnceCell<Model> = OnceCell::const_new();
        static POSTGRES: OnceCell<Model> = OnceCell::const_new();
        let cell = match engine {
            Engine::Sqlite => &SQLITE,
            Engine::Postgres => &POSTGRES,
        };
        let model = cell
            .get_or_init(|| async {
                let home = Self::set_up(Place::empty(engine).await, Clock::System).await;
                let cookies = home.everybody().map(Visitor::cookies);
                Model { place: home.server.stop().await, cookies }
            })
            .await;
        let place = Place::copy_of(&model.place).await.with(store);
        let mut settings = super::settings(&place);
        set(&mut settings);
        let server = Server::start_with(place, settings, Clock::System).await;
        let home = Self::at(server);
        for (visitor, cookies) in home.everybody().iter().zip(&model.cookies) {
            cookies.iter().for_each(|(name, value)| visitor.set_cookie(name, value));
        }
        home
    }

    /// A household set up from nothing, under a clock of one's own.
    pub async fn set_up(place: Place, clock: Clock) -> Self {
        let home = Self::at(Server::start(place, clock).await);
        set_up(&home.server, &home.ana).await;
        for (visitor, name, role) in [(&home.ben, "Ben", Role::Editor), (&home.mila, "Mila", Role::Viewer)] {
            add_member(&home.server, name, role).await;
            sign_in(visitor, name).await;
        }
        register(&home.cleo).await;
        home
    }

    fn at(server: Server) -> Self {
        let [ana, ben, mila, cleo] = [(); 4].map(|()| server.visitor());
        Self { server, ana, ben, mila, cleo }
    }

    fn everybody(&self) -> [&Visitor; 4] {
        [&self.ana, &self.ben, &self.mila, &self.cleo]
    }

    /// Creates a record through its form and returns its path, `/records/{id}`.
    pub async fn create(&self, visitor: &Visitor, title: &str, fill: &[(&str, &str)]) -> String {
        let form = visitor.open("/records/new").await.form(words::NEW).fill("title", title);
        let form = fill.iter().fold(form, |form, (name, value)| form.fill(name, value));
        let answer = visitor.press(&form, words::NEW).await;
        let to = answer.expect_redirect();
        to.split('?').next().unwrap_or_default().to_owned()
    }

    /// Adds a note through its form and returns the page that follows.
    pub async fn note(&self, visitor: &Visitor, record: &str, text: &str) -> Page {
        let form = visitor.open(record).await.form(words::NOTE).fill("text", text);
        visitor.submit(&form, words::NOTE).await
    }
}

/// The address that somebody of the household signs in with.
pub fn email(name: &str) -> String {
    format!("{}@home.example", name.to_lowercase())
}

/// Sets the household up as a person does, with the address that start-up prints.
pub async fn set_up(server: &Server, visitor: &Visitor) {
    let path = accounts::set_up_path(&server.app).await.expect("an answer").expect("nobody has set it up");
    let form = visitor.open(&path).await.form("Set up");
    let form = form
        .fill("household", "The Lindens")
        .fill("name", "Ana")
        .fill("email", &email("Ana"))
        .fill("password", PASSWORD);
    visitor.submit(&form, "Set up").await;
}

/// Signs somebody in through the page.
pub async fn sign_in(visitor: &Visitor, name: &str) -> Page {
    let form = visitor.open("/sign-in").await.form("Sign in").fill("email", &email(name)).fill("password", PASSWORD);
    visitor.submit(&form, "Sign in").await
}

/// Makes a household of its own, as registration allows.
async fn register(visitor: &Visitor) {
    let form = visitor.open("/register").await.form("Register");
    let form = form
        .fill("household", "The Elms")
        .fill("name", "Cleo")
        .fill("email", &email("Cleo"))
        .fill("password", PASSWORD);
    visitor.submit(&form, "Register").await;
}

/// Adds a member as `lifeops user add` does.
async fn add_member(server: &Server, name: &str, role: Role) {
    let ana =
        accounts::find(&server.app, &Email::parse(&email("Ana")).expect("an address")).await.expect("Ana is there");
    let new = NewMember {
        name: MemberName::parse(name).expect("a name"),
        email: Email::parse(&email(name)).expect("an address"),
        password: Password::parse(PASSWORD).expect("a password"),
        role,
        // The zone that set-up gives the owner, so that "today" is one day for everybody, also late in the evening.
        zone: Zone::of_machine(),
    };
    accounts::add_member(&server.app, ana.household, new).await.expect("a member");
}
