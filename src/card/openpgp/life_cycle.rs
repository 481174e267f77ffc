//! The application's life cycle (OpenPGP card 6, 7.2.16 and 7.2.17).
//!
//! TERMINATE DF puts the application into initialisation state, which ACTIVATE FILE alone ends, and then it is as new. A
//! card is left there where the power was lost between the two; some come so from the factory. SELECT then answers with a
//! warning, or nothing but SELECT works.

use cardea_apdu::tlv::Reader;
use cardea_apdu::{Response, StatusWord, Tag};

use super::APPLICATION_IDENTIFIER;
use super::application_data::ApplicationData;
use super::identifier::{AID, Identifier};
use crate::card::CardError;
use crate::card::command::{INS_SELECT, accept, data_object, selection};
use crate::channel::Channel;

/// Life cycle status of the historical bytes: initialisation state (ISO 7816-4, table 14).
pub(super) const INITIALISATION: u8 = 0x03;
/// File control information, and the DF name in it (ISO 7816-4 7.4).
const CONTROL_INFORMATION: Tag = Tag::new(0x6F);
const DF_NAME: Tag = Tag::new(0x84);

/// In which state an OpenPGP application is.
pub(super) enum LifeCycle {
    /// Operational.
    Activated(Box<ApplicationData>),
    /// In initialisation state; whose card it is where that can be read.
    Terminated(Option<Identifier>),
}

/// SELECT, and the state of what is selected; `None` where nothing says that it is an OpenPGP application.
///
/// 6285 to SELECT by name is certain, and so is an application that is selected and does not give what it gives to
/// everybody when it is operational. Any other answer is not; but where the card says by other means that it is in this
/// state (`announced`), its application identifier is.
pub(super) fn look(channel: &mut Channel<'_>, announced: bool) -> Result<Option<LifeCycle>, CardError> {
    let response = channel.transmit(selection::by_name(AID))?;
    let operational = response.sw().is_success();
    if !operational && response.sw() != StatusWord::FILE_TERMINATED {
        // Locked cards of GlobalPlatform warn of deactivation too.
        let announced = announced || response.sw() == StatusWord::FILE_DEACTIVATED;
        let found = if announced { told(channel, &response)? } else { None };
        return Ok(found.map(|identifier| LifeCycle::Terminated(Some(identifier))));
    }
    match ApplicationData::read(channel) {
        Ok(data) if operational => Ok(Some(LifeCycle::Activated(Box::new(data)))),
        Ok(data) => Ok(Some(LifeCycle::Terminated(Some(data.identifier)))),
        Err(error @ CardError::Channel(_)) => Err(error),
        Err(error) if operational && !is_state(error) => Ok(None),
        Err(_) => Ok(Some(LifeCycle::Terminated(told(channel, &response)?))),
    }
}

/// SELECT of an application that was operational: whether it still is.
pub(super) fn select(channel: &mut Channel<'_>) -> Result<bool, CardError> {
    let response = channel.transmit(selection::by_name(AID))?;
    let unusable = matches!(response.sw(), StatusWord::FILE_TERMINATED | StatusWord::FILE_DEACTIVATED);
    if unusable { Ok(false) } else { accept(INS_SELECT, response).map(|_| true) }
}

/// Whether a command is refused for the state that the application is in. Applications that answer SELECT with 9000 say so
/// to all others (ykneo-openpgp: 6985; CanoKey: 6285).
pub(super) fn is_state(error: CardError) -> bool {
    let CardError::Status { status, .. } = error else { return false };
    matches!(status, StatusWord::FILE_TERMINATED | StatusWord::CONDITIONS_NOT_SATISFIED)
}

/// The whole AID, from the answer to SELECT or by GET DATA.
fn told(channel: &mut Channel<'_>, selected: &Response) -> Result<Option<Identifier>, CardError> {
    let name = Reader::new(selected.data()).find_path(&[CONTROL_INFORMATION, DF_NAME]).ok().flatten();
    if let Some(identifier) = name.and_then(|name| Identifier::parse(name).ok()) {
        return Ok(Some(identifier));
    }
    match data_object::get_data_by_number(channel, APPLICATION_IDENTIFIER) {
        Ok(content) => Ok(Identifier::parse(&content).ok()),
        Err(error @ CardError::Channel(_)) => Err(error),
        Err(_) => Ok(None),
    }
}
