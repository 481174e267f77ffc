//! Mechanisms that derive secrets of secrets on the host: their parameters, judged.

use cryptoki_sys::*;
use zeroize::Zeroizing;

use super::secret::{Cipher, LONGEST_KEY};
use super::{Family, hash_of_mechanism};
use crate::error::Error;
use crate::mechanism::{
    AesMode, Derivation, Des3Mode, Hash, HkdfParameters, InputPart, Iteration, KeyBasedParameters, MacFunction,
    Mechanism, NumberFormat, ParameterKind, Parameters, Result, Salt,
};
use crate::secret::SecretBytes;

/// A derivation without its parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Derive {
    WithKey,
    WithData,
    AfterData,
    Xor,
    Extract,
    Digest(Hash),
    Hkdf { data: bool },
    KeyBased(Mode),
    Aes(Cipher),
    Des3(Cipher),
}

/// A mode of key-based key derivation without what it begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Counter,
    Feedback,
    DoublePipeline,
}

impl Mode {
    fn of(iteration: &Iteration) -> Self {
        match iteration {
            Iteration::Counter => Self::Counter,
            Iteration::Feedback { .. } => Self::Feedback,
            Iteration::DoublePipeline => Self::DoublePipeline,
        }
    }

    fn beginning_with(self, iv: Vec<u8>) -> Iteration {
        match self {
            Self::Counter => Iteration::Counter,
            Self::Feedback => Iteration::Feedback { iv },
            Self::DoublePipeline => Iteration::DoublePipeline,
        }
    }
}

impl Derive {
    pub(super) fn of(derivation: &Derivation) -> Self {
        match derivation {
            Derivation::WithKey(_) => Self::WithKey,
            Derivation::WithData(_) => Self::WithData,
            Derivation::AfterData(_) => Self::AfterData,
            Derivation::Xor(_) => Self::Xor,
            Derivation::Extract { .. } => Self::Extract,
            Derivation::Digest(hash) => Self::Digest(*hash),
            Derivation::Hkdf { data, .. } => Self::Hkdf { data: *data },
            Derivation::KeyBased(parameters) => Self::KeyBased(Mode::of(&parameters.iteration)),
            Derivation::Encrypt { cipher, .. } => match &**cipher {
                Mechanism::Aes(mode) => Self::Aes(Cipher::of(mode)),
                Mechanism::Des3(mode) => Self::Des3(Cipher::of_des3(mode)),
                _ => Self::Extract,
            },
        }
    }

    pub(super) fn parameter_kind(self) -> ParameterKind {
        match self {
            Self::WithKey | Self::Extract => ParameterKind::Number,
            Self::WithData | Self::AfterData | Self::Xor => ParameterKind::Data,
            Self::Digest(_) => ParameterKind::None,
            Self::Hkdf { .. } => ParameterKind::Hkdf,
            Self::KeyBased(Mode::Feedback) => ParameterKind::KeyBasedFeedback,
            Self::KeyBased(_) => ParameterKind::KeyBased,
            Self::Aes(Cipher::Ecb) | Self::Des3(Cipher::Ecb) => ParameterKind::Data,
            Self::Aes(_) => ParameterKind::AesData,
            Self::Des3(_) => ParameterKind::Des3Data,
        }
    }

    /// The derivation with its parameter; `MechanismParamInvalid` for one that it does not take.
    pub(super) fn with(self, parameters: Parameters) -> Result<Derivation> {
        match (self, parameters) {
            (Self::WithKey, Parameters::Number(handle)) => Ok(Derivation::WithKey(handle)),
            (Self::Extract, Parameters::Number(bit)) => {
                Ok(Derivation::Extract { bit: usize::try_from(bit).map_err(|_| Error::MechanismParamInvalid)? })
            }
            (Self::WithData, Parameters::Data { vector, data }) if vector.is_empty() => {
                Ok(Derivation::WithData(bounded(data)?))
            }
            (Self::AfterData, Parameters::Data { vector, data }) if vector.is_empty() => {
                Ok(Derivation::AfterData(bounded(data)?))
            }
            (Self::Xor, Parameters::Data { vector, data }) if vector.is_empty() => Ok(Derivation::Xor(bounded(data)?)),
            (Self::Digest(hash), Parameters::None) => Ok(Derivation::Digest(hash)),
            (Self::Hkdf { data }, Parameters::Hkdf { extract, expand, hash, salt, info }) if extract || expand => {
                let hash = hash_of_mechanism(hash)?;
                Ok(Derivation::Hkdf { parameters: HkdfParameters { extract, expand, hash, salt, info }, data })
            }
            (Self::KeyBased(mode), Parameters::KeyBased { function, input, iv }) => {
                let function = prf(function)?;
                judge_input(mode, &input)?;
                let iteration = mode.beginning_with(iv);
                Ok(Derivation::KeyBased(Box::new(KeyBasedParameters { iteration, function, input })))
            }
            (Self::Aes(cipher), Parameters::Data { vector, data }) => {
                let mode = match (cipher, <[u8; 16]>::try_from(vector.as_slice())) {
                    (Cipher::Ecb, _) if vector.is_empty() => AesMode::Ecb,
                    (Cipher::Cbc, Ok(iv)) => AesMode::Cbc { iv },
                    _ => return Err(Error::MechanismParamInvalid),
                };
                Ok(Derivation::Encrypt { cipher: Box::new(Mechanism::Aes(mode)), data: whole(data, 16)? })
            }
            (Self::Des3(cipher), Parameters::Data { vector, data }) => {
                let mode = match (cipher, <[u8; 8]>::try_from(vector.as_slice())) {
                    (Cipher::Ecb, _) if vector.is_empty() => Des3Mode::Ecb,
                    (Cipher::Cbc, Ok(iv)) => Des3Mode::Cbc { iv },
                    _ => return Err(Error::MechanismParamInvalid),
                };
                Ok(Derivation::Encrypt { cipher: Box::new(Mechanism::Des3(mode)), data: whole(data, 8)? })
            }
            _ => Err(Error::MechanismParamInvalid),
        }
    }

