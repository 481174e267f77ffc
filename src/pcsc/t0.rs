//! Command APDUs as T=0 carries them (ISO 7816-3 12.2.1). PC/SC leaves that to the caller: `SCardTransmit` hands what it
//! gets to readers that exchange TPDUs, and cards answer 6700 to a byte too many.

use std::borrow::Cow;

/// The command TPDU for a short command APDU: five bytes at least, and no Le behind data. What is there for Le comes
/// as 61xx and is fetched with GET RESPONSE. Extended length has no such form and stays as it is.
pub(super) fn tpdu(command: &[u8]) -> Cow<'_, [u8]> {
    match command {
        [cla, ins, p1, p2] => Cow::Owned(vec![*cla, *ins, *p1, *p2, 0]),
        [_, _, _, _, lc @ 1..=255, data @ .., _] if data.len() == usize::from(*lc) => {
            Cow::Borrowed(command.get(..5 + data.len()).unwrap_or(command))
        }
        _ => Cow::Borrowed(command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex::decode;

    #[test]
    fn each_case_of_short_commands_has_its_tpdu() {
        for (apdu, expected) in [
            // case 1
            ("00200080", "0020008000"),
            // case 2
            ("00C0000010", "00C0000010"),
            // case 3
            ("00DB3FFF025C00", "00DB3FFF025C00"),
            // case 4
            ("00A404000502030405060A", "00A40400050203040506"),
            ("00CB3FFF025C0000", "00CB3FFF025C00"),
        ] {
            assert_eq!(tpdu(&decode(apdu).unwrap()).as_ref(), decode(expected).unwrap(), "{apdu}");
        }
    }

    #[test]
    fn what_is_no_short_command_stays_as_it_is() {
        for apdu in ["", "00A404", "00CB3FFF0000025C000000", "00CB3FFF000000", "00A4040005020304"] {
            let apdu = decode(apdu).unwrap();
            assert_eq!(tpdu(&apdu).as_ref(), apdu);
        }
    }
}
