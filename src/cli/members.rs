//! Members of households: whoever runs the installation can give them another role or name, remove them, bring them
//! back, and invite somebody.

use clap::{Args, Subcommand};
use lifeops::app::App;
use lifeops::commands::accounts;
use lifeops::commands::household;
use lifeops::commands::invitations::{self, DAYS, USUAL_DAYS};
use lifeops::config::Settings;
use lifeops::domain::access::Role;
use lifeops::domain::membership::Wish;
use lifeops::domain::person::Email;
use lifeops::domain::text::MemberName;
use lifeops::store::accounts::Membership;

use super::user::{a_role, about_origin, find_household};
use super::{Failure, Outcome, say, with_app};

/// What can be done with a member's place in a household.
#[derive(Subcommand)]
pub enum Command {
    /// Gives a member another role: owner, editor or viewer
    Role {
        /// The address that the person signs in with
        email: String,
        /// owner, editor or viewer
        role: String,
    },
    /// Calls a member something else; what they did before keeps the old name beside the new one
    Rename {
        /// The address that the person signs in with
        email: String,
        /// The new name
        name: String,
    },
    /// Removes a member after the grace period; their private records stay sealed
    Remove {
        /// The address that the person signs in with
        email: String,
    },
    /// Takes a removal back, also after it holds
    Reinstate {
        /// The address that the person signs in with
        email: String,
    },
    /// Makes an invitation and prints its link, which works once
    Invite(Invite),
}

/// Who is invited, and where.
#[derive(Args)]
pub struct Invite {
    /// owner, editor or viewer
    #[arg(long, default_value = "editor")]
    role: String,
    /// For how many days the link works: 1, 7 or 30
    #[arg(long, default_value_t = USUAL_DAYS)]
    days: i64,
    /// The household, by name or id, if there are several
    #[arg(long, value_name = "NAME")]
    household: Option<String>,
}

/// Does it.
pub async fn run(command: Command, settings: Settings) -> Outcome {
    with_app(settings, async |app| match command {
        Command::Role { email, role } => {
            let role: Role = role.parse()?;
            let member = find(app, &email).await?;
            let wish = Wish::ChangeRole { member: member.member, role };
            household::change_for_operator(app, member.household, wish).await?;
            say(&format!("{} is now {} of \u{201c}{}\u{201d}.", member.email, a_role(role), member.household_name))
        }
        Command::Rename { email, name } => {
            let name = MemberName::parse(&name)?;
            let member = find(app, &email).await?;
            let wish = Wish::RenameMember { member: member.member, name: name.clone() };
            household::change_for_operator(app, member.household, wish).await?;
            say(&format!("{} is called {name} from now on.", member.email))
        }
        Command::Remove { email } => {
            let member = find(app, &email).await?;
            household::change_for_operator(app, member.household, Wish::Remove { member: member.member }).await?;
            let until = find(app, &email).await?.removed_from;
            let until = until.map(|until| format!("{:.0}", until.timestamp())).unwrap_or_default();
            say(&format!(
                "{} is removed from \u{201c}{}\u{201d}, {}.",
                member.email,
                member.household_name,
                if member.disabled {
                    format!("leaves on {until}, and cannot sign in until then either: they are disabled")
                } else {
                    format!("reads until {until}, and cannot sign in afterwards")
                }
            ))
        }
        Command::Reinstate { email } => {
            let member = find(app, &email).await?;
            household::change_for_operator(app, member.household, Wish::Reinstate { member: member.member }).await?;
            say(&format!(
                "{} is a member of \u{201c}{}\u{201d} as before{}.",
                member.email,
                member.household_name,
                if member.disabled { ", but disabled: `lifeops user enable` lets them sign in" } else { "" }
            ))
        }
        Command::Invite(invite) => self::invite(app, invite).await,
    })
    .await
}

async fn invite(app: &App, invite: Invite) -> Outcome {
    let role: Role = invite.role.parse()?;
    if !DAYS.contains(&invite.days) {
        return Err(Failure::Told("A link works for 1, 7 or 30 days.".to_owned()));
    }
    let (household, name) = find_household(app, invite.household.as_deref()).await?;
    let path = invitations::invite_for_operator(app, household, role, invite.days).await?;
    say(&format!(
        "Whoever opens this link first joins \u{201c}{name}\u{201d} as {}. It works for {} day{}:\n\n    {}{path}\n{}",
        a_role(role),
        invite.days,
        if invite.days == 1 { "" } else { "s" },
        app.origin(),
        about_origin(app)
    ))
}

async fn find(app: &App, email: &str) -> Result<Membership, Failure> {
    Ok(accounts::find(app, &Email::parse(email)?).await?)
}
