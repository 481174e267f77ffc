"""What a Python program does with the token of CARDEA_MODULE; CARDEA_PIN is its PIN."""

import os

from PyKCS11 import *

MESSAGE = b"Hello from Python"
SECRET = b"a short secret"


def one(session, template):
    found = session.findObjects(template)
    assert len(found) == 1, (template, found)
    return found[0]


def public_key(session, key):
    key_id = session.getAttributeValue(key, [CKA_ID])[0]
    return one(session, [(CKA_CLASS, CKO_PUBLIC_KEY), (CKA_ID, key_id)])


def offered(library, slot, mechanism, flag):
    """Whether the token says that it does that with a private key."""
    names = library.getMechanismList(slot)
    return CKM[mechanism] in names and library.getMechanismInfo(slot, CKM[mechanism]).flags & flag


def mechanisms(library, slot, key_type):
    if key_type == CKK_EC:
        return [Mechanism(CKM_ECDSA_SHA256)]
    if key_type == CKK_EC_EDWARDS:
        return [Mechanism(CKM_EDDSA)]
    pss = RSA_PSS_Mechanism(CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 32)
    return [Mechanism(CKM_SHA256_RSA_PKCS)] + [pss] * bool(offered(library, slot, CKM_SHA256_RSA_PKCS_PSS, CKF_SIGN))


def sign(session, key, mechanism, pin):
    """A signature; a key that wants the PIN each time gets it through the functions below PyKCS11's own."""
    if not session.getAttributeValue(key, [CKA_ALWAYS_AUTHENTICATE])[0]:
        return session.sign(key, MESSAGE, mechanism)
    lib, handle = session.lib, session.session
    native = mechanism.to_native()
    assert lib.C_SignInit(handle, native, key) == CKR_OK
    assert lib.C_Login(handle, CKU_CONTEXT_SPECIFIC, ckbytelist(pin)) == CKR_OK
    signature = ckbytelist()
    assert lib.C_Sign(handle, ckbytelist(MESSAGE), signature) == CKR_OK
    assert lib.C_Sign(handle, ckbytelist(MESSAGE), signature) == CKR_OK
    return signature


def main():
    pin = os.environ["CARDEA_PIN"]
    library = PyKCS11Lib()
    library.load(os.environ["CARDEA_MODULE"])
    slot = library.getSlotList(tokenPresent=True)[0]
    token = library.getTokenInfo(slot)
    assert token.flags & CKF_LOGIN_REQUIRED and token.flags & CKF_USER_PIN_INITIALIZED, token
    session = library.openSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION)
    certificates = len(session.findObjects([(CKA_CLASS, CKO_CERTIFICATE)]))
    session.login(pin)

    signatures = decryptions = 0
    for key in session.findObjects([(CKA_CLASS, CKO_PRIVATE_KEY), (CKA_SIGN, True)]):
        public = public_key(session, key)
        for mechanism in mechanisms(library, slot, session.getAttributeValue(key, [CKA_KEY_TYPE])[0]):
            signature = bytes(sign(session, key, mechanism, pin))
            assert session.verify(public, MESSAGE, signature, mechanism)
            assert not session.verify(public, MESSAGE + b"!", signature, mechanism)
            signatures += 1

    oaep = RSAOAEPMechanism(CKM_SHA256, CKG_MGF1_SHA256)
    labelled = RSAOAEPMechanism(CKM_SHA_1, CKG_MGF1_SHA1, b"label")
    for key in session.findObjects([(CKA_CLASS, CKO_PRIVATE_KEY), (CKA_DECRYPT, True)]):
        public = public_key(session, key)
        has_oaep = offered(library, slot, CKM_RSA_PKCS_OAEP, CKF_DECRYPT)
        for mechanism in [Mechanism(CKM_RSA_PKCS)] + ([oaep, labelled] if has_oaep else []):
            cryptogram = session.encrypt(public, SECRET, mechanism)
            assert bytes(session.decrypt(key, cryptogram, mechanism)) == SECRET
            decryptions += 1

    assert bytes(session.digest(b"abc", Mechanism(CKM_SHA256))).hex().startswith("ba7816bf")
    session.logout()
    session.closeSession()
    print(f"{certificates} certificates, {signatures} signatures, {decryptions} decryptions")


main()
