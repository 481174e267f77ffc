//! TERMINATE DF and ACTIVATE FILE, which make the application as it left the factory (OpenPGP card 7.2.16, 7.2.17).

use cardea_apdu::Command;

use super::OpenPgp;
use super::aes::Known;
use super::application_data::ApplicationData;
use super::{cardholder, password};
use crate::card::command::data_object::put_data_by_number;
use crate::card::command::execute;
use crate::card::{CardApplication, CardError, Role};
use crate::channel::Channel;
use crate::secret::Pin;

/// TERMINATE DF (ISO 7816-9).
const INS_TERMINATE_DF: u8 = 0xE6;
/// ACTIVATE FILE (ISO 7816-9).
const INS_ACTIVATE_FILE: u8 = 0x44;
/// PW3 of a card that has just been activated (OpenPGP card 4.3).
const FACTORY_PW3: &[u8] = b"12345678";
/// Longest name that a card takes (OpenPGP card 4.4.3.3).
const NAME_MAX: usize = 39;

/// Proves PW3, empties the application, and gives it that PW3 and a name. The user's PIN is the factory's, 123456.
///
/// An application in initialisation state holds nothing that PW3 could be proved for: it is activated, and what is given
/// becomes its PW3. Until that is done it has the factory's, with which an initialization that broke off there is repeated.
pub(super) fn initialize(
    card: &mut OpenPgp,
    channel: &mut Channel<'_>,
    officer: &Pin,
    label: &str,
) -> Result<(), CardError> {
    if !password::may_be_officers(officer) {
        return Err(CardError::PinLength);
    }
    card.look(channel)?;
    if !card.activated {
        activate(card, channel)?;
        if card.data.has_no_key() {
            return personalize(card, channel, officer, label);
        }
        // It was deactivated only, and has kept what it held.
    }
    prove(card, channel, officer)?;
    // From here on SELECT alone knows in which state it is, should the exchange break off.
    *card = OpenPgp::terminated(card.data.identifier);
    execute(channel, Command::new(0x00, INS_TERMINATE_DF, 0x00, 0x00))?;
    activate(card, channel)?;
    personalize(card, channel, officer, label)
}

/// PW3, unless both PW1 and PW3 are blocked: then nobody can use what is on the card, and nothing is left to be proved.
fn prove(card: &mut OpenPgp, channel: &mut Channel<'_>, officer: &Pin) -> Result<(), CardError> {
    match card.verify(channel, Role::SecurityOfficer, officer) {
        Err(CardError::PinBlocked) if card.retries(channel, Role::User)? == Some(0) => Ok(()),
        result => result,
    }
}

/// ACTIVATE FILE. Cards of version 2.0 mistake it for TERMINATE DF at times (ZeitControl; gnupg-users, March 2013): these get
/// both once more.
fn activate(card: &mut OpenPgp, channel: &mut Channel<'_>) -> Result<(), CardError> {
    execute(channel, Command::new(0x00, INS_ACTIVATE_FILE, 0x00, 0x00))?;
    card.look(channel)?;
    if !card.activated {
        if let Err(error @ CardError::Channel(_)) = execute(channel, Command::new(0x00, INS_TERMINATE_DF, 0x00, 0x00)) {
            return Err(error);
        }
        execute(channel, Command::new(0x00, INS_ACTIVATE_FILE, 0x00, 0x00))?;
        card.look(channel)?;
    }
    card.judge_activated()
}

/// Gives PW3 and a name to a card that has just been activated, and therefore has no KDF data object.
fn personalize(card: &mut OpenPgp, channel: &mut Channel<'_>, officer: &Pin, label: &str) -> Result<(), CardError> {
    card.aes = Known::default();
    if officer.expose() != FACTORY_PW3 {
        password::change(channel, None, Role::SecurityOfficer, &Pin::new(FACTORY_PW3), officer)?;
    }
    card.verify(channel, Role::SecurityOfficer, officer)?;
    let name = label.trim_end().as_bytes();
    let name = name.get(..NAME_MAX).unwrap_or(name);
    put_data_by_number(channel, cardholder::NAME, name.to_vec().into())?;
    card.data = ApplicationData::read(channel)?;
    Ok(())
}
