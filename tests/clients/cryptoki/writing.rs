//! Writing to OpenPGP and PIV cards: key pairs made and private keys brought, certificates, destruction; used by the
//! crate, judged by OpenSSL, and seen by GnuPG and Yubico's tool. MyEID's cases are in `clients::writing`.

use cardea_harness::openpgp::OpenPgpLayout;
use cryptoki::error::RvError;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, CertificateType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use der::asn1::UintRef;
use der::{Decode, Reader, SliceReader};

use super::super::child::{is_child, spawn};
use super::super::gnupg::GnuPg;
use super::super::openssl::{Scheme, ecdsa_der};
use super::super::program::installed;
use super::super::station::{Card, Station};
use super::derive::agreed;
use super::{Token, assert_refused, object, puk, secret};

const MANAGEMENT_KEY: &str = "010203040506070801020304050607080102030405060708";
const MESSAGE: &[u8] = b"a message that a key on the card is to sign";

/// What a key is and does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    RsaSigns,
    RsaDecrypts,
    /// A curve by OpenSSL's name, for ECDSA.
    Signs(&'static str),
    /// A curve by OpenSSL's name, for Diffie-Hellman.
    Agrees(&'static str),
    Ed25519,
    X25519,
}

use Kind::{Agrees, Ed25519, RsaDecrypts, RsaSigns, Signs, X25519};

impl Kind {
    fn key_type(self) -> KeyType {
        match self {
            RsaSigns | RsaDecrypts => KeyType::RSA,
            Signs(_) | Agrees(_) => KeyType::EC,
            Ed25519 => KeyType::EC_EDWARDS,
            X25519 => KeyType::EC_MONTGOMERY,
        }
    }

    fn generation(self) -> Mechanism<'static> {
        match self {
            RsaSigns | RsaDecrypts => Mechanism::RsaPkcsKeyPairGen,
            Signs(_) | Agrees(_) => Mechanism::EccKeyPairGen,
            Ed25519 => Mechanism::EccEdwardsKeyPairGen,
            X25519 => Mechanism::EccMontgomeryKeyPairGen,
        }
    }

    /// OpenSSL's name of the curve; none for RSA.
    fn curve(self) -> Option<&'static str> {
        match self {
            RsaSigns | RsaDecrypts => None,
            Signs(curve) | Agrees(curve) => Some(curve),
            Ed25519 => Some("ED25519"),
            X25519 => Some("X25519"),
        }
    }

    /// CKA_EC_PARAMS: the curve's OBJECT IDENTIFIER (RFC 5480, RFC 8410).
    fn parameters(self) -> Option<Attribute> {
        let oid = match self.curve()? {
            "P-256" => "06082A8648CE3D030107",
            "P-384" => "06052B81040022",
            "P-521" => "06052B81040023",
            "ED25519" => "06032B6570",
            "X25519" => "06032B656E",
            other => panic!("{other}"),
        };
        Some(Attribute::EcParams(hex::decode(oid).unwrap()))
    }

    /// What the private key is for.
    fn usage(self) -> Attribute {
        match self {
            RsaSigns | Signs(_) | Ed25519 => Attribute::Sign(true),
            RsaDecrypts => Attribute::Decrypt(true),
            Agrees(_) | X25519 => Attribute::Derive(true),
        }
    }
}

impl Token {
    fn officer_session(&self, officer: &AuthPin) -> Session {
        let session = self.pkcs11.open_rw_session(self.slot).unwrap();
        session.login(UserType::So, Some(officer)).unwrap();
        session
    }

