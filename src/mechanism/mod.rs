//! Mechanisms: what the host adds to the card's bare private-key operations.
//!
//! [`table`] judges what a caller asks for, [`plan`] matches it with a key and splits the work between host and
//! card; the rest are the paddings, formats and public operations that the host computes itself.

#![forbid(unsafe_code)]

pub mod digest;
pub mod ec;
pub mod plan;
pub mod random;
pub mod rsa;
pub mod symmetric;
pub mod table;

use crate::card::key::KeyKind;
use crate::error::Error;
use crate::secret::SecretBytes;

/// Results here carry Cryptoki's errors.
pub type Result<T> = core::result::Result<T, Error>;

/// Hash functions computed on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hash {
    /// FIPS 180-4 SHA-1, 20 bytes.
    Sha1,
    /// FIPS 180-4 SHA-224, 28 bytes.
    Sha224,
    /// FIPS 180-4 SHA-256, 32 bytes.
    Sha256,
    /// FIPS 180-4 SHA-384, 48 bytes.
    Sha384,
    /// FIPS 180-4 SHA-512, 64 bytes.
    Sha512,
}

/// RSASSA-PSS parameters (`CK_RSA_PKCS_PSS_PARAMS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PssParameters {
    /// Hash of the message.
    pub hash: Hash,
    /// Hash inside MGF1.
    pub mgf: Hash,
    /// Salt length in bytes.
    pub salt_length: usize,
}

/// RSAES-OAEP parameters (`CK_RSA_PKCS_OAEP_PARAMS`), label copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OaepParameters {
    /// Hash of the label.
    pub hash: Hash,
    /// Hash inside MGF1.
    pub mgf: Hash,
    /// The label (source data).
    pub label: Vec<u8>,
}

/// Key derivation after Diffie-Hellman (`CK_EC_KDF_TYPE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kdf {
    /// The shared value itself.
    Null,
    /// ANSI X9.63 with this hash.
    X963(Hash),
}

/// ECDH parameters (`CK_ECDH1_DERIVE_PARAMS`), copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcdhParameters {
    /// CKM_ECDH1_COFACTOR_DERIVE, which is for short Weierstrass curves only (PKCS#11 3.2 6.3.19).
    pub cofactor: bool,
    /// Key derivation function.
    pub kdf: Kdf,
    /// Shared data for the KDF.
    pub shared_data: Vec<u8>,
    /// The other party's public value: raw point or DER OCTET STRING.
    pub public_data: Vec<u8>,
}

/// GCM parameters (`CK_GCM_PARAMS`), copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcmParameters {
    /// The initialisation vector, at least one byte.
    pub iv: Vec<u8>,
    /// Additional authenticated data.
    pub associated: Vec<u8>,
    /// Length of the tag in bytes.
    pub tag_length: usize,
}

/// A key wrap with AES and its initial value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyWrap {
    /// CKM_AES_KEY_WRAP: KW of SP 800-38F.
    Plain {
        /// ICV1, or the caller's.
        initial: [u8; 8],
    },
    /// CKM_AES_KEY_WRAP_PAD: since PKCS#11 3.0 the deprecated number of the next.
    Pad {
        /// ICV1, or the caller's.
        initial: [u8; 8],
    },
    /// CKM_AES_KEY_WRAP_PKCS7: PKCS#7 padding to 8 bytes, then KW.
    Pkcs7 {
        /// ICV1, or the caller's.
        initial: [u8; 8],
    },
    /// CKM_AES_KEY_WRAP_KWP: KWP of SP 800-38F.
    Padded {
        /// ICV2, or the caller's.
        initial: [u8; 4],
    },
}

/// AES with one of its modes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AesMode {
    /// CKM_AES_ECB.
    Ecb,
    /// CKM_AES_CBC.
    Cbc {
        /// Initialisation vector.
        iv: [u8; 16],
    },
    /// CKM_AES_CBC_PAD.
    CbcPad {
        /// Initialisation vector.
        iv: [u8; 16],
    },
    /// CKM_AES_CTR.
    Ctr {
        /// The first counter block.
        block: [u8; 16],
        /// Its bits that are counted, 1 to 128.
        bits: usize,
    },
    /// CKM_AES_GCM.
    Gcm(GcmParameters),
    /// CKM_AES_KEY_WRAP and its kin.
    Wrap(KeyWrap),
}