    /// The derivation with some parameter.
    pub(super) fn sample(self) -> Mechanism {
        let data = || Zeroizing::new(vec![0; 16]);
        Mechanism::Derive(match self {
            Self::WithKey => Derivation::WithKey(0),
            Self::WithData => Derivation::WithData(data()),
            Self::AfterData => Derivation::AfterData(data()),
            Self::Xor => Derivation::Xor(data()),
            Self::Extract => Derivation::Extract { bit: 0 },
            Self::Digest(hash) => Derivation::Digest(hash),
            Self::Hkdf { data } => Derivation::Hkdf {
                parameters: HkdfParameters {
                    extract: true,
                    expand: true,
                    hash: Hash::Sha256,
                    salt: Salt::Zeros,
                    info: Vec::new(),
                },
                data,
            },
            Self::KeyBased(mode) => Derivation::KeyBased(Box::new(KeyBasedParameters {
                iteration: mode.beginning_with(Vec::new()),
                function: MacFunction::Hmac(Hash::Sha256),
                input: Vec::new(),
            })),
            Self::Aes(cipher) => {
                Derivation::Encrypt { cipher: Box::new(Mechanism::Aes(cipher.sample())), data: data() }
            }
            Self::Des3(cipher) => {
                Derivation::Encrypt { cipher: Box::new(Mechanism::Des3(cipher.sample_des3())), data: data() }
            }
        })
    }

    /// Shortest and longest base key: of AES in bytes, else in bits, and 0 where sizes say nothing.
    pub(super) fn sizes(self) -> (u64, u64) {
        match self {
            Self::Aes(_) => (16, 32),
            Self::Des3(_) => (0, 0),
            _ => (8, 8 * LONGEST_KEY),
        }
    }
}

/// The pseudo-random function of a key-based key derivation (PKCS#11 3.2 6.42.1).
fn prf(ckm: u64) -> Result<MacFunction> {
    match super::family(ckm) {
        Some(Family::Mac {
            function: function @ (MacFunction::Cmac | MacFunction::Des3Cmac | MacFunction::Hmac(_)),
            general: false,
        }) => Ok(function),
        _ => Err(Error::MechanismParamInvalid),
    }
}

/// Which parts each mode has, and how wide their numbers may be (PKCS#11 3.2 6.42.2).
fn judge_input(mode: Mode, input: &[InputPart]) -> Result<()> {
    let width = |format: &NumberFormat, most: u64| format.bits.is_multiple_of(8) && (8..=most).contains(&format.bits);
    let (mut iterations, mut counters, mut lengths) = (0, 0, 0);
    for part in input {
        let good = match part {
            InputPart::Iteration(format) => {
                iterations += 1;
                match format {
                    Some(format) => mode == Mode::Counter && width(format, 32),
                    None => mode != Mode::Counter,
                }
            }
            InputPart::Counter(format) => {
                counters += 1;
                mode != Mode::Counter && width(format, 32)
            }
            InputPart::Length { format, .. } => {
                lengths += 1;
                width(format, 64)
            }
            InputPart::Bytes(bytes) => bytes.len() as u64 <= LONGEST_KEY,
        };
        if !good {
            return Err(Error::MechanismParamInvalid);
        }
    }
    if iterations == 1 && counters <= 1 && lengths <= 1 { Ok(()) } else { Err(Error::MechanismParamInvalid) }
}

/// The salt of `CK_HKDF_PARAMS`; `MechanismParamInvalid` for a type that is none.
pub fn salt(kind: u64, data: Vec<u8>, key: u64) -> Result<Salt> {
    match kind {
        CKF_HKDF_SALT_NULL => Ok(Salt::Zeros),
        CKF_HKDF_SALT_DATA => Ok(Salt::Data(data)),
        CKF_HKDF_SALT_KEY => Ok(Salt::Key(key)),
        _ => Err(Error::MechanismParamInvalid),
    }
}

/// Data of a length that a key could have.
fn bounded(data: SecretBytes) -> Result<SecretBytes> {
    let fits = !data.is_empty() && data.len() as u64 <= LONGEST_KEY;
    if fits { Ok(data) } else { Err(Error::MechanismParamInvalid) }
}

/// Data of whole blocks (PKCS#11 3.2 6.26.1).
fn whole(data: SecretBytes, block: usize) -> Result<SecretBytes> {
    let data = bounded(data)?;
    if data.len().is_multiple_of(block) { Ok(data) } else { Err(Error::MechanismParamInvalid) }
}
