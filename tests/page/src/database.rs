//! The databases in which NSS, and with it Firefox, Thunderbird and Chromium, keeps trusted authorities and modules.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// One such database: a directory with `cert9.db`, `key4.db` and `pkcs11.txt`.
#[derive(Debug, Clone)]
pub struct NssDatabase {
    directory: PathBuf,
}

impl NssDatabase {
    /// A fresh database without a password; the directory is made.
    ///
    /// # Errors
    /// When `certutil` (Debian package libnss3-tools) cannot be run or fails.
    pub fn create(directory: impl Into<PathBuf>) -> io::Result<Self> {
        let database = Self { directory: directory.into() };
        std::fs::create_dir_all(&database.directory)?;
        run(database.command("certutil").args(["-N", "--empty-password"]))?;
        Ok(database)
    }

    /// Trusts the authority in the file at `pem` for servers and clients.
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn trust(&self, name: &str, pem: &Path) -> io::Result<()> {
        run(self.command("certutil").args(["-A", "-n", name, "-t", "CT,,", "-i"]).arg(pem)).map(drop)
    }

    /// Registers a PKCS#11 module.
    ///
    /// # Errors
    /// As for [`Self::create`], of `modutil`, which loads the module.
    pub fn register(&self, name: &str, module: &Path, like: &Command) -> io::Result<()> {
        let mut command = self.command("modutil");
        for (name, value) in like.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        run(command.args(["-force", "-add", name, "-libfile"]).arg(module)).map(drop)
    }

    /// `program` (`certutil`, `modutil`, `pk12util`, …) at this database.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg(if program == "modutil" { "-dbdir" } else { "-d" }).arg(self.name());
        command
    }

    /// The name that NSS's programs take: `sql:` and the directory.
    #[must_use]
    pub fn name(&self) -> String {
        format!("sql:{}", self.directory.display())
    }

    /// The directory of the database.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

fn run(command: &mut Command) -> io::Result<Output> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(output);
    }
    let said = [output.stdout, output.stderr].concat();
    Err(io::Error::other(format!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&said))))
}