/// Triple DES with one of its modes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Des3Mode {
    /// CKM_DES3_ECB.
    Ecb,
    /// CKM_DES3_CBC.
    Cbc {
        /// Initialisation vector.
        iv: [u8; 8],
    },
    /// CKM_DES3_CBC_PAD.
    CbcPad {
        /// Initialisation vector.
        iv: [u8; 8],
    },
}

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

/// A function that makes message authentication codes with a secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacFunction {
    /// CMAC with AES.
    Cmac,
    /// CMAC with triple DES.
    Des3Cmac,
    /// The last block of AES in CBC mode.
    CbcMac,
    /// The last block of triple DES in CBC mode.
    Des3CbcMac,
    /// HMAC with this hash.
    Hmac(Hash),
}

/// A mechanism with its parameters, judged and copied from the caller's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mechanism {
    /// CKM_RSA_PKCS.
    RsaPkcs,
    /// CKM_RSA_X_509.
    RsaX509,
    /// CKM_SHAn_RSA_PKCS.
    RsaPkcsHash(Hash),
    /// CKM_RSA_PKCS_PSS: the caller gives the digest.
    RsaPss(PssParameters),
    /// CKM_SHAn_RSA_PKCS_PSS.
    RsaPssHash(PssParameters),
    /// CKM_RSA_PKCS_OAEP.
    RsaOaep(OaepParameters),
    /// CKM_RSA_AES_KEY_WRAP: KWP with an AES key made for it, which goes before in OAEP.
    RsaAesWrap {
        /// Length of the AES key in bytes.
        length: usize,
        /// How the AES key is encrypted.
        oaep: OaepParameters,
    },
    /// CKM_ECDSA: the caller gives the digest.
    Ecdsa,
    /// CKM_ECDSA_SHAn.
    EcdsaHash(Hash),
    /// CKM_EDDSA, pure Ed25519.
    Eddsa,
    /// CKM_ECDH1_DERIVE and CKM_ECDH1_COFACTOR_DERIVE (all curves here have cofactor 1 or clear it themselves).
    Ecdh1(EcdhParameters),
    /// CKM_SHAn.
    Digest(Hash),
    /// AES that encrypts, decrypts, wraps and unwraps.
    Aes(AesMode),
    /// Triple DES that encrypts, decrypts, wraps and unwraps.
    Des3(Des3Mode),
    /// A secret made of another on the host.
    Derive(Derivation),
    /// CKM_AES_CMAC, CKM_AES_MAC, CKM_DES3_CMAC, CKM_DES3_MAC, CKM_SHAn_HMAC and their _GENERAL forms.
    Mac {
        /// The function.
        function: MacFunction,
        /// Bytes of the code that are kept; `None` for the forms without parameter, which keep all, or half a block.
        length: Option<usize>,
    },
    /// CKM_GENERIC_SECRET_KEY_GEN, CKM_AES_KEY_GEN and their kin.
    Generate(symmetric::SecretKind),
    /// CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_EC_KEY_PAIR_GEN and its kin.
    GeneratePair(PairType),
}

/// A type of key pairs, which mechanisms and CKA_KEY_TYPE name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairType {
    /// RSA.
    Rsa,
    /// Elliptic curves in short Weierstrass form.
    Ec,
    /// Edwards curves: signatures.
    Edwards,
    /// Montgomery curves: key agreement.
    Montgomery,
}

impl PairType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rsa, Self::Ec, Self::Edwards, Self::Montgomery];

    /// The type that a kind of key is of.
    pub fn of(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Rsa { .. } => Self::Rsa,
            KeyKind::Ec(_) => Self::Ec,
            KeyKind::Ed25519 => Self::Edwards,
            KeyKind::X25519 => Self::Montgomery,
        }
    }
}