    /// The token does what a key of this kind does with the one of this id; `public` is the file with its public half.
    fn uses(&self, id: u8, kind: Kind, public: &str) {
        let session = self.user_session();
        let private = object(&session, ObjectClass::PRIVATE_KEY, id);
        let what = format!("{kind:?} {id}");
        match kind {
            RsaSigns => {
                let signature = session.sign(&Mechanism::Sha256RsaPkcs, private, MESSAGE).unwrap();
                let digest = self.openssl.digest("sha256", MESSAGE);
                assert!(self.openssl.verifies(public, Scheme::Pkcs1("sha256"), &digest, &signature), "{what}");
            }
            RsaDecrypts => {
                let cryptogram = self.openssl.encrypt(public, &["rsa_padding_mode:pkcs1"], b"a secret");
                assert_eq!(session.decrypt(&Mechanism::RsaPkcs, private, &cryptogram).unwrap(), b"a secret", "{what}");
            }
            Signs(_) => {
                let signature = session.sign(&Mechanism::EcdsaSha256, private, MESSAGE).unwrap();
                let digest = self.openssl.digest("sha256", MESSAGE);
                assert!(self.openssl.verifies(public, Scheme::Ecdsa, &digest, &ecdsa_der(&signature)), "{what}");
            }
            Ed25519 => {
                let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
                let signature = session.sign(&mechanism, private, MESSAGE).unwrap();
                assert!(self.openssl.verifies(public, Scheme::Eddsa, MESSAGE, &signature), "{what}");
            }
            Agrees(curve) => self.agrees(&session, private, curve, public),
            X25519 => self.agrees(&session, private, "X25519", public),
        }
        session.logout().unwrap();
    }

    fn agrees(&self, session: &Session, private: ObjectHandle, curve: &str, public: &str) {
        let (peer, point) = self.openssl.point_pair(curve);
        assert_eq!(agreed(session, private, &point), self.openssl.derive(&peer, public), "{curve}");
    }

    /// A file with the public key whose object this is.
    fn public_file(&self, session: &Session, public: ObjectHandle, id: u8) -> String {
        let info = match &session.get_attributes(public, &[AttributeType::PublicKeyInfo]).unwrap()[..] {
            [Attribute::PublicKeyInfo(info)] => info.clone(),
            other => panic!("{other:?}"),
        };
        let name = format!("made-{id:02x}.pub.pem");
        let directory = super::super::child::directory();
        std::fs::write(directory.join("made.der"), info).unwrap();
        let convert = ["pkey", "-pubin", "-inform", "DER", "-in", "made.der", "-out", name.as_str()];
        self.openssl.run(&convert).succeeded();
        name
    }

    /// A key pair is made under this free id, and the public half put into a file.
    fn makes(&self, officer: &AuthPin, id: u8, kind: Kind) -> String {
        let session = self.officer_session(officer);
        let mut public = vec![Attribute::Token(true), Attribute::Id(vec![id])];
        public.extend(kind.parameters());
        if kind.parameters().is_none() {
            public.push(Attribute::ModulusBits(2048.into()));
        }
        let private = [Attribute::Token(true), Attribute::Private(true), Attribute::Id(vec![id]), kind.usage()];
        let (made, _) = session.generate_key_pair(&kind.generation(), &public, &private).unwrap();
        let again = session.generate_key_pair(&kind.generation(), &public, &private);
        assert_refused(again, RvError::AttributeValueInvalid);
        let file = self.public_file(&session, made, id);
        session.logout().unwrap();
        file
    }

    /// A key that OpenSSL made is brought under this free id; the file with its public half.
    fn brings(&self, officer: &AuthPin, id: u8, kind: Kind) -> String {
        let (private, value) = match kind.curve() {
            Some(curve) => {
                let (private, _) = self.openssl.key_pair(curve);
                let scalar = self.scalar(&private);
                (private, vec![Attribute::Value(scalar)])
            }
            None => {
                self.openssl.run(&["genrsa", "-out", "brought.pem", "2048"]).succeeded();
                ("brought.pem".to_owned(), self.rsa_numbers("brought.pem"))
            }
        };
        let mut key = vec![
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(kind.key_type()),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Id(vec![id]),
            kind.usage(),
        ];
        key.extend(kind.parameters());
        key.extend(value);
        let session = self.officer_session(officer);
        session.create_object(&key).unwrap();
        assert_refused(session.create_object(&key), RvError::AttributeValueInvalid);
        session.logout().unwrap();
        let file = format!("brought-{id:02x}.pub.pem");
        self.openssl.run(&["pkey", "-in", &private, "-pubout", "-out", &file]).succeeded();
        file
    }

