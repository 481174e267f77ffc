//! What happens to the card when the application's last session with any token in the reader is closed.
//!
//! All but leaving it is done only where nobody else uses the card, which is established by an exclusive connection.
//!
//! | disposition | when, by default |
//! |---|---|
//! | eject | the reader's profile says that it can |
//! | unpower | a PIN was verified or volatile memory used since connecting |
//! | reset | as unpower, where the profile says that the reader mishandles power-down |
//! | leave | everything else: nothing to protect |

use crate::configuration::EjectPolicy;
use crate::pcsc::Disposition;
use crate::profile::{Ability, ReaderProfile};

/// What a reader can do with a card at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Departure {
    /// It puts cards out.
    pub ejects: bool,
    /// It powers cards off and on again without harm.
    pub powers_down: bool,
}

impl Departure {
    /// As the reader's profile says; without one, it powers down like any other.
    pub fn of(profile: Option<&ReaderProfile>) -> Self {
        Self {
            ejects: profile.is_some_and(|profile| profile.mechanics.eject),
            powers_down: profile.is_none_or(|profile| profile.allows(Ability::PowerDown)),
        }
    }

    /// What to do if nobody else uses the card. `touched`: a PIN was verified or volatile memory used.
    /// `reset_owed`: a verified PIN is still there because the application has no command against it.
    pub fn wish(self, policy: EjectPolicy, touched: bool, reset_owed: bool) -> Disposition {
        let off = if self.powers_down { Disposition::Unpower } else { Disposition::Reset };
        match policy {
            EjectPolicy::Auto | EjectPolicy::Eject if self.ejects => Disposition::Eject,
            EjectPolicy::Eject | EjectPolicy::Unpower => off,
            EjectPolicy::Auto if touched || reset_owed => off,
            EjectPolicy::Reset => Disposition::Reset,
            EjectPolicy::Leave if reset_owed => Disposition::Reset,
            EjectPolicy::Auto | EjectPolicy::Leave => Disposition::Leave,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Departure = Departure { ejects: false, powers_down: true };
    const MOTOR: Departure = Departure { ejects: true, powers_down: true };
    const WEAK: Departure = Departure { ejects: false, powers_down: false };

    #[test]
    fn by_default_a_card_is_ejected_where_the_reader_can_unpowered_where_it_was_used_and_left_otherwise() {
        assert_eq!(MOTOR.wish(EjectPolicy::Auto, false, false), Disposition::Eject);
        assert_eq!(PLAIN.wish(EjectPolicy::Auto, true, false), Disposition::Unpower);
        assert_eq!(WEAK.wish(EjectPolicy::Auto, true, false), Disposition::Reset);
        assert_eq!(PLAIN.wish(EjectPolicy::Auto, false, false), Disposition::Leave);
    }

    #[test]
    fn a_policy_of_the_users_own_wins() {
        assert_eq!(PLAIN.wish(EjectPolicy::Eject, false, false), Disposition::Unpower);
        assert_eq!(PLAIN.wish(EjectPolicy::Unpower, false, false), Disposition::Unpower);
        assert_eq!(PLAIN.wish(EjectPolicy::Reset, false, false), Disposition::Reset);
        assert_eq!(MOTOR.wish(EjectPolicy::Leave, true, false), Disposition::Leave);
    }

    #[test]
    fn a_pin_that_no_command_forgets_is_never_left_on_the_card() {
        assert_eq!(PLAIN.wish(EjectPolicy::Leave, true, true), Disposition::Reset);
    }
}
