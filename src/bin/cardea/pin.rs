//! `cardea pin`: tries left and tries that there are, change, unblock, the resetting code.

use cardea_pkcs11::card::Role;
use cardea_pkcs11::error::Error;
use serde::Serialize;

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::choice::{Token, TokenChoice};
use crate::failure::{Exit, Failure};
use crate::info::{PinState, pin_state, tries_text};
use crate::output::Output;
use crate::pin_entry::{PinEntry, PinSource, SECURITY_OFFICER, at_reader, refused};
use crate::reset;

/// Hexadecimal digits of the shortest management key.
const SHORTEST_KEY: usize = 32;

/// What to do where a change of a PIN broke off.
const OLD_OR_NEW: &str = "the new one may be set already: put the card in again and try that first";
/// The same where the tries were to be set.
const OLD_OR_FACTORYS: &str = "the PIN may be 123456 already, and the PUK 12345678";

/// What to do with PINs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Arguments {
    /// Say how many tries are left; costs none
    Tries {
        #[command(flatten)]
        token: TokenChoice,
    },
    /// Change the PIN
    Change {
        #[command(flatten)]
        token: TokenChoice,
        /// Change the security officer's PIN (of PIV cards: the PUK) instead
        #[arg(long)]
        officer: bool,
        #[command(flatten)]
        pin: PinSource,
    },
    /// Set a new PIN with the security officer's PIN (of PIV cards: the PUK), blocked or not
    Unblock {
        #[command(flatten)]
        token: TokenChoice,
        /// Prove the resetting code of an OpenPGP card instead
        #[arg(long)]
        resetting_code: bool,
        #[command(flatten)]
        pin: PinSource,
    },
    /// Set how many tries the PIN and the PUK of a YubiKey have; both PINs become the factory's, 123456 and 12345678
    Retries {
        #[command(flatten)]
        token: TokenChoice,
        /// Tries of the PIN
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
        pin_tries: u8,
        /// Tries of the PUK
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
        puk_tries: u8,
        /// The token's serial number, which is asked for on the terminal if it is not given here
        #[arg(long, value_name = "SERIAL")]
        confirm: Option<String>,
        #[command(flatten)]
        pin: PinSource,
    },
    /// Set the resetting code of an OpenPGP card, by which its user can unblock the PIN
    ResettingCode {
        #[command(flatten)]
        token: TokenChoice,
        /// Have none from now on
        #[arg(long)]
        remove: bool,
        #[command(flatten)]
        pin: PinSource,
    },
}

#[derive(Serialize)]
struct Report {
    token: String,
    pin: Option<PinState>,
    officer_pin: Option<PinState>,
}

/// Does it.
pub(crate) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<(), Failure> {
    let cards = Cards::open(common)?;
    match arguments {
        Arguments::Tries { token } => tries(&token.token(&cards)?, output),
        Arguments::Change { token, officer, pin } => {
            change(&token.token(&cards)?, *officer, PinEntry::new(pin)?, output)
        }
        Arguments::Unblock { token, resetting_code: true, pin } => {
            unblock_by_code(&token.token(&cards)?, PinEntry::new(pin)?, output)
        }
        Arguments::Unblock { token, pin, .. } => unblock(&token.token(&cards)?, PinEntry::new(pin)?, output),
        Arguments::Retries { token, pin_tries, puk_tries, confirm, pin } => {
            let token = token.token(&cards)?;
            reset::confirm(
                &token,
                confirm.as_deref(),
                "PIN and PUK will be set to the factory's, 123456 and 12345678,",
            )?;
            set_tries(&token, (*pin_tries, *puk_tries), PinEntry::new(pin)?, output)
        }
        Arguments::ResettingCode { token, remove, pin } => {
            set_resetting_code(&token.token(&cards)?, *remove, PinEntry::new(pin)?, output)
        }
    }
}

fn tries(token: &Token<'_>, output: &Output) -> Result<(), Failure> {
    // One connection for both questions.
    let _session = token.session(false)?;
    let report = Report {
        token: token.uri().to_string(),
        pin: pin_state(token, Role::User)?,
        officer_pin: pin_state(token, Role::SecurityOfficer)?,
    };
    if output.is_json() {
        return output.value(&report);
    }
    let states = [("PIN", &report.pin), ("SO PIN or PUK", &report.officer_pin)];
    let mut present = states.into_iter().filter_map(|(name, state)| Some((name, state.as_ref()?)));
    present.try_for_each(|(name, state)| output.line(format!("{name:<14} {}", tries_text(state))))
}