    /// The private value of a key on a curve: what its DER ends with, or what stands where RFC 5915 has it.
    fn scalar(&self, private: &str) -> Vec<u8> {
        let text = self.openssl.run(&["pkey", "-in", private, "-noout", "-text"]).succeeded().text;
        let lines = text.lines().skip_while(|line| !line.starts_with("priv:")).skip(1);
        let digits: String = lines.take_while(|line| line.starts_with(' ')).collect();
        let number = hex::decode(digits.replace([' ', ':'], "")).unwrap();
        let length = if text.contains("521 bit") {
            66
        } else if text.contains("384 bit") {
            48
        } else {
            32
        };
        // OpenSSL shows numbers without leading zeros, and with one in front where they would look negative.
        let significant: Vec<u8> = number.iter().copied().skip(number.len().saturating_sub(length)).collect();
        [vec![0; length - significant.len()], significant].concat()
    }

    /// The numbers of an RSA key (RFC 8017 A.1.2).
    fn rsa_numbers(&self, private: &str) -> Vec<Attribute> {
        let der = self.openssl.run(&["rsa", "-in", private, "-traditional", "-outform", "DER"]).succeeded().stdout;
        let mut reader = SliceReader::new(&der).unwrap();
        let numbers = reader.sequence(|inside| {
            let mut numbers = Vec::new();
            while !inside.is_finished() {
                numbers.push(UintRef::decode(inside)?.as_bytes().to_vec());
            }
            Ok::<_, der::Error>(numbers)
        });
        let [_, n, e, d, p, q, dp, dq, qi] = <[Vec<u8>; 9]>::try_from(numbers.unwrap()).unwrap();
        vec![
            Attribute::Modulus(n),
            Attribute::PublicExponent(e),
            Attribute::PrivateExponent(d),
            Attribute::Prime1(p),
            Attribute::Prime2(q),
            Attribute::Exponent1(dp),
            Attribute::Exponent2(dq),
            Attribute::Coefficient(qi),
        ]
    }

    /// A certificate for the key in `public` is written, read back, and no second one beside it.
    fn certifies(&self, officer: &AuthPin, id: u8, public: &str) {
        let own = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key"];
        self.openssl.run(&[&["req", "-x509", "-subj", "/CN=ca", "-out", "own.pem"][..], &own].concat()).succeeded();
        let subject = format!("/CN=holder-{id:02x}");
        let issue = ["x509", "-new", "-force_pubkey", public, "-CA", "own.pem", "-CAkey", "ca.key", "-subj", &subject];
        let der = self.openssl.run(&[&issue[..], &["-outform", "DER"]].concat()).succeeded().stdout;
        let certificate = [
            Attribute::Class(ObjectClass::CERTIFICATE),
            Attribute::CertificateType(CertificateType::X_509),
            Attribute::Token(true),
            Attribute::Id(vec![id]),
            Attribute::Value(der.clone()),
        ];
        let session = self.officer_session(officer);
        let written = session.create_object(&certificate).unwrap();
        assert_refused(session.create_object(&certificate), RvError::AttributeValueInvalid);
        session.logout().unwrap();
        let read = session.get_attributes(written, &[AttributeType::Value]).unwrap();
        assert!(matches!(&read[..], [Attribute::Value(read)] if *read == der));
    }

    /// Nothing is left of the key with this id, and of its certificate.
    fn destroys(&self, officer: &AuthPin, id: u8) {
        let session = self.officer_session(officer);
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY, ObjectClass::CERTIFICATE] {
            for found in session.find_objects(&[Attribute::Class(class), Attribute::Id(vec![id])]).unwrap() {
                session.destroy_object(found).unwrap();
            }
        }
        session.logout().unwrap();
        let session = self.user_session();
        assert!(session.find_objects(&[Attribute::Id(vec![id])]).unwrap().is_empty(), "{id}");
        session.logout().unwrap();
    }
}

fn blank() -> Station {
    Station::with_openpgp(&OpenPgpLayout { keys: [None; 3], ..OpenPgpLayout::modern() })
}

