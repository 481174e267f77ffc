//! The card holder unique identifier (SP 800-73-4 part 1 3.1.2) and the FASC-N in it.

use rand_core::{OsRng, RngCore};

use crate::tlv::object;

/// A federal agency smart credential number (TIG SCEPACS 2.2 section 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FascN {
    /// Agency code, 4 digits; 9999 is everybody who is no federal agency.
    pub agency: u16,
    /// System code, 4 digits.
    pub system: u16,
    /// Credential number, 6 digits.
    pub credential: u32,
}

impl FascN {
    /// What issuers outside the federal government use: 9999 9999 999999.
    pub fn non_federal() -> Self {
        Self { agency: 9999, system: 9999, credential: 999_999 }
    }

    /// The 40 five-bit characters: four bits of BCD, least significant first, and odd parity; the last is the longitudinal parity.
    pub fn to_bytes(&self) -> [u8; 25] {
        const START: u8 = 0xB;
        const SEPARATOR: u8 = 0xD;
        const END: u8 = 0xF;
        let digits = |number: String| number.into_bytes().into_iter().map(|digit| digit - b'0');
        let mut characters = vec![START];
        characters.extend(digits(format!("{:04}", self.agency)));
        characters.push(SEPARATOR);
        characters.extend(digits(format!("{:04}", self.system)));
        characters.push(SEPARATOR);
        characters.extend(digits(format!("{:06}", self.credential)));
        // credential series, individual credential issue, person identifier, organisational category, organisation, association
        for field in ["0", "1"] {
            characters.push(SEPARATOR);
            characters.extend(digits(field.to_owned()));
        }
        characters.push(SEPARATOR);
        characters.extend(digits("0000000000300001".to_owned()));
        characters.push(END);
        characters.push(characters.iter().fold(0, |check, character| check ^ character));
        let mut bytes = [0; 25];
        for (index, bit) in characters.iter().flat_map(|character| five_bits(*character)).enumerate() {
            bytes[index / 8] |= bit << (7 - index % 8);
        }
        bytes
    }
}

fn five_bits(character: u8) -> [u8; 5] {
    let [a, b, c, d] = [0, 1, 2, 3].map(|shift| character >> shift & 1);
    [a, b, c, d, 1 ^ a ^ b ^ c ^ d]
}

/// A card holder unique identifier without an issuer's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chuid {
    /// The credential number.
    pub fasc_n: FascN,
    /// The card's identifier, a version 4 UUID.
    pub guid: [u8; 16],
    /// YYYYMMDD.
    pub expiry: [u8; 8],
}

impl Default for Chuid {
    fn default() -> Self {
        let mut guid = [0; 16];
        OsRng.fill_bytes(&mut guid);
        guid[6] = guid[6] & 0x0F | 0x40;
        guid[8] = guid[8] & 0x3F | 0x80;
        Self { fasc_n: FascN::non_federal(), guid, expiry: *b"20360101" }
    }
}

impl Chuid {
    /// The object's content: 30 FASC-N, 34 GUID, 35 expiration date, 3E issuer's signature (empty), FE error detection code.
    pub fn to_bytes(&self) -> Vec<u8> {
        [
            object(&[0x30], &self.fasc_n.to_bytes()),
            object(&[0x34], &self.guid),
            object(&[0x35], &self.expiry),
            object(&[0x3E], &[]),
            object(&[0xFE], &[]),
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn the_example_of_the_scepacs_guidance_encodes() {
        // the numbers of the guidance's example but for its person identifier and organisation
        let example = FascN { agency: 32, system: 1, credential: 92_446 }.to_bytes();
        assert_eq!(example[..13], hex!("D0439458210C2C19A0846D83685A1082108CE73984108CA3FC")[..13]);
    }

    #[test]
    fn every_character_has_odd_parity_and_their_exclusive_or_is_zero() {
        let bytes = FascN::non_federal().to_bytes();
        let bits: Vec<u8> = (0..200).map(|bit| bytes[bit / 8] >> (7 - bit % 8) & 1).collect();
        let mut check = [0; 4];
        for character in bits.chunks(5) {
            assert_eq!(character.iter().sum::<u8>() % 2, 1);
            check.iter_mut().zip(character).for_each(|(check, bit)| *check ^= bit);
        }
        assert_eq!(check, [0; 4]);
    }
}
