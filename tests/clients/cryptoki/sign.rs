//! Signatures by every mechanism and every key, judged by `openssl` and by the module's own verification.

use cryptoki::error::RvError;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};

use super::super::keys::{self, Algorithm, Key, Purpose};
use super::super::openssl::{Scheme, ecdsa_der};
use super::super::station::Card;
use super::mechanism::{HASHES, Hash};
use super::{Token, assert_refused, object, pin, with_token};

const MESSAGE: &[u8] =
    b"Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived in Liberty";

/// A key pair in one session.
struct Signer<'a> {
    token: &'a Token,
    session: &'a Session,
    key: &'a Key,
    private: ObjectHandle,
    public: ObjectHandle,
}

impl<'a> Signer<'a> {
    fn new(token: &'a Token, session: &'a Session, key: &'a Key) -> Self {
        let private = object(session, ObjectClass::PRIVATE_KEY, key.id);
        let public = object(session, ObjectClass::PUBLIC_KEY, key.id);
        Self { token, session, key, private, public }
    }

    /// Signs in parts of these lengths, or at once if there are none; a key that wants the PIN each time gets it.
    fn sign(&self, mechanism: &Mechanism<'_>, data: &[u8], parts: &[usize]) -> Vec<u8> {
        if parts.is_empty() && !self.key.each_time {
            return self.session.sign(mechanism, self.private, data).unwrap();
        }
        self.session.sign_init(mechanism, self.private).unwrap();
        if self.key.each_time {
            self.session.login(UserType::ContextSpecific, Some(&pin())).unwrap();
        }
        let mut rest = data;
        for length in parts {
            let (part, after) = rest.split_at((*length).min(rest.len()));
            self.session.sign_update(part).unwrap();
            rest = after;
        }
        self.session.sign_update(rest).unwrap();
        self.session.sign_final().unwrap()
    }

    /// The signature is right by OpenSSL's word and the module's, and one over other data is wrong by both.
    fn judge(&self, mechanism: &Mechanism<'_>, scheme: Scheme<'_>, data: &[u8], judged: &[u8], signature: &[u8]) {
        let what = format!("{:?} {mechanism:?} {scheme:?}", self.key);
        let encoded = if scheme == Scheme::Ecdsa { ecdsa_der(signature) } else { signature.to_vec() };
        assert!(self.token.openssl.verifies(&self.key.public(), scheme, judged, &encoded), "{what}");
        self.session.verify(mechanism, self.public, data, signature).unwrap_or_else(|error| panic!("{what}: {error}"));
        let mut other = data.to_vec();
        // The first byte: ECDSA leaves out the end of a hash that is longer than the key.
        other[0] ^= 1;
        assert_refused(self.session.verify(mechanism, self.public, &other, signature), RvError::SignatureInvalid);
        assert_refused(self.session.verify(mechanism, self.public, data, &signature[1..]), RvError::SignatureLenRange);
    }

    fn hashed(&self, mechanism: &Mechanism<'_>, scheme: Scheme<'_>, hash: &Hash) {
        let digest = self.token.openssl.digest(hash.name, MESSAGE);
        for parts in [&[][..], &[1, 63, 0, 2]] {
            let signature = self.sign(mechanism, MESSAGE, parts);
            self.judge(mechanism, scheme, MESSAGE, &digest, &signature);
        }
    }

    fn every_mechanism(&self, card: Card) {
        match (self.key.algorithm, self.key.modulus_length()) {
            (_, Some(modulus)) => {
                self.pkcs1(modulus);
                if card.has_raw_rsa() {
                    self.unpadded(modulus);
                    self.pss(modulus);
                } else {
                    self.neither_unpadded_nor_pss();
                }
            }
            (Algorithm::Ed25519, None) => self.eddsa(),
            (_, None) => self.ecdsa(),
        }
    }

