//! A virtual PIV card with the driver's application on it.

use cardea_apdu::Atr;
use cardea_harness::card::{Terminal, VirtualCard};
use cardea_harness::piv::{PIV_AID, PivCard, PivOptions};
use cardea_harness::provision::{Authority, Holder, KeyKind as SlotKind, KeySlot, PIN, Usage as SlotUsage};
use cardea_pkcs11::card::key::{Curve, KeyKind, PublicKey};
use cardea_pkcs11::card::new_key::{NewKey, NewKind, PrivateValue, Storage};
use cardea_pkcs11::card::new_object::NewCertificate;
use cardea_pkcs11::card::secret_key::SecretUsage;
use cardea_pkcs11::card::{
    CardApplication, CardError, CardObject, Certificate, KeyPolicy, PrivateKey, Role, SignatureScheme, Usage, piv,
};
use cardea_pkcs11::channel::Channel;
use der::Decode;
use der::asn1::UintRef;
use pkcs8::PrivateKeyInfoRef;
use zeroize::Zeroizing;

use crate::in_process::bench::DrivenCard;

/// The management key of a fresh card as the officer gives it.
pub const KEY: &str = "010203040506070801020304050607080102030405060708";
/// Another key of that length.
pub const WRONG: &str = "A1A2A3A4A5A6A7A8B1B2B3B4B5B6B7B8C1C2C3C4C5C6C7C8";
/// The ATR of a YubiKey 5.
pub const YUBIKEY: &str = "3BFD1300008131FE158073C021C057597562694B657940";
/// P-256.
pub const P256: KeyKind = KeyKind::Ec(Curve::P256);
/// P-384.
pub const P384: KeyKind = KeyKind::Ec(Curve::P384);

pub type Bench = crate::in_process::bench::Bench<PivCard>;

impl DrivenCard for PivCard {
    type Provisioned = ();
    const PIN: &'static str = PIN;

    fn find(channel: &mut Channel<'_>, atr: &Atr) -> Result<Option<Box<dyn CardApplication>>, CardError> {
        piv::probe(channel, atr)
    }
}

impl Bench {
    /// A fresh card with Yubico's extensions that is no YubiKey.
    pub fn new() -> Self {
        Self::with(PivOptions::default())
    }

    /// A fresh YubiKey with this firmware.
    pub fn yubikey(version: [u8; 3]) -> Self {
        Self::with(PivOptions { version, atr: Some(hex::decode(YUBIKEY).unwrap()), ..PivOptions::default() })
    }

    /// A fresh card.
    pub fn with(options: PivOptions) -> Self {
        let mut card = PivCard::new(options);
        card.power_on();
        let mut bench = Self::on(card, ());
        bench.run(|application, channel| application.describe(channel)).unwrap();
        bench.link.commands.clear();
        bench
    }

    /// The same card with the officer logged in by the management key.
    pub fn administered(mut self) -> Self {
        self.officer(KEY).unwrap();
        self
    }

    /// The card is taken out and put in again: the driver knows nothing.
    pub fn reinserted(mut self) -> Self {
        self.link.card.reset();
        let mut bench = self.probed_again();
        bench.run(|application, channel| application.describe(channel)).unwrap();
        bench
    }

    /// Logs the officer in.
    pub fn officer(&mut self, pin: &str) -> Result<(), CardError> {
        self.verify(Role::SecurityOfficer, pin)
    }

    /// Logs the user in.
    pub fn user(&mut self, pin: &str) -> Result<(), CardError> {
        self.verify(Role::User, pin)
    }

    /// The private keys on the card.
    pub fn keys(&mut self) -> Vec<PrivateKey> {
        let objects = self.objects().into_iter();
        objects.filter_map(|object| if let CardObject::PrivateKey(key) = object { Some(key) } else { None }).collect()
    }

    /// The certificates on the card.
    pub fn certificates(&mut self) -> Vec<Certificate> {
        let objects = self.objects().into_iter();
        objects
            .filter_map(|object| if let CardObject::Certificate(found) = object { Some(found) } else { None })
            .collect()
    }

    /// Reserves and generates.
    pub fn generate(&mut self, new: &NewKey) -> Result<PrivateKey, CardError> {
        self.run(|application, channel| {
            let reference = application.reserve(channel, new)?;
            application.generate_key_pair(channel, reference, new)
        })
    }

    /// Reserves and imports.
    pub fn import(&mut self, new: &NewKey, value: &PrivateValue) -> Result<PrivateKey, CardError> {
        self.run(|application, channel| {
            let reference = application.reserve(channel, new)?;
            application.import_private_key(channel, reference, new, value)
        })
    }

    /// Destroys a key.
    pub fn destroy(&mut self, key: &PrivateKey) -> Result<(), CardError> {
        self.run(|application, channel| application.delete_key(channel, key.reference, Storage::Token))
    }

    /// Writes a certificate.
    pub fn certify(&mut self, id: &[u8], der: &[u8], public: Option<PublicKey>) -> Result<Certificate, CardError> {
        let new = NewCertificate { id: id.to_vec(), label: String::new(), der: der.to_vec(), public };
        self.run(|application, channel| application.write_certificate(channel, &new))
    }

