//! `cardea reset`: makes a token empty. Everything on it is lost, so its serial number has to be typed.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};

use cardea_pkcs11::secret::Pin;

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::choice::{Token, TokenChoice};
use crate::failure::{Exit, Failure};
use crate::output::{Output, printable};
use crate::pin_entry::{PinEntry, PinSource, SECURITY_OFFICER, refused};
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

    /// Label of the token afterwards; the one that it has if nothing is said
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,

    /// The token's serial number, which is asked for on the terminal if it is not given here
    #[arg(long, value_name = "SERIAL")]
    confirm: Option<String>,

    #[command(flatten)]
    pin: PinSource,
}

/// Resets.
pub(crate) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<(), Failure> {
    let cards = Cards::open(common)?;
    let token = arguments.token.token(&cards)?;
    let label = label(arguments.label.as_deref().unwrap_or(&token.info().label))?;
    if !writer::abilities(&token)?.initializes {
        return Err(Failure::new(Exit::NotSupported, "this card cannot be made empty by Cardea"));
    }
    confirm(&token, arguments.confirm.as_deref(), "All keys and certificates will be lost")?;
    let mut entry = PinEntry::new(&arguments.pin)?;
    let officer = entry.ask_new(OFFICER)?;
    token
        .slot()
        .init_token(Some(Pin::new(officer.expose())), label)
        .map_err(|error| refused(&token, error, true, OFFICER))?;
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

/// A label in the form of C_InitToken: padded with spaces.
fn label(text: &str) -> Result<[u8; LABEL], Failure> {
    let mut label = [b' '; LABEL];
    let place = label.get_mut(..text.len()).ok_or_else(|| Failure::usage("a label has at most 32 bytes"))?;
    place.copy_from_slice(text.as_bytes());
    Ok(label)
}

/// Somebody has to mean this token and no other.
pub(crate) fn confirm(token: &Token<'_>, given: Option<&str>, warning: &str) -> Result<(), Failure> {
    let (serial, name) = (&token.info().serial, printable(&token.info().label));
    let typed = match given {
        Some(text) => text.to_owned(),
        None => {
            let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(|_| {
                Failure::usage("there is no terminal to ask on").advise("--confirm SERIAL confirms it instead")
            })?;
            let mut writer = &terminal;
            write!(writer, "{warning} on {name}.\nType its serial number, {}: ", printable(serial))?;
            let mut line = String::new();
            BufReader::new(&terminal).read_line(&mut line)?;
            line
        }
    };
    if typed.trim() == serial.trim() && !serial.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Cancelled, "that is not the serial number of this token; nothing was done"))
}
