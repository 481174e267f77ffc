//! What is on a card.

use super::key::PublicKey;
use super::private_key::{KeyReference, PrivateKey};
use super::secret_key::SecretKey;

/// A data object on the card, in the driver's own numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataReference(pub u32);

/// A certificate that the card makes when it is asked for: what it says of a key that was generated on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// What `CardApplication::read` makes it from.
    pub reference: DataReference,
    /// The key that it is about; it goes with it.
    pub key: KeyReference,
    /// `CKA_LABEL`. There is no `CKA_ID`: with the key's, browsers would offer it for logging in.
    pub label: String,
    /// The public key that it is about.
    pub public: Option<PublicKey>,
    /// X.509 certificate, DER, as soon as somebody asked for it.
    pub der: Option<Vec<u8>>,
}

/// A certificate stored on the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Where it is; `None` where that is not known.
    pub reference: Option<DataReference>,
    /// `CKA_ID`, shared with the key.
    pub id: Vec<u8>,
    /// `CKA_LABEL`.
    pub label: String,
    /// X.509 certificate, DER.
    pub der: Vec<u8>,
    /// The public key in it, where its algorithm is known here.
    pub public: Option<PublicKey>,
}

/// A data object on the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// Where it is.
    pub reference: DataReference,
    /// `CKA_LABEL`.
    pub label: String,
    /// `CKA_APPLICATION`.
    pub application: String,
    /// `CKA_OBJECT_ID`: DER OBJECT IDENTIFIER; empty without one.
    pub object_id: Vec<u8>,
    /// The content where it was read already; otherwise `CardApplication::read` gets it.
    pub value: Option<Vec<u8>>,
    /// Readable only after login.
    pub private: bool,
}

/// What a token holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardObject {
    /// A certificate.
    Certificate(Certificate),
    /// A certificate that the card makes.
    Attestation(Attestation),
    /// A private key. Its public half becomes a public key object of its own.
    PrivateKey(PrivateKey),
    /// A secret key.
    SecretKey(SecretKey),
    /// A data object.
    Data(Data),
}
