//! What is written.

use std::collections::BTreeMap;
use std::sync::Mutex;

use cardea_harness::provision::{Authority, Holder, KeyKind, KeySlot, Usage};
use cardea_pkcs11::card::new_key::PrivateValue;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::symmetric::SecretKind;
use cardea_pkcs11::mechanism::{AesMode, Mechanism, PairType};
use cardea_pkcs11::session::{Session, encrypt, generate, objects, wrap};
use cryptoki_sys::*;

use super::cards::Card;
use super::view::Shown;
use crate::in_process::keys::{bytes, find_all, template};
use crate::in_process::piv::rsa;
use crate::in_process::writing::{P256, TRUE, info};

const PRIVATE: &[u8] = &CKO_PRIVATE_KEY.to_ne_bytes();
const SECRET: &[u8] = &CKO_SECRET_KEY.to_ne_bytes();
const CERTIFICATES: &[u8] = &CKO_CERTIFICATE.to_ne_bytes();
const DATA_OBJECTS: &[u8] = &CKO_DATA.to_ne_bytes();
const EC: &[u8] = &CKK_EC.to_ne_bytes();
const AES: &[u8] = &CKK_AES.to_ne_bytes();
const LABEL_OF_ALL: (CK_ATTRIBUTE_TYPE, &[u8]) = (CKA_LABEL, b"made");
const TOKEN: (CK_ATTRIBUTE_TYPE, &[u8]) = (CKA_TOKEN, TRUE);
/// The private value of a key that is brought.
const VALUE: [u8; 32] = [0x11; 32];
/// DER Name: CN=A.
const NAME: &[u8] = b"\x30\x0C\x31\x0A\x30\x08\x06\x03\x55\x04\x03\x0C\x01A";
/// The value of an AES key.
const AES_VALUE: &[u8; 32] = b"thirty-two bytes of an AES key..";
/// What the standard calls the data object that PIV cards are given.
pub(super) const STANDARD_LABEL: &[u8] = b"Card Capability Container";

/// A part of an operation.
type Part = fn(&Card, &Session) -> Result<(), Error>;

/// Something that is done to a card.
pub(super) struct Operation {
    pub(super) name: &'static str,
    /// Makes what it is done to.
    pub(super) prepare: Part,
    pub(super) run: Part,
    /// What comes of it when nothing goes wrong.
    pub(super) outcome: Result<(), Error>,
    /// Whether a card may be left so, between before and after.
    pub(super) between: fn(&Card, &[Shown]) -> bool,
    /// The card may have done it when it says that it could not end it.
    pub(super) is_in_steps: bool,
    /// Only who made it sees it, before the user looks.
    pub(super) is_secret: bool,
}

const PLAIN: Operation = Operation {
    name: "",
    prepare: |_, _| Ok(()),
    run: |_, _| Ok(()),
    outcome: Ok(()),
    between: |_, _| false,
    is_in_steps: false,
    is_secret: false,
};

pub(super) static GENERATION: Operation =
    Operation { name: "generation", run: |card, session| generated(card, session, &[TOKEN]), ..PLAIN };

pub(super) static GENERATION_OVER_KEY: Operation = Operation {
    name: "generation where a key is",
    prepare: imported,
    run: |card, session| generated(card, session, &[TOKEN]),
    outcome: Err(Error::AttributeValueInvalid),
    ..PLAIN
};

pub(super) static CERTIFICATE_OVER_CERTIFICATE: Operation = Operation {
    name: "certificate where one is",
    prepare: certified_key,
    run: |card, session| certified(card, session, 0),
    outcome: Err(Error::AttributeValueInvalid),
    ..PLAIN
};

pub(super) static SESSION_GENERATION: Operation =
    Operation { name: "generation for the session", run: |card, session| generated(card, session, &[]), ..PLAIN };

pub(super) static IMPORT: Operation = Operation { name: "import", run: imported, ..PLAIN };

pub(super) static RSA_IMPORT: Operation = Operation {
    name: "import of RSA",
    run: |card, session| {
        let PrivateValue::Rsa {
            modulus,
            exponent,
            private_exponent,
            prime_1,
            prime_2,
            exponent_1,
            exponent_2,
            coefficient,
        } = rsa(include_str!("../../harness/keys/rsa-2048-c.pem"))
        else {
            return Err(Error::GeneralError);
        };
        let numbers: [(CK_ATTRIBUTE_TYPE, &[u8]); 9] = [
            (CKA_KEY_TYPE, &CKK_RSA.to_ne_bytes()),
            (CKA_MODULUS, &modulus),
            (CKA_PUBLIC_EXPONENT, &exponent),
            (CKA_PRIVATE_EXPONENT, &private_exponent),
            (CKA_PRIME_1, &prime_1),
            (CKA_PRIME_2, &prime_2),
            (CKA_EXPONENT_1, &exponent_1),
            (CKA_EXPONENT_2, &exponent_2),
            (CKA_COEFFICIENT, &coefficient),
        ];
        create(
            session,
            &[&[(CKA_CLASS, PRIVATE), (CKA_ID, &card.ids[..1]), TOKEN, LABEL_OF_ALL], &numbers[..]].concat(),
        )
    },
    ..PLAIN
};

