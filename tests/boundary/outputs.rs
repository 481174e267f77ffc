//! Every function that gives bytes by the two-call rule.

use std::ptr;

use cryptoki_sys::*;

use super::cryptoki::{Module, assert_rv, attribute, plain, with_parameter};
use super::desk::Desk;
use super::two_call::TwoCall;

const MESSAGE: &[u8] = b"what is signed, digested and encrypted in these tests";
/// Bytes of an RSA-2048 block.
const BLOCK: usize = 256;

/// Input pointer and length.
fn input(bytes: &[u8]) -> (*mut u8, CK_ULONG) {
    (bytes.as_ptr().cast_mut(), bytes.len() as CK_ULONG)
}

/// One-part verification.
fn verify(
    module: &Module,
    session: CK_SESSION_HANDLE,
    key: CK_OBJECT_HANDLE,
    mut mechanism: CK_MECHANISM,
    data: &[u8],
    signature: &[u8],
) {
    let ((data, data_length), (signature, signature_length)) = (input(data), input(signature));
    ok!(module, C_VerifyInit, session, &raw mut mechanism, key);
    ok!(module, C_Verify, session, data, data_length, signature, signature_length);
}

/// One-part encryption.
fn encrypt(desk: &Desk, session: CK_SESSION_HANDLE, mut mechanism: CK_MECHANISM, id: u8, data: &[u8]) -> Vec<u8> {
    let key = desk.object(session, CKO_PUBLIC_KEY, id);
    let ((data, data_length), mut output, mut length) = (input(data), vec![0; BLOCK], BLOCK as CK_ULONG);
    ok!(desk.module, C_EncryptInit, session, &raw mut mechanism, key);
    ok!(desk.module, C_Encrypt, session, data, data_length, output.as_mut_ptr(), &raw mut length);
    assert_eq!(length as usize, BLOCK);
    output
}

/// Signs by C_Sign or, with `parts`, by C_SignUpdate and C_SignFinal.
fn signature(desk: &Desk, session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM, id: u8, needed: usize, parts: bool) {
    let module = &desk.module;
    let private = desk.object(session, CKO_PRIVATE_KEY, id);
    let public = desk.object(session, CKO_PUBLIC_KEY, id);
    let (data, data_length) = input(MESSAGE);
    let name = format!("{} of mechanism {:#x}", if parts { "C_SignFinal" } else { "C_Sign" }, mechanism.mechanism);
    TwoCall {
        name: &name,
        start: &|| {
            let mut mechanism = mechanism;
            ok!(module, C_SignInit, session, &raw mut mechanism, private);
            if parts {
                ok!(module, C_SignUpdate, session, data, 10);
                ok!(module, C_SignUpdate, session, data.wrapping_add(10), data_length - 10);
            }
        },
        step: &|output, length| {
            if parts {
                call!(module, C_SignFinal, session, output, length)
            } else {
                call!(module, C_Sign, session, data, data_length, output, length)
            }
        },
        needed,
        announced: needed,
        commands: 1,
        ends: true,
        check: &|signature| verify(module, session, public, mechanism, MESSAGE, signature),
    }
    .run(desk);
}

/// Decrypts by C_Decrypt or, with `parts`, by C_DecryptUpdate and C_DecryptFinal.
fn decryption(desk: &Desk, session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM, announced: usize, parts: bool) {
    let module = &desk.module;
    let cryptogram = encrypt(desk, session, mechanism, 3, MESSAGE);
    let private = desk.object(session, CKO_PRIVATE_KEY, 3);
    let (data, data_length) = input(&cryptogram);
    let name =
        format!("{} of mechanism {:#x}", if parts { "C_DecryptFinal" } else { "C_Decrypt" }, mechanism.mechanism);
    TwoCall {
        name: &name,
        start: &|| {
            let mut mechanism = mechanism;
            ok!(module, C_DecryptInit, session, &raw mut mechanism, private);
            if parts {
                let (mut nothing, mut length) = ([0; 1], 0);
                ok!(module, C_DecryptUpdate, session, data, data_length, nothing.as_mut_ptr(), &raw mut length);
                assert_eq!(length, 0);
            }
        },
        step: &|output, length| {
            if parts {
                call!(module, C_DecryptFinal, session, output, length)
            } else {
                call!(module, C_Decrypt, session, data, data_length, output, length)
            }
        },
        needed: MESSAGE.len(),
        announced,
        commands: 1,
        ends: true,
        check: &|plaintext| assert_eq!(plaintext, MESSAGE),
    }
    .run(desk);
}

