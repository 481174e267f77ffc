//! The application identifier (OpenPGP card 4.2.1): who made the card, its number, and which version it speaks.

use crate::card::CardError;

/// What every OpenPGP card's AID begins with: RID of FSF Europe, application 01.
pub(super) const AID: &[u8] = &[0xD2, 0x76, 0x00, 0x01, 0x24, 0x01];

/// Version of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Version(pub(super) u8, pub(super) u8);

impl Version {
    /// From here on there are three certificates, chosen by SELECT DATA.
    pub(super) const THREE_CERTIFICATES: Self = Self(3, 0);
    /// The card tells which algorithms its keys can have.
    pub(super) const ALGORITHM_INFORMATION: Self = Self(3, 4);
    /// From here on VERIFY with P1 = FF ends a verified state.
    pub(super) const LOG_OUT: Self = Self(3, 1);
}

/// A whole AID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Identifier {
    pub(super) bytes: [u8; 16],
    pub(super) version: Version,
    pub(super) manufacturer: u16,
    pub(super) serial: u32,
}

impl Identifier {
    /// Reads content of DO 4F.
    pub(super) fn parse(content: &[u8]) -> Result<Self, CardError> {
        const MALFORMED: CardError = CardError::Malformed { what: "application identifier" };
        let bytes: [u8; 16] = content.try_into().map_err(|_| MALFORMED)?;
        let rest = bytes.strip_prefix(AID).ok_or(MALFORMED)?;
        let [major, minor, maker_high, maker_low, s0, s1, s2, s3, _, _] = rest else {
            return Err(MALFORMED);
        };
        Ok(Self {
            bytes,
            version: Version(*major, *minor),
            manufacturer: u16::from_be_bytes([*maker_high, *maker_low]),
            serial: u32::from_be_bytes([*s0, *s1, *s2, *s3]),
        })
    }

    /// Manufacturer and number, which together are unique: twelve hexadecimal digits.
    pub(super) fn serial_text(&self) -> String {
        format!("{:04X}{:08X}", self.manufacturer, self.serial)
    }

    /// Name of the manufacturer as the FSF Europe has registered it.
    pub(super) fn manufacturer_name(&self) -> String {
        let known = MANUFACTURERS.iter().find(|(number, _)| *number == self.manufacturer);
        match (known, self.manufacturer) {
            (Some((_, name)), _) => (*name).to_owned(),
            (None, 0xFF00..=0xFFFE) => "Unmanaged numbers".to_owned(),
            (None, number) => format!("Manufacturer {number:04X}"),
        }
    }
}

/// Yubico's number, whose cards have quirks.
pub(super) const YUBICO: u16 = 0x0006;

/// Registered manufacturers (GnuPG's list of 2024).
const MANUFACTURERS: &[(u16, &str)] = &[
    (0x0000, "Test card"),
    (0x0001, "PPC Card Systems"),
    (0x0002, "Prism"),
    (0x0003, "OpenFortress"),
    (0x0004, "Wewid"),
    (0x0005, "ZeitControl"),
    (YUBICO, "Yubico"),
    (0x0007, "OpenKMS"),
    (0x0008, "LogoEmail"),
    (0x0009, "Fidesmo"),
    (0x000A, "VivoKey"),
    (0x000B, "Feitian Technologies"),
    (0x000D, "Dangerous Things"),
    (0x000E, "Excelsecu"),
    (0x000F, "Nitrokey"),
    (0x002A, "Magrathea"),
    (0x0042, "GnuPG e.V."),
    (0x1337, "Warsaw Hackerspace"),
    (0x2342, "warpzone"),
    (0x4354, "Confidential Technologies"),
    (0x5343, "SSE Carte à puce"),
    (0x5443, "TIF-IT e.V."),
    (0x63AF, "Trustica"),
    (0xBA53, "c-base e.V."),
    (0xBD0E, "Paranoidlabs"),
    (0xCA05, "Atos CardOS"),
    (0xF1D0, "CanoKeys"),
    (0xF517, "FSIJ"),
    (0xF5EC, "F-Secure"),
    (0xFFFF, "Test card"),
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_tells_version_manufacturer_and_number() {
        let bytes = hex::decode("D2760001240103040006123456780000").unwrap();
        let identifier = Identifier::parse(&bytes).unwrap();
        assert_eq!(identifier.version, Version(3, 4));
        assert_eq!(identifier.manufacturer_name(), "Yubico");
        assert_eq!(identifier.serial_text(), "000612345678");
    }

    #[test]
    fn what_is_no_identifier_of_this_application_is_refused() {
        for bytes in
            ["", "D27600012401", "D27600012402030400061234567800", "D2760001240203040006123456780000", "A000000308"]
        {
            assert!(Identifier::parse(&hex::decode(bytes).unwrap()).is_err(), "{bytes}");
        }
        assert!(Identifier::parse(&[0; 17]).is_err());
    }
}