/// A mechanism's parameter as copied from the caller, not judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parameters {
    /// Null pointer and length 0.
    None,
    /// `CK_RSA_PKCS_PSS_PARAMS`.
    Pss {
        /// `hashAlg`, a CKM_ number.
        hash: u64,
        /// `mgf`, a CKG_ number.
        mgf: u64,
        /// `sLen` in bytes.
        salt_length: u64,
    },
    /// `CK_RSA_PKCS_OAEP_PARAMS`.
    Oaep {
        /// `hashAlg`, a CKM_ number.
        hash: u64,
        /// `mgf`, a CKG_ number.
        mgf: u64,
        /// `source`, a CKZ_ number.
        source: u64,
        /// `pSourceData`.
        label: Vec<u8>,
    },
    /// `CK_RSA_AES_KEY_WRAP_PARAMS`.
    RsaAesWrap {
        /// `ulAESKeyBits`.
        bits: u64,
        /// `pOAEPParams`, which are [`Parameters::Oaep`].
        oaep: Box<Parameters>,
    },
    /// `CK_EDDSA_PARAMS`.
    Eddsa {
        /// `phFlag`.
        prehash: bool,
        /// `pContextData`.
        context: Vec<u8>,
    },
    /// `CK_ECDH1_DERIVE_PARAMS`.
    Ecdh1 {
        /// `kdf`, a CKD_ number.
        kdf: u64,
        /// `pSharedData`.
        shared_data: Vec<u8>,
        /// `pPublicData`.
        public_data: Vec<u8>,
    },
    /// `CK_GCM_PARAMS`. `ulIvBits` says nothing that `ulIvLen` does not.
    Gcm {
        /// `pIv`.
        iv: Vec<u8>,
        /// `pAAD`.
        associated: Vec<u8>,
        /// `ulTagBits`.
        tag_bits: u64,
    },
    /// `CK_AES_CTR_PARAMS`.
    Ctr {
        /// `ulCounterBits`.
        bits: u64,
        /// `cb`.
        block: [u8; 16],
    },
    /// `CK_MAC_GENERAL_PARAMS`.
    Length(u64),
    /// `CK_EXTRACT_PARAMS` or `CK_OBJECT_HANDLE`.
    Number(u64),
    /// `CK_KEY_DERIVATION_STRING_DATA`, `CK_AES_CBC_ENCRYPT_DATA_PARAMS` and `CK_DES_CBC_ENCRYPT_DATA_PARAMS`.
    Data {
        /// `iv`; empty where the structure has none.
        vector: Vec<u8>,
        /// `pData`.
        data: SecretBytes,
    },
    /// `CK_HKDF_PARAMS`.
    Hkdf {
        /// `bExtract`.
        extract: bool,
        /// `bExpand`.
        expand: bool,
        /// `prfHashMechanism`, a CKM_ number.
        hash: u64,
        /// `ulSaltType` with `pSalt` and `hSaltKey`.
        salt: Salt,
        /// `pInfo`.
        info: Vec<u8>,
    },
    /// `CK_SP800_108_KDF_PARAMS` and `CK_SP800_108_FEEDBACK_KDF_PARAMS`, but for the keys that are derived besides.
    KeyBased {
        /// `prfType`, a CKM_ number.
        function: u64,
        /// `pDataParams`.
        input: Vec<InputPart>,
        /// `pIV`; empty where the structure has none.
        iv: Vec<u8>,
    },
    /// Bytes where no structure is expected.
    Bytes(Vec<u8>),
}

/// Which parameter a mechanism takes, for reading it from the caller's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// None at all.
    None,
    /// `CK_RSA_PKCS_PSS_PARAMS`.
    Pss,
    /// `CK_RSA_PKCS_OAEP_PARAMS`.
    Oaep,
    /// `CK_RSA_AES_KEY_WRAP_PARAMS`.
    RsaAesWrap,
    /// `CK_EDDSA_PARAMS` or none.
    OptionalEddsa,
    /// `CK_ECDH1_DERIVE_PARAMS`.
    Ecdh1,
    /// `CK_GCM_PARAMS`.
    Gcm,
    /// `CK_AES_CTR_PARAMS`.
    Ctr,
    /// `CK_MAC_GENERAL_PARAMS`.
    Length,
    /// `CK_EXTRACT_PARAMS` or `CK_OBJECT_HANDLE`.
    Number,
    /// `CK_KEY_DERIVATION_STRING_DATA`.
    Data,
    /// `CK_AES_CBC_ENCRYPT_DATA_PARAMS`.
    AesData,
    /// `CK_DES_CBC_ENCRYPT_DATA_PARAMS`.
    Des3Data,
    /// `CK_HKDF_PARAMS`.
    Hkdf,
    /// `CK_SP800_108_KDF_PARAMS`.
    KeyBased,
    /// `CK_SP800_108_FEEDBACK_KDF_PARAMS`.
    KeyBasedFeedback,
    /// A string of bytes.
    Bytes,
    /// A string of bytes or none.
    OptionalBytes,
}