pub(super) static EDWARDS_IMPORT: Operation = Operation {
    name: "import of Ed25519",
    run: |card, session| {
        let key_type = CKK_EC_EDWARDS.to_ne_bytes();
        // 1.3.101.112.
        let parameters = [0x06, 0x03, 0x2B, 0x65, 0x70];
        let id = &card.ids[..1];
        let all = [(CKA_CLASS, PRIVATE), (CKA_KEY_TYPE, &key_type), (CKA_EC_PARAMS, &parameters), (CKA_VALUE, &VALUE)];
        create(session, &[&all[..], &[(CKA_ID, id), TOKEN, LABEL_OF_ALL]].concat())
    },
    ..PLAIN
};

pub(super) static UNWRAPPING: Operation = Operation {
    name: "unwrapping",
    run: |card, session| {
        let wish = [(CKA_CLASS, PRIVATE), (CKA_KEY_TYPE, EC), (CKA_ID, &card.ids[..1]), TOKEN, LABEL_OF_ALL];
        unwrapped(session, &info("ec"), &wish)
    },
    ..PLAIN
};

pub(super) static CERTIFICATE: Operation =
    Operation { name: "certificate", prepare: imported, run: |card, session| certified(card, session, 0), ..PLAIN };

pub(super) static LONG_CERTIFICATE: Operation = Operation {
    name: "certificate that does not fit",
    prepare: imported,
    run: |card, session| certified(card, session, 70_000),
    outcome: Err(Error::DeviceMemory),
    ..PLAIN
};

pub(super) static KEY_DESTRUCTION: Operation = Operation {
    name: "destruction of a key",
    prepare: imported,
    run: |card, session| objects::destroy(session, found(session, PRIVATE, card.ids[0])?),
    is_in_steps: true,
    ..PLAIN
};

pub(super) static CERTIFICATE_DESTRUCTION: Operation = Operation {
    name: "destruction of a certificate",
    prepare: certified_key,
    run: |card, session| objects::destroy(session, found(session, CERTIFICATES, card.ids[0])?),
    is_in_steps: true,
    ..PLAIN
};

pub(super) static IMPORT_BESIDE_CERTIFICATE: Operation =
    Operation { name: "import beside a certificate", prepare: certified_alone, run: imported, ..PLAIN };

pub(super) static LABEL: Operation = Operation {
    name: "label, identifier and subject of a key",
    prepare: imported,
    run: |card, session| {
        let more = [(CKA_LABEL, &b"a longer name than before"[..]), (CKA_ID, &card.ids[1..]), (CKA_SUBJECT, NAME)];
        objects::set_attributes(session, found(session, PRIVATE, card.ids[0])?, template(&more))
    },
    is_in_steps: true,
    ..PLAIN
};

pub(super) static CERTIFICATE_LABEL: Operation = Operation {
    name: "label and identifier of a certificate",
    prepare: certified_key,
    run: |card, session| {
        let more = [(CKA_LABEL, &b"a longer name than before"[..]), (CKA_ID, &card.ids[1..])];
        objects::set_attributes(session, found(session, CERTIFICATES, card.ids[0])?, template(&more))
    },
    is_in_steps: true,
    ..PLAIN
};

pub(super) static KEY_MOVE: Operation = Operation {
    name: "move of a key",
    prepare: imported,
    run: |card, session| moved(session, found(session, PRIVATE, card.ids[0])?, card.ids[1]),
    ..PLAIN
};

pub(super) static CERTIFICATE_MOVE: Operation = Operation {
    name: "move of a certificate",
    prepare: certified_alone,
    run: |card, session| moved(session, found(session, CERTIFICATES, card.ids[0])?, card.ids[1]),
    // It is in both places before it leaves the first.
    is_in_steps: true,
    between: |card, shown| card.ids.iter().all(|id| shown.iter().any(|shown| shown.is(CKO_CERTIFICATE, &[*id]))),
    ..PLAIN
};

pub(super) static DATA: Operation = Operation { name: "data", run: noted, ..PLAIN };

