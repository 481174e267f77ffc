//! A PC/SC context that writes down what goes through it, as a [`super::transcript`].

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::transcript::{HEADER, Masked};
use super::{Begun, Connection, Context, Disposition, LinkError, ReaderState, ShareMode, Transaction, Waiter};

/// Length of a status word, which is never secret.
const STATUS_WORD: usize = 2;

/// Another context, with a record of it.
pub struct Recorder {
    inner: Box<dyn Context>,
    sheet: Arc<Sheet>,
}

/// The file that is written. An error in writing it is nobody's error.
pub struct Sheet(Mutex<Page>);

struct Page {
    file: File,
    /// The reader of the last line.
    reader: String,
}

impl Recorder {
    /// Records `inner` on this sheet.
    pub fn new(inner: Box<dyn Context>, sheet: Sheet) -> Self {
        Self { inner, sheet: Arc::new(sheet) }
    }
}

impl Sheet {
    /// A new file, which its owner alone may read. Where there is a file already, another process of the same program
    /// writes it: this one adds its process id to the name.
    pub fn create(path: &Path) -> io::Result<Self> {
        let create = |path: &Path| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = match create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let mut name = path.as_os_str().to_owned();
                name.push(format!(".{}", std::process::id()));
                create(Path::new(&name))?
            }
            result => result?,
        };
        writeln!(file, "{HEADER}\n# Cardea {}", env!("CARGO_PKG_VERSION"))?;
        Ok(Self(Mutex::new(Page { file, reader: String::new() })))
    }

    fn line(&self, reader: &str, text: &str) {
        let mut page = self.0.lock();
        let mut lines = String::new();
        if page.reader != reader {
            page.reader = reader.to_owned();
            let name: String = reader.chars().filter(|character| !character.is_control()).collect();
            lines = format!("reader {name}\n");
        }
        lines.push_str(text);
        lines.push('\n');
        let _ = page.file.write_all(lines.as_bytes());
    }
}

impl Context for Recorder {
    fn readers(&self) -> Result<Vec<String>, LinkError> {
        self.inner.readers()
    }

    fn state(&self, reader: &str) -> Result<ReaderState, LinkError> {
        self.inner.state(reader)
    }

    fn settled(&self, reader: &str, patience: Duration) -> Result<ReaderState, LinkError> {
        self.inner.settled(reader, patience)
    }

    fn connect(&self, reader: &str, share: ShareMode) -> Result<Box<dyn Connection>, LinkError> {
        let result = self.inner.connect(reader, share);
        let inner = result.inspect_err(|error| self.sheet.line(reader, &format!("# not connected: {error}")))?;
        if share != ShareMode::Direct {
            self.sheet.line(reader, &format!("atr {}", hex::encode_upper(inner.atr())));
        }
        Ok(Box::new(RecordedConnection { inner, sheet: Arc::clone(&self.sheet), reader: reader.to_owned() }))
    }

    fn waiter(&self) -> Result<Box<dyn Waiter>, LinkError> {
        self.inner.waiter()
    }

    fn refresh(&self) {
        self.inner.refresh();
    }
}

struct RecordedConnection {
    inner: Box<dyn Connection>,
    sheet: Arc<Sheet>,
    reader: String,
}

impl Connection for RecordedConnection {
    fn begin(&mut self) -> Result<Begun<'_>, LinkError> {
        let Self { inner, sheet, reader } = self;
        let Begun { transaction, was_reset } = inner.begin()?;
        if was_reset {
            sheet.line(reader, "# the card was reset");
        }
        let transaction =
            RecordedTransaction { inner: transaction, sheet, reader, secret_command: None, secret_response: false };
        Ok(Begun { transaction: Box::new(transaction), was_reset })
    }

    fn atr(&self) -> Vec<u8> {
        self.inner.atr()
    }

    fn disconnect(self: Box<Self>, disposition: Disposition) -> Result<(), LinkError> {
        self.sheet.line(&self.reader, &format!("# disconnected: {disposition:?}"));
        self.inner.disconnect(disposition)
    }
}

struct RecordedTransaction<'c> {
    inner: Box<dyn Transaction + 'c>,
    sheet: &'c Sheet,
    reader: &'c str,
    secret_command: Option<Range<usize>>,
    secret_response: bool,
}

impl Transaction for RecordedTransaction<'_> {
    fn conceal(&mut self, command: Option<Range<usize>>, response: bool) {
        (self.secret_command, self.secret_response) = (command, response);
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, LinkError> {
        let (secret, secret_response) = (self.secret_command.take(), std::mem::take(&mut self.secret_response));
        self.sheet.line(self.reader, &format!("> {}", Masked::new(command, secret).text()));
        let result = self.inner.transmit(command);
        let text = match &result {
            Ok(answer) => {
                let hidden = secret_response.then(|| 0..answer.len().saturating_sub(STATUS_WORD));
                format!("< {}", Masked::new(answer, hidden).text())
            }
            Err(error) => format!("! {error}"),
        };
        self.sheet.line(self.reader, &text);
        result
    }

    fn control(&mut self, code: u32, input: &[u8]) -> Result<Vec<u8>, LinkError> {
        let (secret, secret_response) = (self.secret_command.take(), std::mem::take(&mut self.secret_response));
        let result = self.inner.control(code, input);
        if let Ok(answer) = &result {
            let hidden = secret_response.then(|| 0..answer.len().saturating_sub(STATUS_WORD));
            let (sent, came) = (Masked::new(input, secret).text(), Masked::new(answer, hidden).text());
            self.sheet.line(self.reader, &format!("control {code:08X} {sent} {came}"));
        }
        result
    }

    fn end(self: Box<Self>, disposition: Disposition) -> Result<(), LinkError> {
        self.inner.end(disposition)
    }
}
