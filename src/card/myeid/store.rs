//! Keys that come into being on the card and go again.
//!
//! A volatile key is a file with the session-object bit: the card drops it at the next reset. No directory file names
//! it, so no other program knows of it, and its deletion asks for no PIN, so that none is ever in the way of cleaning
//! up: whoever could delete it could as well reset the card.

use cardea_apdu::tlv::Builder;
use cardea_apdu::{Command, Tag};
use zeroize::Zeroizing;

use super::card_information::Capabilities;
use super::directory::absent_or;
use super::file::{ATTRIBUTES, DESCRIPTOR, IDENTIFIER, KeyFile, Kind, SIZE, select_directory};
use super::private_key::send_cryptogram;
use super::security_environment::{Algorithm, set_unwrapping};
use super::{private_key, public_key};
use crate::card::command::data_object::get_data_by_number;
use crate::card::command::{INS_PERFORM_SECURITY_OPERATION, execute};
use crate::card::key::{Curve, KeyKind, PublicKey};
use crate::card::new_key::{NewKey, NewKind, PrivateValue, Storage, StoreAbilities, Unwrapping};
use crate::card::number::significant;
use crate::card::secret_key::{CipherMode, SecretKey, SecretKind};
use crate::card::{Authentication, CardError, KeyPolicy, KeyReference, PrivateKey};
use crate::channel::{Channel, ChannelError};
use crate::secret::SecretBytes;

const INS_GENERATE_KEY_PAIR: u8 = 0x46;
pub(super) const INS_PUT_DATA: u8 = 0xDA;
const INS_CREATE_FILE: u8 = 0xE0;
const INS_DELETE_FILE: u8 = 0xE4;
/// Class of DELETE FILE on MyEID's basic channel (OpenSC, card-myeid.c).
const DELETE_CLASS: u8 = 0xA0;
/// Control parameters of a file.
const CONTROL_PARAMETERS: Tag = Tag::new(0x62);
/// Access conditions: nibbles for use, loading; deletion, generation; and a byte of ones.
const ACCESS: Tag = Tag::new(0x86);
const LIFE_CYCLE: Tag = Tag::new(0x8A);
/// Bytes of a transparent file.
const BYTES: Tag = Tag::new(0x80);
/// File descriptor of a transparent file.
const TRANSPARENT: u8 = 0x01;
/// P1-P2 of GET DATA: the identifiers of all files in the current DF.
const FILES: u16 = 0x01A1;
/// P2 of PUT DATA: the value of a secret key.
const SECRET_VALUE: u8 = 0xA0;
/// Longest cryptogram that is unwrapped with a block cipher: one short command.
const WRAPPED_MAX: usize = 240;
/// `SEQUENCE { 81 exponent }`: 65537.
const EXPONENT: &[u8] = &[0x30, 0x05, 0x81, 0x03, 0x01, 0x00, 0x01];

/// Key pairs of all cards: a card's are a part of these, less at the beginning for shorter RSA keys, less at the end
/// for smaller curves.
const PAIRS: &[KeyKind] = &[
    KeyKind::Rsa { bits: 4096 },
    KeyKind::Rsa { bits: 3072 },
    KeyKind::Rsa { bits: 2048 },
    KeyKind::Rsa { bits: 1536 },
    KeyKind::Rsa { bits: 1024 },
    KeyKind::Rsa { bits: 768 },
    KeyKind::Rsa { bits: 512 },
    KeyKind::Ec(Curve::P256),
    KeyKind::Ec(Curve::P384),
    KeyKind::Ec(Curve::P521),
];
/// Secret keys of all cards, in the same manner: AES, then triple DES.
const SECRETS: &[SecretKind] =
    &[SecretKind::Aes { bits: 256 }, SecretKind::Aes { bits: 192 }, SecretKind::Aes { bits: 128 }, SecretKind::Des3];

/// What a card of these capabilities makes.
pub(super) fn abilities(capabilities: &Capabilities, volatile: bool) -> StoreAbilities {
    let pairs = part(PAIRS, |kind| match kind {
        KeyKind::Rsa { bits } => bits <= usize::from(capabilities.rsa_bits()),
        KeyKind::Ec(curve) => curve.order_bits() <= usize::from(capabilities.curve_bits()),
        KeyKind::Ed25519 | KeyKind::X25519 => false,
    });
    let secret = part(SECRETS, |kind| match kind {
        SecretKind::Aes { bits } => bits <= usize::from(capabilities.aes_bits()),
        SecretKind::Des3 => capabilities.des_bits() >= 192,
        SecretKind::Generic { .. } | SecretKind::AesUntold => false,
    });
    StoreAbilities {
        hides_keys: false,
        generate: pairs,
        import: pairs,
        secret,
        generates_secret: false,
        volatile,
        deletes_keys: true,
        lists_keys: true,
        renames: true,
        certificates: true,
        data: true,
        officer_writes: false,
        initializes: true,
    }
}

