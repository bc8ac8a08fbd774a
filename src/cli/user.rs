//! People: whoever runs the installation can add them, list them, give them a new password, and shut them out.

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use lifeops::app::{App, Clock};
use lifeops::commands::accounts::{self, NewHousehold, NewMember};
use lifeops::commands::{resets, second_factor};
use lifeops::config::Settings;
use lifeops::domain::access::Role;
use lifeops::domain::household::Standing;
use lifeops::domain::ids::HouseholdId;
use lifeops::domain::instant::Instant;
use lifeops::domain::person::{Email, Zone};
use lifeops::domain::text::{HouseholdName, MemberName, fold};
use lifeops::store::accounts::Membership;
use lifeops::store::ledger;

use super::{Failure, Outcome, ask, members, say, with_app};

/// What can be done with people.
#[derive(Subcommand)]
pub enum Command {
    /// Adds a member to a household. The password is asked for, or read from standard input
    Add(Add),
    /// Lists everybody
    List,
    /// Sets a new password and signs the person out everywhere
    ResetPassword {
        /// The address that the person signs in with
        email: String,
    },
    /// Prints a one-time address where the person sets a new password; it works for a day
    ResetLink {
        /// The address that the person signs in with
        email: String,
    },
    /// Removes a lost second step and signs the person out everywhere
    ResetSecondFactor {
        /// The address that the person signs in with
        email: String,
    },
    /// Keeps a person from signing in; their records and history stay
    Disable {
        /// The address that the person signs in with
        email: String,
    },
    /// Lets a disabled person sign in again
    Enable {
        /// The address that the person signs in with
        email: String,
    },
    #[command(flatten)]
    Member(members::Command),
}

/// Who is added, and where.
#[derive(Args)]
pub struct Add {
    /// The address to sign in with
    email: String,
    /// What the person is called in the household
    #[arg(long)]
    name: String,
    /// owner, editor or viewer
    #[arg(long, default_value = "editor")]
    role: String,
    /// The household, by name or id, if there are several
    #[arg(long, value_name = "NAME")]
    household: Option<String>,
    /// Makes a household of its own with this name; the person owns it
    #[arg(long, value_name = "NAME", conflicts_with_all = ["household", "role"])]
    new_household: Option<String>,
    /// The person's time zone, such as Europe/Lisbon; unset, this machine's
    #[arg(long)]
    zone: Option<String>,
}

/// Does it.
pub async fn run(command: Command, settings: Settings) -> Outcome {
    match command {
        Command::Add(add) => {
            let app = App::open(settings, Clock::System).await?;
            let added = self::add(&app, add).await;
            app.db.close().await;
            added
        }
        Command::Member(command) => members::run(command, settings).await,
        Command::List => with_app(settings, list).await,
        Command::ResetPassword { email } => {
            let email = Email::parse(&email)?;
            with_app(settings, async |app| {
                accounts::find(app, &email).await?;
                accounts::reset_password(app, &email, &ask::new_password()?).await?;
                say(&format!("{email} has a new password and is signed out everywhere."))
            })
            .await
        }
        Command::ResetLink { email } => {
            let email = Email::parse(&email)?;
            with_app(settings, async |app| {
                let token = resets::make_link(app, &email).await?;
                let origin = app.origin();
                say(&format!(
                    "Whoever opens this address within a day may set a new password for {email}, once:\n\n    \
                     {origin}/reset/{token}\n{}",
                    about_origin(app)
                ))
            })
            .await
        }
        Command::ResetSecondFactor { email } => {
            let email = Email::parse(&email)?;
            with_app(settings, async |app| {
                second_factor::reset(app, &email).await?;
                say(&format!("{email} has no second step any more and is signed out everywhere."))
            })
            .await
        }
        Command::Disable { email } => {
            let email = Email::parse(&email)?;
            with_app(settings, async |app| {
                accounts::disable(app, &email).await?;
                say(&format!("{email} cannot sign in any more, and is signed out everywhere."))
            })
            .await
        }
        Command::Enable { email } => {
            let email = Email::parse(&email)?;
            with_app(settings, async |app| {
                accounts::enable(app, &email).await?;
                say(&format!("{email} can sign in again."))
            })
            .await
        }
    }
}

