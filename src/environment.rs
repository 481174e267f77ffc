//! Environment variables, as far as whoever set them may be believed.
//!
//! A program that runs with more rights than the user who started it (set-user-ID, set-group-ID, capabilities of its
//! file, as a login program may) loads this module too. The starter's variables then name no files and change no policy.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
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

/// Whether the process has rights that the user who started it has not. No `/proc` counts as "no": there is none in
/// many containers, and none of them starts set-user-ID programs for strangers. A `/proc` that cannot be read, as when
/// no file can be opened any more, counts as "yes".
fn is_elevated() -> bool {
    match fs::read_to_string("/proc/self/status") {
        Ok(status) => Ids::of(&status).is_elevated(fs::read("/proc/self/auxv").ok().as_deref()),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// What `proc_pid_status(5)` says of a process.
#[derive(Default)]
struct Ids<'s> {
    /// The real, effective, saved and file system ids of the user.
    user: Vec<&'s str>,
    /// The same of the group.
    group: Vec<&'s str>,
    /// Whether any capability is permitted.
    capable: bool,
}

impl<'s> Ids<'s> {
    fn of(status: &'s str) -> Self {
        let mut ids = Self::default();
        for line in status.lines() {
            match line.split_once(':') {
                Some(("Uid", list)) => ids.user = list.split_whitespace().collect(),
                Some(("Gid", list)) => ids.group = list.split_whitespace().collect(),
                Some(("CapPrm", set)) => ids.capable = set.trim().bytes().any(|digit| digit != b'0'),
                _ => {}
            }
        }
        ids
    }

    /// With what the kernel told the program when it started it, where it may be read: not by a process that keeps its
    /// memory from others of its user, as agents do and whoever got a group or a capability.
    ///
    /// A program that has made its effective ids the real ones looks like any other; the kernel remembers. One that
    /// has gone back to the ids and rights of whoever started it is believed again.
    fn is_elevated(&self, auxiliary: Option<&[u8]>) -> bool {
        let differs = |ids: &[&str]| ids.iter().any(|id| Some(id) != ids.first());
        let is_root = self.user.first() == Some(&"0");
        let started = match auxiliary {
            None => self.capable && !is_root,
            Some(vector) if entry(vector, AT_SECURE).is_none_or(|secure| secure == 0) => false,
            Some(vector) => {
                let is = |ids: &[&str], kind| {
                    entry(vector, kind).map(|id| id.to_string()).as_deref() == ids.first().copied()
                };
                let same = is(&self.user, AT_UID) && is(&self.group, AT_GID);
                !same || self.capable && !is_root
            }
        };
        differs(&self.user) || differs(&self.group) || started
    }
}

/// The real user id of whoever started the program (`getauxval(3)`).
const AT_UID: usize = 11;
/// The same of the group.
const AT_GID: usize = 13;
/// Not 0 where the program was given rights that its starter has not.
const AT_SECURE: usize = 23;

/// An entry of the auxiliary vector: pairs of machine words.
fn entry(vector: &[u8], wanted: usize) -> Option<usize> {
    let (words, _) = vector.as_chunks::<{ size_of::<usize>() }>();
    let (pairs, _) = words.as_chunks::<2>();
    pairs.iter().find_map(|[kind, value]| (usize::from_ne_bytes(*kind) == wanted).then(|| usize::from_ne_bytes(*value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a user 1000 of group 100 starts has this, but for what is given to it.
    fn elevated(uid: &str, gid: &str, capabilities: &str, auxiliary: Option<[usize; 3]>) -> bool {
        let status = format!("Name:\tssh\nUid:\t{uid}\nGid:\t{gid}\nCapPrm:\t{capabilities}\n");
        let vector = auxiliary.map(|[user, group, secure]| {
            let words = [33, 7, AT_UID, user, 12, 0, AT_GID, group, 14, 0, AT_SECURE, secure, 0, 0];
            words.map(usize::to_ne_bytes).concat()
        });
        Ids::of(&status).is_elevated(vector.as_deref())
    }

    const OWN: &str = "1000\t1000\t1000\t1000";
    const GROUP: &str = "100\t100\t100\t100";
    const ROOT: &str = "0\t0\t0\t0";
    const NONE: &str = "0000000000000000";
    const ALL: &str = "000001ffffffffff";

    #[test]
    fn a_program_with_its_users_ids_is_not_elevated() {
        assert!(!elevated(OWN, GROUP, NONE, Some([1000, 100, 0])));
        assert!(!elevated(OWN, GROUP, NONE, None), "an agent that keeps its memory from others");
        assert!(!elevated(ROOT, ROOT, ALL, Some([0, 0, 0])), "a program of root's");
        assert!(!elevated(OWN, GROUP, "0000000000000400", Some([1000, 100, 0])), "a service with a capability");
        assert!(!Ids::of("").is_elevated(None));
    }

    #[test]
    fn a_set_user_id_or_set_group_id_program_is_elevated() {
        assert!(elevated("1000\t0\t0\t0", GROUP, ALL, Some([1000, 100, 1])));
        assert!(elevated("1000\t1000\t1000\t1000", "100\t5\t5\t5", NONE, None));
    }

    #[test]
    fn a_set_user_id_program_that_became_root_whole_is_elevated() {
        assert!(elevated(ROOT, GROUP, ALL, Some([1000, 100, 1])));
        assert!(elevated(ROOT, ROOT, ALL, Some([1000, 100, 1])));
    }

    #[test]
    fn a_program_with_capabilities_of_its_file_is_elevated() {
        assert!(elevated(OWN, GROUP, "0000000000000400", Some([1000, 100, 1])));
        assert!(elevated(OWN, GROUP, "0000000000000400", None));
    }

    #[test]
    fn a_program_that_gave_back_what_it_was_given_is_not_elevated() {
        assert!(!elevated(OWN, GROUP, NONE, Some([1000, 100, 1])));
    }

    #[test]
    fn this_process_is_its_users_own() {
        assert!(!is_elevated());
    }

    #[test]
    fn a_relative_folder_is_not_believed() {
        assert_eq!(folder("CARGO_PKG_NAME", "x"), variable("HOME").map(|home| PathBuf::from(home).join("x")));
    }
}