    fn pkcs1(&self, modulus: usize) {
        for hash in &HASHES {
            self.hashed(&hash.rsa, Scheme::Pkcs1(hash.name), hash);
        }
        for data in [&b"x"[..], &vec![0x42; modulus - 11]] {
            let signature = self.sign(&Mechanism::RsaPkcs, data, &[]);
            self.judge(&Mechanism::RsaPkcs, Scheme::Pkcs1Raw, data, data, &signature);
            assert_eq!(self.sign(&Mechanism::RsaPkcs, data, &[1]), signature, "in parts");
        }
    }

    fn unpadded(&self, modulus: usize) {
        let mut block = vec![0x77; modulus];
        block[0] = 0x02;
        let signature = self.sign(&Mechanism::RsaX509, &block, &[]);
        self.judge(&Mechanism::RsaX509, Scheme::Raw, &block, &block, &signature);
    }

    fn pss(&self, modulus: usize) {
        for (index, hash) in HASHES.iter().enumerate() {
            let digest = self.token.openssl.digest(hash.name, MESSAGE);
            let longest = modulus - hash.length - 2;
            let mask = &HASHES[(index + 1) % HASHES.len()];
            for (mask, salt) in [(hash, 0), (hash, hash.length), (hash, longest), (mask, hash.length)] {
                let parameters = hash.pss_parameters(mask, salt);
                let scheme = Scheme::Pss(hash.name, mask.name, salt);
                let mechanism = Mechanism::RsaPkcsPss(parameters);
                let signature = self.sign(&mechanism, &digest, &[]);
                self.judge(&mechanism, scheme, &digest, &digest, &signature);
                if let Some(mechanism) = hash.pss {
                    self.hashed(&mechanism(parameters), scheme, hash);
                }
            }
        }
    }

    /// A card that pads by itself refuses both before it is asked, and so does C_Verify not.
    fn neither_unpadded_nor_pss(&self) {
        let mut mechanisms = vec![Mechanism::RsaX509];
        for hash in &HASHES {
            let parameters = hash.pss_parameters(hash, hash.length);
            mechanisms.push(Mechanism::RsaPkcsPss(parameters));
            mechanisms.extend(hash.pss.map(|mechanism| mechanism(parameters)));
        }
        for mechanism in mechanisms {
            assert_refused(self.session.sign_init(&mechanism, self.private), RvError::MechanismInvalid);
            self.session.verify_init(&mechanism, self.public).unwrap();
            self.session.verify_final(&[1]).unwrap_err();
        }
    }

    fn eddsa(&self) {
        let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
        for data in [MESSAGE, b"x"] {
            let signature = self.sign(&mechanism, data, &[]);
            self.judge(&mechanism, Scheme::Eddsa, data, data, &signature);
            assert_eq!(self.sign(&mechanism, data, &[1, 0]), signature, "in parts");
        }
    }

    fn ecdsa(&self) {
        for hash in &HASHES {
            self.hashed(&hash.ecdsa, Scheme::Ecdsa, hash);
            let digest = self.token.openssl.digest(hash.name, MESSAGE);
            let signature = self.sign(&Mechanism::Ecdsa, &digest, &[]);
            self.judge(&Mechanism::Ecdsa, Scheme::Ecdsa, &digest, &digest, &signature);
        }
    }
}

fn every_key_signs_by_every_mechanism<F: Fn()>(case: F, card: Card) {
    with_token(case, card, |token| {
        let session = token.user_session();
        for key in keys::on(card).iter().filter(|key| key.purpose == Purpose::Sign) {
            Signer::new(token, &session, key).every_mechanism(card);
        }
    });
}

#[test]
fn every_key_signs_by_every_mechanism_on_the_standard_card() {
    every_key_signs_by_every_mechanism(every_key_signs_by_every_mechanism_on_the_standard_card, Card::Standard);
}

#[test]
fn every_key_signs_by_every_mechanism_with_short_apdus() {
    every_key_signs_by_every_mechanism(every_key_signs_by_every_mechanism_with_short_apdus, Card::Short);
}

