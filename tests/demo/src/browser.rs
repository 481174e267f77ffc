//! `make demo BROWSER=1`: a web page that asks for a certificate, and a Firefox that has the module and trusts the page.
//! With `BROWSER=yours` it is the user's own Firefox, which has the module from `cardea register`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use cardea_page::{NssDatabase, Page, Trust, Version};

use crate::{Result, module};

/// What Firefox is called, as Debian has it first.
const PROGRAMS: [&str; 2] = ["firefox-esr", "firefox"];

/// No questions but those about PIN and certificate.
const PREFERENCES: &str = r#"user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("security.default_personal_cert", "Ask Every Time");
user_pref("toolkit.telemetry.enabled", false);
"#;

/// Whose profile Firefox opens the page with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// One of the demo's, in which the module is registered and the page trusted; it ends with the demo.
    Fresh,
    /// The user's, to which nothing is done.
    Own,
}

/// Opens the page in Firefox and tells who visits it, until Firefox is closed.
pub(crate) fn open(profile: Profile) -> Result<()> {
    let program = std::env::var("CARDEA_DEMO_BROWSER").ok().or_else(|| {
        let found = PROGRAMS.into_iter().find(|program| is_in_path(program));
        found.map(str::to_owned)
    });
    let program = program.ok_or("there is no Firefox (Debian package firefox-esr)")?;
    let page = Page::start(Trust::Anyone, Version::Any);
    let directory = tempfile::tempdir()?;
    let mut browser = Command::new(&program);
    match profile {
        Profile::Fresh => {
            browser.args(["--no-remote", "--profile"]).arg(fresh(directory.path(), &page)?);
            println!("{program} opens {} in a profile of its own, in which Cardea is registered.", page.url());
        }
        Profile::Own => {
            println!("{program} opens {} in your own profile, as `cardea register` has left it.", page.url());
            println!("It does not know who vouches for the page: choose Advanced, and go on from there.");
        }
    }
    if let Ok(pin) = std::env::var("CARDEA_PIN") {
        println!("The PIN of the virtual card is {pin}.");
    }
    println!("Close the browser to end the demo.\n");
    browser.arg(page.url()).stdin(Stdio::null());
    let mut browser = browser.stderr(Stdio::null()).spawn().map_err(|error| format!("{program}: {error}"))?;
    let mut told = 0;
    loop {
        let ended = browser.try_wait()?;
        for visit in page.visits().iter().skip(told) {
            told += 1;
            match &visit.subject {
                Some(subject) => println!("logged in  {subject}  {} {}", visit.version, visit.suite),
                None => println!("nobody     {} {}", visit.version, visit.suite),
            }
        }
        match ended {
            Some(status) if told == 0 => {
                return Err(format!(
                    "{program} ended ({status}) without a visit to the page; has it a screen, and does no other run already?"
                )
                .into());
            }
            Some(_) => return Ok(()),
            None => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// A profile below `directory` that has the module and trusts the page.
fn fresh(directory: &Path, page: &Page) -> Result<PathBuf> {
    let profile = directory.join("profile");
    let authority = directory.join("page.pem");
    std::fs::write(&authority, page.authority())?;
    let database = NssDatabase::create(&profile)?;
    database.trust("Cardea Page CA", &authority)?;
    database.register("Cardea", &module()?, &Command::new("modutil"))?;
    std::fs::write(profile.join("user.js"), PREFERENCES)?;
    Ok(profile)
}

fn is_in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| Path::new(&directory).join(program).is_file())
}
