//! The card management key 9B, with which the officer proves himself (SP 800-73-4 part 2 3.2.4 and A.1), and where a
//! YubiKey keeps it behind the PIN.
//!
//! It has no tries to lose: a wrong one is refused and changes nothing. The default key is never tried by itself.

use cardea_apdu::tlv::{Builder, Reader};
use cardea_apdu::{Command, Tag};
use des::TdesEde3;
use des::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::pin;
use crate::card::command::{execute, security};
use crate::card::{CardError, PinDescription, Tries};
use crate::channel::Channel;
use crate::secret::{Pin, SecretBytes};

/// Reference of the card management key.
pub(super) const MANAGEMENT_KEY: u8 = 0x9B;
/// The key that cards without an owner have (Yubico: 3DES, from firmware 5.7 AES-192).
const DEFAULT: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
/// SET MANAGEMENT KEY (Yubico).
const INS_SET_MANAGEMENT_KEY: u8 = 0xFF;
/// P2 of SET MANAGEMENT KEY: no touch, or a touch each time.
const WITHOUT_TOUCH: u8 = 0xFF;
const WITH_TOUCH: u8 = 0xFE;
/// Longest officer's PIN: an AES-256 key in hexadecimal.
const LONGEST: usize = 64;

/// Dynamic Authentication Template.
const TEMPLATE: Tag = Tag::new(0x7C);
/// The witness, by which the caller proves the key.
const WITNESS: Tag = Tag::new(0x80);
/// The challenge, for which the card proves the key.
const CHALLENGE: Tag = Tag::new(0x81);
/// The card's answer to the challenge.
const RESPONSE: Tag = Tag::new(0x82);

const MALFORMED: CardError = CardError::Malformed { what: "answer to GENERAL AUTHENTICATE" };

/// What the officer logs in with.
pub(super) enum Officer<'a> {
    /// The PIN Unblocking Key: sets the user's PIN.
    Puk(&'a Pin),
    /// The management key: writes.
    Key(ManagementKey),
}

impl<'a> Officer<'a> {
    /// Six to eight bytes are a PUK; 32, 48 or 64 hexadecimal digits a management key.
    pub(super) fn of(pin: &'a Pin) -> Result<Self, CardError> {
        match pin.len() {
            pin::SHORTEST..=pin::LONGEST => Ok(Self::Puk(pin)),
            32 | 48 | LONGEST => ManagementKey::from_hexadecimal(pin).map(Self::Key),
            _ => Err(CardError::PinLength),
        }
    }

    /// A wrong management key costs nothing, a wrong PUK a try.
    pub(super) fn tries(&self) -> Tries {
        match self {
            Self::Puk(_) => Tries::Counted,
            Self::Key(_) => Tries::Uncounted,
        }
    }
}

/// What the officer's PIN accepts. The tries are the PUK's.
pub(super) fn description() -> PinDescription {
    PinDescription { min_length: pin::SHORTEST, max_length: LONGEST, retries: None, max_retries: None }
}

/// Algorithm of a management key (SP 800-78-5 table 6-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    TripleDes,
    Aes128,
    Aes192,
    Aes256,
}

impl Algorithm {
    /// Its identifier, P1 of GENERAL AUTHENTICATE.
    pub(super) fn identifier(self) -> u8 {
        match self {
            Self::TripleDes => 0x03,
            Self::Aes128 => 0x08,
            Self::Aes192 => 0x0A,
            Self::Aes256 => 0x0C,
        }
    }

    /// The algorithm with this identifier; 00 is 3DES too.
    pub(super) fn from_identifier(identifier: u8) -> Option<Self> {
        match identifier {
            0x00 | 0x03 => Some(Self::TripleDes),
            0x08 => Some(Self::Aes128),
            0x0A => Some(Self::Aes192),
            0x0C => Some(Self::Aes256),
            _ => None,
        }
    }

    fn block_len(self) -> usize {
        if self == Self::TripleDes { 8 } else { 16 }
    }
}

/// The card management key.
pub(super) struct ManagementKey(SecretBytes);

impl ManagementKey {
    /// The key that a card has after a reset.
    pub(super) fn default_key() -> Self {
        Self(Zeroizing::new(DEFAULT.repeat(3)))
    }

