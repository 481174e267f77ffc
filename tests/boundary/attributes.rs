//! C_GetAttributeValue (PKCS#11 3.2 section 5.7.5): every attribute of every object, with every buffer size.

use std::ptr;

use cryptoki_sys::*;

use super::canary::Guarded;
use super::cryptoki::{assert_rv, attribute};
use super::desk::Desk;
use super::two_call::sizes_below;

/// Attributes that objects here may have, and some that none has.
const ATTRIBUTES: &[CK_ATTRIBUTE_TYPE] = &[
    CKA_CLASS,
    CKA_TOKEN,
    CKA_PRIVATE,
    CKA_LABEL,
    CKA_UNIQUE_ID,
    CKA_APPLICATION,
    CKA_VALUE,
    CKA_OBJECT_ID,
    CKA_CERTIFICATE_TYPE,
    CKA_ISSUER,
    CKA_SERIAL_NUMBER,
    CKA_TRUSTED,
    CKA_CERTIFICATE_CATEGORY,
    CKA_CHECK_VALUE,
    CKA_KEY_TYPE,
    CKA_SUBJECT,
    CKA_ID,
    CKA_SENSITIVE,
    CKA_ENCRYPT,
    CKA_DECRYPT,
    CKA_WRAP,
    CKA_UNWRAP,
    CKA_SIGN,
    CKA_SIGN_RECOVER,
    CKA_VERIFY,
    CKA_VERIFY_RECOVER,
    CKA_DERIVE,
    CKA_START_DATE,
    CKA_END_DATE,
    CKA_MODULUS,
    CKA_MODULUS_BITS,
    CKA_PUBLIC_EXPONENT,
    CKA_PRIVATE_EXPONENT,
    CKA_PRIME_1,
    CKA_PUBLIC_KEY_INFO,
    CKA_VALUE_LEN,
    CKA_EXTRACTABLE,
    CKA_LOCAL,
    CKA_NEVER_EXTRACTABLE,
    CKA_ALWAYS_SENSITIVE,
    CKA_KEY_GEN_MECHANISM,
    CKA_MODIFIABLE,
    CKA_COPYABLE,
    CKA_DESTROYABLE,
    CKA_EC_PARAMS,
    CKA_EC_POINT,
    CKA_ALWAYS_AUTHENTICATE,
    CKA_WRAP_WITH_TRUSTED,
    CKA_ALLOWED_MECHANISMS,
    CKA_PROFILE_ID,
    CKA_WRAP_TEMPLATE,
    CKA_VENDOR_DEFINED,
    0x7FFF_0001,
    CK_ULONG::MAX,
];

/// Classes of objects; a profile is where the module says what it can do as a whole.
const CLASSES: [CK_OBJECT_CLASS; 6] =
    [CKO_DATA, CKO_CERTIFICATE, CKO_PUBLIC_KEY, CKO_PRIVATE_KEY, CKO_SECRET_KEY, CKO_PROFILE];

/// One attribute asked for alone: the result, and what its length became.
fn ask(
    desk: &Desk,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    kind: CK_ATTRIBUTE_TYPE,
    place: *mut u8,
    size: usize,
) -> (CK_RV, CK_ULONG) {
    let mut asked = CK_ATTRIBUTE { type_: kind, pValue: place.cast(), ulValueLen: size as CK_ULONG };
    let rv = call!(desk.module, C_GetAttributeValue, session, object, &raw mut asked, 1);
    assert_eq!((asked.type_, asked.pValue.cast()), (kind, place));
    (rv, asked.ulValueLen)
}

