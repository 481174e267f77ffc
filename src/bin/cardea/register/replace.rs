//! Replacing a file as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Permissions of a file that was not there before.
const FRESH: u32 = 0o644;

/// Writes `text` beside the file and moves it there, with the permissions that it had. A symbolic link stays one.
pub(super) fn replace(file: &Path, text: &str) -> io::Result<()> {
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let mode = fs::metadata(&file).map_or(FRESH, |metadata| metadata.permissions().mode() & 0o7777);
    let beside = beside(&file);
    let mut fresh = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    let written = write(&mut fresh, text, mode).and_then(|()| fs::rename(&beside, &file));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write(file: &mut File, text: &str, mode: u32) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()
}

fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".cardea-{}", std::process::id()));
    file.with_file_name(name)
}
