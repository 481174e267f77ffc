//! Entries as cards have them, what becomes of broken ones, and a card with files in memory.

mod card;
mod contract;
mod entries;
mod files;
mod hostile;
mod round_trip;
mod vectors;

use super::*;

/// The entry in a vector, which must be one.
fn entry<T: Entry>(text: &str) -> T {
    let file = DirectoryFile::<T>::parse(&bytes(text)).unwrap();
    assert_eq!(file.items().len(), 1);
    let item = file.items().first().unwrap();
    match &item.entry {
        Ok(Some(entry)) => T::decode(&only(&entry.encode())).unwrap().unwrap(),
        Ok(None) => panic!("not an entry of the {}", T::FILE),
        Err(error) => panic!("{error:?} in the {}", T::FILE),
    }
}

/// The data object that these bytes are.
fn only(encoded: &[u8]) -> cardea_apdu::Tlv<'_> {
    let object = cardea_apdu::tlv::Reader::new(encoded).next().unwrap().unwrap();
    assert_eq!(object.encoded().len(), encoded.len());
    object
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.replace([' ', '\n'], "")).unwrap()
}
