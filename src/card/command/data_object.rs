//! GET DATA, SELECT DATA and PUT DATA (ISO 7816-4 11.4.2, 11.4.3 and 11.4.6).

use cardea_apdu::tlv::{Builder, write};
use cardea_apdu::{Command, Tag};

use super::{INS_GET_DATA, INS_GET_DATA_ODD, INS_PUT_DATA, INS_PUT_DATA_ODD, INS_SELECT_DATA, execute};
use crate::card::CardError;
use crate::channel::Channel;
use crate::secret::SecretBytes;

/// P1-P2 of the odd instruction code: the current DF.
const CURRENT_DF: u16 = 0x3FFF;
/// The tag of a tag list (ISO 7816-4 8.4.2).
const TAG_LIST: Tag = Tag::new(0x5C);

/// GET DATA of the object with this tag in the current DF, by a tag list; the answer carries the object's wrapping.
pub fn get_data(channel: &mut Channel<'_>, tag: Tag) -> Result<SecretBytes, CardError> {
    execute(channel, ask(tag))
}

/// GET DATA of an object in the current DF whose content is secret.
pub fn get_secret_data(channel: &mut Channel<'_>, tag: Tag) -> Result<SecretBytes, CardError> {
    execute(channel, ask(tag).secret_response())
}

fn ask(tag: Tag) -> Command {
    let [p1, p2] = CURRENT_DF.to_be_bytes();
    Command::new(0x00, INS_GET_DATA_ODD, p1, p2).data(&write(TAG_LIST, &tag.to_vec())).le_max()
}

/// PUT DATA of the object with this tag in the current DF: a tag list, then `object`, the wrapping with the content.
/// The content counts as secret.
pub fn put_data(channel: &mut Channel<'_>, tag: Tag, object: Builder<'_>) -> Result<(), CardError> {
    let [p1, p2] = CURRENT_DF.to_be_bytes();
    let name = tag.to_vec();
    let data = Builder::new().push(TAG_LIST, &name).append(object).finish_zeroizing();
    let command = Command::new(0x00, INS_PUT_DATA_ODD, p1, p2).data_zeroizing(data).secret_command();
    execute(channel, command).map(drop)
}

/// GET DATA of the object whose tag of one or two bytes stands in P1-P2.
pub fn get_data_by_number(channel: &mut Channel<'_>, number: u16) -> Result<SecretBytes, CardError> {
    let [p1, p2] = number.to_be_bytes();
    execute(channel, Command::new(0x00, INS_GET_DATA, p1, p2).le_max())
}

/// SELECT DATA: the following commands about the object with this tag mean its occurrence number `occurrence`, from 0.
pub fn select_data(channel: &mut Channel<'_>, occurrence: u8, general_reference: &[u8]) -> Result<(), CardError> {
    execute(channel, Command::new(0x00, INS_SELECT_DATA, occurrence, 0x04).data(general_reference)).map(drop)
}

/// PUT DATA of the object whose tag of one or two bytes stands in P1-P2. Whatever it is, the trace does not show it.
pub fn put_data_by_number(channel: &mut Channel<'_>, number: u16, content: SecretBytes) -> Result<(), CardError> {
    let [p1, p2] = number.to_be_bytes();
    execute(channel, Command::new(0x00, INS_PUT_DATA, p1, p2).data_zeroizing(content).secret_command()).map(drop)
}

/// PUT DATA with the odd instruction code: data objects in the current DF, without a tag list.
pub fn put_data_objects(channel: &mut Channel<'_>, objects: SecretBytes) -> Result<(), CardError> {
    let [p1, p2] = CURRENT_DF.to_be_bytes();
    execute(channel, Command::new(0x00, INS_PUT_DATA_ODD, p1, p2).data_zeroizing(objects).secret_command()).map(drop)
}
