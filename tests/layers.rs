//! The house keeps its order: who may import whom, how long a file may be, what every file of a floor begins with.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// What each module of `src` may import of ours. `error`, `secret`, `log` and `handle` are open to every floor above the link.
const IMPORTS: &[(&str, &[&str])] = &[
    ("ffi", &["error", "library", "log", "mechanism", "object", "secret", "session", "slot", "token"]),
    (
        "library",
        &[
            "card",
            "configuration",
            "environment",
            "error",
            "handle",
            "journal",
            "log",
            "mechanism",
            "pcsc",
            "profile",
            "registry",
            "session",
            "slot",
            "token",
        ],
    ),
    ("registry", &["error", "handle", "pcsc", "session", "slot"]),
    ("session", &["card", "error", "mechanism", "object", "secret", "slot", "token"]),
    (
        "slot",
        &[
            "card",
            "channel",
            "configuration",
            "error",
            "handle",
            "journal",
            "log",
            "mechanism",
            "object",
            "pcsc",
            "profile",
            "secret",
            "token",
        ],
    ),
    ("token", &["card", "object", "secret"]),
    ("object", &["card", "error", "handle", "mechanism", "secret"]),
    ("mechanism", &["card", "error", "secret"]),
    ("card", &["channel", "secret"]),
    ("channel", &["log", "pcsc", "profile", "secret"]),
    ("pcsc", &[]),
    ("profile", &["environment", "own_file"]),
    ("configuration", &["environment", "log", "own_file"]),
    ("environment", &[]),
    ("error", &["card", "channel", "pcsc"]),
    ("handle", &[]),
    ("journal", &["card", "environment", "own_file"]),
    ("log", &["environment", "own_file"]),
    ("own_file", &[]),
    ("secret", &[]),
    ("sync", &[]),
];

/// What every module may import.
const OPEN: &[&str] = &["sync"];
/// Modules whose locks are their own: nothing of theirs runs in tests/schedules.
const OWN_LOCKS: &[&str] = &["sync", "ffi", "pcsc", "log"];

/// Modules in which `CK_*` types and `cryptoki_sys` may appear.
const CRYPTOKI_TYPES: &[&str] = &["ffi", "error", "object", "mechanism", "session"];
/// Most lines of a file that is not listed.
const LONGEST_FILE: usize = 600;
/// Files above that, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[];

struct Source {
    path: PathBuf,
    module: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    for entry in WalkDir::new(&root) {
        let path = entry.unwrap().into_path();
        let inside = path.strip_prefix(&root).unwrap().to_path_buf();
        if path.extension().is_none_or(|extension| extension != "rs")
            || inside.starts_with("bin")
            || inside == Path::new("lib.rs")
            || is_test(&inside)
        {
            continue;
        }
        let module =
            inside.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
        sources.push(Source { module, text: fs::read_to_string(&path).unwrap(), path: inside });
    }
    sources
}

/// Tests beside the code may build what they test from other floors.
fn is_test(path: &Path) -> bool {
    path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")))
}

/// The text above the file's own tests.
fn shipped(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

/// Modules named as `crate::name` in code, with `use crate::{a, b}` taken apart.
fn imported(text: &str) -> BTreeSet<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut names = BTreeSet::new();
    for (position, _) in code.match_indices("crate::") {
        let preceded = code[..position]
            .chars()
            .next_back()
            .is_some_and(|character| character.is_alphanumeric() || character == '_');
        let rest = &code[position + "crate::".len()..];
        if preceded {
            continue;
        }
        let heads = match rest.strip_prefix('{') {
            Some(group) => {
                group.split('}').next().unwrap_or_default().split(',').map(str::trim).map(str::to_owned).collect()
            }
            None => vec![rest.to_owned()],
        };
        for head in heads {
            let name: String =
                head.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect();
            names.insert(name);
        }
    }
    names
}

#[test]
fn what_threads_share_is_locked_by_what_a_scheduler_can_replace() {
    let theirs = ["parking_lot", "std::sync::atomic", "sync::Mutex", "RwLock", "Condvar", "OnceLock"];
    let faults: Vec<_> = sources()
        .into_iter()
        .filter(|source| !OWN_LOCKS.contains(&source.module.as_str()))
        .filter(|source| {
            let text = shipped(&source.text).replace("crate::sync::Mutex", "");
            theirs.iter().any(|name| text.contains(name))
        })
        .map(|source| source.path)
        .collect();
    assert!(faults.is_empty(), "{faults:?} do not use crate::sync");
}

#[test]
fn every_module_imports_only_what_its_floor_may_see() {
    let mut faults = Vec::new();
    for source in sources() {
        let allowed = IMPORTS.iter().find(|(module, _)| *module == source.module);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{} is not in the import map", source.module));
        for name in imported(shipped(&source.text)) {
            if name != source.module && !OPEN.contains(&name.as_str()) && !allowed.contains(&name.as_str()) {
                faults.push(format!("{} imports crate::{name}", source.path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn cryptoki_types_stay_above_the_cards() {
    for source in sources() {
        let inside = CRYPTOKI_TYPES.contains(&source.module.as_str());
        assert!(inside || !shipped(&source.text).contains("cryptoki_sys"), "{}", source.path.display());
    }
}

#[test]
fn unsafe_code_is_allowed_in_the_c_boundary_alone() {
    for source in sources() {
        let allows = source.text.contains("allow(unsafe_code)");
        assert!(!allows || source.module == "ffi", "{}", source.path.display());
    }
}

#[test]
fn no_file_has_become_a_room_for_everything() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "apdu/src", "brainpool-p512", "tests", "hardware-tests"] {
        for entry in WalkDir::new(root.join(folder)) {
            let path = entry.unwrap().into_path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            let listed = LONG_FILES.iter().any(|(file, _)| *file == name);
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(listed || lines <= LONGEST_FILE, "{name} has {lines} lines");
        }
    }
}