/// The part of `all` from the first to the last of which this is true.
fn part<T: Copy>(all: &'static [T], has: impl Fn(T) -> bool) -> &'static [T] {
    let first = all.iter().position(|one| has(*one)).unwrap_or(all.len());
    let end = all.iter().rposition(|one| has(*one)).map_or(first, |last| last + 1);
    all.get(first..end).unwrap_or_default()
}

/// File identifiers for keys of this kind, as OpenSC's profile has them.
pub(super) fn identifiers(kind: NewKind) -> core::ops::RangeInclusive<u16> {
    match kind {
        NewKind::Private(_) => 0x4B01..=0x4BFF,
        NewKind::Secret(_) => 0x4D01..=0x4DFF,
    }
}

/// A free file identifier. `is_taken` knows what the card may not tell; the card is asked all the same.
pub(super) fn free_identifier(
    channel: &mut Channel<'_>,
    mut identifiers: core::ops::RangeInclusive<u16>,
    is_taken: impl Fn(u16) -> bool,
) -> Result<KeyReference, CardError> {
    select_directory(channel)?;
    let listed = absent_or(get_data_by_number(channel, FILES))?.unwrap_or_default();
    let is_listed = |identifier: u16| listed.as_chunks().0.contains(&identifier.to_be_bytes());
    while let Some(identifier) = identifiers.find(|identifier| !is_listed(*identifier) && !is_taken(*identifier)) {
        match KeyFile::select(channel, identifier) {
            Err(CardError::NotFound) => return Ok(KeyReference(identifier)),
            Err(error @ (CardError::Channel(_) | CardError::NotSupported)) => return Err(error),
            // Something is there.
            Ok(_) | Err(_) => {}
        }
    }
    Err(CardError::Memory)
}

/// Whether the card's own list of its files has not this one, which is another answer than that to its selection.
pub(super) fn is_missing(channel: &mut Channel<'_>, identifier: u16) -> Result<bool, CardError> {
    select_directory(channel)?;
    let listed = get_data_by_number(channel, FILES)?;
    Ok(!listed.as_chunks().0.contains(&identifier.to_be_bytes()))
}

/// Generates a key pair.
pub(super) fn generate_key_pair(
    channel: &mut Channel<'_>,
    reference: KeyReference,
    new: &NewKey,
    pin: u8,
) -> Result<PrivateKey, CardError> {
    let NewKind::Private(kind) = new.kind else { return Err(CardError::NotSupported) };
    let public = with_file(channel, reference, new, pin, |channel| {
        let exponent = if matches!(kind, KeyKind::Rsa { .. }) { EXPONENT } else { &[] };
        execute(channel, Command::new(0x00, INS_GENERATE_KEY_PAIR, 0x00, 0x00).data(exponent))?;
        public_key::of_selected(channel, kind)
    })?;
    Ok(private_key(reference, new, kind, public, true))
}

/// Loads a key pair.
pub(super) fn import_private_key(
    channel: &mut Channel<'_>,
    reference: KeyReference,
    new: &NewKey,
    pin: u8,
    value: &PrivateValue,
) -> Result<PrivateKey, CardError> {
    let public = match value {
        PrivateValue::Rsa { modulus, exponent, .. } => PublicKey::from_rsa(modulus, exponent),
        PrivateValue::Ec { curve, point, .. } => PublicKey::from_ec_point(*curve, point),
        PrivateValue::Montgomery { .. } => return Err(CardError::NotSupported),
    };
    let public = public.map_err(|_| CardError::Input)?;
    let kind = public.kind();
    if new.kind != NewKind::Private(kind) {
        return Err(CardError::Input);
    }
    with_file(channel, reference, new, pin, |channel| load_private(channel, value))?;
    Ok(private_key(reference, new, kind, public, false))
}

/// Makes a secret key with this value.
pub(super) fn create_secret_key(
    channel: &mut Channel<'_>,
    reference: KeyReference,
    new: &NewKey,
    pin: u8,
    value: &SecretBytes,
) -> Result<SecretKey, CardError> {
    let NewKind::Secret(kind) = new.kind else { return Err(CardError::NotSupported) };
    if value.len() != kind.len() {
        return Err(CardError::Input);
    }
    with_file(channel, reference, new, pin, |channel| load(channel, SECRET_VALUE, value))?;
    Ok(secret_key(reference, new, kind))
}

/// Unwraps a secret key into a file.
pub(super) fn unwrap_key(
    channel: &mut Channel<'_>,
    reference: KeyReference,
    new: &NewKey,
    pin: u8,
    with: Unwrapping<'_>,
    wrapped: &[u8],
) -> Result<SecretKey, CardError> {
    let NewKind::Secret(kind) = new.kind else { return Err(CardError::NotSupported) };
    match with {
        Unwrapping::Rsa(key) => {
            let KeyKind::Rsa { bits } = key.kind else { return Err(CardError::NotSupported) };
            if wrapped.len() != bits.div_ceil(8) {
                return Err(CardError::Input);
            }
            with_file(channel, reference, new, pin, |channel| {
                set_unwrapping(channel, Algorithm::Wrap, key.reference, reference, None)?;
                send_cryptogram(channel, 0x00, wrapped).map(drop)
            })?;
        }
        Unwrapping::Cipher { key, mode } => {
            let length = key.kind.block_len().ok_or(CardError::NotSupported)?;
            let algorithm = unwrapping_algorithm(kind.len(), length, wrapped.len())?;
            let zeros = vec![0; length];
            let vector = match mode {
                CipherMode::Cbc(vector) if vector.len() == length => vector,
                CipherMode::Cbc(_) => return Err(CardError::Input),
                // The card chains, which a single block does not show.
                CipherMode::Ecb if wrapped.len() == length => &zeros,
                CipherMode::Ecb => return Err(CardError::NotSupported),
            };
            with_file(channel, reference, new, pin, |channel| {
                set_unwrapping(channel, algorithm, key.reference, reference, Some(vector))?;
                let command = Command::new(0x00, INS_PERFORM_SECURITY_OPERATION, 0x00, 0x84);
                execute(channel, command.data(wrapped)).map(drop)
            })?;
        }
    }
    Ok(secret_key(reference, new, kind))
}

/// With or without PKCS#7 padding, which the length of the cryptogram tells.
fn unwrapping_algorithm(value: usize, block: usize, wrapped: usize) -> Result<Algorithm, CardError> {
    let padded = (value / block + 1) * block;
    match wrapped {
        _ if wrapped > WRAPPED_MAX => Err(CardError::NotSupported),
        _ if wrapped == value && value.is_multiple_of(block) => Ok(Algorithm::Wrap),
        _ if wrapped == padded => Ok(Algorithm::WrapPadded),
        _ => Err(CardError::Input),
    }
}

/// Creates the file and fills it; where that fails, nothing is left behind.
fn with_file<R>(
    channel: &mut Channel<'_>,
    KeyReference(identifier): KeyReference,
    new: &NewKey,
    pin: u8,
    fill: impl FnOnce(&mut Channel<'_>) -> Result<R, CardError>,
) -> Result<R, CardError> {
    create(channel, identifier, new, pin)?;
    let result = check(channel, identifier, new).and_then(|()| fill(channel));
    if !matches!(result, Ok(_) | Err(CardError::Channel(_))) && KeyFile::select(channel, identifier).is_ok() {
        // What failed first is what the caller needs to know.
        let _ = delete_selected(channel);
    }
    result
}

/// Selects the file that was created, and makes sure that it is in the memory that it should be in.
///
/// A card that does not know the session-object bit would keep the key.
fn check(channel: &mut Channel<'_>, identifier: u16, new: &NewKey) -> Result<(), CardError> {
    let volatile = KeyFile::select(channel, identifier)?.is_session_object();
    if volatile == (new.storage == Storage::Volatile) { Ok(()) } else { Err(CardError::NotSupported) }
}

/// Creates an empty key file.
fn create(channel: &mut Channel<'_>, identifier: u16, new: &NewKey, pin: u8) -> Result<(), CardError> {
    let (kind, bits) = file_kind(new.kind)?;
    let used_by = if new.private || new.always_authenticate { pin } else { 0 };
    let (deleted_by, session) = match new.storage {
        Storage::Volatile => (0, KeyFile::SESSION_OBJECT),
        Storage::Token => (pin, 0),
    };
    let access = [used_by << 4 | pin, deleted_by << 4 | pin, 0xFF];
    let consent = if new.always_authenticate { pin << 4 } else { 0 };
    let extractable = if new.extractable { KeyFile::EXTRACTABLE } else { 0 };
    create_file(channel, (SIZE, bits), kind.descriptor(), identifier, access, [consent, session | extractable])
}

/// Creates a file for a public key: read by all, written and deleted by the user.
pub(super) fn create_public_file(
    channel: &mut Channel<'_>,
    identifier: u16,
    length: usize,
    pin: u8,
) -> Result<(), CardError> {
    let length = u16::try_from(length).map_err(|_| CardError::Memory)?;
    create_file(channel, (BYTES, length), TRANSPARENT, identifier, [pin, pin << 4 | 0x0F, 0xFF], [0x00, 0x00])
}

/// Creates a file for a certificate or data object: read by all or by the user, written and deleted by the user.
pub(super) fn create_content_file(
    channel: &mut Channel<'_>,
    identifier: u16,
    length: usize,
    pin: u8,
    private: bool,
) -> Result<(), CardError> {
    let length = u16::try_from(length).map_err(|_| CardError::Memory)?;
    let read = if private { pin << 4 } else { 0 };
    create_file(channel, (BYTES, length), TRANSPARENT, identifier, [read | pin, pin << 4 | 0x0F, 0xFF], [0x00, 0x00])
}

/// CREATE FILE (ISO 7816-9 6.1) in the application's DF.
fn create_file(
    channel: &mut Channel<'_>,
    (size, number): (Tag, u16),
    descriptor: u8,
    identifier: u16,
    access: [u8; 3],
    attributes: [u8; 2],
) -> Result<(), CardError> {
    select_directory(channel)?;
    create_in_current(channel, (size, number), descriptor, identifier, access, attributes)
}

/// CREATE FILE for a transparent file in the current DF.
pub(super) fn create_here(
    channel: &mut Channel<'_>,
    identifier: u16,
    length: u16,
    access: [u8; 3],
) -> Result<(), CardError> {
    create_in_current(channel, (BYTES, length), TRANSPARENT, identifier, access, [0x00, 0x00])
}

fn create_in_current(
    channel: &mut Channel<'_>,
    (size, number): (Tag, u16),
    descriptor: u8,
    identifier: u16,
    access: [u8; 3],
    attributes: [u8; 2],
) -> Result<(), CardError> {
    let parameters = Builder::new()
        .push(size, &number.to_be_bytes())
        .push(DESCRIPTOR, &[descriptor])
        .push(IDENTIFIER, &identifier.to_be_bytes())
        .push(ACCESS, &access)
        .push(ATTRIBUTES, &attributes)
        .push(LIFE_CYCLE, &[0x00])
        .finish();
    let data = Builder::new().push(CONTROL_PARAMETERS, &parameters).finish();
    execute(channel, Command::new(0x00, INS_CREATE_FILE, 0x00, 0x00).data(&data)).map(drop)
}

/// The key file for a key.
fn file_kind(kind: NewKind) -> Result<(Kind, u16), CardError> {
    let (kind, bits) = match kind {
        NewKind::Private(KeyKind::Rsa { bits }) => (Kind::Rsa, bits),
        NewKind::Private(KeyKind::Ec(curve)) => (Kind::Curve, curve.order_bits()),
        NewKind::Private(KeyKind::Ed25519 | KeyKind::X25519) | NewKind::Secret(SecretKind::AesUntold) => {
            return Err(CardError::NotSupported);
        }
        NewKind::Secret(SecretKind::Aes { bits }) => (Kind::Aes, bits),
        NewKind::Secret(SecretKind::Des3) => (Kind::Des, 192),
        NewKind::Secret(SecretKind::Generic { length }) => (Kind::GenericSecret, length.saturating_mul(8)),
    };
    Ok((kind, u16::try_from(bits).map_err(|_| CardError::NotSupported)?))
}

/// PUT DATA of a part of a key into the selected file.
fn load(channel: &mut Channel<'_>, part: u8, value: &[u8]) -> Result<(), CardError> {
    let data = Zeroizing::new(value.to_vec());
    let command = Command::new(0x00, INS_PUT_DATA, 0x01, part).data_zeroizing(data);
    execute(channel, command.secret_command()).map(drop)
}

/// Length of a modulus that is loaded in halves: it is too long for a short command.
const MODULUS_IN_HALVES: usize = 256;

fn load_private(channel: &mut Channel<'_>, value: &PrivateValue) -> Result<(), CardError> {
    match value {
        PrivateValue::Rsa { modulus, exponent, prime_1, prime_2, exponent_1, exponent_2, coefficient, .. } => {
            let parts = [(0x83, prime_1), (0x84, prime_2), (0x85, exponent_1), (0x86, exponent_2), (0x87, coefficient)];
            for (part, number) in parts {
                load(channel, part, &positive(number))?;
            }
            let modulus = significant(modulus);
            match modulus.split_at_checked(MODULUS_IN_HALVES / 2) {
                Some((first, second)) if modulus.len() == MODULUS_IN_HALVES => {
                    load(channel, 0x88, first)?;
                    load(channel, 0x89, second)?;
                }
                _ => load(channel, 0x80, &positive(modulus))?,
            }
            load(channel, 0x81, significant(exponent))
        }
        PrivateValue::Ec { scalar, point, .. } => {
            load(channel, 0x87, scalar)?;
            load(channel, 0x86, point)
        }
        PrivateValue::Montgomery { .. } => Err(CardError::NotSupported),
    }
}

/// A number with one leading zero, as MyEID's manual has the parts of RSA keys.
fn positive(number: &[u8]) -> SecretBytes {
    let number = significant(number);
    let mut positive = Zeroizing::new(Vec::with_capacity(number.len() + 1));
    positive.push(0x00);
    positive.extend_from_slice(number);
    positive
}

/// Deletes a volatile key. `NotFound`, and nothing deleted, where the file is gone or is no session object: a journal
/// may name an identifier that is somebody's lasting key meanwhile.
pub(super) fn delete_volatile(
    channel: &mut Channel<'_>,
    KeyReference(identifier): KeyReference,
) -> Result<(), CardError> {
    let file = KeyFile::select(channel, identifier)?;
    if file.kind.is_none() || !file.is_session_object() {
        return Err(CardError::NotFound);
    }
    delete_selected(channel)
}

/// DELETE FILE of the selected file.
pub(super) fn delete_selected(channel: &mut Channel<'_>) -> Result<(), CardError> {
    let delete = |channel: &mut Channel<'_>, class| execute(channel, Command::new(class, INS_DELETE_FILE, 0x00, 0x00));
    match delete(channel, DELETE_CLASS) {
        // The class has no room for a logical channel, or is not known.
        Err(CardError::Channel(ChannelError::Command) | CardError::NotSupported) => delete(channel, 0x00).map(drop),
        result => result.map(drop),
    }
}

fn authentication(new: &NewKey) -> Authentication {
    match new {
        NewKey { always_authenticate: true, .. } => Authentication::Always,
        NewKey { private: true, .. } => Authentication::Once,
        _ => Authentication::Never,
    }
}

fn private_key(reference: KeyReference, new: &NewKey, kind: KeyKind, public: PublicKey, local: bool) -> PrivateKey {
    PrivateKey {
        reference,
        id: new.id.clone(),
        label: new.label.clone(),
        kind,
        public: Some(public),
        subject: Vec::new(),
        abilities: private_key::abilities(kind),
        usage: new.usage,
        authentication: authentication(new),
        local: Some(local),
        storage: new.storage,
        policy: KeyPolicy::default(),
    }
}

fn secret_key(reference: KeyReference, new: &NewKey, kind: SecretKind) -> SecretKey {
    SecretKey {
        reference,
        storage: new.storage,
        id: new.id.clone(),
        label: new.label.clone(),
        kind,
        usage: new.secret_usage,
        extractable: new.extractable,
        authentication: authentication(new),
        local: Some(new.generated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_cryptogram_tells_its_padding() {
        assert_eq!(unwrapping_algorithm(16, 16, 16), Ok(Algorithm::Wrap));
        assert_eq!(unwrapping_algorithm(16, 16, 32), Ok(Algorithm::WrapPadded));
        assert_eq!(unwrapping_algorithm(24, 16, 32), Ok(Algorithm::WrapPadded));
        assert_eq!(unwrapping_algorithm(24, 8, 24), Ok(Algorithm::Wrap));
        assert_eq!(unwrapping_algorithm(24, 16, 24), Err(CardError::Input));
        assert_eq!(unwrapping_algorithm(16, 16, 48), Err(CardError::Input));
    }

    #[test]
    fn a_part_of_all_kinds_has_a_beginning_and_an_end() {
        let all: &'static [u8] = &[1, 2, 3, 4];
        assert_eq!(part(all, |one| one > 1 && one < 4), [2, 3]);
        assert_eq!(part(all, |_| false), [0; 0]);
        assert_eq!(part(all, |_| true), all);
    }
}