    /// A key of 16, 24 or 32 bytes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        matches!(bytes.len(), 16 | 24 | 32).then(|| Self(Zeroizing::new(bytes.to_vec())))
    }

    fn from_hexadecimal(pin: &Pin) -> Result<Self, CardError> {
        let mut key = Zeroizing::new(Vec::with_capacity(pin.len() / 2));
        let (pairs, _) = pin.expose().as_chunks::<2>();
        for [high, low] in pairs {
            key.push(digit(*high)? << 4 | digit(*low)?);
        }
        Self::from_bytes(&key).ok_or(CardError::PinLength)
    }

    /// The bytes of the key.
    pub(super) fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The algorithms that have keys of this length, the older one first.
    pub(super) fn algorithms(&self) -> &'static [Algorithm] {
        match self.0.len() {
            16 => &[Algorithm::Aes128],
            24 => &[Algorithm::TripleDes, Algorithm::Aes192],
            _ => &[Algorithm::Aes256],
        }
    }

    fn encrypt(&self, algorithm: Algorithm, block: &[u8]) -> Option<SecretBytes> {
        self.transform(algorithm, block, Way::Encrypt)
    }

    fn decrypt(&self, algorithm: Algorithm, block: &[u8]) -> Option<SecretBytes> {
        self.transform(algorithm, block, Way::Decrypt)
    }

    fn transform(&self, algorithm: Algorithm, block: &[u8], way: Way) -> Option<SecretBytes> {
        match algorithm {
            Algorithm::TripleDes => one_block::<TdesEde3>(&self.0, block, way),
            Algorithm::Aes128 => one_block::<aes::Aes128>(&self.0, block, way),
            Algorithm::Aes192 => one_block::<aes::Aes192>(&self.0, block, way),
            Algorithm::Aes256 => one_block::<aes::Aes256>(&self.0, block, way),
        }
    }
}

#[derive(Clone, Copy)]
enum Way {
    Encrypt,
    Decrypt,
}

/// One block under one key; `None` where a length is not the cipher's.
fn one_block<C: KeyInit + BlockCipherEncrypt + BlockCipherDecrypt>(
    key: &[u8],
    block: &[u8],
    way: Way,
) -> Option<SecretBytes> {
    let cipher = C::new_from_slice(key).ok()?;
    let mut output = Zeroizing::new(block.to_vec());
    let block: &mut Array<u8, C::BlockSize> = output.as_mut_slice().try_into().ok()?;
    match way {
        Way::Encrypt => cipher.encrypt_block(block),
        Way::Decrypt => cipher.decrypt_block(block),
    }
    Some(output)
}

fn digit(character: u8) -> Result<u8, CardError> {
    char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(CardError::PinInvalid)
}

/// Proves the key to the card, and where the card can do that, the card to us. `known` is the algorithm that the card
/// says its key has; otherwise the length and the card's answers tell. Gives the algorithm. The application must be
/// known to be the selected one.
pub(super) fn authenticate(
    channel: &mut Channel<'_>,
    key: &ManagementKey,
    known: Option<Algorithm>,
) -> Result<Algorithm, CardError> {
    let algorithms = || key.algorithms().iter().filter(|algorithm| known.is_none_or(|known| known == **algorithm));
    for algorithm in algorithms() {
        match witness(channel, *algorithm)? {
            None => {}
            Some(first) => {
                // Yubico's tools leave the empty response out, and some cards take no other form; those that follow
                // ISO 7816-4 11.6.5 to the letter want to be asked for what they shall answer.
                let brief = prove(channel, key, *algorithm, &first, false)?;
                let proved = brief || {
                    let again = witness(channel, *algorithm)?.ok_or(CardError::KeyRefused)?;
                    prove(channel, key, *algorithm, &again, true)?
                };
                return if proved { Ok(*algorithm) } else { Err(CardError::KeyRefused) };
            }
        }
    }
    // Cards without mutual authentication give no witness, but ask a question of their own.
    for algorithm in algorithms() {
        if let Some(challenge) = asked(channel, *algorithm, CHALLENGE)? {
            return answer(channel, key, *algorithm, &challenge).map(|()| *algorithm);
        }
    }
    Err(CardError::KeyRefused)
}

