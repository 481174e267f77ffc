//! What a case is, and the table of all of them.

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;

use crate::{destructive, read_only};

/// The token under test.
pub(crate) struct Subject<'a> {
    pub(crate) module: &'a Pkcs11,
    pub(crate) slot: Slot,
    pub(crate) token: &'a TokenInfo,
    /// The user's PIN, where the allow-list says where it is.
    pub(crate) pin: Option<AuthPin>,
}

/// How a case ended, other than well.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The token cannot do it, or the list does not let us.
    Skipped(String),
    /// The module did something wrong.
    Failed(String),
}

/// What a case asks of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Nothing: what everybody may read.
    Public,
    /// The user's PIN.
    Pin,
    /// The user's PIN and leave to write.
    Destructive,
}

/// One case.
pub(crate) struct Case {
    /// A sentence.
    pub(crate) name: &'static str,
    pub(crate) demand: Demand,
    pub(crate) run: Run,
}

type Run = fn(&Subject<'_>) -> Result<(), Ending>;

const fn case(name: &'static str, demand: Demand, run: Run) -> Case {
    Case { name, demand, run }
}

/// All cases in the order they are run: what changes nothing comes first.
pub(crate) const CASES: &[Case] = &[
    case("token and slot describe themselves", Demand::Public, read_only::describe_themselves),
    case("every mechanism has information", Demand::Public, read_only::mechanisms),
    case("public objects are found twice alike", Demand::Public, read_only::objects),
    case("random numbers differ", Demand::Public, read_only::random),
    case("login ends with logout and with the session", Demand::Pin, read_only::login),
    case("every signing key signs what its public key verifies", Demand::Pin, read_only::signatures),
    case("a data object is written, read and destroyed", Demand::Destructive, destructive::data_object),
    case("a key pair is made, used and destroyed", Demand::Destructive, destructive::key_pair),
];

impl From<Error> for Ending {
    fn from(error: Error) -> Self {
        Self::Failed(format!("{error:?}"))
    }
}

/// Fails with `message` unless `condition` holds.
pub(crate) fn ensure(condition: bool, message: impl FnOnce() -> String) -> Result<(), Ending> {
    if condition { Ok(()) } else { Err(Ending::Failed(message())) }
}

/// Whether the token said that it cannot do this at all, as opposed to failing at it.
pub(crate) fn is_not_served(error: &Error) -> bool {
    use RvError as R;
    matches!(
        error,
        Error::Pkcs11(
            R::FunctionNotSupported
                | R::MechanismInvalid
                | R::TemplateInconsistent
                | R::TemplateIncomplete
                | R::AttributeTypeInvalid
                | R::AttributeValueInvalid
                | R::ActionProhibited
                | R::TokenWriteProtected
                | R::DeviceMemory
                | R::UserNotLoggedIn,
            _
        )
    )
}
