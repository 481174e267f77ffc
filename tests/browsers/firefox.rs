//! Firefox without a screen, with a profile that loads the module and trusts the page.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use cardea_page::{NssDatabase, Page};
use serde_json::{Value, json};

use super::dialogs::{self, Answers, Dialog};
use super::marionette::Marionette;
use super::{registration, screenshots};
use crate::clients::program::installed;
use crate::clients::station::Station;

/// Debian's Firefox.
const FIREFOX: &str = "firefox-esr";
/// How long it may take to start.
const START: Duration = Duration::from_secs(90);

/// How long a page may take, PIN and all.
const LOADING: Duration = Duration::from_secs(30);
/// Runs in the browser; the file says how.
const LOAD: &str = include_str!("load.js");
/// The text of the window that is open as long as somebody is to type on the reader; empty until it has loaded.
const PIN_PAD: &str = r#"
    const windows = [...Services.wm.getEnumerator(null)];
    const asks = windows.find(({ location }) => location.href === "chrome://pippki/content/protectedAuth.xhtml");
    arguments[0](asks?.document.getElementById("tokenName")?.textContent ?? "");
"#;

/// Nothing but what a test asks for reaches the network, and nothing but the page asks for the card.
const PREFERENCES: &str = r#"
user_pref("marionette.port", 0);
user_pref("app.normandy.enabled", false);
user_pref("app.update.disabledForTesting", true);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.newtabpage.enabled", false);
user_pref("browser.safebrowsing.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.startup.page", 0);
user_pref("browser.topsites.contile.enabled", false);
user_pref("browser.region.update.enabled", false);
user_pref("browser.search.update", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("extensions.systemAddon.update.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("media.gmp-manager.updateEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.dns.disablePrefetch", true);
user_pref("network.http.speculative-parallel-limit", 0);
user_pref("network.prefetch-next", false);
user_pref("network.proxy.type", 0);
user_pref("network.trr.mode", 5);
user_pref("security.OCSP.enabled", 0);
user_pref("services.settings.server", "data:,#remote-settings-dummy/v1");
user_pref("toolkit.telemetry.enabled", false);
"#;

/// How Firefox finds the certificate to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The first that suits.
    Automatic,
    /// It asks, each time.
    Ask,
}

/// A profile where Firefox keeps them, in the home directory that is the bench's.
pub struct Profile {
    directory: PathBuf,
}

impl Profile {
    /// A fresh profile that has the module and trusts `pages`.
    pub fn new(station: &Station, pages: &[&Page], choice: Choice) -> Self {
        let directory = station.directory().join(".mozilla/firefox/bench.default");
        let database = NssDatabase::create(&directory).unwrap();
        for (number, page) in pages.iter().enumerate() {
            let file = station.file(&format!("page-{number}.pem"), page.authority());
            database.trust(&format!("page {number}"), &file).unwrap();
        }
        registration::register(station, "Firefox");
        let choice = match choice {
            Choice::Automatic => "Select Automatically",
            Choice::Ask => "Ask Every Time",
        };
        // 0: the answer is good for one connection
        let choice = format!(
            "user_pref(\"security.default_personal_cert\", \"{choice}\");\n\
             user_pref(\"security.client_auth_certificate_default_remember_setting\", 0);\n"
        );
        fs::write(directory.join("user.js"), [PREFERENCES, &choice].concat()).unwrap();
        Self { directory }
    }
}

/// A running Firefox; it ends with this value.
pub struct Firefox {
    process: Child,
    marionette: Marionette,
    pictures: PathBuf,
}

impl Firefox {
    /// Whether there is a Firefox to test with.
    pub fn installed() -> bool {
        installed(FIREFOX, "firefox-esr") && installed("certutil", "libnss3-tools")
    }

    /// Starts Firefox with this profile; screenshots go to a directory named after `case`.
    pub fn start(station: &Station, profile: &Profile, case: &str) -> Self {
        let port = profile.directory.join("MarionetteActivePort");
        let _ = fs::remove_file(&port);
        let mut command = station.command(FIREFOX);
        command
            .args(["--headless", "--marionette", "-remote-allow-system-access", "--no-remote", "--profile"])
            .arg(&profile.directory)
            .arg("about:blank")
            .env("TMPDIR", station.directory())
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(station.directory().join("firefox.log")).unwrap());
        let mut process = command.spawn().unwrap();
        let deadline = Instant::now() + START;
        let marionette = loop {
            let number = fs::read_to_string(&port).ok().and_then(|port| port.trim().parse().ok());
            if let Some(marionette) = number.and_then(Marionette::connect) {
                break marionette;
            }
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "{FIREFOX} does not start: {ended:?}");
            std::thread::sleep(Duration::from_millis(20));
        };
        Self { process, marionette, pictures: screenshots::directory(case) }
    }

    /// What the next dialogs are answered.
    pub fn answer(&mut self, answers: &Answers<'_>) {
        dialogs::answer(&mut self.marionette, answers, &self.pictures);
    }

    /// The dialogs since [`Self::answer`].
    pub fn dialogs(&mut self) -> Vec<Dialog> {
        dialogs::seen(&mut self.marionette)
    }

    /// Goes to the page in the current tab; where the browser shows none, the address of its error page.
    pub fn visit(&mut self, url: &str) -> Result<(), String> {
        self.visit_together(&[url]).remove(0)
    }

    /// Goes to all of these pages at once, each in a tab of its own.
    pub fn visit_together(&mut self, urls: &[&str]) -> Vec<Result<(), String>> {
        self.set_out(urls);
        self.arrive(urls)
    }

    /// Begins to load these pages, as [`Self::visit_together`] does.
    pub fn set_out(&mut self, urls: &[&str]) {
        self.marionette.chrome(LOAD, json!([urls]));
    }

    /// Waits for Firefox's word that the PIN is to be typed on the reader.
    pub fn await_pin_pad(&mut self) -> String {
        let deadline = Instant::now() + LOADING;
        loop {
            let text = self.marionette.chrome(PIN_PAD, json!([]));
            if let Some(text) = text.as_str().filter(|text| !text.is_empty()) {
                return text.to_owned();
            }
            assert!(Instant::now() < deadline, "Firefox does not send its user to the reader");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the pages of [`Self::set_out`].
    pub fn arrive(&mut self, urls: &[&str]) -> Vec<Result<(), String>> {
        let deadline = Instant::now() + LOADING;
        let ends = loop {
            let ends = self.marionette.chrome("arguments[0](window.cardea.tabs)", json!([]));
            // A dialog that opens meanwhile costs the script its answer.
            if ends.as_array().is_some_and(|ends| ends.iter().all(Value::is_string)) {
                break ends;
            }
            if Instant::now() > deadline {
                panic!("{urls:?} are still at {ends}, after {:?}", self.dialogs());
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let ended = |end: &Value| end.as_str().unwrap().to_owned();
        let ends = ends.as_array().unwrap().iter().map(ended);
        ends.zip(urls).map(|(end, url)| if end == *url { Ok(()) } else { Err(end) }).collect()
    }

    /// The text of the element `id`, if the page in the current tab has one.
    pub fn text(&mut self, id: &str) -> Option<String> {
        let script = "const element = document.getElementById(arguments[0]); return element && element.textContent";
        let run = self.marionette.must("WebDriver:ExecuteScript", json!({ "script": script, "args": [id] }));
        run["value"].as_str().map(str::to_owned)
    }

    /// The title of the page in the current tab.
    pub fn title(&mut self) -> String {
        self.marionette.must("WebDriver:GetTitle", json!({}))["value"].as_str().unwrap().to_owned()
    }

    /// Keeps a picture of the page in the current tab.
    pub fn picture(&mut self, name: &str) {
        let picture = self.marionette.must("WebDriver:TakeScreenshot", json!({ "full": false }));
        screenshots::save_base64(&self.pictures.join(name), picture["value"].as_str().unwrap());
    }

    /// Ends Firefox as its user does.
    pub fn quit(mut self) {
        self.marionette.must("Marionette:Quit", json!({ "flags": ["eAttemptQuit"] }));
        let deadline = Instant::now() + START;
        while self.process.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "{FIREFOX} does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Firefox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