#[test]
fn every_larger_key_signs_by_every_mechanism() {
    every_key_signs_by_every_mechanism(every_larger_key_signs_by_every_mechanism, Card::Varied);
}

#[test]
fn every_key_signs_by_every_mechanism_on_an_openpgp_card() {
    every_key_signs_by_every_mechanism(every_key_signs_by_every_mechanism_on_an_openpgp_card, Card::OpenPgp);
}

#[test]
fn every_key_signs_by_every_mechanism_on_an_openpgp_card_with_short_apdus() {
    every_key_signs_by_every_mechanism(
        every_key_signs_by_every_mechanism_on_an_openpgp_card_with_short_apdus,
        Card::OpenPgpShort,
    );
}

#[test]
fn every_larger_key_of_an_openpgp_card_signs_by_every_mechanism() {
    every_key_signs_by_every_mechanism(
        every_larger_key_of_an_openpgp_card_signs_by_every_mechanism,
        Card::OpenPgpVaried,
    );
}

#[test]
fn every_edwards_key_of_an_openpgp_card_signs() {
    every_key_signs_by_every_mechanism(every_edwards_key_of_an_openpgp_card_signs, Card::OpenPgpModern);
}

#[test]
fn a_salt_that_leaves_no_room_is_refused_before_the_card_is_asked() {
    with_token(a_salt_that_leaves_no_room_is_refused_before_the_card_is_asked, Card::Standard, |token| {
        let session = token.user_session();
        let key = object(&session, ObjectClass::PRIVATE_KEY, 1);
        let before = super::child::instructions().len();
        for hash in &HASHES {
            let too_long = hash.pss_parameters(hash, 256 - hash.length - 2 + 1);
            assert_refused(session.sign_init(&Mechanism::RsaPkcsPss(too_long), key), RvError::MechanismParamInvalid);
        }
        assert_eq!(super::child::instructions().len(), before);
    });
}

#[test]
fn data_of_a_length_that_a_mechanism_does_not_take_is_refused() {
    with_token(data_of_a_length_that_a_mechanism_does_not_take_is_refused, Card::Standard, |token| {
        let session = token.user_session();
        let key = object(&session, ObjectClass::PRIVATE_KEY, 1);
        assert_refused(session.sign(&Mechanism::RsaPkcs, key, &[1; 246]), RvError::DataLenRange);
        assert_refused(session.sign(&Mechanism::RsaX509, key, &[1; 257]), RvError::DataLenRange);
        let pss = Mechanism::RsaPkcsPss(HASHES[2].pss_parameters(&HASHES[2], 32));
        assert_refused(session.sign(&pss, key, &[1; 31]), RvError::DataLenRange);
        assert_refused(session.sign(&Mechanism::RsaX509, key, &[0xFF; 256]), RvError::DataInvalid);
        // None of these is left active.
        session.sign(&Mechanism::RsaPkcs, key, b"x").unwrap();
    });
}

#[test]
fn a_key_takes_no_mechanism_of_another_kind() {
    with_token(a_key_takes_no_mechanism_of_another_kind, Card::Standard, |token| {
        let session = token.user_session();
        let (rsa, ec) = (object(&session, ObjectClass::PRIVATE_KEY, 1), object(&session, ObjectClass::PRIVATE_KEY, 4));
        assert_refused(session.sign_init(&Mechanism::Ecdsa, rsa), RvError::KeyTypeInconsistent);
        assert_refused(session.sign_init(&Mechanism::RsaPkcs, ec), RvError::KeyTypeInconsistent);
        assert_refused(session.sign_init(&Mechanism::Sha256, rsa), RvError::MechanismInvalid);
        let management = object(&session, ObjectClass::PRIVATE_KEY, 3);
        assert_refused(session.sign_init(&Mechanism::RsaPkcs, management), RvError::KeyFunctionNotPermitted);
    });
}
