//! `cardea reset`: makes a token empty. Everything on it is lost, so its serial number has to be typed, or its name where
//! the card does not tell a number. A token whose initialization was interrupted is made whole by it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};

use cardea_pkcs11::error::Error;
use cardea_pkcs11::secret::Pin;

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::choice::{Token, TokenChoice};
use crate::failure::{Exit, Failure};
use crate::output::{Output, printable};
use crate::pin_entry::{PinEntry, PinSource, SECURITY_OFFICER, refused};
use crate::uri::Class;
use crate::writer;

/// CKF_USER_PIN_INITIALIZED.
const USER_PIN_INITIALIZED: u64 = 0x8;
/// Length of CK_TOKEN_INFO.label.
const LABEL: usize = 32;
/// What the officer's PIN is called here.
const OFFICER: &str = "security officer's PIN";

/// Which token, and how it is to be afterwards.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    token: TokenChoice,

    /// Label of the token afterwards; the one that it was given before if nothing is said
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,

    /// The token's serial number, which is asked for on the terminal if it is not given here; its label where it has no
    /// number
    #[arg(long, value_name = "SERIAL")]
    confirm: Option<String>,

    #[command(flatten)]
    pin: PinSource,
}

/// Resets.
pub(crate) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<(), Failure> {
    let cards = Cards::open(common)?;
    let token = arguments.token.token(&cards)?;
    let present = if token.is_initialized() { token.info().label.as_str() } else { "" };
    let label = label(arguments.label.as_deref().unwrap_or(present))?;
    if !writer::abilities(&token)?.initializes {
        return Err(Failure::new(Exit::NotSupported, "this card cannot be made empty by Cardea"));
    }
    confirm(&token, arguments.confirm.as_deref(), "All keys and certificates will be lost")?;
    let mut entry = PinEntry::new(&arguments.pin)?;
    let officer = entry.ask_new(OFFICER)?;
    token.slot().init_token(Some(Pin::new(officer.expose())), label).map_err(|error| explain(&token, error))?;
    let fresh = Token::in_slot(&cards, token.slot()).map_err(|error| token.explain(error))?;
    if fresh.info().flags & USER_PIN_INITIALIZED == 0 {
        let session = fresh.session(true)?;
        entry.prove(&fresh, &session, SECURITY_OFFICER, Some(&officer), OFFICER)?;
        let pin = if entry.is_at_reader(&fresh) { None } else { Some(entry.ask_new("new PIN")?) };
        session.init_pin(pin).map_err(|error| refused(&fresh, error, true, OFFICER))?;
    }
    if output.is_json() {
        return output.value(&serde_json::json!({ "token": fresh.uri().to_string() }));
    }
    output.line(format!("{} is empty", fresh.uri()))
}

/// Why the token could not be made empty, and what to do where that broke off, now or before.
fn explain(token: &Token<'_>, error: Error) -> Failure {
    let failure = refused(token, error, true, OFFICER);
    let has_keys = || token.items().is_ok_and(|items| items.iter().any(|item| item.class == Class::PrivateKey));
    match error {
        Error::DeviceError | Error::DeviceRemoved => {
            failure.advise("put the card in again and repeat the reset, which goes on from wherever it was")
        }
        Error::PinIncorrect if !has_keys() => failure.advise(
            "a card whose reset was interrupted has what it was made with: 12345678 is PW3 of OpenPGP cards and the PUK of \
             YubiKeys",
        ),
        _ => failure,
    }
}

/// A label in the form of C_InitToken: padded with spaces.
fn label(text: &str) -> Result<[u8; LABEL], Failure> {
    let mut label = [b' '; LABEL];
    let place = label.get_mut(..text.len()).ok_or_else(|| Failure::usage("a label has at most 32 bytes"))?;
    place.copy_from_slice(text.as_bytes());
    Ok(label)
}

/// Somebody has to mean this token and no other.
pub(crate) fn confirm(token: &Token<'_>, given: Option<&str>, warning: &str) -> Result<(), Failure> {
    let name = printable(&token.info().label);
    let (what, wanted) = match token.info().serial.trim() {
        "" => ("label", token.info().label.trim()),
        serial => ("serial number", serial),
    };
    let typed = match given {
        Some(text) => text.to_owned(),
        None => {
            let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(|_| {
                Failure::usage("there is no terminal to ask on").advise("--confirm SERIAL confirms it instead")
            })?;
            let mut writer = &terminal;
            write!(writer, "{warning} on {name}.\nType its {what}, {}: ", printable(wanted))?;
            let mut line = String::new();
            BufReader::new(&terminal).read_line(&mut line)?;
            line
        }
    };
    if typed.trim() == wanted && !wanted.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Cancelled, format!("that is not the {what} of this token; nothing was done")))
}
