//! `cardea info`: what a token is, what it can do, and how its PINs stand.

use cardea_pkcs11::card::Role;
use cardea_pkcs11::slot::TokenInfo;
use serde::Serialize;

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::choice::{Token, TokenChoice};
use crate::failure::Failure;
use crate::mechanisms;
use crate::output::{Output, printable};
use crate::pin_entry::PROTECTED_AUTHENTICATION_PATH;

/// Which token.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    token: TokenChoice,
}

/// How one PIN stands.
#[derive(Debug, Serialize)]
pub(crate) struct PinState {
    /// Tries left; `None` where the card does not tell.
    pub(crate) tries: Option<u8>,
    /// No try is left.
    pub(crate) blocked: bool,
}

#[derive(Serialize)]
struct Report {
    reader: String,
    label: String,
    manufacturer: String,
    model: String,
    serial: String,
    hardware: String,
    firmware: String,
    uri: String,
    drivers: Vec<&'static str>,
    pin_length: (u64, u64),
    pin_pad: bool,
    pin: PinState,
    officer_pin: Option<PinState>,
    mechanisms: Vec<String>,
}

/// Says it.
pub(crate) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<(), Failure> {
    let cards = Cards::open(common)?;
    let token = arguments.token.token(&cards)?;
    // One connection for all questions.
    let _session = token.session(false)?;
    let report = report(&token)?;
    if output.is_json() { output.value(&report) } else { show(&report, output) }
}

/// How the PIN of `role` stands; `None` where the token has no such PIN.
pub(crate) fn pin_state(token: &Token<'_>, role: Role) -> Result<Option<PinState>, Failure> {
    let slot = token.slot();
    let description = slot.description().map_err(|error| token.explain(error))?;
    if role == Role::SecurityOfficer && description.so_pin.is_none() {
        return Ok(None);
    }
    let tries = slot.tries(role).map_err(|error| token.explain(error))?;
    Ok(Some(PinState { tries, blocked: tries == Some(0) }))
}

fn report(token: &Token<'_>) -> Result<Report, Failure> {
    let slot = token.slot();
    let TokenInfo { label, manufacturer, model, serial, flags, max_pin, min_pin, hardware, firmware, .. } =
        token.info().clone();
    let identity = slot.present().and_then(|generation| slot.reader().identity(generation));
    let offered = slot.mechanisms().map_err(|error| token.explain(error))?;
    let version = |(major, minor): (u8, u8)| format!("{major}.{minor}");
    Ok(Report {
        reader: slot.reader().name().to_owned(),
        uri: token.uri().to_string(),
        drivers: identity.map(|identity| identity.drivers).unwrap_or_default(),
        pin_length: (min_pin, max_pin),
        pin_pad: flags & PROTECTED_AUTHENTICATION_PATH != 0,
        pin: pin_state(token, Role::User)?.unwrap_or(PinState { tries: None, blocked: false }),
        officer_pin: pin_state(token, Role::SecurityOfficer)?,
        mechanisms: offered.into_iter().map(mechanisms::name).collect(),
        hardware: version(hardware),
        firmware: version(firmware),
        label,
        manufacturer,
        model,
        serial,
    })
}

fn show(report: &Report, output: &Output) -> Result<(), Failure> {
    let line = |name: &str, value: &str| output.line(format!("{name:<14} {}", printable(value)));
    line("token", &report.label)?;
    line("manufacturer", &report.manufacturer)?;
    line("model", &report.model)?;
    line("serial number", &report.serial)?;
    line("hardware", &report.hardware)?;
    line("firmware", &report.firmware)?;
    line("reader", &report.reader)?;
    line("driver", &report.drivers.join(", "))?;
    line("URI", &report.uri)?;
    let (min, max) = report.pin_length;
    let entry = if report.pin_pad { ", entered on the reader" } else { "" };
    line("PIN", &format!("{}; {min} to {max} characters{entry}", tries_text(&report.pin)))?;
    if let Some(officer) = &report.officer_pin {
        line("SO PIN or PUK", &tries_text(officer))?;
    }
    line("mechanisms", &report.mechanisms.join(" "))
}

/// How a PIN stands, in words.
pub(crate) fn tries_text(state: &PinState) -> String {
    match state.tries {
        Some(0) => "blocked".to_owned(),
        Some(1) => "1 try left".to_owned(),
        Some(tries) => format!("{tries} tries left"),
        None => "the card does not tell how many tries are left".to_owned(),
    }
}
