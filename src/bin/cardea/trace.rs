//! `cardea trace`: a transcript of what goes between host and card, for an issue, and for a test that plays it back.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use cardea_pkcs11::error::Error;
use cardea_pkcs11::object::attribute::Value;
use cardea_pkcs11::session::objects::attribute_values;
use cryptoki_sys::CKA_VALUE;

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::choice::{Token, TokenChoice};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::pin_entry::{PinEntry, PinSource, USER};

/// What to record.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    token: TokenChoice,

    /// Log in as well; the PIN is not recorded
    #[arg(long, conflicts_with = "program")]
    login: bool,

    #[command(flatten)]
    pin: PinSource,

    /// The file to write, which must not be there yet
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    /// Record what this program does with the module, instead of looking at the card
    #[arg(last = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

/// Records.
pub(crate) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<(), Failure> {
    let path = &arguments.output;
    if path.exists() {
        return Err(Failure::usage(format!("{} is there already", path.display())));
    }
    let result = match arguments.program.split_first() {
        Some((program, rest)) => accompany(program, rest, path),
        None => look(arguments, common),
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            result?;
            let advice = "a program that does not load the module leaves none";
            return Err(Failure::from(error).of("there is no transcript").advise(advice));
        }
    };
    let commands = text.lines().filter(|line| line.starts_with("> ")).count();
    if output.is_json() {
        output.value(&serde_json::json!({ "transcript": path, "commands": commands }))?;
    } else {
        output.remark(format!("{commands} commands are in {}", path.display()));
        output.remark("PINs and keys are not in it; names and numbers from the card's certificates are");
    }
    result
}

/// Runs a program whose module records.
fn accompany(program: &OsString, arguments: &[OsString], path: &std::path::Path) -> Result<(), Failure> {
    let path = std::path::absolute(path)?;
    let status = Command::new(program)
        .args(arguments)
        .env("CARDEA_TRANSCRIPT", &path)
        .status()
        .map_err(|error| Failure::from(error).of(&program.to_string_lossy()))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(Exit::Failure, format!("{}: {status}", program.to_string_lossy())))
}

/// Asks the cards for everything that can be read, so that the transcript can answer the same again.
fn look(arguments: &Arguments, common: &Common) -> Result<(), Failure> {
    let cards = Cards::recorded(common, &arguments.output)?;
    let mut entry = PinEntry::new(&arguments.pin)?;
    let slots = cards.slots()?;
    for slot in slots.iter().filter(|slot| arguments.token.admits(slot)) {
        let _ = slot.reader().announced();
        match Token::in_slot(&cards, slot) {
            Ok(token) => read(&token, arguments.login, &mut entry)?,
            // A card that nobody knows is what a transcript is wanted of most.
            Err(Error::TokenNotRecognized | Error::TokenNotPresent) => {}
            Err(error) => return Err(cards.explain(slot, error)),
        }
    }
    Ok(())
}

fn read(token: &Token<'_>, login: bool, entry: &mut PinEntry) -> Result<(), Failure> {
    let session = token.session(false)?;
    let _ = token.slot().tries(cardea_pkcs11::card::Role::User);
    let _ = token.slot().tries(cardea_pkcs11::card::Role::SecurityOfficer);
    if login {
        entry.log_in(token, &session, USER, "PIN")?;
    }
    for item in token.items()? {
        let on_card = matches!(item.object.attributes().find(CKA_VALUE), Some(Value::OnCard(_)));
        if on_card && (login || !item.object.is_private()) {
            // What a card does not give is part of what it does.
            let _ = attribute_values(&session, item.handle, &[CKA_VALUE]);
        }
    }
    Ok(())
}
