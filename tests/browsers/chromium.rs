//! Logging in with Chromium, on a screen of its own that nobody sees.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cardea_page::{NssDatabase, Page, Trust, Version};

use super::{registration, screenshots};
use crate::clients::program::installed;
use crate::clients::station::{Card, Station};

/// How long Chromium may take from its start to the page.
const PATIENCE: Duration = Duration::from_secs(90);
/// Where Debian's Chromium looks for policies.
const POLICIES: &str = "/etc/chromium";
/// The title of the dialog that asks for the PIN.
const PIN_DIALOG: &str = "Unlock Security Device";

/// A screen; it ends with this value.
struct Screen {
    process: Child,
    display: String,
}

impl Screen {
    fn start() -> Self {
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"]);
        let mut process =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("Xvfb");
        let mut number = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut number).unwrap();
        Self { process, display: format!(":{}", number.trim()) }
    }

    /// Runs `xdotool` and returns what it says.
    fn xdotool(&self, arguments: &[&str]) -> String {
        let run = Command::new("xdotool").args(arguments).env("DISPLAY", &self.display).output().unwrap();
        String::from_utf8_lossy(&run.stdout).trim().to_owned()
    }

    fn picture(&self, path: &Path) {
        let _ = Command::new("import").args(["-window", "root"]).arg(path).env("DISPLAY", &self.display).status();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A running Chromium and what belongs to it; it ends with this value.
struct Chromium(Child);

impl Chromium {
    /// Starts Chromium at `url`, with a policy that chooses the certificate.
    fn start(station: &Station, screen: &Screen, url: &str) -> Self {
        let policies = station.directory().join("chromium/policies/managed");
        fs::create_dir_all(&policies).unwrap();
        let policy = r#"{"AutoSelectCertificateForUrls": ["{\"pattern\":\"https://localhost\",\"filter\":{}}"]}"#;
        fs::write(policies.join("cardea.json"), policy).unwrap();
        let script = format!("mount --bind chromium {POLICIES} && exec chromium \"$@\"");
        let mut command = station.command("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh"]);
        command.args(["--no-sandbox", "--no-first-run", "--disable-gpu", "--password-store=basic"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.arg(format!("--user-data-dir={}", station.directory().join("profile").display())).arg(url);
        command.env("DISPLAY", &screen.display).env("TMPDIR", station.directory());
        command.env_remove("DBUS_SESSION_BUS_ADDRESS").env_remove("WAYLAND_DISPLAY");
        let log = fs::File::create(station.directory().join("chromium.log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // a group of its own, because Chromium is many processes
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Self(command.spawn().unwrap())
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.0.wait();
    }
}

fn is_installed() -> bool {
    let namespaces = Command::new("unshare").args(["--mount", "true"]).output().is_ok_and(|run| run.status.success());
    if !namespaces {
        eprintln!("skipped: unshare --mount is not allowed here, and Chromium's policies are the system's");
    }
    namespaces
        && installed("chromium", "chromium")
        && installed("Xvfb", "xvfb")
        && installed("xdotool", "xdotool")
        && installed("import", "imagemagick")
        && installed("certutil", "libnss3-tools")
}

#[test]
fn chromium_logs_in_after_asking_for_the_pin() {
    if !is_installed() {
        return;
    }
    for (card, version, seen) in
        [(Card::Standard, Version::Tls13, "TLSv1_3"), (Card::Elliptic, Version::Tls12, "TLSv1_2")]
    {
        let station = Station::new(card);
        let page = Page::start(Trust::Authority(station.provisioned.ca_pem.clone()), version);
        let database = NssDatabase::create(station.directory().join(".pki/nssdb")).unwrap();
        database.trust("page", &station.file("page.pem", page.authority())).unwrap();
        registration::register(&station, "Chromium");
        let pictures = screenshots::directory(&format!("chromium-{}", card.name()));
        let screen = Screen::start();
        let chromium = Chromium::start(&station, &screen, &page.url());
        let deadline = Instant::now() + PATIENCE;
        let mut asked = 0;
        while !page.visits().iter().any(|visit| visit.subject.is_some()) {
            if Instant::now() > deadline {
                screen.picture(&pictures.join("stuck.png"));
                let names = screen.xdotool(&["search", "--onlyvisible", "--name", ".", "getwindowname", "%@"]);
                panic!("nobody is logged in; windows:\n{names}\nvisits: {:?}", page.visits());
            }
            let dialog = screen.xdotool(&["search", "--onlyvisible", "--name", PIN_DIALOG]);
            if let Some(dialog) = dialog.lines().next().filter(|_| asked == 0) {
                screen.picture(&pictures.join("pin.png"));
                screen.xdotool(&["windowfocus", "--sync", dialog]);
                screen.xdotool(&["type", &station.provisioned.pin]);
                screen.xdotool(&["key", "Return"]);
                asked += 1;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        assert_eq!(asked, 1);
        let visit = page.visits().into_iter().find(|visit| visit.subject.is_some()).unwrap();
        assert!(visit.subject.unwrap().starts_with("SERIALNUMBER=9A,CN="), "{card:?}");
        assert_eq!(visit.version, seen);
        std::thread::sleep(Duration::from_millis(500));
        screen.picture(&pictures.join("page.png"));
        drop(chromium);
    }
}