async fn add(app: &App, add: Add) -> Outcome {
    let email = Email::parse(&add.email)?;
    let name = MemberName::parse(&add.name)?;
    let zone = add.zone.as_deref().map_or_else(|| Ok(Zone::of_machine()), Zone::parse)?;
    if let Some(household) = &add.new_household {
        let household = HouseholdName::parse(household)?;
        let password = ask::new_password()?;
        accounts::add_household(
            app,
            NewHousehold { household: household.clone(), name, email: email.clone(), password, zone },
        )
        .await?;
        return say(&format!("{email} owns the household \u{201c}{household}\u{201d}."));
    }
    let role: Role = add.role.parse()?;
    let (household, household_name) = find_household(app, add.household.as_deref()).await?;
    let password = ask::new_password()?;
    accounts::add_member(app, household, NewMember { name, email: email.clone(), password, role, zone }).await?;
    say(&format!("{email} is now {} of \u{201c}{household_name}\u{201d}.", a_role(role)))
}

/// What is said after a link that begins with the address that is listened on, for want of a better one.
pub(super) fn about_origin(app: &App) -> &'static str {
    if app.settings.base_url.is_some() {
        return "";
    }
    "\nThis LifeOps does not know the address that people type for it, so the link begins with the address that it listens \
     on. If that does not reach it from elsewhere, replace the beginning, or set LIFEOPS_BASE_URL.\n"
}

pub(super) fn a_role(role: Role) -> &'static str {
    match role {
        Role::Owner => "an owner",
        Role::Editor => "an editor",
        Role::Viewer => "a viewer",
    }
}

pub(super) async fn find_household(app: &App, wanted: Option<&str>) -> Result<(HouseholdId, String), Failure> {
    let all = ledger::households(&app.db).await?;
    let names = || all.iter().map(|h| format!("  {}  {}", h.id, h.name)).collect::<Vec<_>>().join("\n");
    let fits = |wanted: &str, h: &ledger::Head| h.id.to_string() == wanted || fold(&h.name) == fold(wanted);
    let found: Vec<_> = all.iter().filter(|h| wanted.is_none_or(|wanted| fits(wanted, h))).collect();
    match found.as_slice() {
        [one] => Ok((one.id, one.name.clone())),
        [] if all.is_empty() => Err(Failure::Told(
            "There is no household yet. Start lifeops and open the address that it prints, or make one with \
             `lifeops user add EMAIL --name NAME --new-household NAME`."
                .to_owned(),
        )),
        [] => Err(Failure::Told(format!("No household is called so. There are:\n{}", names()))),
        _ => Err(Failure::Told(format!("There are several households. Choose one with --household:\n{}", names()))),
    }
}

async fn list(app: &App) -> Outcome {
    let members = accounts::list(app).await?;
    let rows: Vec<[String; 5]> = members
        .into_iter()
        .map(|m| {
            let standing = standing(&m, app.clock.now());
            [m.email, m.name, m.role.to_string(), m.household_name, standing]
        })
        .collect();
    if rows.is_empty() {
        return say("Nobody lives here yet.");
    }
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..5).map(width).collect();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        say(cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// How somebody stands, if not as any member.
fn standing(member: &Membership, now: Instant) -> String {
    let day = |at: Instant| at.local(&TimeZone::UTC).date();
    match Standing::of(member.disabled, member.removed_from, now) {
        Standing::Here => String::new(),
        Standing::Disabled => match member.removed_from {
            Some(until) => format!("disabled, leaving on {}", day(until)),
            None => "disabled".to_owned(),
        },
        Standing::Leaving(until) => format!("leaving on {}", day(until)),
        Standing::Removed(since) => format!("removed since {}", day(since)),
    }
}
