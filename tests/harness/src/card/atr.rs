//! Answers to reset (ISO 7816-3 8.2) and historical bytes (ISO 7816-4 12.1.1).

/// An answer to reset under construction: T=1 only, block size 254.
#[derive(Debug, Clone)]
pub struct Atr {
    historical: Vec<u8>,
}

impl Atr {
    /// An answer to reset with at most 15 historical bytes (what is beyond is cut).
    pub fn t1(historical: &[u8]) -> Self {
        let length = historical.len().min(15);
        Self { historical: historical[..length].to_vec() }
    }

    /// TS, T0, TD1 (T=1), TD2 (T=1), TA3 (block size 254), TB3 (block and character waiting time), historical bytes, TCK.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut atr = vec![0x3B, 0x80 | self.historical.len() as u8, 0x81, 0x31, 0xFE, 0x45];
        atr.extend_from_slice(&self.historical);
        // ISO 7816-3 8.2.5: the exclusive-or of T0 to TCK is zero
        let check = atr[1..].iter().fold(0, |check, byte| check ^ byte);
        atr.push(check);
        atr
    }
}

/// Historical bytes in COMPACT-TLV form: category 80, card capabilities (tag 7), and up to 8 bytes of card issuer's data (tag 5).
///
/// The third capability byte announces command chaining (80) and, if asked for, extended length (40).
pub fn historical_bytes(extended_length: bool, name: &str) -> Vec<u8> {
    let third = if extended_length { 0xC0 } else { 0x80 };
    let mut bytes = vec![0x80, 0x73, 0xC0, 0x21, third];
    let name = &name.as_bytes()[..name.len().min(8)];
    if !name.is_empty() {
        bytes.push(0x50 | name.len() as u8);
        bytes.extend_from_slice(name);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_byte_makes_the_exclusive_or_of_all_but_ts_zero() {
        let atr = Atr::t1(&historical_bytes(true, "Cardea")).to_bytes();
        assert_eq!(atr[1..].iter().fold(0, |check, byte| check ^ byte), 0);
        assert_eq!(atr[1] & 0x0F, 12);
        assert_eq!(atr.len(), 6 + 12 + 1);
    }

    #[test]
    fn only_the_extended_length_card_announces_extended_length() {
        assert_eq!(historical_bytes(true, "")[4], 0xC0);
        assert_eq!(historical_bytes(false, "")[4], 0x80);
    }
}
