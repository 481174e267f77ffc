//! Handles that are no handles, or handles of something else.

use std::ptr;

use cryptoki_sys::*;

use super::cryptoki::{assert_rv, attribute, plain, with_parameter};
use super::desk::Desk;

cases! {
    fn an_object_that_does_not_exist_is_refused_by_every_function_that_takes_one() {
        let desk = Desk::elliptic();
        let (session, module) = (desk.logged_in(), &desk.module);
        let (mut size, mut new) = (0, 0);
        let mut class = attribute(CKA_LABEL, b"label");
        for object in [0, session, 0x7777_7777, CK_OBJECT_HANDLE::MAX] {
            let what = format!("object {object}");
            let mut asked = CK_ATTRIBUTE { type_: CKA_CLASS, pValue: ptr::null_mut(), ulValueLen: 0 };
            assert_rv(call!(module, C_GetAttributeValue, session, object, &raw mut asked, 1), CKR_OBJECT_HANDLE_INVALID, &what);
            assert_rv(call!(module, C_SetAttributeValue, session, object, &raw mut class, 1), CKR_OBJECT_HANDLE_INVALID, &what);
            assert_rv(call!(module, C_GetObjectSize, session, object, &raw mut size), CKR_OBJECT_HANDLE_INVALID, &what);
            assert_rv(call!(module, C_DestroyObject, session, object), CKR_OBJECT_HANDLE_INVALID, &what);
            assert_rv(call!(module, C_CopyObject, session, object, &raw mut class, 1, &raw mut new), CKR_OBJECT_HANDLE_INVALID, &what);
        }
        assert_eq!((size, new), (0, 0));
    }

    fn a_key_that_does_not_exist_is_refused_by_every_function_that_takes_one() {
        let desk = Desk::standard();
        let (session, module) = (desk.logged_in(), &desk.module);
        let mechanism = &mut plain(CKM_RSA_PKCS);
        for key in [0, session, 0x7777_7777, CK_OBJECT_HANDLE::MAX] {
            let what = format!("key {key}");
            for (name, rv) in [
                ("C_SignInit", call!(module, C_SignInit, session, mechanism, key)),
                ("C_SignRecoverInit", call!(module, C_SignRecoverInit, session, mechanism, key)),
                ("C_VerifyInit", call!(module, C_VerifyInit, session, mechanism, key)),
                ("C_VerifyRecoverInit", call!(module, C_VerifyRecoverInit, session, mechanism, key)),
                ("C_EncryptInit", call!(module, C_EncryptInit, session, mechanism, key)),
                ("C_DecryptInit", call!(module, C_DecryptInit, session, mechanism, key)),
            ] {
                assert_rv(rv, CKR_KEY_HANDLE_INVALID, &format!("{name}: {what}"));
            }
            let (mut length, mut new) = (0, 0);
            let public = desk.object(session, CKO_PUBLIC_KEY, 1);
            let rv = call!(module, C_WrapKey, session, mechanism, public, key, ptr::null_mut(), &raw mut length);
            assert_rv(rv, CKR_KEY_HANDLE_INVALID, &what);
            let rv = call!(module, C_WrapKey, session, mechanism, key, public, ptr::null_mut(), &raw mut length);
            assert_rv(rv, CKR_WRAPPING_KEY_HANDLE_INVALID, &what);
            let rv = call!(module, C_UnwrapKey, session, mechanism, key, [0; 256].as_mut_ptr(), 256, ptr::null_mut(), 0, &raw mut new);
            assert_rv(rv, CKR_UNWRAPPING_KEY_HANDLE_INVALID, &what);
            ok!(module, C_DigestInit, session, &mut plain(CKM_SHA256));
            assert_rv(call!(module, C_DigestKey, session, key), CKR_KEY_HANDLE_INVALID, &what);
            ok!(module, C_SessionCancel, session, CKF_DIGEST);
        }
    }

    fn a_key_of_the_wrong_kind_is_refused() {
        let desk = Desk::standard();
        let (session, module) = (desk.logged_in(), &desk.module);
        let certificate = desk.object(session, CKO_CERTIFICATE, 1);
        let (private, public) = (desk.object(session, CKO_PRIVATE_KEY, 1), desk.object(session, CKO_PUBLIC_KEY, 1));
        let (curve, curve_public) = (desk.object(session, CKO_PRIVATE_KEY, 4), desk.object(session, CKO_PUBLIC_KEY, 4));
        let (rsa, ecdsa) = (&mut plain(CKM_RSA_PKCS), &mut plain(CKM_ECDSA));
        let wrong = [CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_HANDLE_INVALID, CKR_KEY_FUNCTION_NOT_PERMITTED];
        for (name, rv) in [
            ("a certificate signs", call!(module, C_SignInit, session, rsa, certificate)),
            ("a certificate verifies", call!(module, C_VerifyInit, session, rsa, certificate)),
            ("a certificate decrypts", call!(module, C_DecryptInit, session, rsa, certificate)),
            ("a public key signs", call!(module, C_SignInit, session, rsa, public)),
            ("a public key decrypts", call!(module, C_DecryptInit, session, rsa, public)),
            ("a private key verifies", call!(module, C_VerifyInit, session, rsa, private)),
            ("a private key encrypts", call!(module, C_EncryptInit, session, rsa, private)),
            ("an RSA key signs for a curve", call!(module, C_SignInit, session, ecdsa, private)),
            ("an RSA key verifies for a curve", call!(module, C_VerifyInit, session, ecdsa, public)),
            ("a curve signs for RSA", call!(module, C_SignInit, session, rsa, curve)),
            ("a curve verifies for RSA", call!(module, C_VerifyInit, session, rsa, curve_public)),
            ("a curve decrypts", call!(module, C_DecryptInit, session, rsa, curve)),
        ] {
            assert!(wrong.contains(&rv), "{name}: {rv:#x}");
        }
        // None of them left an operation behind.
        ok!(module, C_SignInit, session, rsa, private);
        ok!(module, C_VerifyInit, session, rsa, public);
    }

    fn a_private_key_is_no_handle_before_login_nor_after_logout() {
        let desk = Desk::standard();
        let (session, module) = (desk.logged_in(), &desk.module);
        let private = desk.object(session, CKO_PRIVATE_KEY, 1);
        ok!(module, C_Logout, session);
        let rv = call!(module, C_SignInit, session, &mut plain(CKM_RSA_PKCS), private);
        assert!([CKR_KEY_HANDLE_INVALID, CKR_USER_NOT_LOGGED_IN].contains(&rv), "{rv:#x}");
        let mut asked = CK_ATTRIBUTE { type_: CKA_CLASS, pValue: ptr::null_mut(), ulValueLen: 0 };
        let rv = call!(module, C_GetAttributeValue, session, private, &raw mut asked, 1);
        assert_rv(rv, CKR_OBJECT_HANDLE_INVALID, "C_GetAttributeValue");
    }

    fn keys_that_cannot_derive_or_be_wrapped_say_so() {
        let desk = Desk::standard();
        let (session, module) = (desk.logged_in(), &desk.module);
        let (private, public) = (desk.object(session, CKO_PRIVATE_KEY, 1), desk.object(session, CKO_PUBLIC_KEY, 3));
        let (mut length, mut new) = (0, 0);
        let rv = call!(module, C_WrapKey, session, &mut plain(CKM_RSA_PKCS), public, private, ptr::null_mut(), &raw mut length);
        assert!([CKR_KEY_NOT_WRAPPABLE, CKR_KEY_UNEXTRACTABLE].contains(&rv), "C_WrapKey: {rv:#x}");
        let point = desk.value(session, desk.object(session, CKO_PUBLIC_KEY, 4), CKA_EC_POINT);
        let parameter = CK_ECDH1_DERIVE_PARAMS {
            kdf: CKD_NULL,
            ulSharedDataLen: 0,
            pSharedData: ptr::null_mut(),
            ulPublicDataLen: point.len() as CK_ULONG,
            pPublicData: point.as_ptr().cast_mut(),
        };
        let mut mechanism = with_parameter(CKM_ECDH1_DERIVE, &parameter);
        let rv = call!(module, C_DeriveKey, session, &raw mut mechanism, private, ptr::null_mut(), 0, &raw mut new);
        assert!([CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED].contains(&rv), "C_DeriveKey: {rv:#x}");
        assert_eq!(new, 0);
    }
}
