//! The parity of DES keys: an odd number of ones in each byte (FIPS 46-3).

/// Whether every byte has odd parity.
pub fn has_odd_parity(key: &[u8]) -> bool {
    key.iter().fold(1, |all, byte| all & byte.count_ones()) & 1 == 1
}

/// Sets the last bit of each byte so that it has odd parity.
pub fn set_odd_parity(key: &mut [u8]) {
    for byte in key {
        *byte ^= u8::from(byte.count_ones().is_multiple_of(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bit_makes_parity_odd_and_the_others_stay() {
        let mut key: Vec<u8> = (0..=255).collect();
        assert!(!has_odd_parity(&key) && !has_odd_parity(&[1, 0, 1]));
        set_odd_parity(&mut key);
        assert!(has_odd_parity(&key));
        assert!((0..=255_u8).zip(&key).all(|(before, after)| (before ^ after) & 0xFE == 0));
    }
}
