//! `cardea pin`: tries left, change, unblock, the resetting code.

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
    session.set_pin(Some(old), Some(new)).map_err(|error| refused(token, error, officer, name))?;
    done(output, name)
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
    session.init_pin(new).map_err(|error| refused(token, error, true, name))?;
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

fn done(output: &Output, name: &str) -> Result<(), Failure> {
    if output.is_json() {
        return output.value(&serde_json::json!({ "changed": true }));
    }
    output.line(format!("the {name} was set"))
}
