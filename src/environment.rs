//! Environment variables, as far as whoever set them may be believed.
//!
//! A program that runs with more rights than the user who started it (set-user-ID, set-group-ID, as a login
//! program may) loads this module too. The starter's variables then name no files and change no policy.

use std::ffi::OsString;
use std::path::PathBuf;

/// The value of a variable; `None` for a program with more rights than its user.
pub fn variable(name: &str) -> Option<OsString> {
    if is_elevated() { None } else { std::env::var_os(name) }
}

/// The same as text; `None` for what is not UTF-8.
pub fn text(name: &str) -> Option<String> {
    variable(name)?.into_string().ok()
}

/// A folder of this user: what `variable` names, else `fallback` below the home directory. Relative paths mean
/// nothing (XDG Base Directory Specification).
pub fn folder(name: &str, fallback: &str) -> Option<PathBuf> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    variable(name).and_then(absolute).or_else(|| variable("HOME").and_then(absolute).map(|home| home.join(fallback)))
}

/// Whether the kernel gave the process other ids than its user has. An unreadable status counts as "no": there is
/// no `/proc` in many containers, and none of them starts set-user-ID programs for strangers.
fn is_elevated() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| has_other_ids(&status))
}

/// `proc(5)`: "Uid" and "Gid" list the real, effective, saved and file system ids.
fn has_other_ids(status: &str) -> bool {
    let differs = |line: &str| {
        let mut ids = line.split_whitespace().skip(1);
        let real = ids.next();
        ids.any(|id| Some(id) != real)
    };
    status.lines().filter(|line| line.starts_with("Uid:") || line.starts_with("Gid:")).any(differs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_its_users_ids_is_not_elevated() {
        assert!(!has_other_ids("Name:\tssh\nUid:\t1000\t1000\t1000\t1000\nGid:\t100\t100\t100\t100\n"));
        assert!(!has_other_ids(""));
    }

    #[test]
    fn a_set_user_id_or_set_group_id_program_is_elevated() {
        assert!(has_other_ids("Uid:\t1000\t0\t0\t0\nGid:\t100\t100\t100\t100\n"));
        assert!(has_other_ids("Uid:\t1000\t1000\t1000\t1000\nGid:\t100\t5\t5\t5\n"));
    }

    #[test]
    fn a_relative_folder_is_not_believed() {
        assert_eq!(folder("CARGO_PKG_NAME", "x"), variable("HOME").map(|home| PathBuf::from(home).join("x")));
    }
}
