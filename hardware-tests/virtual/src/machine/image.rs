//! What the machine starts from: a kernel and a file system, made once and kept.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::archive::Archive;
use super::kernel::Kernel;
use super::packages::{Apt, unpack};

/// What the file system is made of, with all that these depend on.
const PACKAGES: [&str; 7] = ["busybox", "udev", "pcscd", "libccid", "usbip", "opensc", "libgcc-s1"];
/// The package that names the kernel; its sibling for clouds has no USB.
const KERNEL: &str = "linux-image-amd64";

/// Packages that others only need while they are being installed.
const NOT_UNPACKED: [&str; 8] =
    ["adduser_", "debconf_", "dpkg_", "libperl5", "perl-", "perl_", "usrmerge_", "init-system-helpers_"];
/// Directories of which a machine that runs for a minute has no need.
const LEFT_OUT: [&str; 10] = [
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/bash-completion",
    "usr/share/lintian",
    "usr/lib/x86_64-linux-gnu/gconv",
    "usr/lib/udev/hwdb.d",
    "usr/lib/systemd/system",
    "var/lib/dpkg",
];

/// Users and groups that udev's rules and pcscd name.
const USERS: &str = "root:x:0:0:root:/root:/bin/sh\n";
const GROUPS: [&str; 19] = [
    "root", "tty", "disk", "lp", "dialout", "cdrom", "floppy", "tape", "sudo", "audio", "video", "plugdev", "users",
    "input", "kvm", "render", "sgx", "kmem", "netdev",
];

/// Changes when the same packages would give another image.
const RECIPE: &str = "1";

/// Kernel and file system on disk.
pub struct Image {
    kernel: PathBuf,
    base: PathBuf,
}

impl Image {
    /// The image in `directory`, made there if it is not there yet.
    ///
    /// # Errors
    /// Those of downloading and unpacking.
    pub fn prepare(directory: &Path) -> io::Result<Self> {
        if !cfg!(target_arch = "x86_64") {
            return Err(io::Error::other("the virtual machine is an x86-64 one"));
        }
        let recipe = format!("{RECIPE} {KERNEL} {PACKAGES:?}");
        let done = directory.join("done");
        let image = Self { kernel: directory.join("vmlinux"), base: directory.join("base.cpio") };
        if fs::read_to_string(&done).is_ok_and(|text| text == recipe) {
            return Ok(image);
        }
        println!("making the virtual machine of Debian packages, in {}", directory.display());
        if directory.exists() {
            fs::remove_dir_all(directory)?;
        }
        let apt = Apt::new(&directory.join("apt"))?;
        let packages = apt.fetch(&PACKAGES)?;
        let unpacked = directory.join("root");
        fs::create_dir_all(&unpacked)?;
        for package in packages {
            let name = package.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !NOT_UNPACKED.iter().any(|prefix| name.starts_with(prefix)) {
                unpack(&package, &unpacked)?;
            }
        }
        let kernel = directory.join("kernel");
        fs::create_dir_all(&kernel)?;
        unpack(&apt.fetch_kernel(KERNEL)?, &kernel)?;
        let source = Kernel::new(&kernel);
        fs::write(&image.kernel, source.program()?)?;
        image.write_base(&unpacked, &source)?;
        for directory in [kernel, unpacked, directory.join("apt")] {
            fs::remove_dir_all(directory)?;
        }
        fs::write(done, recipe)?;
        Ok(image)
    }

    /// The file system without what is under test.
    fn write_base(&self, root: &Path, kernel: &Kernel) -> io::Result<()> {
        let mut archive = Archive::new(BufWriter::new(File::create(&self.base)?));
        for merged in ["bin", "sbin", "lib", "lib64"] {
            let place = Path::new("usr").join(merged);
            archive.directory(&place)?;
            archive.link(Path::new(merged), place.as_os_str())?;
        }
        archive.tree(root, &place)?;
        for directory in ["dev", "proc", "sys", "run", "tmp", "root", "usr/local/bin"] {
            archive.directory(Path::new(directory))?;
        }
        archive.character_device(Path::new("dev/console"), 5, 1)?;
        let groups: String = GROUPS.iter().enumerate().map(|(number, name)| format!("{name}:x:{number}:\n")).collect();
        archive.file(Path::new("etc/passwd"), USERS.as_bytes(), false)?;
        archive.file(Path::new("etc/group"), groups.as_bytes(), false)?;
        let drivers = kernel.drivers()?;
        let order: String = drivers.iter().map(|(name, _)| format!("{name}\n")).collect();
        archive.file(Path::new("modules/order"), order.as_bytes(), false)?;
        for (name, content) in &drivers {
            archive.file(&Path::new("modules").join(name), content, false)?;
        }
        archive.finish()?;
        Ok(())
    }

    /// The kernel.
    pub(super) fn kernel(&self) -> &Path {
        &self.kernel
    }

    /// Writes the whole file system: the base and these files, path and content each.
    pub(super) fn write(&self, to: &Path, files: &[(&str, Vec<u8>)]) -> io::Result<()> {
        let mut output = BufWriter::new(File::create(to)?);
        io::copy(&mut File::open(&self.base)?, &mut output)?;
        let mut archive = Archive::new(output);
        for (path, content) in files {
            let executable = content.starts_with(b"\x7FELF") || content.starts_with(b"#!");
            archive.file(Path::new(path), content, executable)?;
        }
        archive.finish()?.flush()
    }
}

/// Where a package's file goes: `/bin` and its like are under `/usr`.
fn place(path: &Path) -> Option<PathBuf> {
    let merged = ["bin", "sbin", "lib", "lib64"].iter().any(|directory| path.starts_with(directory));
    let path = if merged { Path::new("usr").join(path) } else { path.to_owned() };
    (!LEFT_OUT.iter().any(|left_out| path.starts_with(left_out))).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_old_directories_go_under_usr_and_papers_are_left_out() {
        assert_eq!(place(Path::new("lib/udev/rules.d")), Some(PathBuf::from("usr/lib/udev/rules.d")));
        assert_eq!(place(Path::new("library")), Some(PathBuf::from("library")));
        assert_eq!(place(Path::new("usr/share/doc/udev")), None);
        assert_eq!(place(Path::new("lib/udev/hwdb.d")), None);
    }
}
