//! Where programs of this user keep their NSS databases.

use std::fs;
use std::path::{Path, PathBuf};

/// Programs that the module is registered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Program {
    /// Every profile of Firefox
    Firefox,
    /// Every profile of Thunderbird
    Thunderbird,
    /// Chromium and its kin, which share one database
    Chromium,
    /// GnuTLS, glib and all else on p11-kit
    #[value(name = "p11-kit")]
    P11Kit,
}

impl Program {
    /// What people call it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Firefox => "Firefox",
            Self::Thunderbird => "Thunderbird",
            Self::Chromium => "Chromium",
            Self::P11Kit => "p11-kit",
        }
    }
}

/// An NSS database.
pub(super) struct Database {
    pub(super) program: Program,
    /// Its `pkcs11.txt`, which may be missing.
    pub(super) file: PathBuf,
    pub(super) sandboxed: bool,
}

/// Folders with a profile of Mozilla's programs in each subfolder, and whether a sandbox keeps them.
const MOZILLA: &[(Program, &str, bool)] = &[
    (Program::Firefox, ".mozilla/firefox", false),
    (Program::Firefox, ".config/mozilla/firefox", false),
    (Program::Firefox, "snap/firefox/common/.mozilla/firefox", true),
    (Program::Firefox, ".var/app/org.mozilla.firefox/.mozilla/firefox", true),
    (Program::Firefox, ".var/app/org.mozilla.firefox/config/mozilla/firefox", true),
    (Program::Thunderbird, ".thunderbird", false),
    (Program::Thunderbird, "snap/thunderbird/common/.thunderbird", true),
    (Program::Thunderbird, ".var/app/org.mozilla.Thunderbird/.thunderbird", true),
    (Program::Thunderbird, ".var/app/org.mozilla.thunderbird/.thunderbird", true),
];

/// The database that Chromium and its kin share, and those of its sandboxed builds.
const CHROMIUM: &[(&str, bool)] = &[
    (".pki/nssdb", false),
    ("snap/chromium/current/.pki/nssdb", true),
    (".var/app/org.chromium.Chromium/.pki/nssdb", true),
    (".var/app/com.google.Chrome/.pki/nssdb", true),
];

/// Where Chromium and its kin keep their settings: who has one of these has started such a program.
const CHROMIUM_SETTINGS: [&str; 5] =
    [".config/chromium", ".config/google-chrome", ".config/BraveSoftware", ".config/microsoft-edge", ".config/vivaldi"];

/// Every database of this user that a program has made, and the one of Chromium where that was started and has none.
pub(super) fn databases(home: &Path) -> Vec<Database> {
    let mut found = Vec::new();
    for (program, folder, sandboxed) in MOZILLA {
        for profile in profiles(&home.join(folder)) {
            found.push(Database { program: *program, file: profile.join("pkcs11.txt"), sandboxed: *sandboxed });
        }
    }
    for (folder, sandboxed) in CHROMIUM {
        let folder = home.join(folder);
        let wanted = !sandboxed && CHROMIUM_SETTINGS.iter().any(|settings| home.join(settings).is_dir());
        if wanted || is_database(&folder) {
            let file = folder.join("pkcs11.txt");
            found.push(Database { program: Program::Chromium, file, sandboxed: *sandboxed });
        }
    }
    found
}

/// Profiles in `folder`, and those that its `profiles.ini` names elsewhere.
fn profiles(folder: &Path) -> Vec<PathBuf> {
    let inside = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let index = fs::read_to_string(folder.join("profiles.ini")).unwrap_or_default();
    let named = index.lines().filter_map(|line| line.trim().strip_prefix("Path=")).map(|path| folder.join(path));
    let mut profiles: Vec<PathBuf> = inside.chain(named).filter(|path| is_database(path)).collect();
    profiles.sort();
    profiles.dedup();
    profiles
}

/// NSS has been here: a folder without these files is no profile, or one that was never started.
fn is_database(folder: &Path) -> bool {
    folder.join("cert9.db").is_file() || folder.join("pkcs11.txt").is_file()
}
