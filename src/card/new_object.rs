//! Certificates and data objects that are to be written, and changes of what objects are called.

use super::key::PublicKey;

/// A certificate that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCertificate {
    /// `CKA_ID`: the key's, where there is one.
    pub id: Vec<u8>,
    /// `CKA_LABEL`.
    pub label: String,
    /// X.509 certificate, DER; its structure has been judged.
    pub der: Vec<u8>,
    /// The public key in it, where its algorithm is known here.
    pub public: Option<PublicKey>,
}

/// A data object that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewData {
    /// `CKA_LABEL`.
    pub label: String,
    /// `CKA_APPLICATION`.
    pub application: String,
    /// `CKA_OBJECT_ID`: DER OBJECT IDENTIFIER; empty without one.
    pub object_id: Vec<u8>,
    /// The content.
    pub value: Vec<u8>,
    /// Readable only after login.
    pub private: bool,
}

/// Where contents of a kind go on a card that lists its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentClass {
    /// Certificates.
    Certificate,
    /// Data that all may read.
    Data,
    /// Data that only the user may read.
    PrivateData,
}

/// What is to be different of a lasting object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// `CKA_ID`.
    pub id: Option<Vec<u8>>,
    /// `CKA_LABEL`.
    pub label: Option<String>,
    /// `CKA_SUBJECT` of a key, DER Name or empty.
    pub subject: Option<Vec<u8>>,
    /// The content of a certificate or data object.
    pub value: Option<Vec<u8>>,
}
