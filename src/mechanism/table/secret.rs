//! Mechanisms of secret keys: their parameters, judged.

use crate::error::Error;
use crate::mechanism::{
    AesMode, Des3Mode, GcmParameters, KeyWrap, MacFunction, Mechanism, ParameterKind, Parameters, Result,
};

/// Longest secret key in bytes.
pub(super) const LONGEST_KEY: u64 = 65_536;

/// ICV1 of SP 800-38F 6.2, the default initial value of RFC 3394 2.2.3.1.
const ICV1: [u8; 8] = [0xA6; 8];
/// ICV2 of SP 800-38F 6.3, the first half of RFC 5649's alternative initial value.
const ICV2: [u8; 4] = [0xA6, 0x59, 0x59, 0xA6];
/// Lengths that a tag may have in bits (SP 800-38D 5.2.1.2, with the short ones of its appendix C).
const TAG_BITS: [u64; 7] = [32, 64, 96, 104, 112, 120, 128];

/// A mode of AES or triple DES without its parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cipher {
    Ecb,
    Cbc,
    CbcPad,
    Ctr,
    Gcm,
    KeyWrap,
    KeyWrapPad,
    KeyWrapPadded,
    KeyWrapPkcs7,
}

impl Cipher {
    pub(super) fn of(mode: &AesMode) -> Self {
        match mode {
            AesMode::Ecb => Self::Ecb,
            AesMode::Cbc { .. } => Self::Cbc,
            AesMode::CbcPad { .. } => Self::CbcPad,
            AesMode::Ctr { .. } => Self::Ctr,
            AesMode::Gcm(_) => Self::Gcm,
            AesMode::Wrap(KeyWrap::Plain { .. }) => Self::KeyWrap,
            AesMode::Wrap(KeyWrap::Pad { .. }) => Self::KeyWrapPad,
            AesMode::Wrap(KeyWrap::Padded { .. }) => Self::KeyWrapPadded,
            AesMode::Wrap(KeyWrap::Pkcs7 { .. }) => Self::KeyWrapPkcs7,
        }
    }

    pub(super) fn parameter_kind(self) -> ParameterKind {
        match self {
            Self::Ecb => ParameterKind::None,
            Self::Cbc | Self::CbcPad => ParameterKind::Bytes,
            Self::Ctr => ParameterKind::Ctr,
            Self::Gcm => ParameterKind::Gcm,
            Self::KeyWrap | Self::KeyWrapPad | Self::KeyWrapPadded | Self::KeyWrapPkcs7 => ParameterKind::OptionalBytes,
        }
    }

    /// The mode with its parameter; `MechanismParamInvalid` for one that it does not take.
    pub(super) fn with(self, parameters: Parameters) -> Result<AesMode> {
        match (self, parameters) {
            (Self::Ecb, Parameters::None) => Ok(AesMode::Ecb),
            (Self::Cbc, Parameters::Bytes(iv)) => Ok(AesMode::Cbc { iv: exactly(&iv)? }),
            (Self::CbcPad, Parameters::Bytes(iv)) => Ok(AesMode::CbcPad { iv: exactly(&iv)? }),
            (Self::Ctr, Parameters::Ctr { bits: bits @ 1..=128, block }) => {
                Ok(AesMode::Ctr { block, bits: usize::try_from(bits).map_err(|_| Error::MechanismParamInvalid)? })
            }
            (Self::Gcm, Parameters::Gcm { iv, associated, tag_bits }) => gcm(iv, associated, tag_bits),
            (Self::KeyWrap, parameters) => Ok(AesMode::Wrap(KeyWrap::Plain { initial: initial(parameters, ICV1)? })),
            (Self::KeyWrapPad, parameters) => Ok(AesMode::Wrap(KeyWrap::Pad { initial: initial(parameters, ICV1)? })),
            (Self::KeyWrapPkcs7, parameters) => {
                Ok(AesMode::Wrap(KeyWrap::Pkcs7 { initial: initial(parameters, ICV1)? }))
            }
            (Self::KeyWrapPadded, parameters) => {
                Ok(AesMode::Wrap(KeyWrap::Padded { initial: initial(parameters, ICV2)? }))
            }
            _ => Err(Error::MechanismParamInvalid),
        }
    }

