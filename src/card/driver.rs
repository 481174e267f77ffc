//! The drivers, and how a card finds its own.

use cardea_apdu::Atr;

use super::{CardApplication, CardError, myeid, piv};
use crate::channel::{Channel, ChannelError};

/// What a probe finds: the application, selected, or nothing.
pub type Probed = Result<Option<Box<dyn CardApplication>>, CardError>;

/// A static entry for one kind of application.
pub struct Driver {
    /// Name for people and the log.
    pub name: &'static str,
    /// Whether the ATR speaks for this driver; it is then asked before the others. SELECT decides.
    pub hint: fn(&Atr) -> bool,
    /// Selects the application and learns what it needs.
    pub probe: fn(&mut Channel<'_>, &Atr) -> Probed,
}

/// All drivers, in the order in which an unknown card is asked.
pub static DRIVERS: &[Driver] = &[
    // First because the discovery object tells in one command without SELECT, which spares other programs' logins.
    Driver { name: "PIV", hint: |_| false, probe: piv::probe },
    // Asked only where the ATR bears its name, so it costs other cards nothing.
    Driver { name: "MyEID", hint: myeid::hint, probe: myeid::probe },
];

/// Most commands that a card nobody knows may cost.
const UNKNOWN_CARD_COMMANDS: u64 = 8;

/// An application that a driver found on a card.
pub struct Found {
    /// Name of the driver.
    pub driver: &'static str,
    /// The application.
    pub application: Box<dyn CardApplication>,
}

/// The applications of a card that `drivers` know. The last one found is the one selected.
///
/// A failing probe counts as "not mine"; only a broken link ends the search.
pub fn identify(drivers: &[Driver], channel: &mut Channel<'_>, atr: &Atr) -> Result<Vec<Found>, CardError> {
    let (hinted, others): (Vec<&Driver>, Vec<&Driver>) = drivers.iter().partition(|driver| (driver.hint)(atr));
    let mut found = Vec::new();
    for driver in hinted.into_iter().chain(others) {
        if found.is_empty() && channel.commands() >= UNKNOWN_CARD_COMMANDS {
            break;
        }
        match (driver.probe)(channel, atr) {
            Ok(Some(application)) => found.push(Found { driver: driver.name, application }),
            Ok(None) => {}
            Err(CardError::Channel(error @ ChannelError::Link(_))) => return Err(error.into()),
            Err(_) => {}
        }
    }
    Ok(found)
}