    /// Signs with an EC key after the PIN; whether the signature is right.
    pub fn signs(&mut self, key: &PrivateKey) -> bool {
        self.user(PIN).unwrap();
        let KeyKind::Ec(curve) = key.kind else { panic!("an EC key") };
        let hash = vec![0x5A; curve.field_len()];
        let signature = self.run(|application, channel| application.sign(channel, key, SignatureScheme::Ecdsa, &hash));
        let Some(PublicKey::Ec { point, .. }) = &key.public else { panic!("an EC key") };
        match curve {
            Curve::P256 => {
                use p256::ecdsa::{Signature, VerifyingKey, signature::hazmat::PrehashVerifier};
                let signature = Signature::from_slice(&signature.unwrap()).unwrap();
                VerifyingKey::from_sec1_bytes(point).unwrap().verify_prehash(&hash, &signature).is_ok()
            }
            Curve::P384 => {
                use p384::ecdsa::{Signature, VerifyingKey, signature::hazmat::PrehashVerifier};
                let signature = Signature::from_slice(&signature.unwrap()).unwrap();
                VerifyingKey::from_sec1_bytes(point).unwrap().verify_prehash(&hash, &signature).is_ok()
            }
            _ => panic!("no PIV card has it"),
        }
    }

    /// Another program's longer command, with the application selected; the answer's data.
    pub fn another_asks(&mut self, header: [u8; 4], data: &[u8]) -> Option<Vec<u8>> {
        let answer = Terminal::new(&mut self.link.card).send(header, data);
        (answer.status == 0x9000).then_some(answer.data)
    }

    /// Yubico's tools put the management key behind the PIN, being authenticated.
    pub fn protect_key(&mut self, key: &str) {
        let put = [0x00, 0xDB, 0x3F, 0xFF];
        let admin = hex::decode("5C035FFF00530580038101 02".replace(' ', "")).unwrap();
        self.another_asks(put, &admin).unwrap();
        let key = hex::decode(key).unwrap();
        let length = u8::try_from(key.len()).unwrap();
        let head = [0x5C, 0x03, 0x5F, 0xC1, 0x09, 0x53, length + 4, 0x88, length + 2, 0x89, length];
        self.another_asks(put, &[&head[..], &key].concat()).unwrap();
    }

    /// Another program selects PIV again, which drops what was proved.
    pub fn another_selects(&mut self) {
        self.another_asks([0x00, 0xA4, 0x04, 0x00], &PIV_AID).unwrap();
    }
}

/// A wish for a key of this kind under this id.
pub fn wish(kind: KeyKind, id: &[u8]) -> NewKey {
    NewKey {
        kind: NewKind::Private(kind),
        storage: Storage::Token,
        id: id.to_vec(),
        label: "of no account".to_owned(),
        usage: Usage { sign: true, ..Usage::default() },
        secret_usage: SecretUsage::default(),
        extractable: false,
        generated: false,
        private: true,
        always_authenticate: false,
        policy: KeyPolicy::default(),
    }
}

/// A certificate for a public key, longer by a filler.
pub fn certificate(public: &PublicKey, filler: usize) -> Vec<u8> {
    let slot = KeySlot::new(0x9A, SlotKind::P256).larger(filler);
    Authority::default().issue(&Holder::new("Alice Example"), &slot, SlotUsage::Authentication, &public.to_spki())
}

/// An RSA test key of the bench.
pub fn rsa(pem: &str) -> PrivateValue {
    let (_, der) = der::pem::decode_vec(pem.as_bytes()).unwrap();
    let info = PrivateKeyInfoRef::from_der(&der).unwrap();
    let numbers = Vec::<UintRef<'_>>::from_der(info.private_key.as_bytes()).unwrap();
    let numbers: Vec<Vec<u8>> = numbers.iter().map(|number| number.as_bytes().to_vec()).collect();
    let secret = |index: usize| Zeroizing::new(numbers[index].clone());
    PrivateValue::Rsa {
        modulus: numbers[1].clone(),
        exponent: numbers[2].clone(),
        private_exponent: secret(3),
        prime_1: secret(4),
        prime_2: secret(5),
        exponent_1: secret(6),
        exponent_2: secret(7),
        coefficient: secret(8),
    }
}

/// An EC key with this scalar.
pub fn ec(curve: Curve, scalar: &[u8]) -> PrivateValue {
    use p256::elliptic_curve::sec1::ToSec1Point as _;
    let point = match curve {
        Curve::P256 => {
            p256::SecretKey::from_slice(scalar).unwrap().public_key().to_sec1_point(false).as_bytes().to_vec()
        }
        Curve::P384 => {
            p384::SecretKey::from_slice(scalar).unwrap().public_key().to_sec1_point(false).as_bytes().to_vec()
        }
        _ => panic!("no PIV card has it"),
    };
    PrivateValue::Ec { curve, scalar: Zeroizing::new(scalar.to_vec()), point }
}