/// Drives one attribute through every size; its length, if it has a value that may be seen.
fn attribute_through_all_sizes(
    desk: &Desk,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    kind: CK_ATTRIBUTE_TYPE,
) -> Option<usize> {
    let what = format!("attribute {kind:#x} of object {object}");
    let (rv, length) = ask(desk, session, object, kind, ptr::null_mut(), 12345);
    if rv != CKR_OK {
        assert!([CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_SENSITIVE].contains(&rv), "{what}: {rv:#x}");
        assert_eq!(length, CK_UNAVAILABLE_INFORMATION, "{what}");
        let mut output = Guarded::new(64);
        assert_eq!(ask(desk, session, object, kind, output.pointer(), 64), (rv, CK_UNAVAILABLE_INFORMATION), "{what}");
        output.assert_untouched(&what);
        return None;
    }
    let needed = length as usize;
    let value = desk.value(session, object, kind);
    for size in sizes_below(needed) {
        let mut output = Guarded::shifted(needed + 1, size % 16);
        let (rv, length) = ask(desk, session, object, kind, output.pointer(), size);
        assert_rv(rv, CKR_BUFFER_TOO_SMALL, &format!("{what} with {size} of {needed} bytes"));
        assert_eq!(length, CK_UNAVAILABLE_INFORMATION, "{what} with {size} of {needed} bytes");
        output.assert_untouched(&what);
    }
    for (size, shift) in [(needed, 0), (needed + 1, 0), (needed, 3), (needed + 30, 1)] {
        let mut output = Guarded::shifted(size, shift);
        assert_eq!(ask(desk, session, object, kind, output.pointer(), size), (CKR_OK, needed as CK_ULONG), "{what}");
        output.assert_untouched_behind(needed, &what);
        assert_eq!(&output.bytes()[..needed], value, "{what}");
    }
    let mut output = Guarded::new(needed);
    for absurd in [usize::MAX, usize::MAX / 2 + 1] {
        let (rv, _) = ask(desk, session, object, kind, output.pointer(), absurd);
        assert_rv(rv, CKR_ARGUMENTS_BAD, &format!("{what} with length {absurd:#x}"));
        output.assert_untouched(&what);
    }
    Some(needed)
}

/// A session object with a value that may be seen.
fn create_secret_key(desk: &Desk, session: CK_SESSION_HANDLE) {
    let (class, kind, yes, no) =
        (CKO_SECRET_KEY.to_ne_bytes(), CKK_GENERIC_SECRET.to_ne_bytes(), [CK_TRUE], [CK_FALSE]);
    let mut template = [
        attribute(CKA_CLASS, &class),
        attribute(CKA_KEY_TYPE, &kind),
        attribute(CKA_EXTRACTABLE, &yes),
        attribute(CKA_SENSITIVE, &no),
        attribute(CKA_VALUE, &[0x5A; 40]),
    ];
    let mut key = 0;
    ok!(desk.module, C_CreateObject, session, template.as_mut_ptr(), template.len() as CK_ULONG, &raw mut key);
    assert_eq!(desk.value(session, key, CKA_VALUE), [0x5A; 40]);
}