fn change(token: &Token<'_>, officer: bool, mut entry: PinEntry, output: &Output) -> Result<(), Failure> {
    let name = if officer { "security officer's PIN or PUK" } else { "PIN" };
    let session = token.session(true)?;
    if entry.is_at_reader(token) {
        if officer {
            entry.log_in(token, &session, SECURITY_OFFICER, name)?;
        }
        at_reader(token, &format!("{name}, then the new one twice"));
        session.set_pin(None, None).map_err(|error| refused(token, error, officer, name))?;
        return done(output, name);
    }
    let old = entry.ask(&format!("{name} of {}", token.info().label))?;
    if officer {
        entry.prove(token, &session, SECURITY_OFFICER, Some(&old), name)?;
    } else if token.slot().tries(Role::User).map_err(|error| token.explain(error))? == Some(0) {
        return Err(Failure::new(Exit::PinBlocked, "the PIN is blocked").advise("`cardea pin unblock` sets a new one"));
    }
    let new = entry.ask_new(&format!("new {name}"))?;
    session
        .set_pin(Some(old), Some(new))
        .map_err(|error| broken_off(refused(token, error, officer, name), error, OLD_OR_NEW))?;
    done(output, name)
}

/// A refusal, with what the PINs may be where nobody knows whether the card has set them.
fn broken_off(failure: Failure, error: Error, advice: &str) -> Failure {
    if matches!(error, Error::DeviceError | Error::DeviceRemoved) { failure.advise(advice) } else { failure }
}

fn unblock(token: &Token<'_>, mut entry: PinEntry, output: &Output) -> Result<(), Failure> {
    let name = "security officer's PIN or PUK";
    let session = token.session(true)?;
    entry.log_in(token, &session, SECURITY_OFFICER, name)?;
    let new = if entry.is_at_reader(token) {
        at_reader(token, "new PIN, twice");
        None
    } else {
        Some(entry.ask_new("new PIN")?)
    };
    session.init_pin(new).map_err(|error| broken_off(refused(token, error, true, name), error, OLD_OR_NEW))?;
    done(output, "PIN")
}

fn unblock_by_code(token: &Token<'_>, mut entry: PinEntry, output: &Output) -> Result<(), Failure> {
    let name = "resetting code";
    let _session = token.session(true)?;
    let code = entry.ask(&format!("{name} of {}", token.info().label))?;
    let new = entry.ask_new("new PIN")?;
    let generation = token.slot().present().map_err(|error| token.explain(error))?;
    token.slot().reset_pin_by_code(generation, &code, &new).map_err(|error| match error {
        Error::PinIncorrect => Failure::new(Exit::PinWrong, format!("the {name} was refused")),
        Error::PinLocked => Failure::new(Exit::PinBlocked, format!("there is no {name}, or it is blocked"))
            .advise("`cardea pin unblock` sets a new PIN with the security officer's"),
        other => token.explain(other),
    })?;
    done(output, "PIN")
}

fn set_resetting_code(token: &Token<'_>, remove: bool, mut entry: PinEntry, output: &Output) -> Result<(), Failure> {
    let name = "security officer's PIN";
    let session = token.session(true)?;
    let officer = entry.ask(&format!("{name} of {}", token.info().label))?;
    entry.prove(token, &session, SECURITY_OFFICER, Some(&officer), name)?;
    let code = if remove { None } else { Some(entry.ask_new("new resetting code")?) };
    let generation = token.slot().present().map_err(|error| token.explain(error))?;
    token.slot().set_resetting_code(generation, code.as_ref()).map_err(|error| token.explain(error))?;
    done(output, "resetting code")
}

fn set_tries(token: &Token<'_>, tries: (u8, u8), mut entry: PinEntry, output: &Output) -> Result<(), Failure> {
    let name = "management key";
    let session = token.session(true)?;
    let officer = entry.ask(&format!("{name} of {}", token.info().label))?;
    // A PUK would log in too, and only be refused after a try of the PIN.
    if officer.len() < SHORTEST_KEY {
        return Err(Failure::new(Exit::PinWrong, "a management key has 32, 48 or 64 hexadecimal digits"));
    }
    entry.prove(token, &session, SECURITY_OFFICER, Some(&officer), name)?;
    let user = entry.ask(&format!("PIN of {}", token.info().label))?;
    let generation = token.slot().present().map_err(|error| token.explain(error))?;
    token.slot().set_tries(generation, &user, tries).map_err(|error| match error {
        Error::FunctionNotSupported => Failure::new(Exit::NotSupported, "this card does not let its tries be set"),
        other => broken_off(refused(token, other, false, "PIN"), other, OLD_OR_FACTORYS),
    })?;
    if output.is_json() {
        return output.value(&serde_json::json!({ "pin_tries": tries.0, "puk_tries": tries.1 }));
    }
    output.line(format!("the PIN has {} tries and is 123456, the PUK has {} and is 12345678", tries.0, tries.1))?;
    output.line("set your own: `cardea pin change` and `cardea pin change --officer`")
}

fn done(output: &Output, name: &str) -> Result<(), Failure> {
    if output.is_json() {
        return output.value(&serde_json::json!({ "changed": true }));
    }
    output.line(format!("the {name} was set"))
}
