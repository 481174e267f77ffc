//! Private keys that are made under a reference, moved, and destroyed (SP 800-73-4 part 2 3.3.2, and Yubico's extensions).
//!
//! `CKA_ID` chooses the reference, as users know it from other modules: 01 to 04 for 9A, 9C, 9D, 9E, then 05 to 18 for
//! 82 to 95. Without one it is the first free reference, 9E left out: its keys want no PIN.
//!
//! A key without a certificate is known by its metadata, where the card has them; elsewhere only to the process that
//! made it, until its certificate is written.

use cardea_apdu::tlv::{Builder, Reader};
use cardea_apdu::{Command, Tag};
use p256::elliptic_curve::sec1::ToSec1Point as _;

use super::certificate::certificate;
use super::general_authenticate::{abilities, algorithm};
use super::key_reference::{PivKey, intersection, possible_usage};
use super::objects::{self, certified_key};
use super::yubikey::{self, KeyMetadata, Version, pin_policy, touch_policy};
use super::{Piv, data_object};
use crate::card::command::execute;
use crate::card::key::{Curve, KeyKind, PublicKey};
use crate::card::new_key::{NewKey, NewKind, PrivateValue, Storage};
use crate::card::number::of_length;
use crate::card::{Authentication, CardError, KeyPolicy, KeyReference, PrivateKey, Touch, Usage};
use crate::channel::Channel;
use crate::secret::SecretBytes;

/// GENERATE ASYMMETRIC KEY PAIR.
const INS_GENERATE: u8 = 0x47;
/// IMPORT KEY (Yubico).
const INS_IMPORT: u8 = 0xFE;
/// Control reference template of GENERATE ASYMMETRIC KEY PAIR.
const CONTROL_TEMPLATE: Tag = Tag::new(0xAC);
const ALGORITHM: Tag = Tag::new(0x80);
/// Yubico's policies, in GENERATE and IMPORT.
const PIN_POLICY: Tag = Tag::new(0xAA);
const TOUCH_POLICY: Tag = Tag::new(0xAB);
/// Answer of GENERATE ASYMMETRIC KEY PAIR.
const PUBLIC_KEY: Tag = Tag::new(0x7F49);
/// Components in IMPORT KEY: p, q, d mod p-1, d mod q-1, q⁻¹ mod p; the scalar of each kind of curve.
const RSA_COMPONENTS: [Tag; 5] = [Tag::new(0x01), Tag::new(0x02), Tag::new(0x03), Tag::new(0x04), Tag::new(0x05)];
const EC_SCALAR: Tag = Tag::new(0x06);
const ED25519_SEED: Tag = Tag::new(0x07);
const X25519_SCALAR: Tag = Tag::new(0x08);
/// The public exponent of all RSA keys on these cards: IMPORT KEY does not carry it.
const EXPONENT: [u8; 3] = [0x01, 0x00, 0x01];
/// Nitrokey 3 (piv-authenticator 0.7, January 2026) takes e in place of d mod p-1, and nothing after it.
const NITROKEY: &str = "Nitrokey";

const RSA_1024: KeyKind = KeyKind::Rsa { bits: 1024 };
const RSA_2048: KeyKind = KeyKind::Rsa { bits: 2048 };
const RSA_3072: KeyKind = KeyKind::Rsa { bits: 3072 };
const RSA_4096: KeyKind = KeyKind::Rsa { bits: 4096 };
const P256: KeyKind = KeyKind::Ec(Curve::P256);
const P384: KeyKind = KeyKind::Ec(Curve::P384);