fn elliptic() -> Station {
    Station::new(Card::Elliptic)
}

/// Runs `body` in a process of its own before the card of this station, then `seen` here.
fn before<F: Fn()>(case: F, station: fn() -> Station, body: impl FnOnce(&Token), seen: impl FnOnce(&Station)) {
    if is_child() {
        return body(&Token::open());
    }
    let station = station();
    spawn(case, &station, &[]).succeeded();
    seen(&station);
}

/// gpg shows these algorithms, by its own numbers and names, and as many keys as there are.
fn gpg_sees(station: &Station, algorithms: [&str; 3]) {
    let Some(gnupg) = GnuPg::new(station) else { return };
    let status = gnupg.card_status();
    for (number, algorithm) in (1..).zip(algorithms) {
        assert!(status.contains(&format!("\nkeyattr:{number}:{algorithm}:")), "{algorithm}\n{status}");
    }
    let fingerprints = status.lines().find_map(|line| line.strip_prefix("fpr:")).unwrap();
    assert_eq!(fingerprints.split(':').filter(|text| text.len() == 40).count(), 3, "{status}");
}

/// Yubico's tool shows these certificates, and no other that was written here.
fn yubico_sees(station: &Station, holders: &[&str]) {
    if !installed("yubico-piv-tool", "yubico-piv-tool") {
        return;
    }
    let status = station.run("yubico-piv-tool", ["-r", "Cardea", "-a", "status"]).succeeded();
    assert_eq!(status.lines_with("CN=holder-").len(), holders.len(), "{}", status.text);
    assert!(holders.iter().all(|holder| status.text.contains(holder)), "{}", status.text);
}

#[test]
fn keys_are_made_on_an_openpgp_card_certified_used_and_destroyed() {
    let keys = [(1, Signs("P-384")), (2, RsaDecrypts), (3, Ed25519)];
    let body = |token: &Token| {
        for (id, kind) in [(1, Ed25519), (2, X25519), (3, Signs("P-521"))].into_iter().chain(keys) {
            let public = token.makes(&puk(), id, kind);
            token.uses(id, kind, &public);
            token.certifies(&puk(), id, &public);
            token.uses(id, kind, &public);
            if !keys.contains(&(id, kind)) {
                token.destroys(&puk(), id);
            }
        }
    };
    before(keys_are_made_on_an_openpgp_card_certified_used_and_destroyed, blank, body, |station| {
        gpg_sees(station, ["19:NIST P-384", "1:2048", "22:Ed25519"]);
    });
}

#[test]
fn keys_are_brought_to_an_openpgp_card_and_are_what_was_brought() {
    let keys = [(1, Ed25519), (2, X25519), (3, RsaSigns)];
    let body = |token: &Token| {
        let others = [(1, RsaSigns), (2, RsaDecrypts), (3, Ed25519), (1, Signs("P-521")), (2, Agrees("P-384"))];
        for (id, kind) in others.into_iter().chain(keys) {
            let public = token.brings(&puk(), id, kind);
            token.uses(id, kind, &public);
            if !keys.contains(&(id, kind)) {
                token.destroys(&puk(), id);
            }
        }
    };
    before(keys_are_brought_to_an_openpgp_card_and_are_what_was_brought, blank, body, |station| {
        gpg_sees(station, ["22:Ed25519", "18:Curve25519", "1:2048"]);
    });
}

#[test]
fn keys_are_made_on_a_piv_card_certified_used_and_destroyed() {
    let body = |token: &Token| {
        let officer = secret(MANAGEMENT_KEY);
        for (id, kind) in [(5, Signs("P-256")), (6, Signs("P-384")), (7, Agrees("P-384")), (8, RsaSigns)] {
            let public = token.makes(&officer, id, kind);
            token.uses(id, kind, &public);
            token.certifies(&officer, id, &public);
            token.uses(id, kind, &public);
        }
        token.destroys(&officer, 6);
        token.destroys(&officer, 8);
    };
    before(keys_are_made_on_a_piv_card_certified_used_and_destroyed, elliptic, body, |station| {
        yubico_sees(station, &["CN=holder-05", "CN=holder-07"]);
    });
}

