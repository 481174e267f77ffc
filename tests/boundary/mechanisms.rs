//! Mechanisms nobody knows, and parameters of the wrong length or with pointers that lead nowhere.

use std::ptr;

use cryptoki_sys::*;

use super::canary::{AtEdge, Guarded};
use super::cryptoki::{assert_rv, plain, with_parameter};
use super::desk::Desk;

/// C_SignInit, ended again when it succeeds.
fn sign_init(desk: &Desk, session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) -> CK_RV {
    let rv = call!(desk.module, C_SignInit, session, mechanism, key);
    ok!(desk.module, C_SessionCancel, session, CKF_SIGN);
    rv
}

fn pss(salt: CK_ULONG) -> CK_RSA_PKCS_PSS_PARAMS {
    CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_SHA256, mgf: CKG_MGF1_SHA256, sLen: salt }
}

fn oaep(label: *mut u8, length: CK_ULONG) -> CK_RSA_PKCS_OAEP_PARAMS {
    CK_RSA_PKCS_OAEP_PARAMS {
        hashAlg: CKM_SHA256,
        mgf: CKG_MGF1_SHA256,
        source: CKZ_DATA_SPECIFIED,
        pSourceData: label.cast(),
        ulSourceDataLen: length,
    }
}

/// Lengths that `parameter` does not have, each with that many bytes at the end of a page.
fn wrong_lengths<T: Copy>(parameter: &T, test: impl Fn(usize, *mut std::ffi::c_void)) {
    // SAFETY: a structure of plain values, read as bytes.
    let bytes = unsafe { std::slice::from_raw_parts(ptr::from_ref(parameter).cast::<u8>(), size_of::<T>()) };
    let longer = [bytes, &[0; 64]].concat();
    for length in (0..size_of::<T>() + 16).chain([size_of::<T>() + 64]).filter(|length| *length != size_of::<T>()) {
        let edge = AtEdge::new(&longer[..length]);
        test(length, edge.pointer());
    }
}

