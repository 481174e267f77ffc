//! From BER to DER (ITU-T X.690 8.1 and 10): PKCS#12 files of NSS and of Java have lengths that are not known at the
//! beginning, and octet strings in pieces.

use cardea_pkcs11::secret::SecretBytes;

/// How deep structures may lie in each other.
const DEEPEST: u32 = 32;
/// A length that the end of the contents tells.
const INDEFINITE: u8 = 0x80;
/// Bit 6 of a tag: the contents are values themselves.
const CONSTRUCTED: u8 = 0x20;
const OCTET_STRING: u8 = 0x04;

/// The first value in `ber`, in DER as far as lengths and octet strings go.
pub(crate) fn to_der(ber: &[u8]) -> Option<SecretBytes> {
    let mut rest = ber;
    value(&mut rest, DEEPEST).map(|value| value.encode())
}

/// One value: its tag and contents.
struct Value {
    tag: u8,
    contents: SecretBytes,
}

impl Value {
    fn encode(&self) -> SecretBytes {
        let length = self.contents.len().to_be_bytes();
        let zeros = length.iter().take_while(|byte| **byte == 0).count();
        let length = length.get(zeros..).unwrap_or_default();
        let mut der = SecretBytes::new(Vec::with_capacity(self.contents.len() + 2 + length.len()));
        der.push(self.tag);
        match *length {
            [] => der.push(0),
            [short] if short < 0x80 => der.push(short),
            _ => {
                der.push(0x80 | u8::try_from(length.len()).unwrap_or(0x7F));
                der.extend_from_slice(length);
            }
        }
        der.extend_from_slice(&self.contents);
        der
    }
}

fn value(rest: &mut &[u8], depth: u32) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let tag = byte(rest)?;
    // No structure here has tags of several bytes.
    if tag & 0x1F == 0x1F {
        return None;
    }
    let constructed = tag & CONSTRUCTED != 0;
    let first = byte(rest)?;
    if first == INDEFINITE {
        return if constructed { until_end(rest, tag, depth) } else { None };
    }
    let length = if first < 0x80 {
        usize::from(first)
    } else {
        let mut length = 0_usize;
        for _ in 0..first & 0x7F {
            length = length.checked_mul(0x100)?.checked_add(usize::from(byte(rest)?))?;
        }
        length
    };
    let (mut contents, after) = rest.split_at_checked(length)?;
    *rest = after;
    if !constructed {
        return Some(Value { tag, contents: SecretBytes::new(contents.to_vec()) });
    }
    let mut parts = Vec::new();
    while !contents.is_empty() {
        parts.push(value(&mut contents, depth)?);
    }
    Some(together(tag, &parts))
}

/// The contents up to the two zeros that end them.
fn until_end(rest: &mut &[u8], tag: u8, depth: u32) -> Option<Value> {
    let mut parts = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(&[0, 0]) {
            *rest = after;
            return Some(together(tag, &parts));
        }
        parts.push(value(rest, depth)?);
    }
}

/// A value of its parts; the pieces of an octet string are joined.
fn together(tag: u8, parts: &[Value]) -> Value {
    let joins = tag == OCTET_STRING | CONSTRUCTED;
    let encoded: Vec<SecretBytes> = parts.iter().map(Value::encode).collect();
    let pieces: Vec<&[u8]> = if joins {
        parts.iter().map(|part| part.contents.as_slice()).collect()
    } else {
        encoded.iter().map(|part| part.as_slice()).collect()
    };
    let mut contents = SecretBytes::new(Vec::with_capacity(pieces.iter().map(|piece| piece.len()).sum()));
    pieces.iter().for_each(|piece| contents.extend_from_slice(piece));
    Value { tag: if joins { OCTET_STRING } else { tag }, contents }
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(*first)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn converted(ber: &str) -> Option<String> {
        to_der(&hex::decode(ber).unwrap()).map(|der| hex::encode_upper(&*der))
    }

    #[test]
    fn lengths_become_definite_and_short() {
        assert_eq!(converted("3080020101040200FF0000"), Some("3007020101040200FF".to_owned()));
        assert_eq!(converted("30820003020105"), Some("3003020105".to_owned()));
        let long = format!("04820100{}", "5A".repeat(256));
        assert_eq!(converted(&long), Some(long));
    }

    #[test]
    fn pieces_of_an_octet_string_are_joined() {
        assert_eq!(converted("24800401010402020300000000"), Some("0403010203".to_owned()));
        assert_eq!(converted("240704010124020400"), Some("040101".to_owned()));
    }

    #[test]
    fn what_ends_early_lies_too_deep_or_has_no_end_is_refused() {
        for ber in ["", "30", "3005020101", "3080020101", "0480", "3084FFFFFFFF", "1F0100"] {
            assert_eq!(converted(ber), None, "{ber}");
        }
        assert_eq!(converted(&"3080".repeat(100_000)), None);
    }
}
