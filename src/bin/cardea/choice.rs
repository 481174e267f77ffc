//! Which token and which object are meant, and what is known of them.

use std::sync::Arc;

use cardea_pkcs11::error::Error;
use cardea_pkcs11::object::Object;
use cardea_pkcs11::session::Session;
use cardea_pkcs11::slot::{Slot, TokenInfo};
use cryptoki_sys::{
    CKA_CLASS, CKA_ID, CKA_LABEL, CKO_CERTIFICATE, CKO_DATA, CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_SECRET_KEY,
};

use crate::cards::Cards;
use crate::failure::{Exit, Failure, no_card, no_reader};
use crate::uri::{Class, Uri};

/// CKF_TOKEN_INITIALIZED.
const TOKEN_INITIALIZED: u64 = 0x400;

/// Which token.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct TokenChoice {
    /// The token or object by its PKCS#11 URI (RFC 7512), as `cardea list` prints it
    #[arg(long, value_name = "URI")]
    pub(crate) uri: Option<Uri>,

    /// The reader, by a part of its name
    #[arg(long, value_name = "NAME")]
    pub(crate) reader: Option<String>,
}

/// Which object on which token.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ObjectChoice {
    #[command(flatten)]
    pub(crate) token: TokenChoice,

    /// The object by its identifier (CKA_ID), in hexadecimal
    #[arg(long, value_name = "HEX", value_parser = identifier)]
    pub(crate) id: Option<Identifier>,

    /// The object by its label (CKA_LABEL)
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
}

/// CKA_ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identifier(pub(crate) Vec<u8>);

/// An identifier in hexadecimal, with or without colons between the bytes.
pub(crate) fn identifier(text: &str) -> Result<Identifier, String> {
    let digits = text.replace(':', "");
    hex::decode(&digits)
        .ok()
        .filter(|id| !id.is_empty())
        .map(Identifier)
        .ok_or_else(|| "an identifier is an even number of hexadecimal digits, such as 01".to_owned())
}

/// A token that is there.
pub(crate) struct Token<'c> {
    cards: &'c Cards,
    slot: Arc<Slot>,
    info: TokenInfo,
}

/// An object on a token.
#[derive(Clone)]
pub(crate) struct Item {
    /// CK_OBJECT_HANDLE.
    pub(crate) handle: u64,
    /// The object.
    pub(crate) object: Arc<Object>,
    /// Its class.
    pub(crate) class: Class,
    /// CKA_ID; empty without one.
    pub(crate) id: Vec<u8>,
    /// CKA_LABEL.
    pub(crate) label: String,
}

impl TokenChoice {
    /// Whether this choice may mean a token in `slot`.
    pub(crate) fn admits(&self, slot: &Slot) -> bool {
        let name = slot.reader().name();
        let uri = self.uri.as_ref();
        self.reader.as_ref().is_none_or(|reader| name.contains(reader.as_str()))
            && uri.and_then(|uri| uri.slot).is_none_or(|id| id == slot.id())
            && uri.and_then(|uri| uri.slot_description.as_ref()).is_none_or(|wanted| wanted == name)
    }

    /// The one token that is meant.
    pub(crate) fn token<'c>(&self, cards: &'c Cards) -> Result<Token<'c>, Failure> {
        let slots = cards.slots()?;
        if slots.is_empty() {
            return Err(no_reader());
        }
        let (mut found, mut failures, mut others) = (Vec::new(), Vec::new(), 0_usize);
        for slot in slots.iter().filter(|slot| self.admits(slot)) {
            match slot.token_info() {
                Ok(info) if self.uri.as_ref().is_none_or(|uri| uri.matches_token(&info)) => {
                    found.push(Token { cards, slot: Arc::clone(slot), info });
                }
                Ok(_) => others += 1,
                Err(Error::TokenNotPresent) => {}
                Err(error) => failures.push(cards.explain(slot, error)),
            }
        }
        if found.len() > 1 {
            let names: Vec<String> = found.iter().map(|token| token.uri().to_string()).collect();
            return Err(Failure::usage(format!("several tokens may be meant:\n  {}", names.join("\n  ")))
                .advise("choose one by --uri or --reader"));
        }
        found.pop().ok_or_else(|| match failures.pop() {
            Some(failure) => failure,
            None if others > 0 => Failure::new(Exit::NotFound, "no token is as described"),
            None if !slots.iter().any(|slot| self.admits(slot)) => {
                Failure::new(Exit::NoReader, "no reader is as described").advise("`cardea readers` lists them")
            }
            None => no_card(),
        })
    }
}

impl Uri {
    /// Whether a token has the attributes that this URI names.
    pub(crate) fn matches_token(&self, info: &TokenInfo) -> bool {
        let same = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        same(&self.token, &info.label)
            && same(&self.manufacturer, &info.manufacturer)
            && same(&self.serial, &info.serial)
            && same(&self.model, &info.model)
    }
}

