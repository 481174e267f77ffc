//! A mechanism's parameter as it comes from the caller's memory: read by its kind, copied, and not judged.

use super::{InputPart, Salt};
use crate::secret::SecretBytes;

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