/// What each card of SP 800-78-4 makes.
const STANDARD: &[KeyKind] = &[RSA_2048, P256, P384];
/// What cards with Yubico's extensions make that are no YubiKeys; a card refuses what it has not.
const EXTENDED: &[KeyKind] = &[RSA_2048, RSA_3072, RSA_4096, P256, P384];
/// YubiKey NEO.
const NEO: &[KeyKind] = &[RSA_1024, RSA_2048, P256];
/// YubiKey 4 and 5.
const YUBIKEY: &[KeyKind] = &[RSA_1024, RSA_2048, P256, P384];
/// YubiKey from 5.7.
const YUBIKEY_MORE: &[KeyKind] =
    &[RSA_1024, RSA_2048, RSA_3072, RSA_4096, P256, P384, KeyKind::Ed25519, KeyKind::X25519];

/// The scalar of the P-256 key that takes the place of a destroyed one on cards that cannot delete a key but tell of
/// each that they have. Everybody knows it, so it is as good as no key.
const DESTROYED: &[u8; 32] = b"Cardea: here was a destroyed key";

/// Whether this is the key that stands for a destroyed one.
pub(super) fn is_destroyed(public: &PublicKey) -> bool {
    let PublicKey::Ec { curve: Curve::P256, point } = public else { return false };
    p256::SecretKey::from_slice(DESTROYED)
        .is_ok_and(|key| key.public_key().to_sec1_point(false).as_bytes() == point.as_slice())
}

/// What is under a reference.
enum Occupancy {
    /// Nothing.
    Free,
    /// A certificate, and a key only if it is the certificate's.
    Certificate(Option<PublicKey>),
    /// A key.
    Key,
}