cases! {
    fn every_attribute_of_every_object_obeys_the_rule() {
        let desk = Desk::standard();
        let session = desk.logged_in();
        create_secret_key(&desk, session);
        let mut values = 0;
        for class in CLASSES {
            let objects = desk.find(session, &[attribute(CKA_CLASS, &class.to_ne_bytes())]);
            assert!(!objects.is_empty() || class == CKO_PROFILE, "no object of class {class}");
            for object in objects {
                let seen = ATTRIBUTES.iter().filter_map(|kind| attribute_through_all_sizes(&desk, session, object, *kind));
                let seen = seen.count();
                assert!(seen > 8, "object {object} of class {class} has {seen} attributes");
                values += seen;
            }
        }
        println!("{values} values of attributes");
    }

    fn secrets_of_keys_are_sensitive_and_what_an_object_lacks_is_invalid() {
        let desk = Desk::standard();
        let session = desk.logged_in();
        let private = desk.object(session, CKO_PRIVATE_KEY, 1);
        for kind in [CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT] {
            let found = ask(&desk, session, private, kind, ptr::null_mut(), 0);
            assert_eq!(found, (CKR_ATTRIBUTE_SENSITIVE, CK_UNAVAILABLE_INFORMATION), "{kind:#x}");
        }
        for kind in [CKA_EC_PARAMS, CKA_APPLICATION, CKA_CERTIFICATE_TYPE, CKA_VENDOR_DEFINED] {
            let found = ask(&desk, session, private, kind, ptr::null_mut(), 0);
            assert_eq!(found, (CKR_ATTRIBUTE_TYPE_INVALID, CK_UNAVAILABLE_INFORMATION), "{kind:#x}");
        }
    }

    fn what_can_be_filled_is_filled_whatever_becomes_of_the_rest() {
        let desk = Desk::standard();
        let (session, module) = (desk.logged_in(), &desk.module);
        let private = desk.object(session, CKO_PRIVATE_KEY, 1);
        let (mut class, mut small, mut modulus) = (Guarded::new(8), Guarded::new(100), Guarded::shifted(256, 1));
        let (mut exponent, mut unknown, mut again) = (Guarded::new(256), Guarded::new(8), Guarded::new(8));
        let asked = |kind, place: &mut Guarded, size| CK_ATTRIBUTE { type_: kind, pValue: place.pointer(), ulValueLen: size };
        let mut template = [
            asked(CKA_CLASS, &mut class, 8),
            asked(CKA_MODULUS, &mut small, 100),
            asked(CKA_PRIVATE_EXPONENT, &mut exponent, 256),
            asked(CKA_APPLICATION, &mut unknown, 8),
            CK_ATTRIBUTE { type_: CKA_PUBLIC_EXPONENT, pValue: ptr::null_mut(), ulValueLen: 99 },
            asked(CKA_MODULUS, &mut modulus, 256),
            asked(CKA_CLASS, &mut again, 8),
        ];
        let rv = call!(module, C_GetAttributeValue, session, private, template.as_mut_ptr(), template.len() as CK_ULONG);
        let possible = [CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID, CKR_BUFFER_TOO_SMALL];
        assert!(possible.contains(&rv), "{rv:#x}");
        let unavailable = CK_UNAVAILABLE_INFORMATION;
        assert_eq!(template.map(|attribute| attribute.ulValueLen), [8, unavailable, unavailable, unavailable, 3, 256, 8]);
        assert_eq!(class.bytes(), CKO_PRIVATE_KEY.to_ne_bytes());
        assert_eq!(again.bytes(), CKO_PRIVATE_KEY.to_ne_bytes());
        assert_eq!(modulus.bytes(), desk.value(session, private, CKA_MODULUS));
        small.assert_untouched("a place too small");
        exponent.assert_untouched("a sensitive attribute");
        unknown.assert_untouched("an unknown attribute");
        modulus.assert_untouched_behind(256, "the modulus");
    }

    fn a_template_may_lie_at_any_address() {
        let desk = Desk::standard();
        let (session, module) = (desk.logged_in(), &desk.module);
        let certificate = desk.object(session, CKO_CERTIFICATE, 1);
        for shift in 1..16 {
            let mut value = Guarded::shifted(8, shift);
            let mut place = Guarded::shifted(size_of::<CK_ATTRIBUTE>(), shift);
            let template = CK_ATTRIBUTE { type_: CKA_CLASS, pValue: value.pointer(), ulValueLen: 8 };
            // SAFETY: inside the guarded memory.
            unsafe { place.pointer::<CK_ATTRIBUTE>().write_unaligned(template) };
            ok!(module, C_GetAttributeValue, session, certificate, place.pointer(), 1);
            assert_eq!(value.bytes(), CKO_CERTIFICATE.to_ne_bytes());
            place.assert_untouched_behind(size_of::<CK_ATTRIBUTE>(), "the template");
        }
    }

    fn an_array_that_cannot_be_is_a_bad_argument_and_none_at_all_is_fine() {
        let desk = Desk::elliptic();
        let (session, module) = (desk.logged_in(), &desk.module);
        let object = desk.object(session, CKO_CERTIFICATE, 1);
        let mut template = CK_ATTRIBUTE { type_: CKA_CLASS, pValue: ptr::null_mut(), ulValueLen: 0 };
        for count in [CK_ULONG::MAX, CK_ULONG::MAX / 2 + 1, CK_ULONG::MAX / size_of::<CK_ATTRIBUTE>() as CK_ULONG + 1] {
            assert_rv(call!(module, C_GetAttributeValue, session, object, &raw mut template, count), CKR_ARGUMENTS_BAD, "absurd");
        }
        assert_rv(call!(module, C_GetAttributeValue, session, object, ptr::null_mut(), 1), CKR_ARGUMENTS_BAD, "null");
        ok!(module, C_GetAttributeValue, session, object, ptr::null_mut(), 0);
        ok!(module, C_GetAttributeValue, session, object, &raw mut template, 0);
    }
}
