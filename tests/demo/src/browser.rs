//! `make demo BROWSER=1`: a web page that asks for a certificate, and a Firefox that has the module and trusts the page.

use std::path::Path;
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

/// Opens the page in Firefox and tells who visits it, until Firefox is closed.
pub(crate) fn open() -> Result<()> {
    let module = module()?;
    let program = std::env::var("CARDEA_DEMO_BROWSER").ok().or_else(|| {
        let found = PROGRAMS.into_iter().find(|program| is_in_path(program));
        found.map(str::to_owned)
    });
    let program = program.ok_or("there is no Firefox (Debian package firefox-esr)")?;
    let page = Page::start(Trust::Anyone, Version::Any);
    let directory = tempfile::tempdir()?;
    let profile = directory.path().join("profile");
    let authority = directory.path().join("page.pem");
    std::fs::write(&authority, page.authority())?;
    let database = NssDatabase::create(&profile)?;
    database.trust("Cardea Page CA", &authority)?;
    database.register("Cardea", &module, &Command::new("modutil"))?;
    std::fs::write(profile.join("user.js"), PREFERENCES)?;

    println!("{program} opens {} in a profile of its own, in which Cardea is registered.", page.url());
    if let Ok(pin) = std::env::var("CARDEA_PIN") {
        println!("The PIN of the virtual card is {pin}.");
    }
    println!("Close the browser to end the demo.\n");
    let mut browser = Command::new(&program);
    browser.args(["--no-remote", "--profile"]).arg(&profile).arg(page.url()).stdin(Stdio::null());
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
                return Err(format!("{program} ended ({status}) without a visit to the page; has it a screen?").into());
            }
            Some(_) => return Ok(()),
            None => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn is_in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| Path::new(&directory).join(program).is_file())
}
