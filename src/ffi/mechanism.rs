//! Mechanism arguments: CK_MECHANISM and the parameter structures it points to, copied into owned values.
#![allow(unsafe_code)]

use cryptoki_sys::*;
use zeroize::Zeroizing;

use super::Result;
use super::pointer::{InBuffer, Pointer};
use super::text::number;
use crate::error::Error;
use crate::mechanism::{Mechanism, ParameterKind, Parameters, Salt, table};

/// Longest part of a parameter: no label, salt, vector or point is longer, and one copy of it must not exhaust the host's
/// memory.
const LONGEST: usize = 0x1_0000;
/// The same of data that are authenticated with a message.
const LONGEST_ASSOCIATED: usize = 1 << 26;

mod key_based;
#[cfg(test)]
mod tests;

/// A mechanism whose pointers have been judged; its parameters are read once the session is known.
pub(super) struct MechanismArgument {
    number: u64,
    parameter: InBuffer,
}

impl MechanismArgument {
    /// A mechanism that must be there.
    pub(super) fn new(pointer: Pointer<CK_MECHANISM>) -> Result<Self> {
        let mechanism = pointer.read()?;
        // SAFETY: the caller promises the same of pParameter as of an argument.
        let parameter = unsafe { Pointer::nested(mechanism.pParameter) };
        let parameter = InBuffer::untyped(parameter, mechanism.ulParameterLen)?;
        Ok(Self { number: number(mechanism.mechanism), parameter })
    }

    /// A mechanism whose absence has a meaning.
    pub(super) fn optional(pointer: Pointer<CK_MECHANISM>) -> Result<Option<Self>> {
        if pointer.is_null() { Ok(None) } else { Self::new(pointer).map(Some) }
    }

    /// The mechanism with its parameters copied.
    ///
    /// # Errors
    /// CKR_MECHANISM_INVALID for a mechanism nobody knows; CKR_MECHANISM_PARAM_INVALID for a parameter of the wrong
    /// size or with a null pointer beside a length.
    pub(super) fn read(&self) -> Result<Mechanism> {
        let kind = table::parameter_kind(self.number).ok_or(Error::MechanismInvalid)?;
        let parameters = match kind {
            ParameterKind::None => self.absent()?,
            ParameterKind::Pss => self.pss()?,
            ParameterKind::Oaep => oaep(self.structure()?)?,
            ParameterKind::RsaAesWrap => self.rsa_aes_wrap()?,
            ParameterKind::OptionalEddsa if self.parameter.as_slice().is_empty() => Parameters::None,
            ParameterKind::OptionalEddsa => self.eddsa()?,
            ParameterKind::Ecdh1 => self.ecdh1()?,
            ParameterKind::Gcm => self.gcm()?,
            ParameterKind::Ctr => self.ctr()?,
            ParameterKind::Length => Parameters::Length(number(self.structure::<CK_MAC_GENERAL_PARAMS>()?)),
            ParameterKind::Number => Parameters::Number(number(self.structure::<CK_ULONG>()?)),
            ParameterKind::Data => {
                let parameter: CK_KEY_DERIVATION_STRING_DATA = self.structure()?;
                derivation_data(&[], parameter.pData, parameter.ulLen)?
            }
            ParameterKind::AesData => {
                let parameter: CK_AES_CBC_ENCRYPT_DATA_PARAMS = self.structure()?;
                derivation_data(&parameter.iv, parameter.pData, parameter.length)?
            }
            ParameterKind::Des3Data => {
                let parameter: CK_DES_CBC_ENCRYPT_DATA_PARAMS = self.structure()?;
                derivation_data(&parameter.iv, parameter.pData, parameter.length)?
            }
            ParameterKind::Hkdf => self.hkdf()?,
            ParameterKind::KeyBased => self.key_based()?,
            ParameterKind::KeyBasedFeedback => self.key_based_feedback()?,
            ParameterKind::OptionalBytes if self.parameter.as_slice().is_empty() => Parameters::None,
            ParameterKind::Bytes | ParameterKind::OptionalBytes => {
                Parameters::Bytes(copy_of(&self.parameter, LONGEST)?)
            }
        };
        table::mechanism(self.number, parameters)
    }

    fn absent(&self) -> Result<Parameters> {
        if self.parameter.as_slice().is_empty() { Ok(Parameters::None) } else { Err(Error::MechanismParamInvalid) }
    }

    fn pss(&self) -> Result<Parameters> {
        let parameter: CK_RSA_PKCS_PSS_PARAMS = self.structure()?;
        Ok(Parameters::Pss {
            hash: number(parameter.hashAlg),
            mgf: number(parameter.mgf),
            salt_length: number(parameter.sLen),
        })
    }

