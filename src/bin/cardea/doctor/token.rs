//! One reader and the card in it.

use std::path::Path;
use std::sync::Arc;

use cardea_pkcs11::card::Role;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::slot::Slot;

use super::Finding;
use super::programs;
use crate::cards::Cards;
use crate::choice::Token;
use crate::failure::{Exit, Failure};
use crate::info::{pin_state, tries_text};
use crate::readers::Report;
use crate::uri::Class;

/// What there is to say of a slot.
pub(super) fn look(cards: &Cards, slot: &Arc<Slot>, report: &Report) -> Vec<Finding> {
    let mut findings = vec![reader(report)];
    for fault in &report.faults {
        findings.push(Finding::note(
            "reader-fault",
            format!("{}: {fault}", report.name),
            "nothing: Cardea works around it; another reader may be faster",
        ));
    }
    let Some(card) = &report.card else {
        let advice = "put a card in, chip first and upwards where the reader lies flat";
        findings.push(Finding::problem("no-card", format!("{}: there is no card", report.name), advice));
        return findings;
    };
    match Token::in_slot(cards, slot) {
        Ok(token) => findings.extend(there(&token)),
        Err(Error::TokenNotPresent) => {}
        Err(error) => findings.push(unusable(cards.explain(slot, error), &card.atr)),
    }
    if let (Some(extended), Some(longest)) = (card.extended_length, card.longest_data)
        && !card.applications.is_empty()
    {
        let text = match extended {
            "proven" => "works",
            "announced" => "is announced and was not needed yet",
            _ => "is not possible: long data travel in pieces",
        };
        let what = format!("{}: extended length {text}; {longest} bytes of data in one command", report.name);
        findings.push(Finding::ok("extended-length", what));
    }
    findings
}

fn reader(report: &Report) -> Finding {
    let usb = report.usb.as_ref().map(|usb| format!(" ({usb})")).unwrap_or_default();
    let profile = report.profile.as_ref().map_or("no profile".to_owned(), |profile| format!("profile {profile}"));
    Finding::ok("reader", format!("reader {}{usb}, {profile}", report.name))
}

fn unusable(failure: Failure, atr: &str) -> Finding {
    match failure.exit {
        Exit::Held => {
            let clients = programs::clients(Path::new("/proc"));
            let who = if clients.is_empty() {
                "end the program that uses it, or wait until it is done".to_owned()
            } else {
                format!("end the program that uses it; programs at PC/SC are: {}", programs::list(&clients))
            };
            Finding::problem("card-held", failure.what, who)
        }
        Exit::UnknownCard if atr.is_empty() => Finding::problem(
            "card-mute",
            failure.what,
            "take the card out, wipe its contacts, and put it back the right way round",
        ),
        Exit::UnknownCard => Finding::problem(
            "card-unknown",
            format!("{}; ATR {atr}", failure.what),
            "`cardea trace` records what the card answers; please send that with the name of the card",
        ),
        Exit::NoCard => Finding::problem("no-card", failure.what, "put a card in"),
        _ => Finding::problem(
            "card-failed",
            failure.what,
            "take the card out and put it back; CARDEA_LOG=trace shows what it answered",
        ),
    }
}

/// A token that is known.
fn there(token: &Token<'_>) -> Vec<Finding> {
    let label = &token.info().label;
    if !token.is_initialized() {
        let what = format!("{label}: the card is new, or its initialization was interrupted");
        return vec![Finding::problem("token-uninitialized", what, "`cardea reset` makes it ready for use")];
    }
    let mut findings = vec![Finding::ok("token", format!("token {label}, serial number {}", token.info().serial))];
    match token.items() {
        Ok(items) => {
            let count = |class| items.iter().filter(|item| item.class == class).count();
            findings.push(Finding::ok(
                "objects",
                format!(
                    "{label}: {} private keys, {} certificates, {} data objects",
                    count(Class::PrivateKey),
                    count(Class::Certificate),
                    count(Class::Data)
                ),
            ));
        }
        Err(failure) => findings.push(Finding::problem(
            "objects-unreadable",
            failure.what,
            "take the card out and put it back; CARDEA_LOG=trace shows what it answered",
        )),
    }
    let pins = [
        (Role::User, "PIN", "pin", "`cardea pin unblock` sets a new one with the unblocking PIN (PUK)"),
        (Role::SecurityOfficer, "SO PIN or PUK", "officer-pin", "only a reset of the token makes it usable again"),
    ];
    findings.extend(pins.into_iter().filter_map(|(role, name, id, advice)| pin(token, role, name, id, advice)));
    findings
}

fn pin(token: &Token<'_>, role: Role, name: &str, id: &'static str, advice: &'static str) -> Option<Finding> {
    let state = match pin_state(token, role) {
        Ok(state) => state?,
        Err(failure) => return Some(Finding::note("pin-unknown", failure.what, "ask again")),
    };
    let what = format!("{}: {name}: {}", token.info().label, tries_text(&state));
    Some(match state.tries {
        Some(0) if role == Role::User => Finding::problem("pin-blocked", what, advice),
        Some(0) => Finding::note("officer-pin-blocked", what, advice),
        Some(1) => Finding::note("pin-last-try", what, "one more wrong entry blocks it: be sure of the next one"),
        _ => Finding::ok(id, what),
    })
}
