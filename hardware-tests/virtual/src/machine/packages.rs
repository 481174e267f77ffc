//! Debian packages from the host's own sources, without touching what the host has installed: apt with a state and a
//! cache of its own, `dpkg-deb` to unpack. Needs no rights.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// apt as if nothing were installed.
pub(super) struct Apt {
    directory: PathBuf,
}

impl Apt {
    /// In a directory of its own, with fresh lists.
    pub(super) fn new(directory: &Path) -> io::Result<Self> {
        let directory = std::path::absolute(directory)?;
        fs::create_dir_all(directory.join("lists/partial"))?;
        fs::create_dir_all(directory.join("archives/partial"))?;
        fs::write(directory.join("status"), "")?;
        let apt = Self { directory };
        run(apt.command("apt-get").args(["--quiet=2", "update"]))?;
        Ok(apt)
    }

    /// Downloads these packages and all that they depend on.
    pub(super) fn fetch(&self, packages: &[&str]) -> io::Result<Vec<PathBuf>> {
        let mut command = self.command("apt-get");
        run(command.args(["--quiet=2", "--yes", "--download-only", "install"]).args(packages))?;
        self.archives("")
    }

    /// Downloads the kernel that the package `image` stands for, without what it depends on.
    pub(super) fn fetch_kernel(&self, image: &str) -> io::Result<PathBuf> {
        let depends = run(self.command("apt-cache").args(["depends", image]))?;
        let name = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: linux-image-"));
        let name = format!("linux-image-{}", name.ok_or_else(|| io::Error::other("no kernel to be had"))?);
        let archives = self.directory.join("archives");
        run(self.command("apt-get").args(["--quiet=2", "download", &name]).current_dir(archives))?;
        self.archives(&format!("{name}_"))?.pop().ok_or_else(|| io::Error::other("the kernel did not come"))
    }

    fn archives(&self, prefix: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.directory.join("archives"))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(prefix) && name.ends_with(".deb") {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = |name: &str| self.directory.join(name).display().to_string();
        for option in [
            format!("Dir::State={}", self.directory.display()),
            format!("Dir::State::lists={}", path("lists")),
            format!("Dir::State::status={}", path("status")),
            format!("Dir::Cache={}", self.directory.display()),
            format!("Dir::Cache::archives={}", path("archives")),
            "APT::Sandbox::User=".to_owned(),
            "APT::Install-Recommends=false".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::Retries=3".to_owned(),
        ] {
            command.args(["--option", &option]);
        }
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    }
}

/// Unpacks a package into a directory.
pub(super) fn unpack(package: &Path, directory: &Path) -> io::Result<()> {
    run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(directory)).map(drop)
}

/// Runs a command to its end; what it printed, or an error with it.
pub(super) fn run(command: &mut Command) -> io::Result<String> {
    let output = command.output().map_err(|error| {
        io::Error::new(error.kind(), format!("{}: {error}", command.get_program().to_string_lossy()))
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(io::Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))))
}