/// Answers the card's challenge (SP 800-73-4 part 2 A.1).
fn answer(
    channel: &mut Channel<'_>,
    key: &ManagementKey,
    algorithm: Algorithm,
    challenge: &[u8],
) -> Result<(), CardError> {
    let response = key.encrypt(algorithm, challenge).ok_or(MALFORMED)?;
    let template = Builder::new().nested(TEMPLATE, Builder::new().push(RESPONSE, &response)).finish_zeroizing();
    match security::general_authenticate(channel, algorithm.identifier(), MANAGEMENT_KEY, template) {
        Ok(_) => Ok(()),
        Err(CardError::Status { status, .. }) if status.0 == 0x6983 => Err(CardError::PinBlocked),
        Err(CardError::Status { .. } | CardError::NotFound | CardError::SecurityStatus) => Err(CardError::KeyRefused),
        Err(error) => Err(error),
    }
}

/// Asks for a witness.
fn witness(channel: &mut Channel<'_>, algorithm: Algorithm) -> Result<Option<SecretBytes>, CardError> {
    asked(channel, algorithm, WITNESS)
}

/// Asks for a witness or a challenge; `None` where the card gives none, or its key is of another algorithm.
fn asked(channel: &mut Channel<'_>, algorithm: Algorithm, what: Tag) -> Result<Option<SecretBytes>, CardError> {
    let template = Builder::new().nested(TEMPLATE, Builder::new().push(what, &[])).finish_zeroizing();
    match security::general_authenticate(channel, algorithm.identifier(), MANAGEMENT_KEY, template) {
        Ok(answer) => {
            let witness = Reader::new(&answer).find_path(&[TEMPLATE, what]).ok().flatten().ok_or(MALFORMED)?;
            if witness.len() == algorithm.block_len() {
                Ok(Some(Zeroizing::new(witness.to_vec())))
            } else {
                Err(MALFORMED)
            }
        }
        Err(CardError::Status { status, .. }) if status.0 == 0x6983 => Err(CardError::PinBlocked),
        Err(CardError::Status { .. } | CardError::NotFound | CardError::SecurityStatus) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Answers the witness and has the card answer a challenge; false where the card refuses the form of the command, with
/// the word that some cards have for a wrong key.
fn prove(
    channel: &mut Channel<'_>,
    key: &ManagementKey,
    algorithm: Algorithm,
    witness: &[u8],
    asks: bool,
) -> Result<bool, CardError> {
    let proof = key.decrypt(algorithm, witness).ok_or(MALFORMED)?;
    let mut challenge = vec![0; algorithm.block_len()];
    getrandom::fill(&mut challenge).map_err(|_| CardError::NotSupported)?;
    let content = Builder::new().push(WITNESS, &proof).push(CHALLENGE, &challenge);
    let content = if asks { content.push(RESPONSE, &[]) } else { content };
    let template = Builder::new().nested(TEMPLATE, content).finish_zeroizing();
    let answer = match security::general_authenticate(channel, algorithm.identifier(), MANAGEMENT_KEY, template) {
        Ok(answer) => answer,
        Err(CardError::Status { status, .. }) => match status.0 {
            0x6A80 => return Ok(false),
            0x6983 => return Err(CardError::PinBlocked),
            _ => return Err(CardError::KeyRefused),
        },
        Err(CardError::SecurityStatus | CardError::NotFound) => return Err(CardError::KeyRefused),
        Err(error) => return Err(error),
    };
    let response = Reader::new(&answer).find_path(&[TEMPLATE, RESPONSE]).ok().flatten().ok_or(MALFORMED)?;
    let expected = key.encrypt(algorithm, &challenge).ok_or(MALFORMED)?;
    if bool::from(expected.ct_eq(response)) { Ok(true) } else { Err(MALFORMED) }
}

/// SET MANAGEMENT KEY, proved by the present one before.
pub(super) fn set(
    channel: &mut Channel<'_>,
    algorithm: Algorithm,
    key: &ManagementKey,
    touch: bool,
) -> Result<(), CardError> {
    let length = u8::try_from(key.0.len()).map_err(|_| CardError::PinLength)?;
    let mut data = Zeroizing::new(Vec::with_capacity(3 + key.0.len()));
    data.extend_from_slice(&[algorithm.identifier(), MANAGEMENT_KEY, length]);
    data.extend_from_slice(&key.0);
    let policy = if touch { WITH_TOUCH } else { WITHOUT_TOUCH };
    let command = Command::new(0x00, INS_SET_MANAGEMENT_KEY, 0xFF, policy).data_zeroizing(data).secret_command();
    execute(channel, command).map(drop)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn key(text: &str) -> ManagementKey {
        match Officer::of(&Pin::new(text.as_bytes())) {
            Ok(Officer::Key(key)) => key,
            _ => panic!("no management key"),
        }
    }

    #[test]
    fn the_length_tells_a_puk_from_a_management_key() {
        for (pin, puk) in [("123456", true), ("12345678", true), (&"01".repeat(16), false), (&"aF".repeat(24), false)] {
            assert_eq!(matches!(Officer::of(&Pin::new(pin.as_bytes())), Ok(Officer::Puk(_))), puk, "{pin}");
        }
        for length in [0, 5, 9, 16, 31, 33, 47, 63, 65, 128] {
            assert_eq!(Officer::of(&Pin::new(&vec![b'1'; length])).err(), Some(CardError::PinLength), "{length}");
        }
        assert_eq!(Officer::of(&Pin::new(&[b'g'; 48])).err(), Some(CardError::PinInvalid));
        assert_eq!(Officer::of(&Pin::new(&[0xFF; 32])).err(), Some(CardError::PinInvalid));
    }

    #[test]
    fn hexadecimal_digits_of_both_cases_are_taken() {
        assert_eq!(
            key("0123456789abcdefABCDEF0011223344").expose(),
            hex::decode("0123456789ABCDEFABCDEF0011223344").unwrap()
        );
    }

    #[test]
    fn ciphers_are_those_of_the_standards() {
        // FIPS 197 appendix C, and the 3DES example of SP 800-67 (B.1, first block).
        let plain = hex::decode("00112233445566778899AABBCCDDEEFF").unwrap();
        for (text, algorithm, expected) in [
            ("000102030405060708090A0B0C0D0E0F", Algorithm::Aes128, "69C4E0D86A7B0430D8CDB78070B4C55A"),
            ("000102030405060708090A0B0C0D0E0F1011121314151617", Algorithm::Aes192, "DDA97CA4864CDFE06EAF70A0EC0D7191"),
            (
                "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
                Algorithm::Aes256,
                "8EA2B7CA516745BFEAFC49904B496089",
            ),
        ] {
            let cipher = key(text).encrypt(algorithm, &plain).unwrap();
            assert_eq!(hex::encode_upper(&*cipher), expected);
            assert_eq!(*key(text).decrypt(algorithm, &cipher).unwrap(), plain);
        }
        let triple = key("0123456789ABCDEF23456789ABCDEF01456789ABCDEF0123");
        let cipher = triple.encrypt(Algorithm::TripleDes, b"The qufc").unwrap();
        assert_eq!(hex::encode_upper(&*cipher), "A826FD8CE53B855F");
        assert_eq!(*triple.decrypt(Algorithm::TripleDes, &cipher).unwrap(), b"The qufc");
    }

    #[test]
    fn a_block_or_key_of_another_length_is_refused() {
        assert!(key(&"00".repeat(16)).encrypt(Algorithm::Aes192, &[0; 16]).is_none());
        assert!(key(&"00".repeat(16)).encrypt(Algorithm::Aes128, &[0; 8]).is_none());
    }

    #[test]
    fn each_algorithm_is_found_by_the_length_of_its_keys() {
        for length in [16, 24, 32] {
            let key = ManagementKey::from_bytes(&vec![0; length]).unwrap();
            let fits = |algorithm: &Algorithm| key.encrypt(*algorithm, &vec![0; algorithm.block_len()]).is_some();
            assert!(key.algorithms().iter().all(fits), "{length}");
        }
        for algorithm in [Algorithm::TripleDes, Algorithm::Aes128, Algorithm::Aes192, Algorithm::Aes256] {
            assert_eq!(Algorithm::from_identifier(algorithm.identifier()), Some(algorithm));
        }
        assert!(ManagementKey::from_bytes(&[0; 17]).is_none());
    }
}