#[test]
fn keys_are_brought_to_a_piv_card_and_are_what_was_brought() {
    let body = |token: &Token| {
        let officer = secret(MANAGEMENT_KEY);
        for (id, kind) in
            [(5, RsaSigns), (6, RsaDecrypts), (7, Signs("P-256")), (8, Signs("P-384")), (9, Agrees("P-256"))]
        {
            let public = token.brings(&officer, id, kind);
            token.certifies(&officer, id, &public);
            token.uses(id, kind, &public);
        }
        token.destroys(&officer, 7);
    };
    before(keys_are_brought_to_a_piv_card_and_are_what_was_brought, elliptic, body, |station| {
        yubico_sees(station, &["CN=holder-05", "CN=holder-06", "CN=holder-08", "CN=holder-09"]);
    });
}

/// AES by OpenSSL, with padding.
fn aes_by_openssl(token: &Token, key: &[u8], iv: &[u8]) -> Vec<u8> {
    let directory = super::super::child::directory();
    std::fs::write(directory.join("plain"), MESSAGE).unwrap();
    let (key, iv) = (hex::encode(key), hex::encode(iv));
    token.openssl.run(&["enc", "-aes-256-cbc", "-K", &key, "-iv", &iv, "-in", "plain"]).succeeded().stdout
}

#[test]
fn an_aes_key_is_brought_to_an_openpgp_card_used_destroyed_and_made_anew() {
    let body = |token: &Token| {
        let (value, iv) = ([0x5E; 32], [7; 16]);
        let session = token.officer_session(&puk());
        let secret = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::KeyType(KeyType::AES)];
        let brought = [&secret[..], &[Attribute::Token(true), Attribute::Value(value.to_vec())]].concat();
        let key = session.create_object(&brought).unwrap();
        session.logout().unwrap();
        session.login(UserType::User, Some(&super::pin())).unwrap();
        assert_eq!(session.find_objects(&secret).unwrap(), [key]);
        let padded = Mechanism::AesCbcPad(iv);
        let cryptogram = session.encrypt(&padded, key, MESSAGE).unwrap();
        assert_eq!(cryptogram, aes_by_openssl(token, &value, &iv));
        assert_eq!(session.decrypt(&padded, key, &cryptogram).unwrap(), MESSAGE);
        assert_refused(session.destroy_object(key), RvError::ActionProhibited);
        session.logout().unwrap();
        session.login(UserType::So, Some(&puk())).unwrap();
        session.destroy_object(key).unwrap();
        let wish = [Attribute::Token(true), Attribute::ValueLen(32.into()), Attribute::Extractable(false)];
        session.generate_key(&Mechanism::AesKeyGen, &wish).unwrap();
        session.logout().unwrap();
        session.login(UserType::User, Some(&super::pin())).unwrap();
        let made = object(&session, ObjectClass::SECRET_KEY, 4);
        let other = session.encrypt(&padded, made, MESSAGE).unwrap();
        assert_ne!(other, cryptogram, "another key");
        assert_eq!(session.decrypt(&padded, made, &other).unwrap(), MESSAGE);
    };
    let case = an_aes_key_is_brought_to_an_openpgp_card_used_destroyed_and_made_anew;
    before(case, blank, body, |station| {
        // Another program, which knows nothing of the key but what the card does.
        let script = r#"set -e; exec 2>&1
            user="pkcs11-tool --module $CARDEA_MODULE --login --pin $CARDEA_PIN"
            $user -O --type secrkey
            cbc="-m AES-CBC-PAD --iv 000102030405060708090a0b0c0d0e0f --id 04"
            printf 'what stays between us' > text
            $user --encrypt $cbc -i text -o encrypted
            $user --decrypt $cbc -i encrypted -o decrypted
            cmp text decrypted && echo the same text"#;
        station.run("sh", ["-c", script]).succeeded().says("AES key").says("the same text");
    });
}
