//! What C_DeriveKey can make of a secret on the host (PKCS#11 3.2 sections 6.26, 6.42, 6.43 and 6.62).

use super::{Hash, MacFunction, Mechanism};
use crate::secret::SecretBytes;

/// How C_DeriveKey makes one secret of another on the host.
#[derive(Clone, PartialEq, Eq)]
pub enum Derivation {
    /// CKM_CONCATENATE_BASE_AND_KEY, with the other key's handle.
    WithKey(u64),
    /// CKM_CONCATENATE_BASE_AND_DATA.
    WithData(SecretBytes),
    /// CKM_CONCATENATE_DATA_AND_BASE.
    AfterData(SecretBytes),
    /// CKM_XOR_BASE_AND_DATA.
    Xor(SecretBytes),
    /// CKM_EXTRACT_KEY_FROM_KEY.
    Extract {
        /// The first bit, counted from the one of most weight.
        bit: usize,
    },
    /// CKM_SHAn_KEY_DERIVATION.
    Digest(Hash),
    /// CKM_HKDF_DERIVE and CKM_HKDF_DATA.
    Hkdf {
        /// What is extracted and expanded.
        parameters: HkdfParameters,
        /// The result is a data object.
        data: bool,
    },
    /// CKM_SP800_108_COUNTER_KDF and its kin.
    KeyBased(Box<KeyBasedParameters>),
    /// CKM_AES_ECB_ENCRYPT_DATA, CKM_DES3_CBC_ENCRYPT_DATA and their kin.
    Encrypt {
        /// The base key's cipher.
        cipher: Box<Mechanism>,
        /// What is encrypted: whole blocks.
        data: SecretBytes,
    },
}

impl core::fmt::Debug for Derivation {
    /// Data may be secret.
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::WithKey(_) => formatter.write_str("WithKey"),
            Self::WithData(_) => formatter.write_str("WithData"),
            Self::AfterData(_) => formatter.write_str("AfterData"),
            Self::Xor(_) => formatter.write_str("Xor"),
            Self::Extract { bit } => write!(formatter, "Extract({bit})"),
            Self::Digest(hash) => write!(formatter, "Digest({hash:?})"),
            Self::Hkdf { parameters, data } => write!(formatter, "Hkdf({:?}, {data})", parameters.hash),
            Self::KeyBased(parameters) => write!(formatter, "KeyBased({:?})", parameters.function),
            Self::Encrypt { cipher, .. } => write!(formatter, "Encrypt({cipher:?})"),
        }
    }
}

/// HKDF parameters (`CK_HKDF_PARAMS`), copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HkdfParameters {
    /// The base key is input keying material, of which a key is extracted.
    pub extract: bool,
    /// The key, extracted or the base key itself, is expanded.
    pub expand: bool,
    /// The hash under HMAC.
    pub hash: Hash,
    /// For the extraction.
    pub salt: Salt,
    /// For the expansion.
    pub info: Vec<u8>,
}

/// The salt of an extraction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Salt {
    /// As many zeros as the hash has bytes.
    Zeros,
    /// These bytes.
    Data(Vec<u8>),
    /// The value of the key with this handle.
    Key(u64),
}

/// Parameters of a key-based key derivation (`CK_SP800_108_KDF_PARAMS`, `CK_SP800_108_FEEDBACK_KDF_PARAMS`), copied.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyBasedParameters {
    /// The mode.
    pub iteration: Iteration,
    /// The pseudo-random function.
    pub function: MacFunction,
    /// What it is computed of, in order.
    pub input: Vec<InputPart>,
}

/// Mode of a key-based key derivation (SP 800-108 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Iteration {
    /// Each round has a counter.
    Counter,
    /// Each round has the result of the one before.
    Feedback {
        /// What the first round has instead.
        iv: Vec<u8>,
    },
    /// Each round has the result of a first function, which is fed back.
    DoublePipeline,
}

/// A part of the input of a key-based key derivation (`CK_PRF_DATA_PARAM`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputPart {
    /// What makes the rounds differ: a counter of this form, or what the mode feeds back.
    Iteration(Option<NumberFormat>),
    /// A counter beside what is fed back.
    Counter(NumberFormat),
    /// Bits of the keys.
    Length {
        /// Counted in whole results of the function, instead of as many as the keys have.
        segments: bool,
        /// How the number is written.
        format: NumberFormat,
    },
    /// Label, separator, context.
    Bytes(SecretBytes),
}

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberFormat {
    /// Least significant byte first.
    pub little_endian: bool,
    /// Its width.
    pub bits: u64,
}
