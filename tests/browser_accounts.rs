//! Real Chromium at the door: a form whose session ended comes back filled, with scripts on and off, and the pages of
//! signing in, second steps and resets pass the audit.

use lifeops::app::Clock;
use lifeops::commands::{accounts, resets};
use lifeops::domain::person::Email;
use lifeops::passwords::Password;

use crate::accounts::household;
use crate::browser::inspect;
use crate::second_factor::{code, secret_on};
use crate::support::{Browser, Engine, Home, PASSWORD, Page, Tab, email};

/// The session ends behind the browser's back.
async fn end_sessions(home: &Home) {
    let ana = accounts::find(&home.server.app, &Email::parse(&email("Ana")).unwrap()).await.unwrap();
    accounts::end_sessions(&home.server.app, ana.account).await.unwrap();
}

fn sign_in(tab: &mut Tab, name: &str) {
    tab.fill("email", &email(name));
    tab.fill("password", PASSWORD);
    tab.go("^Sign in$");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_comes_back_filled_after_signing_in() {
    for scripts in [true, false] {
        let home = Home::start(Engine::Sqlite).await;
        let record = home.create(&home.ana, "Boiler", &[]).await;
        let mut tab = Browser::shared().tab();
        if !scripts {
            tab.scripts_off();
        }
        tab.borrow_cookies(&home.ana);
        tab.open(&format!("{}{record}", home.ana.base()));
        let text = "Chimney swept & measured\n\n".repeat(2_000);
        tab.fill("text", &text);
        tab.fill("occurred", "27 3 2019");
        end_sessions(&home).await;
        if scripts {
            tab.click("^Add to the story$");
            tab.wait("document.title.startsWith('Sign in')");
        } else {
            tab.go("^Add to the story$");
        }
        tab.says("What you sent was not saved yet.");
        tab.wait("document.activeElement.className.includes('flash')");
        assert_eq!(tab.eval("document.querySelectorAll('main').length"), 1, "one page, wherever it was put");
        let mut problems = Vec::new();
        if scripts {
            inspect(&mut tab, "turned away and swapped in", &mut problems);
        }
        sign_in(&mut tab, "Ana");
        tab.says("Nothing is saved yet; here is what you typed.");
        tab.wait("document.activeElement.className.includes('flash')");
        assert_eq!(tab.eval("document.title"), "Boiler – LifeOps");
        assert_eq!(tab.eval("document.querySelector('main [name=text]').value"), text);
        if scripts {
            inspect(&mut tab, "filled in again", &mut problems);
            tab.click("^Add to the story$");
            tab.wait("document.querySelector('#history').innerText.includes('Chimney swept')");
        } else {
            tab.go("^Add to the story$");
        }
        tab.says("Chimney swept & measured");
        assert!(problems.is_empty(), "{}", problems.join("\n  "));
        home.ana.open("/sign-in").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_of_the_door_pass_the_audit() {
    let (server, ana) = household(Engine::Sqlite, Clock::System).await;
    let base = ana.base().to_owned();
    let mut problems = Vec::new();
    let mut tab = Browser::shared().tab();
    tab.borrow_cookies(&ana);
    tab.open(&format!("{base}/account/second-factor"));
    let secret = secret_on(&Page {
        body: tab.eval("document.documentElement.outerHTML").as_str().unwrap().to_owned(),
        ..ana.get("/help").await
    });
    tab.leave(|tab| tab.submit_main());
    inspect(&mut tab, "second step, refused", &mut problems);
    tab.picture("second-step-refused");
    tab.fill("code", &code(&secret, &Clock::System, 0));
    tab.fill("password", PASSWORD);
    tab.go("^Turn it on$");
    tab.says("These are your recovery codes.");
    inspect(&mut tab, "recovery codes", &mut problems);
    tab.picture("recovery-codes");
    tab.go("I have kept them");
    inspect(&mut tab, "security with a second step", &mut problems);
    for (name, path) in [("new codes", "/account/second-factor/codes"), ("turn off", "/account/second-factor/turn-off")]
    {
        tab.open(&format!("{base}{path}"));
        inspect(&mut tab, name, &mut problems);
        tab.leave(|tab| tab.submit_main());
        inspect(&mut tab, &format!("{name}, refused"), &mut problems);
    }
    // Signing in with it, and being told of a reset.
    let address = Email::parse(&email("Ana")).unwrap();
    accounts::reset_password(&server.app, &address, &Password::parse(PASSWORD).unwrap()).await.unwrap();
    tab.open(&format!("{base}/sign-in"));
    sign_in(&mut tab, "Ana");
    tab.says("Enter your code");
    tab.wait("document.activeElement.name === 'code'");
    inspect(&mut tab, "code", &mut problems);
    tab.picture("code");
    tab.leave(|tab| tab.submit_main());
    inspect(&mut tab, "code, refused", &mut problems);
    tab.fill("code", &code(&secret, &Clock::System, 1));
    tab.go("^Go on$");
    tab.says("Whoever runs this server reset your password");
    inspect(&mut tab, "told", &mut problems);
    tab.picture("told");
    tab.go("I have read this");
    assert_eq!(tab.path(), "/");
    // A link to a new password, good and bad.
    let mut nobody = Browser::shared().tab();
    nobody.open(&format!("{base}/reset/nonsense"));
    assert_eq!(nobody.path(), "/reset");
    nobody.says("This link does not work");
    inspect(&mut nobody, "a bad link", &mut problems);
    let token = resets::make_link(&server.app, &address).await.unwrap();
    nobody.open(&format!("{base}/reset/{token}"));
    assert_eq!(nobody.path(), "/reset");
    inspect(&mut nobody, "a good link", &mut problems);
    nobody.picture("reset");
    nobody.fill("new", "quite another long sentence");
    nobody.go("^Set password$");
    nobody.says("Your new password is set");
    inspect(&mut nobody, "a new password", &mut problems);
    tab.no_complaints();
    assert!(problems.is_empty(), "{} problems:\n  {}", problems.len(), problems.join("\n  "));
}
