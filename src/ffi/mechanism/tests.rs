#![allow(clippy::unwrap_used)]

use std::ptr;

use super::*;
use crate::ffi::pointer::Argument;

fn read(kind: CK_MECHANISM_TYPE, parameter: *mut std::ffi::c_void, length: usize) -> Result<Mechanism> {
    let mut mechanism = CK_MECHANISM { mechanism: kind, pParameter: parameter, ulParameterLen: length as CK_ULONG };
    // SAFETY: the mechanism and its parameter live for this call.
    let pointer = unsafe { ptr::from_mut(&mut mechanism).of_call() };
    MechanismArgument::new(pointer)?.read()
}

fn with<T>(kind: CK_MECHANISM_TYPE, mut parameter: T) -> Result<Mechanism> {
    read(kind, ptr::from_mut(&mut parameter).cast(), size_of::<T>())
}

fn without(kind: CK_MECHANISM_TYPE) -> Result<Mechanism> {
    read(kind, ptr::null_mut(), 0)
}

const PSS: CK_RSA_PKCS_PSS_PARAMS = CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_SHA256, mgf: CKG_MGF1_SHA256, sLen: 32 };

#[test]
fn a_null_mechanism_is_a_bad_argument_or_an_absent_one() {
    // SAFETY: null is allowed.
    let null = unsafe { ptr::null_mut::<CK_MECHANISM>().of_call() };
    assert_eq!(MechanismArgument::new(null).err(), Some(Error::ArgumentsBad));
    assert!(MechanismArgument::optional(null).unwrap().is_none());
}

#[test]
fn a_parameter_that_is_null_with_a_length_is_a_bad_argument() {
    assert_eq!(read(CKM_RSA_PKCS_PSS, ptr::null_mut(), 24), Err(Error::ArgumentsBad));
}

#[test]
fn a_mechanism_nobody_knows_is_invalid_whatever_its_parameter() {
    assert_eq!(without(CKM_VENDOR_DEFINED), Err(Error::MechanismInvalid));
    assert_eq!(with(CKM_VENDOR_DEFINED, [0u8; 3]), Err(Error::MechanismInvalid));
}

#[test]
fn a_parameter_where_none_belongs_is_invalid() {
    assert!(without(CKM_RSA_PKCS).is_ok());
    assert_eq!(with(CKM_RSA_PKCS, [0u8; 1]), Err(Error::MechanismParamInvalid));
}

#[test]
fn pss_parameters_have_exactly_their_size() {
    assert_eq!(
        with(CKM_RSA_PKCS_PSS, PSS),
        table::mechanism(
            number(CKM_RSA_PKCS_PSS),
            Parameters::Pss { hash: number(CKM_SHA256), mgf: number(CKG_MGF1_SHA256), salt_length: 32 },
        )
    );
    assert_eq!(without(CKM_RSA_PKCS_PSS), Err(Error::MechanismParamInvalid));
    let mut parameter = PSS;
    for length in [1, size_of_val(&PSS) - 1] {
        let short = read(CKM_RSA_PKCS_PSS, ptr::from_mut(&mut parameter).cast(), length);
        assert_eq!(short, Err(Error::MechanismParamInvalid));
    }
}

#[test]
fn oaep_labels_are_copied() {
    let mut label = *b"label";
    let mut parameter = CK_RSA_PKCS_OAEP_PARAMS {
        hashAlg: CKM_SHA_1,
        mgf: CKG_MGF1_SHA1,
        source: CKZ_DATA_SPECIFIED,
        pSourceData: label.as_mut_ptr().cast(),
        ulSourceDataLen: 5,
    };
    let expected = Parameters::Oaep {
        hash: number(CKM_SHA_1),
        mgf: number(CKG_MGF1_SHA1),
        source: number(CKZ_DATA_SPECIFIED),
        label: b"label".to_vec(),
    };
    assert_eq!(with(CKM_RSA_PKCS_OAEP, parameter), table::mechanism(number(CKM_RSA_PKCS_OAEP), expected));
    parameter.pSourceData = ptr::null_mut();
    assert_eq!(with(CKM_RSA_PKCS_OAEP, parameter), Err(Error::MechanismParamInvalid));
    parameter.ulSourceDataLen = CK_UNAVAILABLE_INFORMATION;
    assert_eq!(with(CKM_RSA_PKCS_OAEP, parameter), Err(Error::MechanismParamInvalid));
}

#[test]
fn eddsa_parameters_may_be_absent() {
    assert!(without(CKM_EDDSA).is_ok());
    let parameter = CK_EDDSA_PARAMS { phFlag: CK_FALSE, ulContextDataLen: 0, pContextData: ptr::null_mut() };
    let expected = Parameters::Eddsa { prehash: false, context: Vec::new() };
    assert_eq!(with(CKM_EDDSA, parameter), table::mechanism(number(CKM_EDDSA), expected));
    assert_eq!(with(CKM_EDDSA, [0u8; 2]), Err(Error::MechanismParamInvalid));
}

