//! A driver for the card of [`super::chip`].

use cardea_apdu::Command;
use cardea_pkcs11::card::command::execute;
use cardea_pkcs11::card::driver::Driver;
use cardea_pkcs11::card::key::{Curve, KeyKind, PublicKey};
use cardea_pkcs11::card::new_key::{NewKey, StoreAbilities};
use cardea_pkcs11::card::secret_key::{CipherMode, Direction, SecretKey, SecretKind};
use cardea_pkcs11::card::{
    Abilities, Authentication, CardApplication, CardError, CardObject, Channel, Description, KeyPolicy, KeyReference,
    PinDescription, PrivateKey, Role, SignatureScheme, Storage, Usage,
};
use cardea_pkcs11::secret::{Pin, SecretBytes};

use super::chip::instruction::*;

pub static DRIVERS: &[Driver] = &[Driver {
    name: "Chip",
    hint: |_| false,
    probe: |channel, _| {
        send(channel, SELECT, 0, &[])?;
        Ok(Some(Box::new(Application)))
    },
}];

/// The base point of P-256 (FIPS 186-4 D.1.2.3), compressed: a public key.
const POINT: [u8; 33] = [
    0x03, 0x6B, 0x17, 0xD1, 0xF2, 0xE1, 0x2C, 0x42, 0x47, 0xF8, 0xBC, 0xE6, 0xE5, 0x63, 0xA4, 0x40, 0xF2, 0x77, 0x03,
    0x7D, 0x81, 0x2D, 0xEB, 0x33, 0xA0, 0xF4, 0xA1, 0x39, 0x45, 0xD8, 0x98, 0xC2, 0x96,
];
const KIND: SecretKind = SecretKind::Aes { bits: 128 };

struct Application;

fn send(channel: &mut Channel<'_>, instruction: u8, place: u8, data: &[u8]) -> Result<SecretBytes, CardError> {
    execute(channel, Command::new(0x00, instruction, 0x00, place).data(data))
}

fn place(KeyReference(reference): KeyReference) -> u8 {
    u8::try_from(reference).unwrap()
}

impl CardApplication for Application {
    fn select(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        send(channel, SELECT, 0, &[]).map(drop)
    }

    fn is_selected(&mut self, _: &mut Channel<'_>) -> Result<bool, CardError> {
        Ok(true)
    }

    fn describe(&mut self, _: &mut Channel<'_>) -> Result<Description, CardError> {
        let user_pin = PinDescription { min_length: 4, max_length: 8, retries: Some(3), max_retries: Some(3) };
        Ok(Description {
            label: "Chip".to_owned(),
            manufacturer: "Bench".to_owned(),
            model: "Chip".to_owned(),
            serial: "01".to_owned(),
            hardware: (1, 0),
            firmware: (1, 0),
            user_pin,
            so_pin: None,
            random: false,
        })
    }

    fn objects(&mut self, _: &mut Channel<'_>) -> Result<Vec<CardObject>, CardError> {
        Ok(vec![CardObject::PrivateKey(PrivateKey {
            reference: KeyReference(0xFF),
            id: vec![1],
            label: "Key".to_owned(),
            kind: KeyKind::Ec(Curve::P256),
            public: PublicKey::from_ec_point(Curve::P256, &POINT).ok(),
            subject: Vec::new(),
            abilities: Abilities { sign: &[SignatureScheme::Ecdsa], decipher: &[], agree: false },
            usage: Usage { sign: true, ..Usage::default() },
            authentication: Authentication::Once,
            local: None,
            storage: Storage::Token,
            policy: KeyPolicy::default(),
        })])
    }

    fn verify(&mut self, channel: &mut Channel<'_>, _: Role, pin: &Pin) -> Result<(), CardError> {
        send(channel, VERIFY, 0, pin.expose()).map(drop)
    }

    fn log_out(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        send(channel, LOG_OUT, 0, &[]).map(drop)
    }

    fn sign(
        &mut self,
        channel: &mut Channel<'_>,
        _: &PrivateKey,
        _: SignatureScheme,
        input: &[u8],
    ) -> Result<Vec<u8>, CardError> {
        send(channel, SIGN, 0, input).map(|signature| signature.to_vec())
    }

    fn store(&self) -> StoreAbilities {
        StoreAbilities { secret: &[KIND], volatile: true, deletes_keys: true, ..StoreAbilities::default() }
    }

    fn reserve(&mut self, channel: &mut Channel<'_>, _: &NewKey) -> Result<KeyReference, CardError> {
        let taken = execute(channel, Command::new(0x00, LIST, 0x00, 0x00).le_max())?;
        let free = (1..=0xFE).find(|place| !taken.contains(place)).ok_or(CardError::Memory)?;
        Ok(KeyReference(free.into()))
    }

    fn create_secret_key(
        &mut self,
        channel: &mut Channel<'_>,
        reference: KeyReference,
        new: &NewKey,
        _: Option<&SecretBytes>,
    ) -> Result<SecretKey, CardError> {
        send(channel, CREATE, place(reference), &[])?;
        Ok(SecretKey {
            reference,
            storage: new.storage,
            id: new.id.clone(),
            label: new.label.clone(),
            kind: KIND,
            usage: new.secret_usage,
            extractable: false,
            authentication: if new.private { Authentication::Once } else { Authentication::Never },
            local: Some(false),
        })
    }

    fn cipher(
        &mut self,
        channel: &mut Channel<'_>,
        key: &SecretKey,
        _: Direction,
        _: CipherMode<'_>,
        blocks: &[u8],
    ) -> Result<SecretBytes, CardError> {
        send(channel, CIPHER, place(key.reference), blocks)
    }

    fn delete_key(&mut self, channel: &mut Channel<'_>, key: KeyReference, _: Storage) -> Result<(), CardError> {
        send(channel, DELETE, place(key), &[]).map(drop)
    }
}
