//! Files that the command reads and writes; `-` and nothing stand for standard input and output.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use cardea_pkcs11::secret::SecretBytes;

use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Longest file that is read into memory as a whole.
const LONGEST: u64 = 64 * 1024 * 1024;
/// Bytes that are read from a stream at a time.
const PIECE: usize = 64 * 1024;

/// Where a result goes.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Destination {
    /// Write the result here instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(path).map_err(|error| Failure::from(error).of(&path.to_string_lossy()))?;
    Ok(Box::new(file))
}

/// Hands the content of a file to `take`, piece by piece.
pub(crate) fn stream(path: &Path, mut take: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut file = open(path)?;
    let mut piece = vec![0; PIECE];
    loop {
        let length = file.read(&mut piece).map_err(|error| Failure::from(error).of(&path.to_string_lossy()))?;
        match piece.get(..length) {
            Some(&[]) | None => return Ok(()),
            Some(part) => take(part)?,
        }
    }
}

/// The whole content of a file. It is wiped afterwards: it may be a private key.
pub(crate) fn read(path: &Path) -> Result<SecretBytes, Failure> {
    let mut content = SecretBytes::new(Vec::new());
    let read = open(path)?.take(LONGEST + 1).read_to_end(&mut content);
    read.map_err(|error| Failure::from(error).of(&path.to_string_lossy()))?;
    if u64::try_from(content.len()).is_ok_and(|length| length <= LONGEST) {
        Ok(content)
    } else {
        Err(Failure::new(Exit::Failure, format!("{}: longer than {LONGEST} bytes", path.display())))
    }
}

impl Destination {
    /// Writes bytes that are no text: not to a terminal.
    pub(crate) fn binary(&self, bytes: &[u8], output: &Output) -> Result<(), Failure> {
        if self.output.is_none() && io::stdout().is_terminal() {
            return Err(Failure::usage("the result is binary and standard output a terminal")
                .advise("choose a file by --output"));
        }
        self.write(bytes, 0o666, output)
    }

    /// Writes text.
    pub(crate) fn text(&self, text: &str, output: &Output) -> Result<(), Failure> {
        self.write(text.as_bytes(), 0o666, output)
    }

    /// Writes what is for the owner of the file alone.
    pub(crate) fn secret(&self, bytes: &[u8], output: &Output) -> Result<(), Failure> {
        self.write(bytes, 0o600, output)
    }

    fn write(&self, bytes: &[u8], mode: u32, output: &Output) -> Result<(), Failure> {
        let Some(path) = &self.output else { return output.bytes(bytes) };
        let options = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path);
        options
            .and_then(|mut file| file.write_all(bytes))
            .map_err(|error| Failure::from(error).of(&path.to_string_lossy()))
    }
}
