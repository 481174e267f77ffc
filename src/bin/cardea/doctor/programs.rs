//! Programs that are at the cards at this moment, as far as `/proc` shows them to this user.

use std::fs;
use std::path::{Path, PathBuf};

/// A running program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    id: u32,
    pub(super) name: String,
}

impl std::fmt::Display for Program {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} (process {})", self.name, self.id)
    }
}

/// Names with commas between.
pub(super) fn list(programs: &[Program]) -> String {
    programs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Programs that have loaded the PC/SC library, but for this one.
pub(super) fn clients(processes: &Path) -> Vec<Program> {
    let has_library =
        |folder: &Path| fs::read_to_string(folder.join("maps")).is_ok_and(|maps| maps.contains("/libpcsclite.so"));
    all(processes, has_library).into_iter().filter(|program| program.id != std::process::id()).collect()
}

/// Programs that have `file` open.
pub(super) fn holders(processes: &Path, file: &Path) -> Vec<Program> {
    let has_open = |folder: &Path| {
        let open = fs::read_dir(folder.join("fd")).into_iter().flatten().flatten();
        open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|target| target == file)
    };
    all(processes, has_open)
}

/// Programs of this name.
pub(super) fn named(processes: &Path, name: &str) -> Vec<Program> {
    all(processes, |_| true).into_iter().filter(|program| program.name == name).collect()
}

fn all(processes: &Path, fits: impl Fn(&Path) -> bool) -> Vec<Program> {
    let folders = fs::read_dir(processes).into_iter().flatten().flatten().map(|entry| entry.path());
    let program = |folder: PathBuf| {
        let id = folder.file_name()?.to_str()?.parse().ok()?;
        let name = fs::read_to_string(folder.join("comm")).ok()?.trim().to_owned();
        fits(&folder).then_some(Program { id, name })
    };
    let mut programs: Vec<Program> = folders.filter_map(program).collect();
    programs.sort_by_key(|program| program.id);
    programs
}
