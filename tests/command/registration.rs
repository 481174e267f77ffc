//! `cardea register` and `unregister` in a home of the test's own, judged by NSS and p11-kit.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::desk::CARDEA;
use crate::clients::program::{Run, installed, run};

/// Files of every program that is registered with, relative to the home directory.
const DATABASES: [&str; 7] = [
    ".mozilla/firefox/abc.default",
    "snap/firefox/common/.mozilla/firefox/abc.default",
    ".var/app/org.mozilla.firefox/.mozilla/firefox/abc.default",
    ".thunderbird/abc.default",
    "snap/thunderbird/common/.thunderbird/abc.default",
    ".pki/nssdb",
    "elsewhere/profile",
];

/// A home directory, removed with this value.
struct Home(PathBuf);

impl Home {
    /// With an NSS database of each program.
    fn new(name: &str) -> Self {
        let home = std::env::temp_dir().join(format!("cardea-home-{name}-{}", std::process::id()));
        for folder in DATABASES {
            let folder = home.join(folder);
            fs::create_dir_all(&folder).unwrap();
            let database = format!("sql:{}", folder.display());
            run(Command::new("certutil").args(["-N", "--empty-password", "-d", &database]).take()).succeeded();
        }
        let index = home.join(".mozilla/firefox/profiles.ini");
        fs::write(index, format!("[Profile0]\nIsRelative=0\nPath={}\n", home.join("elsewhere/profile").display()))
            .unwrap();
        fs::create_dir_all(home.join(".mozilla/firefox/Crash Reports")).unwrap();
        Self(home)
    }

    fn cardea(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(CARDEA);
        command.args(arguments).env("HOME", &self.0).env_remove("XDG_CONFIG_HOME");
        run(command)
    }

    fn register(&self, more: &[&str]) -> Run {
        let module = crate::module::path().to_str().unwrap();
        self.cardea(&[&["register", "--module", module], more].concat()).succeeded()
    }

    fn modutil(&self, folder: &str, arguments: &[&str]) -> Run {
        let database = format!("sql:{}", self.0.join(folder).display());
        let mut command = Command::new("modutil");
        command.args(["-force", "-dbdir", &database]).args(arguments).env("HOME", &self.0);
        // A pcscd of this machine is none of the test's.
        run(command.env("PCSCLITE_CSOCK_NAME", self.0.join("none")).take()).succeeded()
    }

