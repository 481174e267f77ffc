//! C_GenerateKey on the host.

use cardea_pkcs11::error::Error;
use cardea_pkcs11::session::{encrypt, generate, sign};
use cryptoki_sys::*;

use super::*;
use crate::in_process::keys::bytes;
use crate::in_process::setting::Setting;

fn generated(session: &Session, ckm: CK_MECHANISM_TYPE, pairs: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Result<u64, Error> {
    generate::key(session, mechanism(ckm, Parameters::None), template(&with(&Pairs::new(), pairs)))
}

fn length(bytes: CK_ULONG) -> [u8; 8] {
    bytes.to_ne_bytes()
}

#[test]
fn a_generated_key_is_random_local_and_of_its_mechanism() {
    let setting = Setting::elliptic();
    let session = setting.open();
    for (ckm, key_type) in [(CKM_AES_KEY_GEN, CKK_AES), (CKM_GENERIC_SECRET_KEY_GEN, CKK_GENERIC_SECRET)] {
        let keys = [(); 2].map(|()| generated(&session, ckm, &[(CKA_VALUE_LEN, &length(32))]).unwrap());
        let values = keys.map(|key| attribute(&session, key, CKA_VALUE));
        assert_eq!(values.each_ref().map(Vec::len), [32, 32]);
        assert_ne!(values[0], values[1]);
        let [key, _] = keys;
        assert_eq!(attribute(&session, key, CKA_KEY_TYPE), number(key_type));
        assert_eq!(attribute(&session, key, CKA_KEY_GEN_MECHANISM), number(ckm));
        assert!(is_true(&session, key, CKA_LOCAL) && !is_true(&session, key, CKA_TOKEN));
        assert!(!is_true(&session, key, CKA_ALWAYS_SENSITIVE) && !is_true(&session, key, CKA_NEVER_EXTRACTABLE));
    }
}

#[test]
fn a_key_remembers_that_it_was_always_so() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = generated(&session, CKM_AES_KEY_GEN, &[(CKA_VALUE_LEN, &length(16)), (CKA_SENSITIVE, &YES)]).unwrap();
    assert!(is_true(&session, key, CKA_ALWAYS_SENSITIVE) && !is_true(&session, key, CKA_NEVER_EXTRACTABLE));
    assert_eq!(refusal(&session, key, CKA_VALUE), Some(Error::AttributeSensitive));
    let key = generated(&session, CKM_AES_KEY_GEN, &[(CKA_VALUE_LEN, &length(16)), (CKA_EXTRACTABLE, &NO)]).unwrap();
    assert!(!is_true(&session, key, CKA_ALWAYS_SENSITIVE) && is_true(&session, key, CKA_NEVER_EXTRACTABLE));
    encrypt::init(&session, cbc(), key).unwrap();
    assert_eq!(bytes(encrypt::encrypt(&session, &[0; 32], Some(32)).unwrap()).len(), 32);
}

#[test]
fn a_key_that_may_not_leave_the_token_is_never_generated_on_the_host() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let bound: [(CK_ATTRIBUTE_TYPE, &[u8]); 3] =
        [(CKA_VALUE_LEN, &length(16)), (CKA_SENSITIVE, &YES), (CKA_EXTRACTABLE, &NO)];
    for ckm in [CKM_AES_KEY_GEN, CKM_GENERIC_SECRET_KEY_GEN] {
        assert_eq!(generated(&session, ckm, &bound), Err(Error::TemplateInconsistent));
    }
    let on_token: [(CK_ATTRIBUTE_TYPE, &[u8]); 2] = [(CKA_VALUE_LEN, &length(16)), (CKA_TOKEN, &YES)];
    assert_eq!(generated(&session, CKM_AES_KEY_GEN, &on_token), Err(Error::TokenWriteProtected));
    let read_only = setting.library.session(setting.library.open_session(0, false).unwrap()).unwrap();
    assert_eq!(generated(&read_only, CKM_AES_KEY_GEN, &on_token), Err(Error::SessionReadOnly));
    assert!(generated(&read_only, CKM_AES_KEY_GEN, &on_token[..1]).is_ok());
}

#[test]
fn templates_for_generation_are_judged() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let sixteen = length(16);
    let base: (CK_ATTRIBUTE_TYPE, &[u8]) = (CKA_VALUE_LEN, &sixteen);
    let aes = |pairs: &[(CK_ATTRIBUTE_TYPE, &[u8])]| generated(&session, CKM_AES_KEY_GEN, pairs).err();
    assert_eq!(aes(&[]), Some(Error::TemplateIncomplete));
    for wrong in [0, 8, 17, 64] {
        assert_eq!(aes(&[(CKA_VALUE_LEN, &length(wrong))]), Some(Error::AttributeValueInvalid));
    }
    let inconsistent = Some(Error::TemplateInconsistent);
    assert_eq!(aes(&[base, (CKA_KEY_TYPE, &length(CKK_GENERIC_SECRET))]), inconsistent);
    assert_eq!(aes(&[base, (CKA_CLASS, &length(CKO_PUBLIC_KEY))]), inconsistent);
    assert_eq!(aes(&[base, (CKA_CLASS, &length(CKO_SECRET_KEY)), (CKA_KEY_TYPE, &length(CKK_AES))]), None);
    assert_eq!(aes(&[base, (CKA_VALUE, &[0; 16])]), Some(Error::AttributeReadOnly));
    assert_eq!(aes(&[base, (CKA_LOCAL, &YES)]), Some(Error::AttributeReadOnly));
    assert_eq!(aes(&[base, (CKA_MODULUS, &[1])]), Some(Error::AttributeTypeInvalid));
    let generic = |bytes| generated(&session, CKM_GENERIC_SECRET_KEY_GEN, &[(CKA_VALUE_LEN, &length(bytes))]).err();
    assert_eq!((generic(0), generic(1), generic(65_536)), (Some(Error::AttributeValueInvalid), None, None));
    assert_eq!(generic(65_537), Some(Error::AttributeValueInvalid));
    let other = generate::key(&session, mechanism(CKM_AES_ECB, Parameters::None), template(&[]));
    assert_eq!(other, Err(Error::MechanismInvalid));
    assert_eq!(sign::init(&session, mechanism(CKM_AES_KEY_GEN, Parameters::None), 1), Err(Error::KeyHandleInvalid));
}

#[test]
fn a_secret_of_a_user_is_private_unless_the_template_says_otherwise() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let sixteen = length(16);
    let base: (CK_ATTRIBUTE_TYPE, &[u8]) = (CKA_VALUE_LEN, &sixteen);
    let key = generated(&session, CKM_AES_KEY_GEN, &[base]).unwrap();
    assert!(!is_true(&session, key, CKA_PRIVATE));
    let asked = generated(&session, CKM_AES_KEY_GEN, &[base, (CKA_PRIVATE, &YES)]);
    assert_eq!(asked, Err(Error::UserNotLoggedIn));
    let session = setting.logged_in();
    let key = generated(&session, CKM_AES_KEY_GEN, &[base]).unwrap();
    assert!(is_true(&session, key, CKA_PRIVATE));
    let open = generated(&session, CKM_AES_KEY_GEN, &[base, (CKA_PRIVATE, &NO)]).unwrap();
    assert!(!is_true(&session, open, CKA_PRIVATE));
}
