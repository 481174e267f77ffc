//! How the command fails: what people read, and the exit code that scripts look at.

use std::fmt::Write;
use std::process::ExitCode;

use cardea_pkcs11::error::Error;
use cardea_pkcs11::pcsc::LinkError;

use crate::output::printable;

/// The exit codes other than 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Anything that has no code of its own.
    Failure = 1,
    /// The command line.
    Usage = 2,
    /// pcscd.
    NoService = 3,
    /// No reader.
    NoReader = 4,
    /// No card.
    NoCard = 5,
    /// A card that no driver knows.
    UnknownCard = 6,
    /// The card belongs to somebody else at this moment.
    Held = 7,
    /// A PIN was refused.
    PinWrong = 8,
    /// A PIN is blocked.
    PinBlocked = 9,
    /// No such object.
    NotFound = 10,
    /// A signature that is none.
    BadSignature = 11,
    /// The card or reader cannot do this.
    NotSupported = 12,
    /// The user said no.
    Cancelled = 13,
}

/// Every code with its meaning, as the manual has it.
pub(crate) const EXITS: &[(Exit, &str)] = &[
    (Exit::Failure, "something else failed; `doctor`: a problem was found"),
    (Exit::Usage, "the command line is wrong, or several tokens or objects are meant by it"),
    (Exit::NoService, "pcscd is not running or not to be reached"),
    (Exit::NoReader, "no reader is connected"),
    (Exit::NoCard, "there is no card in the reader"),
    (Exit::UnknownCard, "the card is not known to Cardea, or does not answer"),
    (Exit::Held, "another program holds the card exclusively"),
    (Exit::PinWrong, "the PIN was refused"),
    (Exit::PinBlocked, "the PIN is blocked"),
    (Exit::NotFound, "no object is as described"),
    (Exit::BadSignature, "`verify`: the signature does not belong to the file and the key"),
    (Exit::NotSupported, "the card or the reader cannot do this"),
    (Exit::Cancelled, "cancelled by the user"),
];

/// The table of exit codes for the help and the manual.
pub(crate) fn exit_codes() -> String {
    let mut text = "Exit codes:\n   0  success\n".to_owned();
    for (exit, meaning) in EXITS {
        let _ = writeln!(text, "  {:>2}  {meaning}", *exit as u8);
    }
    text
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why the command did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What happened; empty where there is nobody to tell.
    pub(crate) what: String,
    /// What to do next.
    pub(crate) advice: Option<String>,
}

impl Failure {
    /// A failure without advice.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), advice: None }
    }

    /// The same with advice.
    pub(crate) fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// A command line that cannot be meant.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// The same failure, said of `subject`.
    pub(crate) fn of(self, subject: &str) -> Self {
        Self { what: format!("{}: {}", printable(subject), self.what), ..self }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Failure, "");
        }
        Self::new(Exit::Failure, error.to_string())
    }
}

impl From<LinkError> for Failure {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::NoService => no_service(),
            LinkError::NoReader => no_reader(),
            LinkError::NoCard | LinkError::Removed => no_card(),
            LinkError::Mute | LinkError::Protocol => Self::new(Exit::UnknownCard, error.to_string())
                .advise("take the card out, wipe its contacts, and put it back the right way round"),
            LinkError::Sharing => held(),
            other => Self::new(Exit::Failure, other.to_string()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (exit, what) = match error {
            Error::TokenNotPresent | Error::DeviceRemoved => return no_card(),
            Error::TokenNotRecognized => (Exit::UnknownCard, "no driver knows this card"),
            Error::PinIncorrect => (Exit::PinWrong, "the PIN was refused"),
            Error::PinLocked => return blocked(),
            Error::PinLenRange => (Exit::PinWrong, "the PIN is too short or too long for this card"),
            Error::PinInvalid => (Exit::PinWrong, "the PIN has characters that this card does not take"),
            Error::FunctionCanceled => (Exit::Cancelled, "cancelled"),
            Error::FunctionNotSupported | Error::MechanismInvalid | Error::CurveNotSupported => {
                (Exit::NotSupported, "this card cannot do that")
            }
            Error::KeySizeRange => (Exit::NotSupported, "this card has no keys of that size"),
            Error::KeyFunctionNotPermitted | Error::KeyTypeInconsistent => {
                (Exit::NotSupported, "this key is not for that")
            }
            Error::TokenWriteProtected | Error::ActionProhibited => {
                (Exit::NotSupported, "this card does not let that be changed")
            }
            Error::UserNotLoggedIn => (Exit::Failure, "the card wants a PIN for this that it did not get"),
            Error::UserPinNotInitialized => (Exit::Failure, "the token has no PIN yet"),
            Error::UserTypeInvalid => (Exit::NotSupported, "this card has no such PIN"),
            Error::SignatureInvalid | Error::SignatureLenRange => (Exit::BadSignature, "the signature is wrong"),
            Error::DeviceMemory => (Exit::Failure, "the card's memory is full"),
            Error::DataLenRange | Error::EncryptedDataLenRange => {
                (Exit::Failure, "the input's length does not suit this key")
            }
            Error::EncryptedDataInvalid => (Exit::Failure, "the input was not encrypted for this key"),
            other => return Self::new(Exit::Failure, format!("the card or reader failed ({other})")),
        };
        Self::new(exit, what)
    }
}

/// pcscd cannot be asked.
pub(crate) fn no_service() -> Failure {
    Failure::new(Exit::NoService, "the smartcard service pcscd is not running or cannot be reached")
        .advise("`cardea doctor` says why")
}

/// There is no reader.
pub(crate) fn no_reader() -> Failure {
    Failure::new(Exit::NoReader, "no reader is connected").advise("`cardea doctor` says what is known of readers")
}

/// There is no card.
pub(crate) fn no_card() -> Failure {
    Failure::new(Exit::NoCard, "there is no card in the reader")
}

/// Somebody else has the card for himself.
pub(crate) fn held() -> Failure {
    Failure::new(Exit::Held, "another program holds the card exclusively")
        .advise("end that program, or wait until it is done; `cardea doctor` looks for it")
}

/// Others use a card that the configuration wants for one program.
pub(crate) fn in_use() -> Failure {
    Failure::new(Exit::Held, "another program uses the card, which is to be had exclusively (`exclusive`)")
        .advise("end that program, or set `exclusive` to false; `cardea doctor` looks for it")
}

/// The PIN is blocked.
fn blocked() -> Failure {
    Failure::new(Exit::PinBlocked, "the PIN is blocked")
        .advise("`cardea pin unblock` sets a new one with the unblocking PIN (PUK)")
}