    /// Every file with its content, but for the databases themselves.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let all = walkdir::WalkDir::new(&self.0).into_iter().map(|entry| entry.unwrap().into_path());
        all.filter(|path| path.is_file() && path.extension().is_none_or(|extension| extension != "db"))
            .map(|path| (path.clone(), fs::read(&path).unwrap()))
            .collect()
    }

    /// A module by another name.
    fn other(&self) -> String {
        let path = self.0.join("other.so");
        fs::copy(crate::module::path(), &path).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn file(&self, path: &str) -> String {
        fs::read_to_string(self.0.join(path)).unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Taking a command that was just built by value.
trait Take {
    fn take(&mut self) -> Command;
}

impl Take for Command {
    fn take(&mut self) -> Command {
        std::mem::replace(self, Command::new("false"))
    }
}

/// Whether p11-kit has the module from the administrator, who goes before the user.
fn system_wide() -> bool {
    ["/etc/pkcs11/modules", "/usr/share/p11-kit/modules"].iter().any(|f| Path::new(f).join("cardea.module").exists())
}

fn ready() -> bool {
    installed("modutil", "libnss3-tools") && installed("certutil", "libnss3-tools")
}

#[test]
fn every_program_knows_the_module_afterwards_and_nothing_is_left_in_the_end() {
    if !ready() {
        return;
    }
    let home = Home::new("round-trip");
    let before = home.files();
    home.register(&["--dry-run"]).says("would be registered");
    assert_eq!(home.files(), before);

    home.register(&[]);
    for folder in DATABASES {
        home.modutil(folder, &["-list"]).says("Cardea%20smartcard%20module").says("status: loaded");
    }
    if !system_wide() {
        assert!(home.file(".config/pkcs11/modules/cardea.module").contains("libcardea_pkcs11.so"));
    }
    let registered = home.files();
    home.register(&[]).says("as it was").omits("registered /");
    assert_eq!(home.files(), registered, "twice is once");

    home.cardea(&["unregister", "--dry-run"]).succeeded().says("would be removed");
    assert_eq!(home.files(), registered);
    home.cardea(&["unregister"]).succeeded();
    assert_eq!(home.files(), before);
    for folder in DATABASES {
        home.modutil(folder, &["-list"]).omits("Cardea");
    }
}

#[test]
fn what_others_wrote_stays_as_it_is() {
    if !ready() {
        return;
    }
    let home = Home::new("foreign");
    let module = crate::module::path().to_str().unwrap();
    home.modutil(".pki/nssdb", &["-add", "Mine", "-libfile", module]);
    home.modutil(".thunderbird/abc.default", &["-add", "Other", "-libfile", &home.other()]);
    let (chromium, thunderbird) =
        (home.file(".pki/nssdb/pkcs11.txt"), home.file(".thunderbird/abc.default/pkcs11.txt"));
    home.register(&[]);
    assert_eq!(home.file(".pki/nssdb/pkcs11.txt"), chromium, "it knows the module already");
    assert!(home.file(".thunderbird/abc.default/pkcs11.txt").starts_with(&thunderbird));
    home.cardea(&["unregister"]).succeeded();
    assert_eq!(home.file(".pki/nssdb/pkcs11.txt"), chromium);
    assert_eq!(home.file(".thunderbird/abc.default/pkcs11.txt"), thunderbird);
}

#[test]
fn where_p11_kit_has_the_module_from_somebody_else_that_file_is_named() {
    let home = Home(std::env::temp_dir().join(format!("cardea-home-other-file-{}", std::process::id())));
    let file = home.0.join(".config/pkcs11/modules/other.module");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let module = crate::module::path().to_str().unwrap();
    fs::write(&file, format!("module: {module}\n")).unwrap();
    let register = ["register", "--only", "p11-kit", "--module", module];
    home.cardea(&register).succeeded().says(&format!("as it was {}", file.display()));
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn an_entry_survives_what_nss_writes_beside_it_and_is_taken_away_all_the_same() {
    if !ready() {
        return;
    }
    let home = Home::new("rewritten");
    let before = home.file(".pki/nssdb/pkcs11.txt");
    home.register(&["--only", "chromium"]);
    home.modutil(".pki/nssdb", &["-add", "Other", "-libfile", &home.other()]);
    home.modutil(".pki/nssdb", &["-delete", "Other"]);
    home.cardea(&["unregister"]).succeeded().says("removed");
    assert_eq!(home.file(".pki/nssdb/pkcs11.txt"), before);
}

#[test]
fn a_module_that_has_moved_is_registered_where_it_is() {
    if !ready() {
        return;
    }
    let home = Home::new("moved");
    let before = home.file(".pki/nssdb/pkcs11.txt");
    let elsewhere = home.0.join("libcardea_pkcs11.so");
    fs::write(&elsewhere, "").unwrap();
    home.cardea(&["register", "--only", "chromium", "--module", elsewhere.to_str().unwrap()]).succeeded();
    home.register(&["--only", "chromium"]).says("updated");
    assert_eq!(home.file(".pki/nssdb/pkcs11.txt").matches("libcardea_pkcs11.so").count(), 1);
    home.modutil(".pki/nssdb", &["-list"]).says("status: loaded");
    home.cardea(&["unregister"]).succeeded();
    assert_eq!(home.file(".pki/nssdb/pkcs11.txt"), before);
}

#[test]
fn a_database_keeps_its_permissions_and_its_symbolic_link() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    if !ready() {
        return;
    }
    let home = Home::new("link");
    let (file, real) = (home.0.join(".pki/nssdb/pkcs11.txt"), home.0.join("real.txt"));
    fs::rename(&file, &real).unwrap();
    symlink(&real, &file).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    home.register(&["--only", "chromium"]);
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::read_to_string(&real).unwrap().contains("libcardea_pkcs11.so"));
}

#[test]
fn a_program_that_has_no_database_yet_is_told_of() {
    let home = Home(std::env::temp_dir().join(format!("cardea-home-fresh-{}", std::process::id())));
    fs::create_dir_all(home.0.join(".config/chromium")).unwrap();
    let run = home.cardea(&["--json", "register", "--module", CARDEA, "--only", "chromium"]).succeeded();
    let answer: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(answer["steps"][0]["action"], "skipped", "{answer}");
    assert!(!home.0.join(".pki").exists());
}

#[test]
fn p11_kit_finds_a_module_that_the_user_registered() {
    if system_wide() || !installed("p11-kit", "p11-kit") || !installed("setpriv", "util-linux") {
        return;
    }
    let home = Home(std::env::temp_dir().join(format!("cardea-home-p11-kit-{}", std::process::id())));
    fs::create_dir_all(&home.0).unwrap();
    // The module as somebody else than root can read it.
    let module = home.0.join("libcardea_pkcs11.so");
    fs::copy(crate::module::path(), &module).unwrap();
    let register = ["register", "--only", "p11-kit", "--module", module.to_str().unwrap()];
    home.cardea(&register).succeeded();
    // p11-kit leaves the user's own entries aside for root.
    let root = run(Command::new("id").arg("-u").take()).stdout == b"0\n";
    let mut list = if root { Command::new("setpriv") } else { Command::new("p11-kit") };
    if root {
        list.args(["--reuid", "65534", "--clear-groups", "p11-kit"]);
    }
    list.arg("list-modules").env("HOME", &home.0).env_remove("XDG_CONFIG_HOME");
    run(list.env("PCSCLITE_CSOCK_NAME", home.0.join("none")).take()).succeeded().says("Cardea smartcard module");
    home.cardea(&["unregister"]).succeeded();
    assert!(!home.0.join(".config/pkcs11/modules/cardea.module").exists());
}