#[test]
fn ecdh_parameters_carry_both_data() {
    let mut point = [4u8; 65];
    let parameter = CK_ECDH1_DERIVE_PARAMS {
        kdf: CKD_NULL,
        ulSharedDataLen: 0,
        pSharedData: ptr::null_mut(),
        ulPublicDataLen: 65,
        pPublicData: point.as_mut_ptr(),
    };
    let expected = Parameters::Ecdh1 { kdf: number(CKD_NULL), shared_data: Vec::new(), public_data: point.to_vec() };
    assert_eq!(with(CKM_ECDH1_DERIVE, parameter), table::mechanism(number(CKM_ECDH1_DERIVE), expected));
}

#[test]
fn parameters_are_read_at_any_alignment() {
    let mut memory = [0u8; 1 + size_of::<CK_RSA_PKCS_PSS_PARAMS>()];
    let odd = memory.as_mut_ptr().wrapping_add(1);
    // SAFETY: room for one structure behind the first byte.
    unsafe { ptr::write_unaligned(odd.cast(), PSS) };
    assert_eq!(read(CKM_RSA_PKCS_PSS, odd.cast(), size_of_val(&PSS)), with(CKM_RSA_PKCS_PSS, PSS));
}

#[test]
fn gcm_parameters_are_copied_and_say_their_length_in_bytes() {
    let (mut iv, mut associated) = ([1u8; 12], [2u8; 3]);
    let mut parameter = CK_GCM_PARAMS {
        pIv: iv.as_mut_ptr(),
        ulIvLen: 12,
        ulIvBits: 0,
        pAAD: associated.as_mut_ptr(),
        ulAADLen: 3,
        ulTagBits: 96,
    };
    let expected = Parameters::Gcm { iv: iv.to_vec(), associated: associated.to_vec(), tag_bits: 96 };
    assert_eq!(with(CKM_AES_GCM, parameter), table::mechanism(number(CKM_AES_GCM), expected));
    parameter.pAAD = ptr::null_mut();
    assert_eq!(with(CKM_AES_GCM, parameter), Err(Error::MechanismParamInvalid));
    assert_eq!(without(CKM_AES_GCM), Err(Error::MechanismParamInvalid));
}

#[test]
fn counter_blocks_lengths_and_initial_values_are_read() {
    let parameter = CK_AES_CTR_PARAMS { ulCounterBits: 32, cb: [3; 16] };
    let expected = Parameters::Ctr { bits: 32, block: [3; 16] };
    assert_eq!(with(CKM_AES_CTR, parameter), table::mechanism(number(CKM_AES_CTR), expected));
    let length: CK_MAC_GENERAL_PARAMS = 4;
    let expected = table::mechanism(number(CKM_SHA256_HMAC_GENERAL), Parameters::Length(4));
    assert_eq!(with(CKM_SHA256_HMAC_GENERAL, length), expected);
    assert_eq!(with(CKM_SHA256_HMAC_GENERAL, [4u8; 4]), Err(Error::MechanismParamInvalid));
    assert!(without(CKM_AES_KEY_WRAP).is_ok());
    assert_ne!(with(CKM_AES_KEY_WRAP, [5u8; 8]), without(CKM_AES_KEY_WRAP));
    assert!(with(CKM_AES_CBC, [6u8; 16]).is_ok());
    assert_eq!(without(CKM_AES_CBC), Err(Error::MechanismParamInvalid));
}

#[test]
fn a_length_that_no_parameter_has_is_refused_before_anything_is_copied() {
    for length in [LONGEST + 1, 1 << 40, 1 << 56] {
        let mut vector = [6u8; 16];
        assert_eq!(read(CKM_AES_CBC, vector.as_mut_ptr().cast(), length), Err(Error::MechanismParamInvalid));
        let start = vector.as_mut_ptr();
        let point = CK_ECDH1_DERIVE_PARAMS {
            kdf: CKD_NULL,
            ulSharedDataLen: 0,
            pSharedData: ptr::null_mut(),
            ulPublicDataLen: length as CK_ULONG,
            pPublicData: start,
        };
        assert_eq!(with(CKM_ECDH1_DERIVE, point), Err(Error::MechanismParamInvalid));
        let gcm = CK_GCM_PARAMS {
            pIv: start,
            ulIvLen: 12,
            ulIvBits: 96,
            pAAD: start,
            ulAADLen: (length + LONGEST_ASSOCIATED) as CK_ULONG,
            ulTagBits: 128,
        };
        assert_eq!(with(CKM_AES_GCM, gcm), Err(Error::MechanismParamInvalid));
    }
}