impl Piv {
    /// Kinds of keys that are made here.
    pub(super) fn kinds(&self) -> &'static [KeyKind] {
        match (self.maker.is_yubikey(), self.version.value()) {
            (true, Some(version)) if *version >= Version::MORE_KEYS => YUBIKEY_MORE,
            (true, Some(version)) if *version >= Version::POLICIES => YUBIKEY,
            (true, _) => NEO,
            (false, Some(_)) => EXTENDED,
            (false, None) => STANDARD,
        }
    }

    /// Whether a key can have other rules than the standard's.
    fn takes_policies(&self) -> bool {
        if self.maker.is_yubikey() { self.is_yubikey_from(Version::POLICIES) } else { self.version.value().is_some() }
    }

    /// A free reference for a key.
    pub(super) fn free_reference(
        &mut self,
        channel: &mut Channel<'_>,
        new: &NewKey,
    ) -> Result<KeyReference, CardError> {
        let NewKind::Private(kind) = new.kind else { return Err(CardError::NotSupported) };
        if new.storage == Storage::Volatile || !self.kinds().contains(&kind) {
            return Err(CardError::NotSupported);
        }
        if !new.id.is_empty() {
            let key = PivKey::with_id(&new.id).ok_or(CardError::Input)?;
            self.policies(key, new)?;
            // What the key is decides whether it belongs to a certificate that is there.
            return match self.occupancy(channel, key)? {
                Occupancy::Key => Err(CardError::Occupied),
                Occupancy::Free | Occupancy::Certificate(_) => Ok(reference(key)),
            };
        }
        for key in PivKey::all().filter(|key| *key != PivKey::CARD_AUTHENTICATION || !new.private) {
            if self.policies(key, new).is_ok() && matches!(self.occupancy(channel, key)?, Occupancy::Free) {
                return Ok(reference(key));
            }
        }
        Err(CardError::Memory)
    }

    fn occupancy(&mut self, channel: &mut Channel<'_>, key: PivKey) -> Result<Occupancy, CardError> {
        let told = objects::metadata(self, channel, key)?;
        match told {
            KeyMetadata::Key(metadata) if !metadata.is_destroyed() => return Ok(Occupancy::Key),
            KeyMetadata::Unsupported if self.made.contains_key(&key.reference) => return Ok(Occupancy::Key),
            _ => {}
        }
        let content = data_object::read_before_write(channel, key.certificate)?;
        Ok(match content.and_then(|content| certificate(&content).ok().flatten()) {
            Some(stored) => Occupancy::Certificate(certified_key(&stored)),
            None => Occupancy::Free,
        })
    }

    /// GENERATE ASYMMETRIC KEY PAIR.
    pub(super) fn generate(
        &mut self,
        channel: &mut Channel<'_>,
        reference: KeyReference,
        new: &NewKey,
    ) -> Result<PrivateKey, CardError> {
        let (key, kind, identifier) = place(reference, new)?;
        let (pin, touch) = self.policies(key, new)?;
        if !matches!(self.occupancy(channel, key)?, Occupancy::Free) {
            return Err(CardError::Occupied);
        }
        let public = self.administer(channel, |_, channel| generate(channel, key, identifier, pin, touch))?;
        if public.kind() != kind {
            return Err(CardError::Malformed { what: "generated public key" });
        }
        Ok(self.keep(channel, key, new, public, true))
    }

    /// IMPORT KEY. Over a certificate that is there already, only its own key can come.
    pub(super) fn import(
        &mut self,
        channel: &mut Channel<'_>,
        reference: KeyReference,
        new: &NewKey,
        value: &PrivateValue,
    ) -> Result<PrivateKey, CardError> {
        let (key, kind, identifier) = place(reference, new)?;
        let (pin, touch) = self.policies(key, new)?;
        let public = public_half(value)?;
        if public.kind() != kind {
            return Err(CardError::Input);
        }
        let components = components(value, self.maker.name == NITROKEY)?;
        match self.occupancy(channel, key)? {
            Occupancy::Free => {}
            Occupancy::Certificate(certified) if certified.as_ref() == Some(&public) => {}
            Occupancy::Certificate(_) | Occupancy::Key => return Err(CardError::Occupied),
        }
        self.administer(channel, |_, channel| import(channel, key, identifier, &components, pin, touch))?;
        Ok(self.keep(channel, key, new, public, false))
    }

    /// Takes note of a key that was made, and has the key history count it.
    fn keep(
        &mut self,
        channel: &mut Channel<'_>,
        key: PivKey,
        new: &NewKey,
        public: PublicKey,
        local: bool,
    ) -> PrivateKey {
        let kind = public.kind();
        let wished = intersection(new.usage, possible_usage(kind));
        let usage = if wished == Usage::default() { possible_usage(kind) } else { wished };
        let pin = wished_pin(new);
        let made = PrivateKey {
            reference: reference(key),
            id: vec![key.id],
            label: key.label(),
            kind,
            public: Some(public),
            subject: Vec::new(),
            abilities: abilities(kind),
            usage,
            authentication: pin.unwrap_or(key.authentication()),
            local: Some(local),
            storage: Storage::Token,
            policy: KeyPolicy { pin, touch: new.policy.touch },
        };
        self.destroyed.remove(&key.reference);
        self.made.insert(key.reference, made.clone());
        self.count_retired(channel, key);
        made
    }

    /// Destroys a key. A card that cannot delete one gets another in its place, which nobody has or everybody.
    pub(super) fn destroy(&mut self, channel: &mut Channel<'_>, reference: KeyReference) -> Result<(), CardError> {
        let key = PivKey::with_reference(reference).ok_or(CardError::NotSupported)?;
        let told = objects::metadata(self, channel, key)?;
        let gone = match &told {
            KeyMetadata::NoKey => true,
            KeyMetadata::Key(metadata) => metadata.is_destroyed(),
            KeyMetadata::Unsupported => self.destroyed.contains(&key.reference),
        };
        if gone {
            return Err(CardError::NotFound);
        }
        let tells = matches!(told, KeyMetadata::Key(_));
        let deletes = if self.maker.is_yubikey() {
            self.is_yubikey_from(Version::MORE_KEYS)
        } else {
            self.version.value().is_some()
        };
        self.administer(channel, |_, channel| {
            if deletes {
                match yubikey::delete_key(channel, key) {
                    Err(CardError::NotSupported) => {}
                    result => return result,
                }
            }
            if tells {
                let content = Builder::new().push(EC_SCALAR, DESTROYED).finish_zeroizing();
                import(channel, key, 0x11, &content, None, None)
            } else {
                generate(channel, key, 0x11, None, None).map(drop)
            }
        })?;
        self.made.remove(&key.reference);
        self.destroyed.insert(key.reference);
        self.count_retired(channel, key);
        Ok(())
    }

    /// Moves a key to the reference that an id chooses, where the card can; gives it as it is there.
    pub(super) fn move_to(
        &mut self,
        channel: &mut Channel<'_>,
        key: &PrivateKey,
        id: &[u8],
    ) -> Result<PrivateKey, CardError> {
        let from = PivKey::with_reference(key.reference).ok_or(CardError::NotSupported)?;
        let to = PivKey::with_id(id).ok_or(CardError::Input)?;
        if from == to {
            return Ok(key.clone());
        }
        if !self.moves_keys() {
            return Err(CardError::NotSupported);
        }
        match self.occupancy(channel, to)? {
            Occupancy::Free => {}
            Occupancy::Certificate(certified) if certified.is_some() && certified == key.public => {}
            Occupancy::Certificate(_) | Occupancy::Key => return Err(CardError::Occupied),
        }
        self.administer(channel, |_, channel| yubikey::move_key(channel, from, to))?;
        let moved = PrivateKey { reference: reference(to), id: vec![to.id], label: to.label(), ..key.clone() };
        self.made.remove(&from.reference);
        self.made.insert(to.reference, moved.clone());
        self.destroyed.remove(&to.reference);
        self.count_retired(channel, if from.is_retired() { from } else { to });
        Ok(moved)
    }

    /// Whether the card moves keys; of one that is no YubiKey that is not known before it is tried.
    pub(super) fn moves_keys(&self) -> bool {
        self.is_yubikey_from(Version::MORE_KEYS)
    }

    /// The policies that the card is to be told; `NotSupported` for a wish that it cannot grant.
    fn policies(&self, key: PivKey, new: &NewKey) -> Result<(Option<u8>, Option<u8>), CardError> {
        let pin = wished_pin(new);
        if new.always_authenticate && pin != Some(Authentication::Always) {
            return Err(CardError::Input);
        }
        let touch = new.policy.touch;
        if self.takes_policies() {
            return Ok((pin.map(pin_policy), touch.map(touch_policy)));
        }
        let granted = pin.is_none_or(|pin| pin == key.authentication()) && matches!(touch, None | Some(Touch::Never));
        if granted { Ok((None, None)) } else { Err(CardError::NotSupported) }
    }
}

