//! The drivers, and how a card finds its own.

use cardea_apdu::Atr;

use super::{CardApplication, CardError, Description, myeid, openpgp, piv};
use crate::channel::{Channel, ChannelError, MOST_QUESTIONS};

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
    // After PIV, because it has to select: a YubiKey whose PIV is current was asked without that.
    Driver { name: "OpenPGP", hint: |_| false, probe: openpgp::probe },
    // Asked only where the ATR bears its name, so it costs other cards nothing.
    Driver { name: "MyEID", hint: myeid::hint, probe: myeid::probe },
];

/// Most commands that a card nobody knows may cost.
const UNKNOWN_CARD_COMMANDS: u64 = 8;

/// An application that a driver found.
pub struct Found {
    /// Name of the driver.
    pub driver: &'static str,
    /// The application.
    pub application: Box<dyn CardApplication>,
    /// What it says about itself, asked while it was selected; `None` where that failed.
    pub description: Option<Description>,
}

/// What a card carries.
#[derive(Default)]
pub struct Identified {
    /// The applications, in the order of the drivers. The last one found is the one selected.
    pub applications: Vec<Found>,
    /// No command was sent since that one was selected but its own.
    pub certain: bool,
}

/// The applications of a card that `drivers` know.
///
/// A failing probe counts as "not mine"; only a broken link ends the search.
pub fn identify(drivers: &[&Driver], channel: &mut Channel<'_>, atr: &Atr) -> Result<Identified, CardError> {
    let (hinted, others): (Vec<&Driver>, Vec<&Driver>) = drivers.iter().partition(|driver| (driver.hint)(atr));
    let mut found = Identified::default();
    for driver in hinted.into_iter().chain(others) {
        let before = channel.commands();
        if found.applications.is_empty() && before >= UNKNOWN_CARD_COMMANDS {
            break;
        }
        match judge(channel.bounded(MOST_QUESTIONS, |channel| (driver.probe)(channel, atr)))?.flatten() {
            Some(mut application) => {
                let description = judge(channel.bounded(MOST_QUESTIONS, |channel| application.describe(channel)))?;
                found.applications.push(Found { driver: driver.name, application, description });
                found.certain = true;
            }
            None => found.certain &= channel.commands() == before,
        }
    }
    Ok(found)
}

/// A refusal is no answer, a broken link the end.
fn judge<T>(answer: Result<T, CardError>) -> Result<Option<T>, CardError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error @ CardError::Channel(ChannelError::Link(_))) => Err(error),
        Err(_) => Ok(None),
    }
}