cases! {
    fn a_mechanism_nobody_knows_is_invalid_for_every_function() {
        let desk = Desk::standard();
        let (session, module) = (desk.logged_in(), &desk.module);
        let (private, public) = (desk.object(session, CKO_PRIVATE_KEY, 1), desk.object(session, CKO_PUBLIC_KEY, 1));
        let parameter = [0_u8; 16];
        for number in [CKM_VENDOR_DEFINED, 0x7FFF_FFFF, CK_ULONG::MAX, CKM_DES_CBC, CKM_MD5_RSA_PKCS] {
            for mechanism in [&mut plain(number), &mut with_parameter(number, &parameter)] {
                let (mut key, mut length, mut info) = (0, 0, CK_MECHANISM_INFO::default());
                let null: *mut CK_ATTRIBUTE = ptr::null_mut();
                for (name, rv) in [
                    ("C_SignInit", call!(module, C_SignInit, session, mechanism, private)),
                    ("C_SignRecoverInit", call!(module, C_SignRecoverInit, session, mechanism, private)),
                    ("C_DecryptInit", call!(module, C_DecryptInit, session, mechanism, private)),
                    ("C_VerifyInit", call!(module, C_VerifyInit, session, mechanism, public)),
                    ("C_VerifyRecoverInit", call!(module, C_VerifyRecoverInit, session, mechanism, public)),
                    ("C_EncryptInit", call!(module, C_EncryptInit, session, mechanism, public)),
                    ("C_DigestInit", call!(module, C_DigestInit, session, mechanism)),
                    ("C_WrapKey", call!(module, C_WrapKey, session, mechanism, public, private, null.cast(), &raw mut length)),
                    ("C_UnwrapKey", call!(module, C_UnwrapKey, session, mechanism, private, null.cast(), 0, null, 0, &raw mut key)),
                    ("C_DeriveKey", call!(module, C_DeriveKey, session, mechanism, private, null, 0, &raw mut key)),
                    ("C_GenerateKey", call!(module, C_GenerateKey, session, mechanism, null, 0, &raw mut key)),
                    ("C_GetMechanismInfo", call!(module, C_GetMechanismInfo, desk.slot(), number, &raw mut info)),
                ] {
                    assert_rv(rv, CKR_MECHANISM_INVALID, &format!("{name} with mechanism {number:#x}"));
                }
            }
        }
    }

    fn a_mechanism_of_another_function_is_invalid() {
        let desk = Desk::standard();
        let (session, module) = (desk.logged_in(), &desk.module);
        let (private, public) = (desk.object(session, CKO_PRIVATE_KEY, 1), desk.object(session, CKO_PUBLIC_KEY, 1));
        assert_rv(call!(module, C_SignInit, session, &mut plain(CKM_SHA256), private), CKR_MECHANISM_INVALID, "a digest signs");
        assert_rv(call!(module, C_DigestInit, session, &mut plain(CKM_RSA_PKCS)), CKR_MECHANISM_INVALID, "RSA digests");
        assert_rv(call!(module, C_EncryptInit, session, &mut plain(CKM_SHA256_RSA_PKCS), public), CKR_MECHANISM_INVALID, "a signature encrypts");
    }

    fn a_parameter_that_is_not_wanted_or_of_the_wrong_length_is_invalid() {
        let desk = Desk::standard();
        let (session, module) = (desk.logged_in(), &desk.module);
        let (private, public) = (desk.object(session, CKO_PRIVATE_KEY, 1), desk.object(session, CKO_PUBLIC_KEY, 3));
        let wanted = |number, parameter, length: usize| {
            let length = length as CK_ULONG;
            CK_MECHANISM { mechanism: number, pParameter: parameter, ulParameterLen: length }
        };
        wrong_lengths(&pss(32), |length, parameter| {
            for number in [CKM_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS_PSS] {
                let rv = sign_init(&desk, session, &mut wanted(number, parameter, length), private);
                assert_rv(rv, CKR_MECHANISM_PARAM_INVALID, &format!("PSS with {length} bytes"));
            }
        });
        wrong_lengths(&oaep(ptr::null_mut(), 0), |length, parameter| {
            let rv = call!(module, C_EncryptInit, session, &mut wanted(CKM_RSA_PKCS_OAEP, parameter, length), public);
            assert_rv(rv, CKR_MECHANISM_PARAM_INVALID, &format!("OAEP with {length} bytes"));
        });
        let unwanted = 7_u32;
        for number in [CKM_RSA_PKCS, CKM_SHA256_RSA_PKCS, CKM_RSA_X_509] {
            let rv = sign_init(&desk, session, &mut with_parameter(number, &unwanted), private);
            assert_rv(rv, CKR_MECHANISM_PARAM_INVALID, "a parameter that is not wanted");
        }
        for number in [CKM_RSA_PKCS_PSS, CKM_RSA_PKCS] {
            for length in [1, size_of::<CK_RSA_PKCS_PSS_PARAMS>(), usize::MAX] {
                let rv = sign_init(&desk, session, &mut wanted(number, ptr::null_mut(), length), private);
                assert_rv(rv, CKR_ARGUMENTS_BAD, &format!("null with length {length:#x}"));
            }
        }
        let parameter = pss(32);
        for absurd in [usize::MAX, usize::MAX / 2 + 1] {
            let place = ptr::from_ref(&parameter).cast_mut().cast();
            let rv = sign_init(&desk, session, &mut wanted(CKM_RSA_PKCS_PSS, place, absurd), private);
            assert_rv(rv, CKR_ARGUMENTS_BAD, &format!("length {absurd:#x}"));
        }
    }

    fn every_salt_that_fits_is_taken_and_no_other() {
        let desk = Desk::standard();
        let session = desk.logged_in();
        let private = desk.object(session, CKO_PRIVATE_KEY, 1);
        // RFC 8017 9.1.1: a block of 256 bytes has room for a digest, two bytes and the salt.
        let most = 256 - 32 - 2;
        for salt in (0..=most).step_by(37).chain([20, 32, most - 1, most]) {
            let rv = sign_init(&desk, session, &mut with_parameter(CKM_SHA256_RSA_PKCS_PSS, &pss(salt)), private);
            assert_rv(rv, CKR_OK, &format!("salt {salt}"));
        }
        for salt in [most + 1, 256, 4096, CK_ULONG::MAX / 2, CK_ULONG::MAX - 1, CK_ULONG::MAX] {
            let rv = sign_init(&desk, session, &mut with_parameter(CKM_SHA256_RSA_PKCS_PSS, &pss(salt)), private);
            assert_rv(rv, CKR_MECHANISM_PARAM_INVALID, &format!("salt {salt:#x}"));
        }
    }

    fn hashes_that_do_not_belong_to_the_mechanism_are_invalid() {
        let desk = Desk::standard();
        let session = desk.logged_in();
        let private = desk.object(session, CKO_PRIVATE_KEY, 1);
        for parameter in [
            CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_SHA384, ..pss(32) },
            CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_RSA_PKCS, ..pss(32) },
            CK_RSA_PKCS_PSS_PARAMS { hashAlg: CK_ULONG::MAX, ..pss(32) },
            CK_RSA_PKCS_PSS_PARAMS { mgf: 0, ..pss(32) },
            CK_RSA_PKCS_PSS_PARAMS { mgf: CK_ULONG::MAX, ..pss(32) },
        ] {
            let rv = sign_init(&desk, session, &mut with_parameter(CKM_SHA256_RSA_PKCS_PSS, &parameter), private);
            assert_rv(rv, CKR_MECHANISM_PARAM_INVALID, &format!("{parameter:?}"));
        }
    }

    fn a_label_that_leads_nowhere_is_invalid_and_one_at_the_end_of_a_page_is_read() {
        let desk = Desk::standard();
        let (session, module) = (desk.logged_in(), &desk.module);
        let public = desk.object(session, CKO_PUBLIC_KEY, 3);
        let mut byte = 0_u8;
        for (name, parameter) in [
            ("null with a length", oaep(ptr::null_mut(), 5)),
            ("null with an absurd length", oaep(ptr::null_mut(), CK_ULONG::MAX)),
            ("an absurd length", oaep(&raw mut byte, CK_ULONG::MAX)),
            ("a negative length", oaep(&raw mut byte, CK_ULONG::MAX / 2 + 1)),
            ("a label that is not specified", CK_RSA_PKCS_OAEP_PARAMS { source: 0, ..oaep(&raw mut byte, 1) }),
            ("an unknown source", CK_RSA_PKCS_OAEP_PARAMS { source: 9, ..oaep(ptr::null_mut(), 0) }),
        ] {
            let rv = call!(module, C_EncryptInit, session, &mut with_parameter(CKM_RSA_PKCS_OAEP, &parameter), public);
            assert_rv(rv, CKR_MECHANISM_PARAM_INVALID, name);
        }
        let label = AtEdge::new(b"label");
        let parameter = AtEdge::of(&oaep(label.pointer(), 5));
        let mechanism = CK_MECHANISM {
            mechanism: CKM_RSA_PKCS_OAEP,
            pParameter: parameter.pointer(),
            ulParameterLen: size_of::<CK_RSA_PKCS_OAEP_PARAMS>() as CK_ULONG,
        };
        ok!(module, C_EncryptInit, session, AtEdge::of(&mechanism).pointer(), public);
    }

    fn a_public_point_that_is_none_is_invalid() {
        let desk = Desk::elliptic();
        let (session, module) = (desk.logged_in(), &desk.module);
        let private = desk.object(session, CKO_PRIVATE_KEY, 3);
        let point = desk.value(session, desk.object(session, CKO_PUBLIC_KEY, 3), CKA_EC_POINT);
        let derive = |parameter: CK_ECDH1_DERIVE_PARAMS| {
            let mut key = 0;
            let mut mechanism = with_parameter(CKM_ECDH1_DERIVE, &parameter);
            let rv = call!(module, C_DeriveKey, session, &raw mut mechanism, private, ptr::null_mut(), 0, &raw mut key);
            assert_eq!(key != 0, rv == CKR_OK);
            rv
        };
        let right = CK_ECDH1_DERIVE_PARAMS {
            kdf: CKD_NULL,
            ulSharedDataLen: 0,
            pSharedData: ptr::null_mut(),
            ulPublicDataLen: point.len() as CK_ULONG,
            pPublicData: point.as_ptr().cast_mut(),
        };
        desk.reader.clear_log();
        let mut off_curve = point.clone();
        off_curve[40] ^= 1;
        for (name, parameter) in [
            ("null with a length", CK_ECDH1_DERIVE_PARAMS { pPublicData: ptr::null_mut(), ..right }),
            ("nothing", CK_ECDH1_DERIVE_PARAMS { ulPublicDataLen: 0, ..right }),
            ("too short", CK_ECDH1_DERIVE_PARAMS { ulPublicDataLen: 30, ..right }),
            ("an absurd length", CK_ECDH1_DERIVE_PARAMS { ulPublicDataLen: CK_ULONG::MAX, ..right }),
            ("shared data without a pointer", CK_ECDH1_DERIVE_PARAMS { ulSharedDataLen: 4, kdf: CKD_SHA256_KDF, ..right }),
            ("an unknown KDF", CK_ECDH1_DERIVE_PARAMS { kdf: 0xFFFF, ..right }),
            ("a point beside the curve", CK_ECDH1_DERIVE_PARAMS { pPublicData: off_curve.as_mut_ptr(), ..right }),
        ] {
            assert_rv(derive(parameter), CKR_MECHANISM_PARAM_INVALID, name);
        }
        assert_eq!(desk.private_key_commands(), 0);
        assert_rv(derive(right), CKR_OK, "the right one");
        assert_eq!(desk.private_key_commands(), 1);
    }

    /// PKCS#11 3.2 sections 5.8.1, 5.10.1, 5.13.1 and their like; without an operation a null pointer is as bad as in 2.40.
    fn a_null_mechanism_ends_the_operation_of_its_kind_and_no_other() {
        let desk = Desk::standard();
        let (session, module) = (desk.logged_in(), &desk.module);
        let (private, public) = (desk.object(session, CKO_PRIVATE_KEY, 3), desk.object(session, CKO_PUBLIC_KEY, 3));
        let (signing, verifying) = (desk.object(session, CKO_PRIVATE_KEY, 1), desk.object(session, CKO_PUBLIC_KEY, 1));
        let (mut rsa, mut digest) = (plain(CKM_RSA_PKCS), plain(CKM_SHA256));
        let (rsa, digest) = (&raw mut rsa, &raw mut digest);
        let rsa = |start| if start { rsa } else { ptr::null_mut() };
        let inits: [(&str, &dyn Fn(bool) -> CK_RV); 7] = [
            ("C_SignInit", &|start| call!(module, C_SignInit, session, rsa(start), signing)),
            ("C_SignRecoverInit", &|start| call!(module, C_SignRecoverInit, session, rsa(start), signing)),
            ("C_VerifyInit", &|start| call!(module, C_VerifyInit, session, rsa(start), verifying)),
            ("C_VerifyRecoverInit", &|start| call!(module, C_VerifyRecoverInit, session, rsa(start), verifying)),
            ("C_EncryptInit", &|start| call!(module, C_EncryptInit, session, rsa(start), public)),
            ("C_DecryptInit", &|start| call!(module, C_DecryptInit, session, rsa(start), private)),
            ("C_DigestInit", &|start| call!(module, C_DigestInit, session, if start { digest } else { ptr::null_mut() })),
        ];
        for (name, init) in inits {
            assert_rv(init(false), CKR_ARGUMENTS_BAD, &format!("{name} with nothing to end"));
            assert_rv(init(true), CKR_OK, name);
            assert_rv(init(true), CKR_OPERATION_ACTIVE, &format!("{name} again"));
            for (other, end) in inits.iter().filter(|(other, _)| *other != name) {
                assert_rv(end(false), CKR_ARGUMENTS_BAD, &format!("{other} with only {name} active"));
            }
            assert_rv(init(false), CKR_OK, &format!("{name} ended"));
            assert_rv(init(false), CKR_ARGUMENTS_BAD, &format!("{name} ended again"));
        }
    }

    fn a_mechanism_may_lie_at_any_address() {
        let desk = Desk::standard();
        let session = desk.logged_in();
        let private = desk.object(session, CKO_PRIVATE_KEY, 1);
        for shift in 1..16 {
            let mut parameter = Guarded::shifted(size_of::<CK_RSA_PKCS_PSS_PARAMS>(), shift);
            // SAFETY: inside the guarded memory.
            unsafe { parameter.pointer::<CK_RSA_PKCS_PSS_PARAMS>().write_unaligned(pss(32)) };
            let mut mechanism = Guarded::shifted(size_of::<CK_MECHANISM>(), shift);
            let value = CK_MECHANISM {
                mechanism: CKM_SHA256_RSA_PKCS_PSS,
                pParameter: parameter.pointer(),
                ulParameterLen: size_of::<CK_RSA_PKCS_PSS_PARAMS>() as CK_ULONG,
            };
            // SAFETY: as above.
            unsafe { mechanism.pointer::<CK_MECHANISM>().write_unaligned(value) };
            assert_rv(sign_init(&desk, session, mechanism.pointer(), private), CKR_OK, &format!("{shift} off"));
            mechanism.assert_untouched_behind(size_of::<CK_MECHANISM>(), "the mechanism");
        }
    }
}
