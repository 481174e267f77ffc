//! Where PINs come from: the terminal, without echo; a file descriptor; or the reader's own keys.

use std::fs::File;
use std::io::{self, Read, Write};

use cardea_pkcs11::secret::{Pin, SecretBytes};
use cardea_pkcs11::session::Session;
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};

use crate::choice::Token;
use crate::failure::{Exit, Failure};

/// CKU_SO.
pub(crate) const SECURITY_OFFICER: u64 = 0;
/// CKU_USER.
pub(crate) const USER: u64 = 1;
/// CKU_CONTEXT_SPECIFIC.
pub(crate) const CONTEXT_SPECIFIC: u64 = 2;
/// CKF_PROTECTED_AUTHENTICATION_PATH: the reader has keys for the PIN.
pub(crate) const PROTECTED_AUTHENTICATION_PATH: u64 = 0x100;
/// Longest line that is taken for a PIN.
const LONGEST: usize = 256;

/// How PINs are given.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct PinSource {
    /// Read PINs from this file descriptor, one on each line, in the order in which they would be asked for
    #[arg(long, value_name = "N")]
    pin_fd: Option<u32>,
}

/// PINs, one after the other.
pub(crate) struct PinEntry {
    descriptor: Option<File>,
}

impl PinEntry {
    /// Opens the file descriptor where there is one.
    pub(crate) fn new(source: &PinSource) -> Result<Self, Failure> {
        let open = |number: u32| {
            File::open(format!("/dev/fd/{number}"))
                .map_err(|error| Failure::usage(format!("file descriptor {number} cannot be read: {error}")))
        };
        Ok(Self { descriptor: source.pin_fd.map(open).transpose()? })
    }

    /// Whether the reader's keys are to be used with this token.
    pub(crate) fn is_at_reader(&self, token: &Token<'_>) -> bool {
        self.descriptor.is_none() && token.info().flags & PROTECTED_AUTHENTICATION_PATH != 0
    }

    /// The next PIN, which people know as `name`.
    pub(crate) fn ask(&mut self, name: &str) -> Result<Pin, Failure> {
        match &mut self.descriptor {
            Some(file) => pin(line(file)?),
            None => pin(on_terminal(&format!("{name}: "), "--pin-fd")?),
        }
    }

    /// A PIN that is to be set, which is asked for twice on a terminal.
    pub(crate) fn ask_new(&mut self, name: &str) -> Result<Pin, Failure> {
        let first = self.ask(name)?;
        if self.descriptor.is_some() {
            return Ok(first);
        }
        let second = self.ask(&format!("{name}, once more"))?;
        if first.expose() == second.expose() {
            Ok(first)
        } else {
            Err(Failure::new(Exit::Cancelled, "the two entries differ; nothing was changed"))
        }
    }

    /// Logs in as `user`. What was given stays with the caller, for keys that want it once more.
    pub(crate) fn log_in(
        &mut self,
        token: &Token<'_>,
        session: &Session,
        user: u64,
        name: &str,
    ) -> Result<Option<Pin>, Failure> {
        let at_pad = self.is_at_reader(token) && (user != SECURITY_OFFICER || proves_officer(token)?);
        let given = if at_pad {
            at_reader(token, name);
            None
        } else {
            Some(self.ask(&format!("{name} of {}", token.info().label))?)
        };
        self.prove(token, session, user, given.as_ref(), name)?;
        Ok(given)
    }

    /// C_Login, with the tries that are left where the PIN is wrong.
    pub(crate) fn prove(
        &self,
        token: &Token<'_>,
        session: &Session,
        user: u64,
        given: Option<&Pin>,
        name: &str,
    ) -> Result<(), Failure> {
        let copy = given.map(|pin| Pin::new(pin.expose()));
        session.login(user, copy).map_err(|error| refused(token, error, user == SECURITY_OFFICER, name))
    }
}

/// Whether the reader's keys can prove the security officer: not where the card has no command for that, as for a PUK.
fn proves_officer(token: &Token<'_>) -> Result<bool, Failure> {
    let path = token.slot().present().and_then(|generation| token.slot().pin_path(generation));
    path.map(|path| path.officer).map_err(|error| token.explain(error))
}

/// Says that the reader waits for somebody at its keys.
pub(crate) fn at_reader(token: &Token<'_>, name: &str) {
    let _ = writeln!(io::stderr(), "{name}: please use the keys of {}", token.slot().reader().name());
}