    /// The mode with some parameter.
    pub(super) fn sample(self) -> AesMode {
        match self {
            Self::Ecb => AesMode::Ecb,
            Self::Cbc => AesMode::Cbc { iv: [0; 16] },
            Self::CbcPad => AesMode::CbcPad { iv: [0; 16] },
            Self::Ctr => AesMode::Ctr { block: [0; 16], bits: 128 },
            Self::Gcm => AesMode::Gcm(GcmParameters { iv: vec![0; 12], associated: Vec::new(), tag_length: 16 }),
            Self::KeyWrap => AesMode::Wrap(KeyWrap::Plain { initial: ICV1 }),
            Self::KeyWrapPad => AesMode::Wrap(KeyWrap::Pad { initial: ICV1 }),
            Self::KeyWrapPkcs7 => AesMode::Wrap(KeyWrap::Pkcs7 { initial: ICV1 }),
            Self::KeyWrapPadded => AesMode::Wrap(KeyWrap::Padded { initial: ICV2 }),
        }
    }
}

impl Cipher {
    pub(super) fn of_des3(mode: &Des3Mode) -> Self {
        match mode {
            Des3Mode::Ecb => Self::Ecb,
            Des3Mode::Cbc { .. } => Self::Cbc,
            Des3Mode::CbcPad { .. } => Self::CbcPad,
        }
    }

    /// The mode of triple DES with its parameter; `MechanismParamInvalid` for one that it does not take.
    pub(super) fn with_des3(self, parameters: Parameters) -> Result<Des3Mode> {
        match (self, parameters) {
            (Self::Ecb, Parameters::None) => Ok(Des3Mode::Ecb),
            (Self::Cbc, Parameters::Bytes(iv)) => Ok(Des3Mode::Cbc { iv: exactly(&iv)? }),
            (Self::CbcPad, Parameters::Bytes(iv)) => Ok(Des3Mode::CbcPad { iv: exactly(&iv)? }),
            _ => Err(Error::MechanismParamInvalid),
        }
    }

    /// The mode of triple DES with some parameter.
    pub(super) fn sample_des3(self) -> Des3Mode {
        match self {
            Self::Cbc => Des3Mode::Cbc { iv: [0; 8] },
            Self::CbcPad => Des3Mode::CbcPad { iv: [0; 8] },
            _ => Des3Mode::Ecb,
        }
    }
}

/// KWP with the initial value of the standard.
pub fn padded_key_wrap() -> Mechanism {
    Mechanism::Aes(Cipher::KeyWrapPadded.sample())
}

/// A MAC with all of its code, or with as much as the parameter says.
pub(super) fn mac(function: MacFunction, general: bool, parameters: Parameters) -> Result<Mechanism> {
    match parameters {
        Parameters::None if !general => Ok(Mechanism::Mac { function, length: None }),
        Parameters::Length(length) if general => {
            let length = usize::try_from(length).ok().filter(|length| (1..=function.output_len()).contains(length));
            Ok(Mechanism::Mac { function, length: Some(length.ok_or(Error::MechanismParamInvalid)?) })
        }
        _ => Err(Error::MechanismParamInvalid),
    }
}

fn gcm(iv: Vec<u8>, associated: Vec<u8>, tag_bits: u64) -> Result<AesMode> {
    if iv.is_empty() || !TAG_BITS.contains(&tag_bits) {
        return Err(Error::MechanismParamInvalid);
    }
    let tag_length = usize::try_from(tag_bits / 8).map_err(|_| Error::MechanismParamInvalid)?;
    Ok(AesMode::Gcm(GcmParameters { iv, associated, tag_length }))
}

/// The caller's initial value, or the standard's (PKCS#11 3.2 6.16.2).
fn initial<const N: usize>(parameters: Parameters, default: [u8; N]) -> Result<[u8; N]> {
    match parameters {
        Parameters::None => Ok(default),
        Parameters::Bytes(initial) => exactly(&initial),
        _ => Err(Error::MechanismParamInvalid),
    }
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| Error::MechanismParamInvalid)
}
