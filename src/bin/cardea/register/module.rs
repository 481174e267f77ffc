//! Where the module is.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Exit, Failure};

/// File name of the module.
const NAME: &str = "libcardea_pkcs11.so";

/// Whether a path in somebody's configuration means the module, wherever it is.
pub(super) fn is_module(path: &str) -> bool {
    Path::new(path).file_name().is_some_and(|name| name == NAME)
}

/// The module that is asked for, else the one that is installed with this command.
pub(crate) fn find(asked: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = asked {
        let path = fs::canonicalize(path).map_err(|error| Failure::from(error).of(&path.to_string_lossy()))?;
        return Ok(path);
    }
    candidates().into_iter().find(|path| path.is_file()).ok_or_else(|| {
        Failure::new(Exit::Failure, format!("{NAME} is not installed where this command looks for it"))
            .advise("--module names it")
    })
}

/// Where it may be: in the libraries of the prefix that this command is in, beside it where both were just built,
/// then where packages and administrators install.
fn candidates() -> Vec<PathBuf> {
    let executable = std::env::current_exe().ok();
    let beside = executable.as_deref().and_then(Path::parent);
    let prefix = beside.and_then(Path::parent).map(|prefix| prefix.join("lib"));
    let libraries = prefix.into_iter().chain(["/usr/local/lib", "/usr/lib"].map(PathBuf::from));
    let mut candidates: Vec<PathBuf> = beside.map(|folder| folder.join(NAME)).into_iter().collect();
    for library in libraries {
        candidates.push(library.join("pkcs11").join(NAME));
        let inside = fs::read_dir(&library).into_iter().flatten().flatten().map(|entry| entry.path());
        let triplets = inside.filter(|path| path.to_string_lossy().contains("-linux-"));
        candidates.extend(triplets.map(|triplet| triplet.join("pkcs11").join(NAME)));
    }
    candidates
}
