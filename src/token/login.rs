//! The login state of an application with a token (PKCS#11 3.2 section 5.6, "Session states").
//!
//! It belongs to the token, not to a session: all sessions of a slot change together. A login is void as soon as
//! the card is known to have dropped it.

use std::sync::Arc;

use crate::card::Role;
use crate::secret::Pin;

/// Who is logged in.
#[derive(Default)]
pub enum Login {
    /// Nobody.
    #[default]
    Public,
    /// Nobody, because the card has dropped the user's login: by a reset, or by another program's selection.
    Lost,
    /// The normal user.
    User {
        /// Security epoch of the verification.
        epoch: u64,
        /// How often the card had been used when the verification was done (see [`Login::is_followed_by`]).
        uses: u64,
        /// The PIN, where the configuration has it kept for [`crate::slot`] to restore the login with.
        pin: Option<Arc<Pin>>,
    },
    /// The security officer.
    SecurityOfficer {
        /// Security epoch of the verification.
        epoch: u64,
        /// Unblocking reference data. Cards such as PIV keep no "officer is logged in" state, so that each
        /// administrative command has to prove them again; wiped at logout. `None` where they were typed on the
        /// reader, which asks for them again.
        pin: Option<Arc<Pin>>,
    },
}

impl Login {
    /// Who is logged in while the card's security epoch is `now`. Epochs only grow: a login that is newer than what the
    /// caller has seen was made by another thread meanwhile, and stands.
    pub fn role(&self, now: u64) -> Option<Role> {
        match self {
            Self::User { epoch, .. } if *epoch >= now => Some(Role::User),
            Self::SecurityOfficer { epoch, .. } if *epoch >= now => Some(Role::SecurityOfficer),
            _ => None,
        }
    }

    /// Whether use number `next` of the card is the one directly after the user's verification.
    ///
    /// A key with CKA_ALWAYS_AUTHENTICATE wants a PIN of its user for each use. The PIN of C_Login is one, and stands
    /// for the one use that follows it; see `docs/programs.md`.
    pub fn is_followed_by(&self, next: u64) -> bool {
        matches!(self, Self::User { uses, .. } if uses.checked_add(1) == Some(next))
    }
}

/// A context-specific login, kept until its operation ends.
pub enum Proof {
    /// By a PIN from the host, which can be proved again where another program came in between.
    Pin(Pin),
    /// On the reader's PIN pad, which asks for a PIN at C_Login and at no other time.
    Entered,
}

/// How a token's PIN can reach the card; the same for one insertion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PinPath {
    /// The reader's PIN pad can ask for the user's PIN (CKF_PROTECTED_AUTHENTICATION_PATH).
    pub protected: bool,
    /// It can ask for the security officer's PIN.
    pub officer: bool,
    /// There is no other way for the user's: the reader keeps back PINs that the host sends.
    pub exclusive: bool,
}

/// `CKS_*`, without its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// CKS_RO_PUBLIC_SESSION.
    ReadOnlyPublic,
    /// CKS_RO_USER_FUNCTIONS.
    ReadOnlyUser,
    /// CKS_RW_PUBLIC_SESSION.
    ReadWritePublic,
    /// CKS_RW_USER_FUNCTIONS.
    ReadWriteUser,
    /// CKS_RW_SO_FUNCTIONS.
    ReadWriteSecurityOfficer,
}

impl SessionState {
    /// State of a session of this kind under this login.
    pub fn of(read_write: bool, role: Option<Role>) -> Self {
        match (read_write, role) {
            (true, Some(Role::SecurityOfficer)) => Self::ReadWriteSecurityOfficer,
            (true, Some(Role::User)) => Self::ReadWriteUser,
            (true, None) => Self::ReadWritePublic,
            (false, Some(Role::User)) => Self::ReadOnlyUser,
            (false, _) => Self::ReadOnlyPublic,
        }
    }

    /// The number of `CKS_*` (PKCS#11 3.2 section 3.3).
    pub fn number(self) -> u64 {
        match self {
            Self::ReadOnlyPublic => 0,
            Self::ReadOnlyUser => 1,
            Self::ReadWritePublic => 2,
            Self::ReadWriteUser => 3,
            Self::ReadWriteSecurityOfficer => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_void_for_later_epochs_and_not_for_who_looked_before_it() {
        let login = Login::User { epoch: 5, uses: 0, pin: None };
        assert_eq!([4, 5, 6].map(|now| login.role(now)), [Some(Role::User), Some(Role::User), None]);
    }
}