impl<'c> Token<'c> {
    /// A token in a slot.
    pub(crate) fn in_slot(cards: &'c Cards, slot: &Arc<Slot>) -> Result<Self, Error> {
        Ok(Self { cards, slot: Arc::clone(slot), info: slot.token_info()? })
    }

    /// Its slot.
    pub(crate) fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    /// Whether it was ever initialized, and that to its end.
    pub(crate) fn is_initialized(&self) -> bool {
        self.info.flags & TOKEN_INITIALIZED != 0
    }

    /// CK_TOKEN_INFO.
    pub(crate) fn info(&self) -> &TokenInfo {
        &self.info
    }

    /// What an error with this token comes from.
    pub(crate) fn explain(&self, error: Error) -> Failure {
        self.cards.explain(&self.slot, error)
    }

    /// The URI of the token.
    pub(crate) fn uri(&self) -> Uri {
        let text = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
        Uri {
            token: text(&self.info.label),
            manufacturer: text(&self.info.manufacturer),
            serial: text(&self.info.serial),
            model: text(&self.info.model),
            ..Uri::default()
        }
    }

    /// The URI of an object on it.
    pub(crate) fn object_uri(&self, item: &Item) -> Uri {
        Uri {
            id: Some(item.id.clone()).filter(|id| !id.is_empty()),
            object: Some(item.label.clone()).filter(|label| !label.is_empty()),
            class: Some(item.class),
            ..self.uri()
        }
    }

    /// A session with it, which ends with the Library.
    pub(crate) fn session(&self, read_write: bool) -> Result<Arc<Session>, Failure> {
        let library = self.cards.library();
        let handle = library.open_session(self.slot.id(), read_write).map_err(|error| self.explain(error))?;
        Ok(library.session(handle)?)
    }

    /// Everything on it that can be known without a PIN, private keys included.
    pub(crate) fn items(&self) -> Result<Vec<Item>, Failure> {
        let objects = self.slot.present().and_then(|generation| self.slot.objects(generation));
        let objects = objects.map_err(|error| self.explain(error))?;
        Ok(objects.iter().filter_map(|(handle, object)| Item::new(handle, object)).collect())
    }

    /// The one object of `class` that is meant and `fit`; where nothing is said, the only one there is.
    pub(crate) fn item(
        &self,
        choice: &ObjectChoice,
        class: Class,
        fit: impl Fn(&Object) -> bool,
    ) -> Result<Item, Failure> {
        let mut found = self.items()?;
        found.retain(|item| item.class == class && choice.means(item));
        let named = found.len();
        found.retain(|item| fit(&item.object));
        if found.len() > 1 {
            let names: Vec<String> = found.iter().map(|item| self.object_uri(item).to_string()).collect();
            return Err(Failure::usage(format!("several objects may be meant:\n  {}", names.join("\n  ")))
                .advise("choose one by --id, --label or --uri"));
        }
        found.pop().ok_or_else(|| {
            if named > 0 {
                Failure::new(Exit::NotSupported, "this key is not for that")
            } else {
                Failure::new(Exit::NotFound, format!("no {} is as described", class.title()))
                    .advise("`cardea list` shows what is on the token")
            }
        })
    }
}

impl ObjectChoice {
    /// Whether `item` may be meant. The class that a URI names is left aside: a key is chosen as well by its certificate.
    fn means(&self, item: &Item) -> bool {
        let uri = self.token.uri.as_ref();
        let ids = [self.id.as_ref().map(|id| &id.0), uri.and_then(|uri| uri.id.as_ref())];
        let labels = [self.label.as_ref(), uri.and_then(|uri| uri.object.as_ref())];
        ids.into_iter().flatten().all(|id| *id == item.id)
            && labels.into_iter().flatten().all(|label| *label == item.label)
    }
}

impl Item {
    /// An object of a class that people know of.
    fn new(handle: u64, object: &Arc<Object>) -> Option<Self> {
        let attributes = object.attributes();
        let class = match attributes.number(CKA_CLASS)? {
            CKO_CERTIFICATE => Class::Certificate,
            CKO_DATA => Class::Data,
            CKO_PRIVATE_KEY => Class::PrivateKey,
            CKO_PUBLIC_KEY => Class::PublicKey,
            CKO_SECRET_KEY => Class::SecretKey,
            _ => return None,
        };
        let id = attributes.shown(CKA_ID).unwrap_or_default().to_vec();
        let label = String::from_utf8_lossy(attributes.shown(CKA_LABEL).unwrap_or_default()).into_owned();
        Some(Self { handle, object: Arc::clone(object), class, id, label })
    }
}

impl Class {
    /// What people call it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Data => "data object",
            Self::PrivateKey => "private key",
            Self::PublicKey => "public key",
            Self::SecretKey => "secret key",
        }
    }
}