/// When the PIN is wanted, where the caller says so.
fn wished_pin(new: &NewKey) -> Option<Authentication> {
    new.policy.pin.or(new.always_authenticate.then_some(Authentication::Always))
}

fn reference(key: PivKey) -> KeyReference {
    KeyReference(u16::from(key.reference))
}

/// Where a key goes, and the identifier of its algorithm.
fn place(reference: KeyReference, new: &NewKey) -> Result<(PivKey, KeyKind, u8), CardError> {
    let NewKind::Private(kind) = new.kind else { return Err(CardError::NotSupported) };
    let key = PivKey::with_reference(reference).ok_or(CardError::NotSupported)?;
    Ok((key, kind, algorithm(kind).ok_or(CardError::NotSupported)?))
}

fn generate(
    channel: &mut Channel<'_>,
    key: PivKey,
    identifier: u8,
    pin: Option<u8>,
    touch: Option<u8>,
) -> Result<PublicKey, CardError> {
    let (algorithm, pin, touch) = ([identifier], pin.map(|policy| [policy]), touch.map(|policy| [policy]));
    let template = Builder::new()
        .push(ALGORITHM, &algorithm)
        .push_if_some(PIN_POLICY, pin.as_ref().map(|policy| policy.as_slice()))
        .push_if_some(TOUCH_POLICY, touch.as_ref().map(|policy| policy.as_slice()));
    let data = Builder::new().nested(CONTROL_TEMPLATE, template).finish();
    let command = Command::new(0x00, INS_GENERATE, 0x00, key.reference).data(&data).le_max();
    let answer = execute(channel, command).map_err(unknown_algorithm)?;
    let malformed = CardError::Malformed { what: "generated public key" };
    let content = Reader::new(&answer).expect(PUBLIC_KEY).map_err(|_| malformed)?;
    yubikey::public_key(identifier, content).map_err(|_| malformed)
}

