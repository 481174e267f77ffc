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

/// The user's own file.
pub(super) fn user_file(home: &Path) -> PathBuf {
    let configured = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    configured.unwrap_or_else(|| home.join(".config")).join("pkcs11/modules/cardea.module")
}

/// What p11-kit knows of the module: from the user's folder first, then from the system's.
pub(super) fn state(file: &Path) -> State {
    if let Ok(text) = fs::read_to_string(file) {
        let module = module(&text).unwrap_or_default();
        return if text.starts_with(MARK) { State::Ours(module) } else { State::Foreign(module) };
    }
    let folders = file.parent().into_iter().map(Path::to_owned).chain(SYSTEM.map(PathBuf::from));
    let files = folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let modules = files.filter_map(|entry| module(&fs::read_to_string(entry.path()).ok()?));
    match modules.into_iter().find(|module| module.to_str().is_some_and(is_module)) {
        Some(module) => State::Foreign(module),
        None => State::Absent,
    }
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
