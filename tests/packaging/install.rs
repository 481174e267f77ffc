//! `make install`, `make uninstall`, and the Debian package where one has been made (`make deb`).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use walkdir::WalkDir;

use crate::clients::program::run;
use crate::command::desk::CARDEA;
use crate::module;

/// A folder that goes with this value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cardea-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// What `make` does with this folder as the root of a system.
    fn make(&self, target: &str, variables: &[&str]) {
        let mut make = Command::new("make");
        make.args(["--silent", "--directory", env!("CARGO_MANIFEST_DIR"), target]).args(variables);
        for variable in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PREFIX", "LIBDIR", "DESTDIR"] {
            make.env_remove(variable);
        }
        make.arg(format!("TARGET={}", self.0.join("target").display()));
        make.arg(format!("DESTDIR={}", self.root().display()));
        make.arg(format!("MODULE={}", module::path().display())).arg(format!("COMMAND={CARDEA}"));
        run(make).succeeded();
    }

    fn root(&self) -> PathBuf {
        self.0.join("root")
    }

    /// Every file in the root.
    fn files(&self) -> BTreeSet<String> {
        files(&self.root())
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn files(root: &Path) -> BTreeSet<String> {
    let entries = WalkDir::new(root).into_iter().map(Result::unwrap).filter(|entry| !entry.file_type().is_dir());
    entries.map(|entry| entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned()).collect()
}

/// What is installed below `prefix`, whatever the prefix: the documents, the profiles, the completions, the command.
fn shared(prefix: &str, folder: &Folder) -> BTreeSet<String> {
    let share = |name: &str| format!("{prefix}/share/{name}");
    let mut expected = BTreeSet::from([
        format!("{prefix}/bin/cardea"),
        share("bash-completion/completions/cardea"),
        share("zsh/site-functions/_cardea"),
        share("fish/vendor_completions.d/cardea.fish"),
        share("man/man5/cardea.toml.5"),
        "etc/cardea/cardea.toml".to_owned(),
    ]);
    let pages = files(&folder.0.join("target/documents/man1"));
    assert!(pages.contains("cardea.1") && pages.contains("cardea-doctor.1"), "{pages:?}");
    expected.extend(pages.iter().map(|page| share(&format!("man/man1/{page}"))));
    let profiles = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("reader-profiles"));
    assert!(profiles.len() > 30, "{profiles:?}");
    expected.extend(profiles.iter().map(|profile| share(&format!("cardea/reader-profiles/{profile}"))));
    let documents = ["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE-APACHE", "LICENSE-MIT"];
    expected.extend(documents.iter().map(|document| share(&format!("doc/cardea/{document}"))));
    expected
}

#[test]
fn an_administrators_installation_is_complete_and_is_taken_away_again() {
    let folder = Folder::new("install");
    folder.make("install", &[]);
    let mut expected = shared("usr/local", &folder);
    expected.extend(
        [
            "usr/local/lib/pkcs11/libcardea_pkcs11.so",
            "etc/pkcs11/modules/cardea.module",
            "etc/udev/rules.d/70-cardea.rules",
        ]
        .map(str::to_owned),
    );
    assert_eq!(folder.files(), expected);
    let entry = folder.text("etc/pkcs11/modules/cardea.module");
    assert!(entry.lines().any(|line| line == "module: /usr/local/lib/pkcs11/libcardea_pkcs11.so"), "{entry}");
    folder.make("uninstall", &[]);
    assert_eq!(folder.files(), BTreeSet::new());
    assert!(!folder.root().join("etc/cardea").exists() && !folder.root().join("usr/local/share/cardea").exists());
}

#[test]
fn a_packagers_installation_is_where_the_system_looks() {
    let folder = Folder::new("install-packager");
    let variables = ["PREFIX=/usr", "LIBDIR=/usr/lib/x86_64-linux-gnu"];
    folder.make("install", &variables);
    let mut expected = shared("usr", &folder);
    expected.extend(
        [
            "usr/lib/x86_64-linux-gnu/pkcs11/libcardea_pkcs11.so",
            "usr/share/p11-kit/modules/cardea.module",
            "usr/lib/udev/rules.d/70-cardea.rules",
        ]
        .map(str::to_owned),
    );
    assert_eq!(folder.files(), expected);
    let entry = folder.text("usr/share/p11-kit/modules/cardea.module");
    assert!(entry.contains("\nmodule: /usr/lib/x86_64-linux-gnu/pkcs11/libcardea_pkcs11.so\n"), "{entry}");
    folder.make("uninstall", &variables);
    assert_eq!(folder.files(), BTreeSet::new());
}

#[test]
fn a_configuration_that_was_edited_is_neither_overwritten_nor_taken_away() {
    let folder = Folder::new("install-edited");
    folder.make("install", &[]);
    fs::write(folder.root().join("etc/cardea/cardea.toml"), "keep_last_try = true\n").unwrap();
    folder.make("install", &[]);
    assert_eq!(folder.text("etc/cardea/cardea.toml"), "keep_last_try = true\n");
    folder.make("uninstall", &[]);
    assert_eq!(folder.files(), BTreeSet::from(["etc/cardea/cardea.toml".to_owned()]));
}

#[test]
fn the_debian_changelog_is_of_this_version() {
    let changelog =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/debian/changelog")).unwrap();
    let expected = format!("cardea ({}-1) ", env!("CARGO_PKG_VERSION"));
    assert!(changelog.starts_with(&expected), "{changelog}");
}

/// The package of this version in the target directory, unless it is older than the module.
fn package() -> Option<PathBuf> {
    let target = module::path().parent()?.parent()?;
    let entries = fs::read_dir(target.join("debian")).into_iter().flatten().flatten().map(|entry| entry.path());
    let prefix = format!("cardea_{}-", env!("CARGO_PKG_VERSION"));
    let mut packages =
        entries.filter(|path| path.file_name().unwrap().to_str().is_some_and(|name| name.starts_with(&prefix)));
    let age = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    packages.find(|path| age(path) > age(module::path()))
}

#[test]
fn the_debian_package_has_what_is_installed() {
    let Some(package) = package() else {
        eprintln!("skipped: `make deb` has not made a package of this module");
        return;
    };
    let folder = Folder::new("package");
    let library = format!("LIBDIR=/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    folder.make("install", &["PREFIX=/usr", &library, "ZSHDIR=/usr/share/zsh/vendor-completions"]);
    // As Debian wants it: manual pages and changelogs compressed, licences in one file.
    let mut expected: BTreeSet<String> = folder.files().into_iter().filter(|file| !file.contains("LICENSE")).collect();
    expected = expected.into_iter().map(|file| if file.contains("/man/") { file + ".gz" } else { file }).collect();
    assert!(expected.remove("usr/share/doc/cardea/CHANGELOG.md"));
    for own in ["changelog.gz", "changelog.Debian.gz", "copyright", "crates"] {
        expected.insert(format!("usr/share/doc/cardea/{own}"));
    }
    let mut list = Command::new("dpkg-deb");
    list.arg("--contents").arg(&package);
    let contents = run(list).succeeded().text;
    let paths = contents.lines().filter_map(|line| line.split_whitespace().nth(5)).filter(|path| !path.ends_with('/'));
    let paths: BTreeSet<String> = paths.map(|path| path.trim_start_matches("./").to_owned()).collect();
    assert_eq!(paths, expected);
}
