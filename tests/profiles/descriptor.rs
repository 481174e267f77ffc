//! The descriptors, as libccid's `parse` tool printed them.

use std::fs;
use std::path::{Path, PathBuf};

use cardea_pkcs11::profile::UsbId;

/// dwFeatures: TPDU level exchange (CCID 1.1 5.1).
pub const TPDU: u32 = 0x0001_0000;
/// dwFeatures: short APDU level exchange.
pub const SHORT_APDU: u32 = 0x0002_0000;
/// dwFeatures: short and extended APDU level exchange.
pub const EXTENDED_APDU: u32 = 0x0004_0000;
/// dwFeatures: all bits of the exchange level; none set is character level.
pub const EXCHANGE_LEVEL: u32 = 0x0007_0000;
/// bPINSupport: verification.
pub const PIN_VERIFY: u8 = 0x01;
/// bPINSupport: modification.
pub const PIN_MODIFY: u8 = 0x02;

/// How many files there are, with the list of readers; fewer would be a test that asserts less than it says.
const FILES: usize = 692;
/// libccid's list of what it supports lies with the descriptors.
const LIST: &str = "supported_readers.txt";

/// One CCID interface of a reader.
#[derive(Debug, Clone)]
pub struct Interface {
    pub file: String,
    pub id: UsbId,
    /// bcdDevice as printed, `1.02`.
    pub firmware: String,
    /// bInterfaceProtocol: 0 CCID, 1 and 2 ICCD versions A and B.
    pub protocol: u8,
    /// dwProtocols: bit 0 T=0, bit 1 T=1.
    pub card_protocols: u32,
    pub features: u32,
    pub message_length: u32,
    pub mechanical: u32,
    pub pin_support: u8,
}

/// The folder with the descriptors, or `None` after saying that it is not there.
pub fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/ccid-readers");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no descriptors in {}", folder.display());
    None
}

/// All interfaces of all readers, or `None` after saying why not.
pub fn interfaces() -> Option<Vec<Interface>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder()?).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert_eq!(paths.len(), FILES);
    paths.retain(|path| !path.ends_with(LIST));
    let interfaces: Vec<Interface> = paths.iter().flat_map(|path| read(path)).collect();
    assert!(interfaces.len() > FILES);
    Some(interfaces)
}

fn read(path: &Path) -> Vec<Interface> {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let file = path.file_name().unwrap().to_string_lossy().into_owned();
    let sections: Vec<&str> = text.split("idVendor:").collect();
    assert!(sections.len() > 1, "{file} has no idVendor");
    sections[1..].iter().map(|section| interface(&file, section)).collect()
}

fn interface(file: &str, section: &str) -> Interface {
    let field = |name: &str| {
        let line = section.lines().find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("{file} has no {name}")).trim().to_owned()
    };
    let first = |name: &str| field(name).split_whitespace().next().unwrap().to_owned();
    let hexadecimal = |text: &str| u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let vendor = hexadecimal(section.split_whitespace().next().unwrap());
    Interface {
        file: file.to_owned(),
        id: UsbId {
            vendor: u16::try_from(vendor).unwrap(),
            product: u16::try_from(hexadecimal(&first("idProduct"))).unwrap(),
        },
        firmware: first("bcdDevice"),
        protocol: first("bInterfaceProtocol").parse().unwrap(),
        // Two halves of 16 bits, of which the upper is reserved.
        card_protocols: hexadecimal(field("dwProtocols").split_whitespace().nth(1).unwrap()),
        features: hexadecimal(&first("dwFeatures")),
        message_length: first("dwMaxCCIDMessageLength").parse().unwrap(),
        mechanical: hexadecimal(&first("dwMechanical")),
        pin_support: u8::try_from(hexadecimal(&first("bPINSupport"))).unwrap(),
    }
}
