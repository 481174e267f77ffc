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
pub(super) fn initialize(
    card: &mut OpenPgp,
    channel: &mut Channel<'_>,
    officer: &Pin,
    label: &str,
) -> Result<(), CardError> {
    card.verify(channel, Role::SecurityOfficer, officer)?;
    execute(channel, Command::new(0x00, INS_TERMINATE_DF, 0x00, 0x00))?;
    execute(channel, Command::new(0x00, INS_ACTIVATE_FILE, 0x00, 0x00))?;
    card.select(channel)?;
    card.data = ApplicationData::read(channel)?;
    card.aes = Known::default();
    // Activated, the card has no KDF data object.
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