    fn rsa_aes_wrap(&self) -> Result<Parameters> {
        let parameter: CK_RSA_AES_KEY_WRAP_PARAMS = self.structure()?;
        // SAFETY: the caller promises the same of a pointer inside a parameter as of an argument.
        let inner = unsafe { Pointer::nested(parameter.pOAEPParams) };
        let inner = inner.read().map_err(|_| Error::MechanismParamInvalid)?;
        Ok(Parameters::RsaAesWrap { bits: number(parameter.ulAESKeyBits), oaep: Box::new(oaep(inner)?) })
    }

    fn eddsa(&self) -> Result<Parameters> {
        let parameter: CK_EDDSA_PARAMS = self.structure()?;
        Ok(Parameters::Eddsa {
            prehash: parameter.phFlag != CK_FALSE,
            context: copied(parameter.pContextData, parameter.ulContextDataLen)?,
        })
    }

    fn ecdh1(&self) -> Result<Parameters> {
        let parameter: CK_ECDH1_DERIVE_PARAMS = self.structure()?;
        Ok(Parameters::Ecdh1 {
            kdf: number(parameter.kdf),
            shared_data: copied(parameter.pSharedData, parameter.ulSharedDataLen)?,
            public_data: copied(parameter.pPublicData, parameter.ulPublicDataLen)?,
        })
    }

    fn gcm(&self) -> Result<Parameters> {
        let parameter: CK_GCM_PARAMS = self.structure()?;
        Ok(Parameters::Gcm {
            iv: copied(parameter.pIv, parameter.ulIvLen)?,
            associated: copied_up_to(LONGEST_ASSOCIATED, parameter.pAAD, parameter.ulAADLen)?,
            tag_bits: number(parameter.ulTagBits),
        })
    }

    fn ctr(&self) -> Result<Parameters> {
        let parameter: CK_AES_CTR_PARAMS = self.structure()?;
        Ok(Parameters::Ctr { bits: number(parameter.ulCounterBits), block: parameter.cb })
    }

    fn hkdf(&self) -> Result<Parameters> {
        let parameter: CK_HKDF_PARAMS = self.structure()?;
        let extract = parameter.bExtract != CK_FALSE;
        // Without an extraction there is no salt to be read.
        let salt = if extract {
            let kind = number(parameter.ulSaltType);
            let data =
                if kind == CKF_HKDF_SALT_DATA { copied(parameter.pSalt, parameter.ulSaltLen)? } else { Vec::new() };
            table::salt(kind, data, number(parameter.hSaltKey))?
        } else {
            Salt::Zeros
        };
        Ok(Parameters::Hkdf {
            extract,
            expand: parameter.bExpand != CK_FALSE,
            hash: number(parameter.prfHashMechanism),
            salt,
            info: copied(parameter.pInfo, parameter.ulInfoLen)?,
        })
    }

    fn structure<T: Copy>(&self) -> Result<T> {
        self.parameter.structure().ok_or(Error::MechanismParamInvalid)
    }
}

fn oaep(parameter: CK_RSA_PKCS_OAEP_PARAMS) -> Result<Parameters> {
    Ok(Parameters::Oaep {
        hash: number(parameter.hashAlg),
        mgf: number(parameter.mgf),
        source: number(parameter.source),
        label: copied(parameter.pSourceData.cast(), parameter.ulSourceDataLen)?,
    })
}

/// What a key is derived with, in memory that wipes itself.
fn derivation_data(vector: &[CK_BYTE], pointer: *mut CK_BYTE, length: CK_ULONG) -> Result<Parameters> {
    Ok(Parameters::Data { vector: vector.to_vec(), data: Zeroizing::new(copied(pointer, length)?) })
}

/// Bytes that a parameter structure points to.
fn copied(pointer: *mut CK_BYTE, length: CK_ULONG) -> Result<Vec<u8>> {
    copied_up_to(LONGEST, pointer, length)
}

fn copied_up_to(longest: usize, pointer: *mut CK_BYTE, length: CK_ULONG) -> Result<Vec<u8>> {
    // SAFETY: the caller promises the same of a pointer inside a parameter as of an argument.
    let pointer = unsafe { Pointer::nested(pointer) };
    let bytes = InBuffer::new(pointer, length).map_err(|_| Error::MechanismParamInvalid)?;
    copy_of(&bytes, longest)
}

/// CKR_MECHANISM_PARAM_INVALID for what is longer than `longest`.
fn copy_of(bytes: &InBuffer, longest: usize) -> Result<Vec<u8>> {
    let bytes = bytes.as_slice();
    if bytes.len() > longest {
        return Err(Error::MechanismParamInvalid);
    }
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).map_err(|_| Error::HostMemory)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}
