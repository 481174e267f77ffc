//! An initial file system for a kernel: a cpio archive in the form `newc`
//! (Documentation/driver-api/early-userspace/buffer-format.rst of Linux). Everything in it belongs to root.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// An archive being written; several in a row are one to the kernel.
pub(super) struct Archive<W: Write> {
    output: W,
    number: u32,
    directories: BTreeSet<PathBuf>,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(output: W) -> Self {
        Self { output, number: 0, directories: BTreeSet::new() }
    }

    /// A directory, after those above it.
    pub(super) fn directory(&mut self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() || self.directories.contains(path) {
            return Ok(());
        }
        self.above(path)?;
        self.directories.insert(path.to_owned());
        self.entry(path, DIRECTORY | 0o755, (0, 0), &[])
    }

    pub(super) fn file(&mut self, path: &Path, content: &[u8], executable: bool) -> io::Result<()> {
        self.above(path)?;
        self.entry(path, FILE | if executable { 0o755 } else { 0o644 }, (0, 0), content)
    }

    pub(super) fn link(&mut self, path: &Path, target: &OsStr) -> io::Result<()> {
        self.above(path)?;
        self.entry(path, LINK | 0o777, (0, 0), target.as_bytes())
    }

    pub(super) fn character_device(&mut self, path: &Path, major: u32, minor: u32) -> io::Result<()> {
        self.above(path)?;
        self.entry(path, CHARACTER_DEVICE | 0o600, (major, minor), &[])
    }

    /// All that is in the directory `from`, under the names that `place` gives to paths relative to it; what it
    /// gives no name is left out.
    pub(super) fn tree(&mut self, from: &Path, place: &dyn Fn(&Path) -> Option<PathBuf>) -> io::Result<()> {
        self.branch(from, Path::new(""), place)
    }

    fn branch(&mut self, from: &Path, inside: &Path, place: &dyn Fn(&Path) -> Option<PathBuf>) -> io::Result<()> {
        let mut entries: Vec<_> = fs::read_dir(from.join(inside))?.collect::<io::Result<_>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let inside = inside.join(entry.file_name());
            let Some(path) = place(&inside) else {
                continue;
            };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.directory(&path)?;
                self.branch(from, &inside, place)?;
            } else if kind.is_symlink() {
                self.link(&path, fs::read_link(entry.path())?.as_os_str())?;
            } else if kind.is_file() {
                let executable = entry.metadata()?.permissions().mode() & 0o111 != 0;
                self.file(&path, &fs::read(entry.path())?, executable)?;
            }
        }
        Ok(())
    }

    /// Closes the archive.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.number = 0;
        self.entry(Path::new("TRAILER!!!"), 0, (0, 0), &[])?;
        self.output.flush()?;
        Ok(self.output)
    }

    fn above(&mut self, path: &Path) -> io::Result<()> {
        path.parent().map_or(Ok(()), |parent| self.directory(parent))
    }

    fn entry(&mut self, path: &Path, mode: u32, device: (u32, u32), content: &[u8]) -> io::Result<()> {
        self.number += 1;
        let name = path.as_os_str().as_bytes();
        let size = u32::try_from(content.len()).map_err(io::Error::other)?;
        let length = name.len() as u32 + 1;
        let links = if mode & DIRECTORY != 0 { 2 } else { 1 };
        let fields = [self.number, mode, 0, 0, links, 0, size, 0, 0, device.0, device.1, length, 0];
        let mut head = b"070701".to_vec();
        for field in fields {
            head.extend(format!("{field:08X}").bytes());
        }
        head.extend(name);
        head.push(0);
        self.padded(&head)?;
        self.padded(content)
    }

    /// Bytes up to a multiple of four.
    fn padded(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output.write_all(bytes)?;
        self.output.write_all(&[0; 3][..bytes.len().next_multiple_of(4) - bytes.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_follows_the_directories_above_it_and_ends_on_a_multiple_of_four() {
        let mut archive = Archive::new(Vec::new());
        archive.file(Path::new("a/b"), b"12345", true).unwrap();
        let bytes = archive.finish().unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let directory = "070701000000010000";
        assert!(text.starts_with(directory), "{text}");
        assert_eq!(&text[110..112], "a\0");
        let file = text[112..].to_owned();
        assert_eq!(file[6..22].to_owned(), "00000002000081ED");
        assert_eq!(&file[54..62], "00000005");
        assert_eq!(&file[110..114], "a/b\0");
        assert_eq!(&file[116..124], "12345\0\0\0");
        assert!(file[124..].starts_with("070701") && text.contains("TRAILER!!!\0"));
        assert_eq!(bytes.len() % 4, 0);
    }
}
