//! Files whose names come from the environment or from a folder that others may write to: opened without waiting for
//! anybody, and believed only where nobody else has a hand in them.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::geteuid;

/// Permission bit of those who are neither owner nor group.
const OTHERS_WRITE: u32 = 0o002;

/// Opens a file of this user's alone, which is no link and nothing but a regular file.
pub fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = at_once(options, OFlags::NOFOLLOW).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && is_ours(&metadata) { Ok(file) } else { Err(ErrorKind::PermissionDenied.into()) }
}

/// Opens what is written line by line, creating it for this user alone. Beside a file of this user's own it may be a
/// terminal or a pipe, which never makes the writer wait; a link must be this user's or the system's.
pub fn append(path: &Path) -> io::Result<File> {
    let open = |more| {
        let mut options = OpenOptions::new();
        at_once(options.create(true).append(true).mode(0o600), more).open(path)
    };
    let file = match open(OFlags::NOFOLLOW) {
        Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            let link = fs::symlink_metadata(path)?;
            if !is_ours(&link) && link.uid() != 0 {
                return Err(ErrorKind::PermissionDenied.into());
            }
            open(OFlags::empty())?
        }
        file => file?,
    };
    let metadata = file.metadata()?;
    let streams = metadata.file_type().is_char_device() || metadata.file_type().is_fifo();
    if streams || is_ours(&metadata) { Ok(file) } else { Err(ErrorKind::PermissionDenied.into()) }
}

/// The text of a regular file that not everybody may write, of `longest` bytes at most.
pub fn text(path: &Path, longest: u64) -> io::Result<String> {
    let file = at_once(OpenOptions::new().read(true), OFlags::empty()).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
    }
    if metadata.permissions().mode() & OTHERS_WRITE != 0 {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "everybody may write to it"));
    }
    let mut text = String::new();
    if file.take(longest + 1).read_to_string(&mut text)? as u64 > longest {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("longer than {longest} bytes")));
    }
    Ok(text)
}

/// Never waits for the other end of a pipe, and makes no terminal that of this process.
fn at_once(options: &mut OpenOptions, more: OFlags) -> &mut OpenOptions {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY | more).bits();
    options.custom_flags(flags.cast_signed())
}

fn is_ours(metadata: &Metadata) -> bool {
    metadata.uid() == geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    /// A folder that goes with the value.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("cardea-own-file-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, text).unwrap();
            path
        }

        fn pipe(&self) -> PathBuf {
            let path = self.0.join("pipe");
            mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_makes_nobody_wait() {
        let folder = Folder::new("pipe");
        let pipe = folder.pipe();
        assert!(text(&pipe, 100).is_err() && open(OpenOptions::new().read(true), &pipe).is_err());
        assert!(append(&pipe).is_err(), "nobody reads from it");
        let _reader = at_once(OpenOptions::new().read(true), OFlags::empty()).open(&pipe).unwrap();
        let mut log = append(&pipe).unwrap();
        let full = std::iter::repeat_with(|| log.write(&[0; 4096])).take(1000).find(Result::is_err);
        assert_eq!(full.unwrap().unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn a_folder_or_a_device_is_no_text_and_an_endless_file_is_not_read_to_its_end() {
        let folder = Folder::new("kinds");
        for path in [&folder.0, Path::new("/dev/zero")] {
            assert_eq!(text(path, 100).unwrap_err().kind(), ErrorKind::InvalidInput, "{path:?}");
        }
        let long = folder.file("long", "");
        OpenOptions::new().write(true).open(&long).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(text(&long, 100).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(text(&folder.file("short", "x = 1"), 5).unwrap(), "x = 1");
    }

    #[test]
    fn a_file_that_everybody_may_write_is_not_believed() {
        let folder = Folder::new("everybody");
        let path = folder.file("open", "x = 1");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(text(&path, 100).unwrap_err().kind(), ErrorKind::PermissionDenied);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        assert_eq!(text(&path, 100).unwrap(), "x = 1");
    }

    #[test]
    fn what_others_prepared_is_not_written_to() {
        let folder = Folder::new("others");
        let precious = folder.file("precious", "");
        let link = folder.0.join("link");
        symlink(&precious, &link).unwrap();
        assert!(open(OpenOptions::new().write(true), &link).is_err(), "a link is no file of the journal");
        append(&link).unwrap().write_all(b"line\n").unwrap();
        assert_eq!(fs::read_to_string(&precious).unwrap(), "line\n", "the user's own link is followed");
        let stranger = 12345;
        if std::os::unix::fs::lchown(&link, Some(stranger), None).is_err() {
            println!("what belongs to others was not tried: only root can give files away");
            return;
        }
        assert!(append(&link).is_err(), "a link of another user");
        std::os::unix::fs::lchown(&precious, Some(stranger), None).unwrap();
        assert!(append(&precious).is_err(), "a file of another user, who would read what is written");
        assert!(open(OpenOptions::new().read(true), &precious).is_err());
    }

    #[test]
    fn a_log_is_created_for_its_owner_alone_and_may_be_a_device() {
        let folder = Folder::new("log");
        let path = folder.0.join("log");
        append(&path).unwrap().write_all(b"line\n").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        append(Path::new("/dev/null")).unwrap().write_all(b"line\n").unwrap();
        assert!(append(&folder.0).is_err(), "a folder");
    }
}