/// A refusal, with the tries that are left.
pub(crate) fn refused(token: &Token<'_>, error: cardea_pkcs11::error::Error, officer: bool, name: &str) -> Failure {
    use cardea_pkcs11::card::Role;
    use cardea_pkcs11::error::Error;
    let role = if officer { Role::SecurityOfficer } else { Role::User };
    match error {
        Error::PinIncorrect => match token.slot().tries(role) {
            Ok(Some(0)) => Failure::new(Exit::PinBlocked, format!("the {name} was refused and is blocked")),
            Ok(Some(1)) => Failure::new(Exit::PinWrong, format!("the {name} was refused; one try is left"))
                .advise("one more wrong entry blocks it"),
            Ok(Some(tries)) => Failure::new(Exit::PinWrong, format!("the {name} was refused; {tries} tries are left")),
            _ => Failure::new(Exit::PinWrong, format!("the {name} was refused")),
        },
        Error::PinLocked => {
            let failure = Failure::new(Exit::PinBlocked, format!("the {name} is blocked"));
            if officer { failure } else { failure.advise("`cardea pin unblock` sets a new one") }
        }
        other => token.explain(other),
    }
}

/// A passphrase of a file: from this file descriptor, else from the terminal; it may be empty.
pub(crate) fn passphrase(descriptor: Option<u32>, file: &str) -> Result<SecretBytes, Failure> {
    let entry = PinEntry::new(&PinSource { pin_fd: descriptor })?;
    match entry.descriptor {
        Some(mut descriptor) => line(&mut descriptor),
        None => on_terminal(&format!("Passphrase of {file}: "), "--passphrase-fd"),
    }
}

fn pin(bytes: SecretBytes) -> Result<Pin, Failure> {
    if bytes.is_empty() {
        return Err(Failure::new(Exit::Cancelled, "no PIN was given"));
    }
    Ok(Pin::new(&bytes))
}

/// One line, without its end. Read byte by byte: what follows belongs to somebody else, and no buffer keeps a copy.
fn line(file: &mut File) -> Result<SecretBytes, Failure> {
    let mut line = SecretBytes::new(Vec::with_capacity(LONGEST));
    let mut byte = SecretBytes::new(vec![0]);
    while file.read(&mut byte)? == 1 && *byte.as_slice() != [b'\n'] {
        push(&mut line, &byte)?;
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line)
}

fn push(line: &mut SecretBytes, bytes: &[u8]) -> Result<(), Failure> {
    // Within what was allocated: growing would leave copies behind.
    if line.len() + bytes.len() > LONGEST {
        return Err(Failure::new(Exit::PinWrong, "that is too long"));
    }
    line.extend_from_slice(bytes);
    Ok(())
}

/// Asks on the terminal, whatever standard input and output are.
fn on_terminal(prompt: &str, instead: &str) -> Result<SecretBytes, Failure> {
    let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(|_| {
        let what = if instead == "--pin-fd" { "PIN" } else { "passphrase" };
        Failure::new(Exit::Failure, format!("there is no terminal to ask for the {what} on"))
            .advise(format!("{instead} N reads it instead"))
    })?;
    let silence = Silence::over(&terminal)?;
    let mut writer = &terminal;
    writer.write_all(prompt.as_bytes())?;
    let typed = type_in(&terminal, &silence.before);
    drop(silence);
    writer.write_all(b"\n")?;
    typed
}

/// What somebody types up to the Return key. Keys that the terminal would otherwise act on are obeyed here.
fn type_in(mut terminal: &File, before: &Termios) -> Result<SecretBytes, Failure> {
    let cancelled = || Failure::new(Exit::Cancelled, "cancelled");
    let key = |index: SpecialCodeIndex| Some(before.special_codes[index]).filter(|code| *code != 0);
    let mut line = SecretBytes::new(Vec::with_capacity(LONGEST));
    let mut byte = SecretBytes::new(vec![0]);
    loop {
        if terminal.read(&mut byte)? == 0 {
            return Err(cancelled());
        }
        let typed = byte.first().copied();
        match typed {
            Some(b'\n' | b'\r') => return Ok(line),
            _ if typed == key(SpecialCodeIndex::VINTR) || typed == key(SpecialCodeIndex::VQUIT) => {
                return Err(cancelled());
            }
            _ if typed == key(SpecialCodeIndex::VEOF) => {
                return if line.is_empty() { Err(cancelled()) } else { Ok(line) };
            }
            Some(0x08 | 0x7F) => erase(&mut line),
            _ if typed == key(SpecialCodeIndex::VKILL) => line.clear(),
            _ => push(&mut line, &byte)?,
        }
    }
}

/// Takes the last character back, which may have several bytes (UTF-8).
fn erase(line: &mut SecretBytes) {
    while let Some(byte) = line.pop() {
        if byte & 0xC0 != 0x80 {
            break;
        }
    }
}

/// A terminal that shows nothing of what is typed and sends no signals, until this is dropped.
struct Silence<'t> {
    terminal: &'t File,
    before: Termios,
}

impl<'t> Silence<'t> {
    fn over(terminal: &'t File) -> Result<Self, Failure> {
        let before = termios::tcgetattr(terminal).map_err(io::Error::from)?;
        let mut silent = before.clone();
        silent.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN;
        silent.special_codes[SpecialCodeIndex::VMIN] = 1;
        silent.special_codes[SpecialCodeIndex::VTIME] = 0;
        termios::tcsetattr(terminal, OptionalActions::Flush, &silent).map_err(io::Error::from)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing put back.
        let _ = termios::tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}
