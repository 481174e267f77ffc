//! `cardea readers`: what each reader is and can do, and which card is in it.

use cardea_pkcs11::channel::limits::{Extended, Limits};
use cardea_pkcs11::channel::pin_pad::Pad;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::pcsc::part10::Properties;
use cardea_pkcs11::profile::Exchange;
use cardea_pkcs11::slot::Slot;
use serde::Serialize;

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::failure::{Failure, no_reader};
use crate::output::{Colour, Output, printable};

/// A reader, as JSON has it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) name: String,
    /// USB vendor and product, `vvvv:pppp`.
    pub(crate) usb: Option<String>,
    /// Family of the reader profile that applies.
    pub(crate) profile: Option<String>,
    /// Exchange level, where the profile says.
    pub(crate) exchange: Option<&'static str>,
    /// What the profile says that the reader gets wrong.
    pub(crate) faults: Vec<String>,
    pub(crate) pin_pad: Option<PinPad>,
    pub(crate) card: Option<Card>,
}

/// What the reader's own keys are for.
#[derive(Debug, Serialize)]
pub(crate) struct PinPad {
    pub(crate) verify: bool,
    pub(crate) modify: bool,
}

/// The card in it.
#[derive(Debug, Serialize)]
pub(crate) struct Card {
    pub(crate) atr: String,
    /// Names of the applications that were found.
    pub(crate) applications: Vec<&'static str>,
    /// `no`, `announced` or `proven`.
    pub(crate) extended_length: Option<&'static str>,
    /// Longest data field of one command.
    pub(crate) longest_data: Option<usize>,
    /// Why more is not known.
    pub(crate) problem: Option<String>,
}

/// Says it.
pub(crate) fn run(common: &Common, output: &Output) -> Result<(), Failure> {
    let cards = Cards::open(common)?;
    let reports = reports(&cards)?;
    if output.is_json() {
        return output.value(&serde_json::json!({ "readers": reports }));
    }
    if reports.is_empty() {
        return Err(no_reader());
    }
    reports.iter().try_for_each(|report| show(report, output))
}

/// All readers, each once.
pub(crate) fn reports(cards: &Cards) -> Result<Vec<Report>, Failure> {
    let slots = cards.slots()?;
    let mut reports: Vec<Report> = Vec::new();
    for slot in &slots {
        if !reports.iter().any(|report| report.name == slot.reader().name()) {
            reports.push(report(cards, slot));
        }
    }
    Ok(reports)
}

fn report(cards: &Cards, slot: &Slot) -> Report {
    let reader = slot.reader();
    let (properties, pad) = reader.announced();
    let profile = reader.profile(&properties);
    Report {
        name: reader.name().to_owned(),
        usb: usb(&properties),
        profile: profile.map(|profile| profile.family.clone().into_owned()),
        exchange: profile.and_then(|profile| profile.exchange).map(exchange),
        faults: profile
            .map(|profile| profile.faults.iter().map(|fault| fault.what.to_string()).collect())
            .unwrap_or_default(),
        pin_pad: pin_pad(&pad),
        card: card(cards, slot),
    }
}

fn usb(properties: &Properties) -> Option<String> {
    let (vendor, product) = properties.vendor.zip(properties.product)?;
    Some(format!("{vendor:04x}:{product:04x}"))
}

fn exchange(exchange: Exchange) -> &'static str {
    match exchange {
        Exchange::Character => "character",
        Exchange::Tpdu => "TPDU",
        Exchange::Short => "short APDU",
        Exchange::Extended => "extended APDU",
    }
}

fn pin_pad(pad: &Pad) -> Option<PinPad> {
    (pad.verifies() || pad.modifies()).then(|| PinPad { verify: pad.verifies(), modify: pad.modifies() })
}

fn card(cards: &Cards, slot: &Slot) -> Option<Card> {
    let failed = |atr: Vec<u8>, error: Error| Card {
        atr: hex::encode_upper(atr),
        applications: Vec::new(),
        extended_length: None,
        longest_data: None,
        problem: Some(cards.explain(slot, error).what),
    };
    // An extended exchange is what measures extended length, and reading the card is full of occasions for it.
    let read = slot.present().and_then(|generation| slot.objects(generation).map(|_| ()));
    let (state, generation) = slot.reader().look();
    match slot.reader().identity(generation) {
        _ if !state.card_present => None,
        Ok(identity) => Some(Card {
            atr: hex::encode_upper(&identity.atr),
            applications: identity.drivers,
            extended_length: Some(extended(&identity.limits)),
            longest_data: Some(identity.limits.longest_data()),
            problem: read.err().map(|error| cards.explain(slot, error).what),
        }),
        Err(error) => Some(failed(state.atr, error)),
    }
}

fn extended(limits: &Limits) -> &'static str {
    match limits.extended() {
        Extended::No => "no",
        Extended::Announced => "announced",
        Extended::Proven => "proven",
    }
}

fn show(report: &Report, output: &Output) -> Result<(), Failure> {
    output.line(output.paint(Colour::Bold, &printable(&report.name)))?;
    let line = |name: &str, value: &str| output.line(format!("  {name:<16} {}", printable(value)));
    line("USB", report.usb.as_deref().unwrap_or("the reader does not tell"))?;
    let profile = report.profile.as_deref().unwrap_or("none: nothing is known of this reader but what it says itself");
    line("profile", profile)?;
    if let Some(exchange) = report.exchange {
        line("exchange level", exchange)?;
    }
    for fault in &report.faults {
        line("known fault", fault)?;
    }
    line("PIN pad", pin_pad_text(report.pin_pad.as_ref()))?;
    let Some(card) = &report.card else { return line("card", "none") };
    line("ATR", &card.atr)?;
    if let Some(extended) = card.extended_length {
        line("extended length", extended)?;
    }
    if let Some(longest) = card.longest_data {
        line("longest data", &format!("{longest} bytes in one command"))?;
    }
    let applications = card.applications.join(", ");
    line("applications", if applications.is_empty() { "none that is known" } else { &applications })?;
    card.problem.as_ref().map_or(Ok(()), |problem| line("problem", problem))
}

fn pin_pad_text(pad: Option<&PinPad>) -> &'static str {
    match pad {
        Some(PinPad { verify: true, modify: true }) => "verifies and changes PINs",
        Some(PinPad { verify: true, modify: false }) => "verifies PINs",
        Some(PinPad { verify: false, modify: true }) => "changes PINs",
        _ => "none",
    }
}
