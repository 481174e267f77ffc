//! The reader and the card as another program sees them, over PC/SC and past the module.

use std::ffi::{CStr, CString};

use pcsc::{Card, Context, Disposition, Protocols, ReaderState, Scope, ShareMode, State};

use crate::Result;

/// VERIFY without a PIN asks for its status and spends no try (SP 800-73-4 part 2 3.2.1).
const VERIFY_STATUS: [u8; 4] = [0x00, 0x20, 0x00, 0x80];

/// Readers of the system's pcscd that hold a card; none when there is no pcscd.
pub(crate) fn readers_with_cards() -> Vec<String> {
    let readers = || -> std::result::Result<Vec<String>, pcsc::Error> {
        let context = Context::establish(Scope::System)?;
        let names = context.list_readers_owned()?;
        let mut states: Vec<ReaderState> =
            names.into_iter().map(|name| ReaderState::new(name, State::UNAWARE)).collect();
        context.get_status_change(std::time::Duration::ZERO, &mut states)?;
        let present = states.iter().filter(|state| state.event_state().contains(State::PRESENT));
        Ok(present.map(|state| state.name().to_string_lossy().into_owned()).collect())
    };
    readers().unwrap_or_default()
}

/// What a PIV card says about its PIN, to a program that has not logged in.
pub(crate) fn pin_status(reader: &str) -> Result<u16> {
    let context = Context::establish(Scope::System)?;
    let name = CString::new(reader)?;
    let mut card = connect(&context, &name)?;
    let status = ask(&mut card);
    // dropping the connection would reset the card
    card.disconnect(Disposition::LeaveCard).map_err(|(_, error)| error)?;
    status
}

fn connect(context: &Context, name: &CStr) -> Result<Card> {
    Ok(context.connect(name, ShareMode::Shared, Protocols::ANY)?)
}

fn ask(card: &mut Card) -> Result<u16> {
    let transaction = card.transaction()?;
    let mut buffer = [0; 258];
    let answer = transaction.transmit(&VERIFY_STATUS, &mut buffer)?.to_vec();
    transaction.end(Disposition::LeaveCard).map_err(|(_, error)| error)?;
    match answer.as_slice() {
        [sw1, sw2] => Ok(u16::from_be_bytes([*sw1, *sw2])),
        _ => Err("the card answers VERIFY with data".into()),
    }
}
