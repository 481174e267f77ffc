//! C_GetMechanismList and C_GetMechanismInfo: what the host does with secret keys, on every token.

use cardea_pkcs11::error::Error;
use cryptoki_sys::*;

use crate::in_process::setting::Setting;

#[test]
fn every_token_offers_the_hosts_mechanisms_and_marks_none_as_hardware() {
    let setting = Setting::elliptic();
    let slot = setting.slot();
    let cipher = CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP;
    let code = CKF_SIGN | CKF_VERIFY;
    let expected = [
        (CKM_AES_ECB, cipher),
        (CKM_AES_CBC, cipher),
        (CKM_AES_CBC_PAD, cipher),
        (CKM_AES_CTR, cipher),
        (CKM_AES_GCM, cipher),
        (CKM_AES_KEY_WRAP, cipher),
        (CKM_AES_KEY_WRAP_PAD, cipher),
        (CKM_AES_KEY_WRAP_KWP, cipher),
        (CKM_AES_KEY_WRAP_PKCS7, cipher),
        (CKM_AES_CMAC, code),
        (CKM_AES_CMAC_GENERAL, code),
        (CKM_SHA_1_HMAC, code),
        (CKM_SHA224_HMAC_GENERAL, code),
        (CKM_SHA512_HMAC, code),
        (CKM_AES_KEY_GEN, CKF_GENERATE),
        (CKM_GENERIC_SECRET_KEY_GEN, CKF_GENERATE),
    ];
    let offered = slot.mechanisms().unwrap();
    for (mechanism, flags) in expected {
        assert!(offered.contains(&mechanism), "{mechanism:#x}");
        assert_eq!(slot.mechanism_info(mechanism).unwrap().flags, flags, "{mechanism:#x}");
    }
    assert_eq!(slot.mechanism_info(CKM_DES_CBC), Err(Error::MechanismInvalid));
    assert_ne!(slot.mechanism_info(CKM_ECDSA).unwrap().flags & CKF_HW, 0);
}
