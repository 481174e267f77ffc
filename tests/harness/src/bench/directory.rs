//! A directory of our own under the system's temporary directory, with a path short enough for a socket.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Longest base directory: `sun_path` holds 108 bytes, and pcscd's configuration takes no blanks in a path.
const LONGEST_BASE: usize = 60;

/// Followed by a process id, a hyphen and a number.
const PREFIX: &str = "cardea-bench-";

/// Removed with its content when dropped, unless `CARDEA_KEEP_BENCH` is set.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn create() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let base = Some(std::env::temp_dir()).filter(|base| fits(base)).unwrap_or_else(|| "/tmp".into());
        sweep(&base);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = base.join(format!("{PREFIX}{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if std::env::var_os("CARDEA_KEEP_BENCH").is_some() {
            eprintln!("kept: {}", self.0.display());
        } else if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}

/// Whether pcscd's configuration and a socket address take paths in `base`.
fn fits(base: &Path) -> bool {
    base.to_str().is_some_and(|text| {
        text.len() <= LONGEST_BASE
            && text.chars().all(|character| character.is_ascii_alphanumeric() || "/-._@=".contains(character))
    })
}

/// Removes what killed processes left behind.
fn sweep(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split_once('-')?.0.parse::<u32>().ok());
        if process.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
            // another process may be sweeping too
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
