//! Templates that contradict themselves, name what nobody knows, or have values of the wrong shape.

use std::ptr;

use cryptoki_sys::*;

use super::cryptoki::{assert_rv, attribute, plain};
use super::desk::Desk;

const YES: [u8; 1] = [CK_TRUE];
const NO: [u8; 1] = [CK_FALSE];

/// Bytes of a CK_ULONG.
fn number(value: CK_ULONG) -> [u8; size_of::<CK_ULONG>()] {
    value.to_ne_bytes()
}

/// C_UnwrapKey of a key of 32 bytes with a template.
fn unwrap(
    desk: &Desk,
    session: CK_SESSION_HANDLE,
    wrapped: &[u8],
    template: &[CK_ATTRIBUTE],
) -> Result<CK_OBJECT_HANDLE, CK_RV> {
    let private = desk.object(session, CKO_PRIVATE_KEY, 3);
    let (template, count) = (template.as_ptr().cast_mut(), template.len() as CK_ULONG);
    let (wrapped, length, mut key) = (wrapped.as_ptr().cast_mut(), wrapped.len() as CK_ULONG, 0);
    let mechanism = &mut plain(CKM_RSA_PKCS);
    match call!(desk.module, C_UnwrapKey, session, mechanism, private, wrapped, length, template, count, &raw mut key) {
        CKR_OK => Ok(key),
        error => {
            assert_eq!(key, 0, "a handle was given beside {error:#x}");
            Err(error)
        }
    }
}

fn wrapped(desk: &Desk, session: CK_SESSION_HANDLE) -> Vec<u8> {
    let public = desk.object(session, CKO_PUBLIC_KEY, 3);
    let (mut key, mut output, mut length) = ([0x42; 32], vec![0; 256], 256);
    ok!(desk.module, C_EncryptInit, session, &mut plain(CKM_RSA_PKCS), public);
    ok!(desk.module, C_Encrypt, session, key.as_mut_ptr(), 32, output.as_mut_ptr(), &raw mut length);
    output
}