pub(super) static DATA_CHANGE: Operation = Operation {
    name: "change of data",
    prepare: noted,
    run: |_, session| {
        let value = (CKA_VALUE, &[0x5A; 500][..]);
        objects::set_attributes(session, labelled(session, b"made")?, template(&[value]))
    },
    is_in_steps: true,
    ..PLAIN
};

pub(super) static DATA_DESTRUCTION: Operation = Operation {
    name: "destruction of data",
    prepare: noted,
    run: |_, session| objects::destroy(session, labelled(session, b"made")?),
    is_in_steps: true,
    ..PLAIN
};

pub(super) static STANDARD_DATA: Operation = Operation { name: "data of the standard", run: contained, ..PLAIN };

pub(super) static STANDARD_DATA_CHANGE: Operation = Operation {
    name: "change of data of the standard",
    prepare: contained,
    run: |_, session| {
        let value = (CKA_VALUE, &[0x5A; 700][..]);
        objects::set_attributes(session, labelled(session, STANDARD_LABEL)?, template(&[value]))
    },
    ..PLAIN
};

pub(super) static STANDARD_DATA_DESTRUCTION: Operation = Operation {
    name: "destruction of data of the standard",
    prepare: contained,
    run: |_, session| objects::destroy(session, labelled(session, STANDARD_LABEL)?),
    ..PLAIN
};

pub(super) static SECRET_KEY: Operation =
    Operation { name: "secret key", run: |card, session| drawn(card, session, &[TOKEN]), ..PLAIN };

pub(super) static SESSION_SECRET_KEY: Operation =
    Operation { name: "secret key for the session", run: |card, session| drawn(card, session, &[]), ..PLAIN };

pub(super) static SECRET_KEY_UNWRAPPING: Operation = Operation {
    name: "unwrapping of a secret key",
    run: |card, session| {
        let (id, length) = (&card.ids[..1], 32_u64.to_ne_bytes());
        let wish =
            [(CKA_CLASS, SECRET), (CKA_KEY_TYPE, AES), (CKA_VALUE_LEN, &length), (CKA_SENSITIVE, TRUE), (CKA_ID, id)];
        let with = find_all(session, &[(CKA_CLASS, PRIVATE), (CKA_LABEL, b"RSA key")])?;
        let half = find_all(session, &[(CKA_CLASS, &CKO_PUBLIC_KEY.to_ne_bytes()), (CKA_LABEL, b"RSA key")])?;
        let (with, half) = with.first().zip(half.first()).ok_or(Error::KeyHandleInvalid)?;
        encrypt::init(session, Mechanism::RsaPkcs, *half)?;
        let wrapped = bytes(encrypt::encrypt(session, AES_VALUE, Some(512))?);
        let wish = template(&[&wish[..], &[TOKEN, LABEL_OF_ALL]].concat());
        wrap::unwrap(session, Mechanism::RsaPkcs, *with, &wrapped, wish).map(drop)
    },
    ..PLAIN
};

pub(super) static SECRET_KEY_DESTRUCTION: Operation = Operation {
    name: "destruction of a secret key",
    prepare: |card, session| drawn(card, session, &[TOKEN]),
    run: |card, session| objects::destroy(session, found(session, SECRET, card.ids[0])?),
    is_in_steps: true,
    ..PLAIN
};

pub(super) static HIDDEN_KEY: Operation = Operation { name: "hidden key", run: hidden, is_secret: true, ..PLAIN };

pub(super) static HIDDEN_KEY_DESTRUCTION: Operation = Operation {
    name: "destruction of a hidden key",
    prepare: hidden,
    run: |_, session| {
        let all = find_all(session, &[(CKA_CLASS, SECRET), TOKEN])?;
        objects::destroy(session, all.first().copied().ok_or(Error::ObjectHandleInvalid)?)
    },
    is_secret: true,
    ..PLAIN
};

