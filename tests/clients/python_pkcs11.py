"""What a Python program does with the token of CARDEA_MODULE by python-pkcs11; CARDEA_PIN is its PIN."""

import hashlib
import os

import pkcs11
from pkcs11 import Attribute, KDF, KeyType, Mechanism, MGF, ObjectClass
from pkcs11.util.ec import encode_ec_public_key
from pkcs11.util.rsa import encode_rsa_public_key

MESSAGE = b"Hello from Python"
SECRET = b"a short secret"


def public_key(session, key):
    return session.get_key(object_class=ObjectClass.PUBLIC_KEY, id=key[Attribute.ID])


def has(token, mechanism, flag):
    """Whether the token says that it does that with a private key."""
    return mechanism in token.slot.get_mechanisms() and flag in token.slot.get_mechanism_info(mechanism).flags


def signs(token, session, key, pin):
    """Signatures with the key in every form that the token has; how many."""
    public = public_key(session, key)
    pss = (Mechanism.SHA256, MGF.SHA256, 32)
    if key.key_type == KeyType.RSA:
        ways = [(MESSAGE, dict(mechanism=Mechanism.SHA256_RSA_PKCS))]
        if has(token, Mechanism.SHA256_RSA_PKCS_PSS, pkcs11.MechanismFlag.SIGN):
            ways.append((MESSAGE, dict(mechanism=Mechanism.SHA256_RSA_PKCS_PSS, mechanism_param=pss)))
    else:
        ways = [(hashlib.sha256(MESSAGE).digest(), dict(mechanism=Mechanism.ECDSA))]
    if key[Attribute.ALWAYS_AUTHENTICATE]:
        ways = [(data, dict(way, pin=pin)) for data, way in ways]
    for data, way in ways:
        signature = key.sign(data, **way)
        way.pop("pin", None)
        assert public.verify(data, signature, **way)
        assert not public.verify(data[::-1], signature, **way)
    return len(ways)


def decrypts(token, session, key):
    public = public_key(session, key)
    ways = [dict(mechanism=Mechanism.RSA_PKCS)]
    if has(token, Mechanism.RSA_PKCS_OAEP, pkcs11.MechanismFlag.DECRYPT):
        ways.append(dict(mechanism=Mechanism.RSA_PKCS_OAEP, mechanism_param=(Mechanism.SHA256, MGF.SHA256, None)))
    for way in ways:
        assert key.decrypt(public.encrypt(SECRET, **way), **way) == SECRET
    return len(ways)


def derives(session, key):
    """The same secret twice from another's point, another one from its own."""
    own = public_key(session, key)[Attribute.EC_POINT]
    others = [one for one in session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.KEY_TYPE: KeyType.EC})]
    points = [one[Attribute.EC_POINT] for one in others if one[Attribute.EC_PARAMS] == key[Attribute.EC_PARAMS]]
    template = {Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True, Attribute.TOKEN: False}

    def secret(point):
        # the point without its OCTET STRING
        parameters = (KDF.NULL, None, point[2:])
        derived = key.derive_key(KeyType.AES, 256, mechanism_param=parameters, template=template)
        return derived[Attribute.VALUE]

    assert secret(points[0]) == secret(points[0]) and len(secret(points[0])) == 32
    assert len({secret(point) for point in points}) == len(points)
    assert own in points
    return 1


def refuses_another_pin(token, pin):
    try:
        token.open(user_pin=pin[:-1] + ("1" if pin[-1] == "0" else "0")).close()
    except pkcs11.PinIncorrect:
        return
    raise AssertionError("a wrong PIN was taken")


def main():
    pin = os.environ["CARDEA_PIN"]
    library = pkcs11.lib(os.environ["CARDEA_MODULE"])
    token = next(library.get_tokens())
    assert pkcs11.TokenFlag.LOGIN_REQUIRED in token.flags, token.flags
    with token.open() as session:
        certificates = list(session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE}))
        assert len(certificates) >= 3 and all(one[Attribute.VALUE][0] == 0x30 for one in certificates)
    refuses_another_pin(token, pin)

    with token.open(rw=True, user_pin=pin) as session:
        keys = list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY}))
        for key in keys:
            public = public_key(session, key)
            encode = encode_rsa_public_key if key.key_type == KeyType.RSA else encode_ec_public_key
            assert encode(public)[0] == 0x30
        signatures = sum(signs(token, session, key, pin) for key in keys if key[Attribute.SIGN])
        decryptions = sum(decrypts(token, session, key) for key in keys if key[Attribute.DECRYPT])
        agreements = sum(derives(session, key) for key in keys if key[Attribute.DERIVE] and key.key_type == KeyType.EC)
        found = list(session.get_objects({Attribute.LABEL: keys[0].label, Attribute.CLASS: ObjectClass.PRIVATE_KEY}))
        assert [one[Attribute.ID] for one in found] == [keys[0].id]
    print(f"{signatures} signatures, {decryptions} decryptions, {agreements} agreements")


main()