cases! {
    fn a_search_takes_any_template() {
        let desk = Desk::standard();
        let session = desk.logged_in();
        let (class, other) = (number(CKO_PRIVATE_KEY), number(CKO_PUBLIC_KEY));
        let all = desk.find(session, &[attribute(CKA_CLASS, &class)]);
        assert_eq!(all.len(), 4);
        let twice = [attribute(CKA_CLASS, &class), attribute(CKA_CLASS, &class)];
        assert_eq!(desk.find(session, &twice), all);
        let contradiction = [attribute(CKA_CLASS, &class), attribute(CKA_CLASS, &other)];
        assert!(desk.find(session, &contradiction).is_empty());
        for nobody in [
            attribute(CKA_CLASS, &class[..4]),
            attribute(CKA_CLASS, &[class, class].concat()),
            attribute(CKA_CLASS, &[]),
            attribute(CKA_TOKEN, &number(1)),
            attribute(CKA_VENDOR_DEFINED, b"x"),
            attribute(CKA_CLASS, &number(CK_ULONG::MAX)),
            attribute(CKA_PRIVATE_EXPONENT, &[]),
            attribute(CKA_LABEL, &[0xFF; 70000]),
        ] {
            assert!(desk.find(session, &[nobody]).is_empty(), "{nobody:?}");
        }
        let many = vec![attribute(CKA_CLASS, &class); 5000];
        assert_eq!(desk.find(session, &many), all);
    }

    fn an_array_that_cannot_be_is_a_bad_argument() {
        let desk = Desk::elliptic();
        desk.initialize();
        let (session, module) = (desk.session(), &desk.module);
        let class = number(CKO_PRIVATE_KEY);
        let mut template = attribute(CKA_CLASS, &class);
        let place = &raw mut template;
        for count in [CK_ULONG::MAX, CK_ULONG::MAX / 2 + 1, CK_ULONG::MAX / size_of::<CK_ATTRIBUTE>() as CK_ULONG + 1] {
            assert_rv(call!(module, C_FindObjectsInit, session, place, count), CKR_ARGUMENTS_BAD, &format!("{count:#x}"));
        }
        assert_rv(call!(module, C_FindObjectsInit, session, ptr::null_mut(), 1), CKR_ARGUMENTS_BAD, "null");
        for length in [1, CK_ULONG::MAX] {
            let mut null = CK_ATTRIBUTE { type_: CKA_LABEL, pValue: ptr::null_mut(), ulValueLen: length };
            let what = format!("a null value of length {length:#x}");
            assert_rv(call!(module, C_FindObjectsInit, session, &raw mut null, 1), CKR_ARGUMENTS_BAD, &what);
        }
        let mut absurd = CK_ATTRIBUTE { ulValueLen: CK_ULONG::MAX, ..template };
        assert_rv(call!(module, C_FindObjectsInit, session, &raw mut absurd, 1), CKR_ARGUMENTS_BAD, "an absurd length");
        for empty in [ptr::null_mut(), place] {
            ok!(module, C_FindObjectsInit, session, empty, 0);
            ok!(module, C_FindObjectsFinal, session);
        }
    }

    fn a_new_key_with_a_wrong_template_is_refused_and_one_with_a_right_one_made() {
        let desk = Desk::standard();
        let session = desk.logged_in();
        let wrapped = wrapped(&desk, session);
        let (class, kind) = (number(CKO_SECRET_KEY), number(CKK_GENERIC_SECRET));
        let base = [attribute(CKA_CLASS, &class), attribute(CKA_KEY_TYPE, &kind)];
        let with = |more: &[CK_ATTRIBUTE]| unwrap(&desk, session, &wrapped, &[&base, more].concat());
        let before = desk.find(session, &base).len();
        let data = number(CKO_DATA);
        for (name, more, expected) in [
            ("CKA_TOKEN twice", vec![attribute(CKA_TOKEN, &NO), attribute(CKA_TOKEN, &YES)], vec![CKR_TEMPLATE_INCONSISTENT]),
            ("two classes", vec![attribute(CKA_CLASS, &data)], vec![CKR_TEMPLATE_INCONSISTENT]),
            ("an unknown attribute", vec![attribute(CKA_VENDOR_DEFINED, b"x")], vec![CKR_ATTRIBUTE_TYPE_INVALID]),
            ("another class's attribute", vec![attribute(CKA_MODULUS, b"x")], vec![CKR_ATTRIBUTE_TYPE_INVALID, CKR_TEMPLATE_INCONSISTENT]),
            ("a long CK_BBOOL", vec![attribute(CKA_SENSITIVE, &class)], vec![CKR_ATTRIBUTE_VALUE_INVALID]),
            ("an empty CK_BBOOL", vec![attribute(CKA_SENSITIVE, &[])], vec![CKR_ATTRIBUTE_VALUE_INVALID]),
            ("a template that is no array", vec![attribute(CKA_UNWRAP_TEMPLATE, b"x")], vec![CKR_ATTRIBUTE_VALUE_INVALID]),
            ("a template of other keys", vec![attribute(CKA_DECAPSULATE_TEMPLATE, &[])], vec![CKR_ATTRIBUTE_TYPE_INVALID]),
            ("the module's own attribute", vec![attribute(CKA_LOCAL, &YES)], vec![CKR_ATTRIBUTE_READ_ONLY, CKR_TEMPLATE_INCONSISTENT]),
        ] {
            let found = with(&more);
            assert!(found.is_err_and(|error| expected.contains(&error)), "{name}: {found:x?}, expected {expected:x?}");
        }
        assert_eq!(desk.find(session, &base).len(), before, "a refused key exists");
        let key = with(&[attribute(CKA_EXTRACTABLE, &YES), attribute(CKA_SENSITIVE, &NO), attribute(CKA_LABEL, b"made")]).unwrap();
        assert_eq!(desk.value(session, key, CKA_VALUE), [0x42; 32]);
        assert_eq!(desk.value(session, key, CKA_LABEL), b"made");
        let same_twice = with(&[attribute(CKA_TOKEN, &NO), attribute(CKA_TOKEN, &NO)]);
        assert!(same_twice.is_ok(), "{same_twice:x?}");
    }

    fn a_wrong_class_value_length_is_refused() {
        let desk = Desk::standard();
        let session = desk.logged_in();
        let wrapped = wrapped(&desk, session);
        let (class, kind) = (number(CKO_SECRET_KEY), number(CKK_GENERIC_SECRET));
        for length in [0, 1, 4, 7] {
            let found = unwrap(&desk, session, &wrapped, &[attribute(CKA_CLASS, &class[..length]), attribute(CKA_KEY_TYPE, &kind)]);
            assert_eq!(found, Err(CKR_ATTRIBUTE_VALUE_INVALID), "a class of {length} bytes");
            let found = unwrap(&desk, session, &wrapped, &[attribute(CKA_CLASS, &class), attribute(CKA_KEY_TYPE, &kind[..length])]);
            assert_eq!(found, Err(CKR_ATTRIBUTE_VALUE_INVALID), "a key type of {length} bytes");
        }
    }

    fn contradictions_are_found_before_an_object_is_created_or_changed() {
        let desk = Desk::elliptic();
        let (session, module) = (desk.logged_in(), &desk.module);
        let (class, other, mut object) = (number(CKO_DATA), number(CKO_CERTIFICATE), 0);
        let mut template = [attribute(CKA_CLASS, &class), attribute(CKA_CLASS, &other)];
        let rv = call!(module, C_CreateObject, session, template.as_mut_ptr(), 2, &raw mut object);
        assert_rv(rv, CKR_TEMPLATE_INCONSISTENT, "C_CreateObject");
        let certificate = desk.object(session, CKO_CERTIFICATE, 1);
        let mut labels = [attribute(CKA_LABEL, b"one"), attribute(CKA_LABEL, b"two")];
        let rv = call!(module, C_SetAttributeValue, session, certificate, labels.as_mut_ptr(), 2);
        assert!([CKR_TEMPLATE_INCONSISTENT, CKR_ACTION_PROHIBITED].contains(&rv), "C_SetAttributeValue: {rv:#x}");
        assert_eq!(object, 0);
    }
}
