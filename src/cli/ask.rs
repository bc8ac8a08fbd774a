//! Passwords: typed twice at a terminal, or the first line of standard input. Never an argument, which every user of
//! the machine could read.

use std::io::{BufRead as _, IsTerminal as _};

use lifeops::passwords::Password;

use super::Failure;

/// A new password.
pub fn new_password() -> Result<Password, Failure> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        let typed = rpassword::prompt_password("New password: ")?;
        let password = Password::parse(&typed)?;
        return match rpassword::prompt_password("The same again: ")? == typed {
            true => Ok(password),
            false => Err(Failure::Told("The two passwords are not the same. Nothing was changed.".to_owned())),
        };
    }
    let mut line = String::new();
    stdin.lock().read_line(&mut line)?;
    let typed = line.strip_suffix('\n').unwrap_or(&line);
    Ok(Password::parse(typed.strip_suffix('\r').unwrap_or(typed))?)
}
