//! Writing to a token: a session that is logged in as whoever writes there, and templates for what is written.

use std::sync::Arc;

use cardea_pkcs11::card::key::KeyKind;
use cardea_pkcs11::card::new_key::StoreAbilities;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::object::template::Template;
use cardea_pkcs11::secret::SecretBytes;
use cardea_pkcs11::session::Session;
use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CK_FALSE, CK_TRUE, CK_ULONG};

use crate::choice::{Identifier, Token, identifier};
use crate::failure::{Exit, Failure};
use crate::pin_entry::{PinEntry, PinSource, SECURITY_OFFICER, USER};

/// Who writes, and what the object is called.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct NewObject {
    /// Identifier (CKA_ID) of the object, in hexadecimal; the card's next one if nothing is said
    #[arg(long, value_name = "HEX", value_parser = identifier)]
    pub(crate) id: Option<Identifier>,

    /// Label (CKA_LABEL) of the object
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,

    /// Who writes; usually the card says: the officer on PIV cards (with the management key), else the user
    #[arg(long = "as", value_name = "ROLE")]
    pub(crate) writer: Option<Writer>,

    #[command(flatten)]
    pub(crate) pin: PinSource,
}

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Writer {
    /// The user, with the PIN
    User,
    /// The security officer, with the SO PIN or the management key
    Officer,
}

/// What the token can make and store.
pub(crate) fn abilities(token: &Token<'_>) -> Result<StoreAbilities, Failure> {
    let slot = token.slot();
    slot.present().and_then(|generation| slot.store(generation)).map_err(|error| token.explain(error))
}

/// The kinds of private keys that the token's application makes.
pub(crate) fn makes(token: &Token<'_>) -> Result<Vec<KeyKind>, Failure> {
    let slot = token.slot();
    slot.present().and_then(|generation| slot.makes(generation)).map_err(|error| token.explain(error))
}

/// A session in which `new` may be written.
pub(crate) fn session(token: &Token<'_>, new: &NewObject) -> Result<Arc<Session>, Failure> {
    let usual = if abilities(token)?.officer_writes { Writer::Officer } else { Writer::User };
    let (user, name) = match new.writer.unwrap_or(usual) {
        Writer::User => (USER, "PIN"),
        Writer::Officer => (SECURITY_OFFICER, "security officer's PIN or management key"),
    };
    let session = token.session(true)?;
    PinEntry::new(&new.pin)?.log_in(token, &session, user, name)?;
    Ok(session)
}

/// What an error of writing means.
pub(crate) fn explain(token: &Token<'_>, error: Error) -> Failure {
    match error {
        Error::FunctionNotSupported | Error::TemplateInconsistent | Error::TokenWriteProtected => {
            Failure::new(Exit::NotSupported, "this card does not take that from Cardea")
        }
        Error::UserNotLoggedIn => Failure::new(Exit::Failure, "the card does not let this role write")
            .advise("--as officer or --as user chooses the other one"),
        Error::ActionProhibited | Error::AttributeReadOnly => {
            Failure::new(Exit::NotSupported, "this card does not let that be changed")
        }
        Error::AttributeValueInvalid => {
            Failure::new(Exit::Failure, "the card does not take an object with this identifier or content")
        }
        other => token.explain(other),
    }
}

/// A template under construction.
#[derive(Default, Clone)]
pub(crate) struct Attributes(Vec<(CK_ATTRIBUTE_TYPE, SecretBytes)>);

impl Attributes {
    /// Adds a byte string.
    pub(crate) fn bytes(mut self, attribute: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Self {
        self.0.push((attribute, SecretBytes::new(value.to_vec())));
        self
    }

    /// Adds a CK_BBOOL.
    pub(crate) fn boolean(self, attribute: CK_ATTRIBUTE_TYPE, value: bool) -> Self {
        self.bytes(attribute, &[if value { CK_TRUE } else { CK_FALSE }])
    }

    /// Adds a CK_ULONG.
    pub(crate) fn number(self, attribute: CK_ATTRIBUTE_TYPE, value: CK_ULONG) -> Self {
        self.bytes(attribute, &value.to_ne_bytes())
    }

    /// Adds identifier and label, where they were said.
    pub(crate) fn named(self, id: Option<&[u8]>, label: Option<&str>) -> Self {
        use cryptoki_sys::{CKA_ID, CKA_LABEL};
        let with_id = match id {
            Some(id) => self.bytes(CKA_ID, id),
            None => self,
        };
        match label {
            Some(label) => with_id.bytes(CKA_LABEL, label.as_bytes()),
            None => with_id,
        }
    }

    /// The template.
    pub(crate) fn template(self) -> Template {
        Template::new(self.0)
    }
}