fn import(
    channel: &mut Channel<'_>,
    key: PivKey,
    identifier: u8,
    components: &[u8],
    pin: Option<u8>,
    touch: Option<u8>,
) -> Result<(), CardError> {
    let (pin, touch) = (pin.map(|policy| [policy]), touch.map(|policy| [policy]));
    let data = Builder::new()
        .raw(components)
        .push_if_some(PIN_POLICY, pin.as_ref().map(|policy| policy.as_slice()))
        .push_if_some(TOUCH_POLICY, touch.as_ref().map(|policy| policy.as_slice()))
        .finish_zeroizing();
    let command = Command::new(0x00, INS_IMPORT, identifier, key.reference).data_zeroizing(data).secret_command();
    execute(channel, command).map(drop).map_err(unknown_algorithm)
}

/// The words for an algorithm, or a policy, that the card does not know.
fn unknown_algorithm(error: CardError) -> CardError {
    match error {
        CardError::Status { status, .. } if matches!(status.0, 0x6A80 | 0x6A86) => CardError::NotSupported,
        error => error,
    }
}

fn public_half(value: &PrivateValue) -> Result<PublicKey, CardError> {
    let public = match value {
        PrivateValue::Rsa { modulus, exponent, .. } => PublicKey::from_rsa(modulus, exponent),
        PrivateValue::Ec { curve, point, .. } => PublicKey::from_ec_point(*curve, point),
        PrivateValue::Montgomery { kind: KeyKind::Ed25519, public, .. } => PublicKey::from_ed25519(public),
        PrivateValue::Montgomery { public, .. } => PublicKey::from_x25519(public),
    };
    public.map_err(|_| CardError::Input)
}

/// The components of a key as IMPORT KEY wants them, each of full length.
fn components(value: &PrivateValue, brief: bool) -> Result<SecretBytes, CardError> {
    match value {
        PrivateValue::Rsa { modulus, exponent, prime_1, prime_2, exponent_1, exponent_2, coefficient, .. } => {
            let significant = exponent.iter().position(|byte| *byte != 0).unwrap_or(exponent.len());
            if exponent.get(significant..) != Some(EXPONENT.as_slice()) {
                return Err(CardError::Input);
            }
            let half = modulus.len() / 2;
            let all = [prime_1, prime_2, exponent_1, exponent_2, coefficient];
            let padded = all.iter().map(|part| of_length(part, half)).collect::<Result<Vec<_>, _>>()?;
            let mut content = Builder::new();
            for (tag, part) in RSA_COMPONENTS.into_iter().zip(&padded).take(if brief { 2 } else { 5 }) {
                content = content.push(tag, part);
            }
            let [_, _, third, ..] = RSA_COMPONENTS;
            Ok(if brief { content.push(third, &EXPONENT) } else { content }.finish_zeroizing())
        }
        PrivateValue::Ec { curve, scalar, .. } => {
            let scalar = of_length(scalar, curve.field_len())?;
            Ok(Builder::new().push(EC_SCALAR, &scalar).finish_zeroizing())
        }
        PrivateValue::Montgomery { kind, scalar, .. } => {
            let tag = if *kind == KeyKind::Ed25519 { ED25519_SEED } else { X25519_SCALAR };
            Ok(Builder::new().push(tag, &of_length(scalar, 32)?).finish_zeroizing())
        }
    }
}