fn create(session: &Session, attributes: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Result<(), Error> {
    objects::create(session, template(attributes)).map(drop)
}

fn only(handles: Vec<u64>) -> Result<u64, Error> {
    handles.first().copied().ok_or(Error::ObjectHandleInvalid)
}

fn found(session: &Session, class: &[u8], id: u8) -> Result<u64, Error> {
    only(find_all(session, &[(CKA_CLASS, class), (CKA_ID, &[id]), TOKEN])?)
}

pub(super) fn labelled(session: &Session, label: &[u8]) -> Result<u64, Error> {
    only(find_all(session, &[(CKA_CLASS, DATA_OBJECTS), (CKA_LABEL, label), TOKEN])?)
}

fn moved(session: &Session, object: u64, id: u8) -> Result<(), Error> {
    objects::set_attributes(session, object, template(&[(CKA_ID, &[id])]))
}

fn generated(card: &Card, session: &Session, more: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Result<(), Error> {
    let private = [&[(CKA_ID, &card.ids[..1]), LABEL_OF_ALL], more].concat();
    let public = [&[(CKA_EC_PARAMS, P256)], &private[..]].concat();
    generate::key_pair(session, Mechanism::GeneratePair(PairType::Ec), template(&public), template(&private)).map(drop)
}

fn imported(card: &Card, session: &Session) -> Result<(), Error> {
    let all = [(CKA_CLASS, PRIVATE), (CKA_KEY_TYPE, EC), (CKA_EC_PARAMS, P256), (CKA_VALUE, &VALUE)];
    create(session, &[&all[..], &[(CKA_ID, &card.ids[..1]), TOKEN, LABEL_OF_ALL]].concat())
}

fn unwrapped(session: &Session, info: &[u8], wish: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Result<(), Error> {
    let key =
        [(CKA_CLASS, SECRET), (CKA_KEY_TYPE, AES), (CKA_VALUE, &[7; 32][..]), (CKA_SENSITIVE, &[0]), (CKA_TOKEN, &[0])];
    let more = [(CKA_UNWRAP, TRUE), (CKA_ENCRYPT, TRUE), (CKA_PRIVATE, &[0])];
    let with = objects::create(session, template(&[&key[..], &more].concat()))?;
    let padded = Mechanism::Aes(AesMode::CbcPad { iv: [3; 16] });
    encrypt::init(session, padded.clone(), with)?;
    let wrapped = bytes(encrypt::encrypt(session, info, Some(2000))?);
    wrap::unwrap(session, padded, with, &wrapped, template(wish)).map(drop)
}

/// A certificate for the key that was brought, longer by a filler.
fn certificate(filler: usize) -> Vec<u8> {
    static ISSUED: Mutex<BTreeMap<usize, Vec<u8>>> = Mutex::new(BTreeMap::new());
    ISSUED.lock().unwrap().entry(filler).or_insert_with(|| issued(filler)).clone()
}

fn issued(filler: usize) -> Vec<u8> {
    use p256::pkcs8::EncodePublicKey as _;
    let public = p256::SecretKey::from_slice(&VALUE).unwrap().public_key().to_public_key_der().unwrap();
    let slot = KeySlot::new(0x9A, KeyKind::P256).larger(filler);
    Authority::default().issue(&Holder::new("Alice Example"), &slot, Usage::Authentication, public.as_bytes())
}

fn certified(card: &Card, session: &Session, filler: usize) -> Result<(), Error> {
    let kind = CKC_X_509.to_ne_bytes();
    let der = certificate(filler);
    let all = [(CKA_CLASS, CERTIFICATES), (CKA_CERTIFICATE_TYPE, &kind), (CKA_VALUE, &der)];
    create(session, &[&all[..], &[(CKA_ID, &card.ids[..1]), TOKEN, LABEL_OF_ALL]].concat())
}

fn certified_key(card: &Card, session: &Session) -> Result<(), Error> {
    imported(card, session)?;
    certified(card, session, 600)
}

fn certified_alone(card: &Card, session: &Session) -> Result<(), Error> {
    certified(card, session, 600)
}

fn noted(_: &Card, session: &Session) -> Result<(), Error> {
    let all = [(CKA_CLASS, DATA_OBJECTS), (CKA_APPLICATION, b"tests"), (CKA_VALUE, &[0xA5; 400]), TOKEN, LABEL_OF_ALL];
    create(session, &all)
}

fn contained(_: &Card, session: &Session) -> Result<(), Error> {
    create(session, &[(CKA_CLASS, DATA_OBJECTS), (CKA_LABEL, STANDARD_LABEL), (CKA_VALUE, &[0xA5; 400]), TOKEN])
}

fn drawn(card: &Card, session: &Session, more: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Result<(), Error> {
    let length = 16_u64.to_ne_bytes();
    let all = [(CKA_VALUE_LEN, &length[..]), (CKA_SENSITIVE, TRUE), (CKA_EXTRACTABLE, &[0]), (CKA_ID, &card.ids[..1])];
    let wish = template(&[&all[..], &[LABEL_OF_ALL], more].concat());
    generate::key(session, Mechanism::Generate(SecretKind::Aes), wish).map(drop)
}

fn hidden(_: &Card, session: &Session) -> Result<(), Error> {
    create(session, &[(CKA_CLASS, SECRET), (CKA_KEY_TYPE, AES), (CKA_VALUE, AES_VALUE), TOKEN])
}
