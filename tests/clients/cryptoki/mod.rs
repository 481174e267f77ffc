//! The crate `cryptoki`, loading the built module.

mod attributes;
mod decrypt;
mod derive;
mod digest;
mod find;
mod login;
mod mechanism;
mod raw;
mod secrets;
mod sign;
mod writing;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

use super::child;
use super::openssl::OpenSsl;
use super::station::Card;
use crate::module;

/// The module and the one token it shows.
pub struct Token {
    pub pkcs11: Pkcs11,
    pub slot: Slot,
    pub openssl: OpenSsl,
}

impl Token {
    /// Loads and initializes the module in this process.
    fn open() -> Self {
        let pkcs11 = Pkcs11::new(module::path()).unwrap();
        pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
        let slot = *pkcs11.get_slots_with_token().unwrap().first().unwrap();
        Self { pkcs11, slot, openssl: OpenSsl::new(child::directory()) }
    }

    /// A read-write session with the cardholder logged in.
    fn user_session(&self) -> Session {
        let session = self.pkcs11.open_rw_session(self.slot).unwrap();
        session.login(UserType::User, Some(&pin())).unwrap();
        session
    }
}

/// Runs `body` with the token of `card`, in the process that the test function `case` gets for itself.
fn with_token<F: Fn()>(case: F, card: Card, body: impl FnOnce(&Token)) {
    child::with_card(case, card, || body(&Token::open()));
}

fn pin() -> AuthPin {
    secret(&std::env::var("CARDEA_PIN").unwrap())
}

fn puk() -> AuthPin {
    secret(&std::env::var("CARDEA_SO_PIN").unwrap())
}

fn secret(text: &str) -> AuthPin {
    AuthPin::new(text.into())
}

/// The one object of `class` with this CKA_ID.
#[track_caller]
fn object(session: &Session, class: ObjectClass, id: u8) -> ObjectHandle {
    let found = session.find_objects(&[Attribute::Class(class), Attribute::Id(vec![id])]).unwrap();
    assert_eq!(found.len(), 1, "{class} {id:02X}");
    found[0]
}

/// Whether the call ended with this code.
#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T, Error>, expected: RvError) {
    match result {
        Err(Error::Pkcs11(code, _)) if std::mem::discriminant(&code) == std::mem::discriminant(&expected) => {}
        other => panic!("{other:?} where {expected:?} was to be"),
    }
}
