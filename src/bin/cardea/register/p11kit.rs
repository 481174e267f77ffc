//! p11-kit: a file for each module, of the user or of the system (`pkcs11.conf(5)`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::State;
use super::module::is_module;
use super::replace::replace;

/// First line of a file of ours.
const MARK: &str = "# Written by `cardea register`; `cardea unregister` takes it away.";
/// Where packages and administrators register modules for everybody.
const SYSTEM: [&str; 3] = ["/etc/pkcs11/modules", "/usr/share/p11-kit/modules", "/usr/local/share/p11-kit/modules"];

/// Where p11-kit knows the module from, and what it knows: the user's own file, then whatever names the module in the
/// user's folder and those of the system. Where nothing does, the user's own file is the place for it.
pub(super) fn place(home: &Path) -> (PathBuf, State) {
    let file = user_file(home);
    if let Ok(text) = fs::read_to_string(&file) {
        let module = module(&text).unwrap_or_default();
        return (file, if text.starts_with(MARK) { State::Ours(module) } else { State::Foreign(module) });
    }
    let folders = file.parent().into_iter().map(Path::to_owned).chain(SYSTEM.map(PathBuf::from));
    let files = folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let mut modules = files.filter_map(|entry| Some((entry.path(), module(&fs::read_to_string(entry.path()).ok()?)?)));
    match modules.find(|(_, module)| module.to_str().is_some_and(is_module)) {
        Some((file, module)) => (file, State::Foreign(module)),
        None => (file, State::Absent),
    }
}

fn user_file(home: &Path) -> PathBuf {
    let configured = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    configured.unwrap_or_else(|| home.join(".config")).join("pkcs11/modules/cardea.module")
}

/// Writes the user's file.
pub(super) fn write(file: &Path, module: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    replace(file, &format!("{MARK}\nmodule: {}\n", module.display()))
}

/// Takes the user's file away.
pub(super) fn remove(file: &Path) -> io::Result<()> {
    fs::remove_file(file)
}

fn module(text: &str) -> Option<PathBuf> {
    text.lines().find_map(|line| line.trim().strip_prefix("module:")).map(|path| PathBuf::from(path.trim()))
}