fn pss() -> CK_RSA_PKCS_PSS_PARAMS {
    CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_SHA256, mgf: CKG_MGF1_SHA256, sLen: 32 }
}

fn oaep() -> CK_RSA_PKCS_OAEP_PARAMS {
    CK_RSA_PKCS_OAEP_PARAMS {
        hashAlg: CKM_SHA256,
        mgf: CKG_MGF1_SHA256,
        source: CKZ_DATA_SPECIFIED,
        pSourceData: ptr::null_mut(),
        ulSourceDataLen: 0,
    }
}

cases! {
    fn c_sign_and_c_sign_final_obey_for_rsa() {
        let desk = Desk::standard();
        let session = desk.logged_in();
        let pss = pss();
        for parts in [false, true] {
            signature(&desk, session, plain(CKM_SHA256_RSA_PKCS), 1, BLOCK, parts);
            signature(&desk, session, with_parameter(CKM_SHA256_RSA_PKCS_PSS, &pss), 1, BLOCK, parts);
        }
        signature(&desk, session, plain(CKM_RSA_PKCS), 1, BLOCK, false);
    }

    fn c_sign_and_c_sign_final_obey_for_elliptic_curves() {
        let desk = Desk::elliptic();
        let session = desk.logged_in();
        for parts in [false, true] {
            signature(&desk, session, plain(CKM_ECDSA_SHA256), 1, 64, parts);
        }
        signature(&desk, session, plain(CKM_ECDSA), 1, 64, false);
    }

    fn c_sign_recover_and_c_verify_recover_obey() {
        let desk = Desk::standard();
        let (session, module) = (desk.logged_in(), &desk.module);
        let (private, public) = (desk.object(session, CKO_PRIVATE_KEY, 1), desk.object(session, CKO_PUBLIC_KEY, 1));
        let (data, data_length) = input(MESSAGE);
        let kept = std::cell::RefCell::new(Vec::new());
        TwoCall {
            name: "C_SignRecover",
            start: &|| ok!(module, C_SignRecoverInit, session, &mut plain(CKM_RSA_PKCS), private),
            step: &|output, length| call!(module, C_SignRecover, session, data, data_length, output, length),
            needed: BLOCK,
            announced: BLOCK,
            commands: 1,
            ends: true,
            check: &|signature| *kept.borrow_mut() = signature.to_vec(),
        }
        .run(&desk);
        let kept = kept.into_inner();
        let (signature, signature_length) = input(&kept);
        TwoCall {
            name: "C_VerifyRecover",
            start: &|| ok!(module, C_VerifyRecoverInit, session, &mut plain(CKM_RSA_PKCS), public),
            step: &|output, length| call!(module, C_VerifyRecover, session, signature, signature_length, output, length),
            needed: MESSAGE.len(),
            announced: BLOCK - 11,
            commands: 0,
            ends: true,
            check: &|recovered| assert_eq!(recovered, MESSAGE),
        }
        .run(&desk);
    }

    fn c_decrypt_and_c_decrypt_final_obey() {
        let desk = Desk::standard();
        let session = desk.logged_in();
        let oaep = oaep();
        for parts in [false, true] {
            decryption(&desk, session, plain(CKM_RSA_PKCS), BLOCK - 11, parts);
            decryption(&desk, session, with_parameter(CKM_RSA_PKCS_OAEP, &oaep), BLOCK - 66, parts);
        }
    }

    fn c_encrypt_and_c_encrypt_final_obey() {
        let desk = Desk::standard();
        let (session, module) = (desk.logged_in(), &desk.module);
        let public = desk.object(session, CKO_PUBLIC_KEY, 3);
        let (data, data_length) = input(MESSAGE);
        for parts in [false, true] {
            TwoCall {
                name: if parts { "C_EncryptFinal" } else { "C_Encrypt" },
                start: &|| {
                    ok!(module, C_EncryptInit, session, &mut plain(CKM_RSA_PKCS), public);
                    if parts {
                        let (mut nothing, mut length) = ([0; 1], 0);
                        ok!(module, C_EncryptUpdate, session, data, data_length, nothing.as_mut_ptr(), &raw mut length);
                    }
                },
                step: &|output, length| {
                    if parts {
                        call!(module, C_EncryptFinal, session, output, length)
                    } else {
                        call!(module, C_Encrypt, session, data, data_length, output, length)
                    }
                },
                needed: BLOCK,
                announced: BLOCK,
                commands: 0,
                ends: true,
                check: &|cryptogram| assert_eq!(cryptogram.len(), BLOCK),
            }
            .run(&desk);
        }
    }

    fn c_digest_and_c_digest_final_obey_for_every_hash() {
        let desk = Desk::elliptic();
        desk.initialize();
        let (session, module) = (desk.session(), &desk.module);
        let (data, data_length) = input(MESSAGE);
        for (mechanism, size) in [(CKM_SHA_1, 20), (CKM_SHA224, 28), (CKM_SHA256, 32), (CKM_SHA384, 48), (CKM_SHA512, 64)] {
            let first = std::cell::RefCell::new(Vec::new());
            for parts in [false, true] {
                TwoCall {
                    name: if parts { "C_DigestFinal" } else { "C_Digest" },
                    start: &|| {
                        ok!(module, C_DigestInit, session, &mut plain(mechanism));
                        if parts {
                            ok!(module, C_DigestUpdate, session, data, data_length);
                        }
                    },
                    step: &|output, length| {
                        if parts {
                            call!(module, C_DigestFinal, session, output, length)
                        } else {
                            call!(module, C_Digest, session, data, data_length, output, length)
                        }
                    },
                    needed: size,
                    announced: size,
                    commands: 0,
                    ends: true,
                    check: &|digest| {
                        let mut first = first.borrow_mut();
                        if first.is_empty() {
                            first.extend_from_slice(digest);
                        }
                        assert_eq!(digest, first.as_slice());
                    },
                }
                .run(&desk);
            }
        }
    }

    fn c_wrap_key_obeys() {
        let desk = Desk::standard();
        let (session, module) = (desk.logged_in(), &desk.module);
        let key_value = [0x5A; 32];
        let wrapped = encrypt(&desk, session, plain(CKM_RSA_PKCS), 3, &key_value);
        let unwrap = |wrapped: &[u8]| {
            let (class, kind, yes, no) = (CKO_SECRET_KEY.to_ne_bytes(), CKK_GENERIC_SECRET.to_ne_bytes(), [CK_TRUE], [CK_FALSE]);
            let mut template = [
                attribute(CKA_CLASS, &class),
                attribute(CKA_KEY_TYPE, &kind),
                attribute(CKA_EXTRACTABLE, &yes),
                attribute(CKA_SENSITIVE, &no),
            ];
            let (private, mut key, (wrapped, wrapped_length)) = (desk.object(session, CKO_PRIVATE_KEY, 3), 0, input(wrapped));
            let count = template.len() as CK_ULONG;
            let (mechanism, template) = (&mut plain(CKM_RSA_PKCS), template.as_mut_ptr());
            ok!(module, C_UnwrapKey, session, mechanism, private, wrapped, wrapped_length, template, count, &raw mut key);
            assert_eq!(desk.value(session, key, CKA_VALUE), key_value);
            key
        };
        let (secret, public) = (unwrap(&wrapped), desk.object(session, CKO_PUBLIC_KEY, 3));
        TwoCall {
            name: "C_WrapKey",
            start: &|| {},
            step: &|output, length| call!(module, C_WrapKey, session, &mut plain(CKM_RSA_PKCS), public, secret, output, length),
            needed: BLOCK,
            announced: BLOCK,
            commands: 0,
            ends: false,
            check: &|_| {},
        }
        .run(&desk);
        let (mut output, mut length) = (vec![0; BLOCK], BLOCK as CK_ULONG);
        ok!(module, C_WrapKey, session, &mut plain(CKM_RSA_PKCS), public, secret, output.as_mut_ptr(), &raw mut length);
        unwrap(&output);
    }

    fn an_operation_that_got_bad_arguments_is_over() {
        let desk = Desk::standard();
        let (session, module) = (desk.logged_in(), &desk.module);
        let private = desk.object(session, CKO_PRIVATE_KEY, 1);
        let (data, data_length) = input(MESSAGE);
        ok!(module, C_SignInit, session, &mut plain(CKM_SHA256_RSA_PKCS), private);
        assert_rv(call!(module, C_Sign, session, data, data_length, ptr::null_mut(), ptr::null_mut()), CKR_ARGUMENTS_BAD, "C_Sign");
        ok!(module, C_SignInit, session, &mut plain(CKM_SHA256_RSA_PKCS), private);
        assert_rv(call!(module, C_SignUpdate, session, ptr::null_mut(), 4), CKR_ARGUMENTS_BAD, "C_SignUpdate");
        ok!(module, C_SignInit, session, &mut plain(CKM_SHA256_RSA_PKCS), private);
    }
}
