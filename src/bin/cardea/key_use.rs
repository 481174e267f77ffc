//! A private key in use: the token, a session that is logged in as far as the key wants it, and the PIN while it does.

use std::sync::Arc;

use cardea_pkcs11::card::key::KeyKind;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::Mechanism;
use cardea_pkcs11::object::{Content, Object};
use cardea_pkcs11::secret::{Pin, SecretBytes};
use cardea_pkcs11::session::{Answer, Session, decrypt, sign};
use cryptoki_sys::{CKA_ALWAYS_AUTHENTICATE, CKA_DECRYPT, CKA_SIGN};

use crate::cards::Cards;
use crate::choice::{Item, ObjectChoice, Token};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::pin_entry::{CONTEXT_SPECIFIC, PinEntry, USER, at_reader};
use crate::uri::Class;

/// What people call the user's PIN.
const PIN: &str = "PIN";

/// A private key, ready to be used.
pub(crate) struct KeyUse<'c> {
    pub(crate) token: Token<'c>,
    pub(crate) item: Item,
    session: Arc<Session>,
    entry: PinEntry,
    pin: Option<Pin>,
}

impl<'c> KeyUse<'c> {
    /// The key that is meant for signing.
    pub(crate) fn to_sign(cards: &'c Cards, choice: &ObjectChoice, entry: PinEntry) -> Result<Self, Failure> {
        Self::open(cards, choice, entry, |object| object.permits(CKA_SIGN))
    }

    /// The key that is meant for decryption.
    pub(crate) fn to_decrypt(cards: &'c Cards, choice: &ObjectChoice, entry: PinEntry) -> Result<Self, Failure> {
        Self::open(cards, choice, entry, |object| object.permits(CKA_DECRYPT))
    }

    fn open(
        cards: &'c Cards,
        choice: &ObjectChoice,
        mut entry: PinEntry,
        fit: impl Fn(&Object) -> bool,
    ) -> Result<Self, Failure> {
        let token = choice.token.token(cards)?;
        let item = token.item(choice, Class::PrivateKey, fit)?;
        let session = token.session(false)?;
        let pin = if item.object.is_private() { entry.log_in(&token, &session, USER, PIN)? } else { None };
        Ok(Self { token, item, session, entry, pin })
    }

    /// Algorithm and size.
    pub(crate) fn kind(&self) -> Result<KeyKind, Failure> {
        match self.item.object.content() {
            Content::PrivateKey(key) => Ok(key.kind),
            _ => Err(Failure::new(Exit::NotSupported, "this key is not for that")),
        }
    }

    /// Signs what `feed` gives, piece by piece.
    pub(crate) fn sign(
        &self,
        mechanism: Mechanism,
        output: &Output,
        feed: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure>,
    ) -> Result<SecretBytes, Failure> {
        let session = &*self.session;
        sign::init(session, mechanism, self.item.handle).map_err(|error| self.explain(error))?;
        feed(&mut |part| sign::update(session, part).map_err(|error| self.explain(error)))?;
        self.authorize(output)?;
        bytes(sign::finish(session, Some(usize::MAX))).map_err(|error| self.explain(error))
    }

    /// Decrypts one cryptogram.
    pub(crate) fn decrypt(
        &self,
        mechanism: Mechanism,
        cryptogram: &[u8],
        output: &Output,
    ) -> Result<SecretBytes, Failure> {
        let session = &*self.session;
        decrypt::init(session, mechanism, self.item.handle).map_err(|error| self.explain(error))?;
        self.authorize(output)?;
        bytes(decrypt::decrypt(session, cryptogram, Some(usize::MAX))).map_err(|error| self.explain(error))
    }

    /// Proves the PIN once more where the key wants it before each use.
    fn authorize(&self, output: &Output) -> Result<(), Failure> {
        if !self.item.object.permits(CKA_ALWAYS_AUTHENTICATE) {
            return Ok(());
        }
        if self.pin.is_none() {
            output.remark("this key wants the PIN before each use");
            at_reader(&self.token, PIN);
        }
        self.entry.prove(&self.token, &self.session, CONTEXT_SPECIFIC, self.pin.as_ref(), PIN)
    }

    fn explain(&self, error: Error) -> Failure {
        self.token.explain(error)
    }
}

/// The result of an operation that was given room for any.
pub(crate) fn bytes(answer: Result<Answer, Error>) -> Result<SecretBytes, Error> {
    match answer? {
        Answer::Bytes(bytes) => Ok(bytes),
        Answer::Length(_) | Answer::TooSmall(_) => Err(Error::GeneralError),
    }
}
