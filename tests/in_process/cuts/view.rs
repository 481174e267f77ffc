//! What a token shows, told so that two programs' views of it can be compared.

use std::fmt;

use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::Mechanism;
use cardea_pkcs11::session::objects::{AttributeValue, attribute_values};
use cardea_pkcs11::session::{Session, verify};
use cryptoki_sys::*;

use crate::in_process::keys::{DIGEST, find_all, signature};

/// What is told of each object: class, type, identifier, label, subject; then what it is made of.
const TOLD: [CK_ATTRIBUTE_TYPE; 8] =
    [CKA_CLASS, CKA_KEY_TYPE, CKA_ID, CKA_LABEL, CKA_SUBJECT, CKA_VALUE, CKA_EC_POINT, CKA_MODULUS];
/// So many of them are no matter of chance.
const CHOSEN: usize = 5;

/// An object of the token.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) handle: CK_OBJECT_HANDLE,
    told: Vec<Vec<u8>>,
    /// The public half of a private key.
    half: Option<CK_OBJECT_HANDLE>,
}

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        self.told == other.told
    }
}

impl Eq for Shown {}

impl Shown {
    fn class(&self) -> CK_OBJECT_CLASS {
        CK_OBJECT_CLASS::from_ne_bytes(self.told[0].as_slice().try_into().unwrap())
    }

    fn key_type(&self) -> CK_KEY_TYPE {
        CK_KEY_TYPE::from_ne_bytes(self.told[1].as_slice().try_into().unwrap())
    }

    pub(super) fn is_public_half(&self) -> bool {
        self.class() == CKO_PUBLIC_KEY
    }

    pub(super) fn is(&self, class: CK_OBJECT_CLASS, id: &[u8]) -> bool {
        self.class() == class && self.told[2] == id
    }

    /// Whether both views are of the same objects.
    pub(super) fn same(one: &[Self], other: &[Self]) -> bool {
        one.len() == other.len() && one.iter().all(|shown| other.contains(shown))
    }

    /// Whether both views are of objects that are called the same, but for what is drawn by chance: keys.
    pub(super) fn alike(one: &[Self], other: &[Self]) -> bool {
        let likeness = |all: &[Self]| {
            let mut all: Vec<_> = all.iter().map(Self::likeness).collect();
            all.sort();
            all
        };
        likeness(one) == likeness(other)
    }

    fn likeness(&self) -> Vec<Vec<u8>> {
        let of_chance = matches!(self.class(), CKO_PRIVATE_KEY | CKO_PUBLIC_KEY);
        self.told.iter().take(if of_chance { CHOSEN } else { TOLD.len() }).cloned().collect()
    }

    /// Uses a private key: what it signs is verified with the public half that is shown beside it.
    pub(super) fn serves(&self, session: &Session) -> Result<(), Error> {
        if self.class() != CKO_PRIVATE_KEY {
            return Ok(());
        }
        let mechanism = match self.key_type() {
            CKK_RSA => Mechanism::RsaPkcs,
            CKK_EC => Mechanism::Ecdsa,
            _ => Mechanism::Eddsa,
        };
        let shown = view(session)?;
        let own = shown.iter().find(|shown| *shown == self).ok_or(Error::KeyHandleInvalid)?;
        let half = own.half.ok_or(Error::KeyIndigestible)?;
        let signed = signature(session, mechanism.clone(), own.handle, DIGEST)?;
        verify::init(session, mechanism, half)?;
        verify::verify(session, DIGEST, &signed)
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, _, id, label, subject, value, point, modulus] = self.told.as_slice() else { return Err(fmt::Error) };
        let short = |bytes: &[u8]| hex::encode(&bytes[bytes.len().saturating_sub(4)..]);
        write!(f, "{}:{}", self.class(), hex::encode(id))?;
        write!(f, ":{}:s{}:v{}+{}", String::from_utf8_lossy(label), short(subject), value.len(), short(value))?;
        write!(f, ":{}{}", short(point), short(modulus))
    }
}

/// The objects of the token that the session sees.
pub(super) fn view(session: &Session) -> Result<Vec<Shown>, Error> {
    let mut all = Vec::new();
    for handle in find_all(session, &[(CKA_TOKEN, &[1])])? {
        let told = attribute_values(session, handle, &TOLD)?.into_iter().map(|value| match value {
            AttributeValue::Value(bytes) => bytes.to_vec(),
            _ => Vec::new(),
        });
        all.push(Shown { handle, told: told.collect(), half: None });
    }
    all.retain(|shown| shown.class() != CKO_PROFILE);
    let halves: Vec<Shown> = all.iter().filter(|shown| shown.is_public_half()).cloned().collect();
    for shown in all.iter_mut().filter(|shown| shown.class() == CKO_PRIVATE_KEY) {
        shown.half = halves.iter().find(|half| half.told[1..3] == shown.told[1..3]).map(|half| half.handle);
    }
    Ok(all)
}
