//! Parameters of the key-based key derivations (PKCS#11 3.2 section 6.42.2), and the keys that are derived besides the
//! function's own.

use super::super::pointer::{Array, InBuffer, Out};
use super::super::template::TemplateArgument;
use super::*;
use crate::mechanism::{InputPart, NumberFormat};

/// Most parts of an input, and most keys besides.
const MOST: usize = 64;

/// A key that is derived besides the function's own.
pub(in crate::ffi) struct DerivedKey {
    pub(in crate::ffi) template: TemplateArgument,
    pub(in crate::ffi) handle: Out<CK_OBJECT_HANDLE>,
}

impl MechanismArgument {
    pub(super) fn key_based(&self) -> Result<Parameters> {
        let parameter: CK_SP800_108_KDF_PARAMS = self.structure()?;
        let input = input(parameter.pDataParams, parameter.ulNumberOfDataParams)?;
        Ok(Parameters::KeyBased { function: number(parameter.prfType), input, iv: Vec::new() })
    }

    pub(super) fn key_based_feedback(&self) -> Result<Parameters> {
        let parameter: CK_SP800_108_FEEDBACK_KDF_PARAMS = self.structure()?;
        let input = input(parameter.pDataParams, parameter.ulNumberOfDataParams)?;
        let iv = copied(parameter.pIV, parameter.ulIVLen)?;
        Ok(Parameters::KeyBased { function: number(parameter.prfType), input, iv })
    }

    /// The keys that this mechanism derives besides the function's own: none but with a key-based derivation.
    pub(in crate::ffi) fn derived_keys(&self) -> Result<Vec<DerivedKey>> {
        let (keys, count) = match table::parameter_kind(self.number) {
            Some(ParameterKind::KeyBased) => {
                let parameter: CK_SP800_108_KDF_PARAMS = self.structure()?;
                (parameter.pAdditionalDerivedKeys, parameter.ulAdditionalDerivedKeys)
            }
            Some(ParameterKind::KeyBasedFeedback) => {
                let parameter: CK_SP800_108_FEEDBACK_KDF_PARAMS = self.structure()?;
                (parameter.pAdditionalDerivedKeys, parameter.ulAdditionalDerivedKeys)
            }
            _ => return Ok(Vec::new()),
        };
        elements(keys, count)?.iter().map(derived_key).collect()
    }
}

fn derived_key(key: &CK_DERIVED_KEY) -> Result<DerivedKey> {
    // SAFETY: the caller promises the same of a pointer inside a parameter as of an argument.
    let template = unsafe { Pointer::nested(key.pTemplate) };
    // SAFETY: as above.
    let handle = unsafe { Pointer::nested(key.phKey) };
    let invalid = |_| Error::MechanismParamInvalid;
    Ok(DerivedKey {
        template: TemplateArgument::new(template, key.ulAttributeCount).map_err(invalid)?,
        handle: Out::new(handle).map_err(invalid)?,
    })
}

fn input(parts: *mut CK_PRF_DATA_PARAM, count: CK_ULONG) -> Result<Vec<InputPart>> {
    elements(parts, count)?.iter().map(part).collect()
}

fn part(part: &CK_PRF_DATA_PARAM) -> Result<InputPart> {
    // SAFETY: the caller promises the same of a pointer inside a parameter as of an argument.
    let value = unsafe { Pointer::nested(part.pValue) };
    let value = InBuffer::untyped(value, part.ulValueLen).map_err(|_| Error::MechanismParamInvalid)?;
    match part.type_ {
        CK_SP800_108_ITERATION_VARIABLE if value.as_slice().is_empty() => Ok(InputPart::Iteration(None)),
        CK_SP800_108_ITERATION_VARIABLE => Ok(InputPart::Iteration(Some(counter(&value)?))),
        CK_SP800_108_COUNTER => Ok(InputPart::Counter(counter(&value)?)),
        CK_SP800_108_DKM_LENGTH => {
            let format: CK_SP800_108_DKM_LENGTH_FORMAT = value.structure().ok_or(Error::MechanismParamInvalid)?;
            let segments = match format.dkmLengthMethod {
                CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS => false,
                CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS => true,
                _ => return Err(Error::MechanismParamInvalid),
            };
            Ok(InputPart::Length { segments, format: written(format.bLittleEndian, format.ulWidthInBits) })
        }
        CK_SP800_108_BYTE_ARRAY => Ok(InputPart::Bytes(Zeroizing::new(copy_of(&value, LONGEST)?))),
        _ => Err(Error::MechanismParamInvalid),
    }
}

fn counter(value: &InBuffer) -> Result<NumberFormat> {
    let format: CK_SP800_108_COUNTER_FORMAT = value.structure().ok_or(Error::MechanismParamInvalid)?;
    Ok(written(format.bLittleEndian, format.ulWidthInBits))
}

fn written(little_endian: CK_BBOOL, bits: CK_ULONG) -> NumberFormat {
    NumberFormat { little_endian: little_endian != CK_FALSE, bits: number(bits) }
}

/// Copies of the elements of an array inside a parameter.
fn elements<T: Copy>(start: *mut T, count: CK_ULONG) -> Result<Vec<T>> {
    // SAFETY: the caller promises the same of a pointer inside a parameter as of an argument.
    let array: Array<T> = unsafe { Pointer::nested(start) }.array(count).map_err(|_| Error::MechanismParamInvalid)?;
    if array.len() > MOST {
        return Err(Error::MechanismParamInvalid);
    }
    Ok((0..array.len()).map_while(|index| array.read(index)).collect())
}
