//! PKCS#15 v1.1 and ISO 7816-15: how a card with a file system says what it holds.
//!
//! The layer under the drivers of such cards. [`Application`] is found, [`Directory::read`] gives everything that it
//! lists, [`Files`] reads and changes the files; entries are plain structures that read ([`Entry::decode`]) and write
//! ([`Entry::encode`]) themselves. What a key does on the card, and with which commands, is the driver's business.
//!
//! Everything comes from a card and is bounded: [`directory_file::ENTRIES_MAX`] entries in a file,
//! [`binary::FILE_MAX`] bytes in one, no recursion. A mistake in one entry hides no other.

#![forbid(unsafe_code)]

pub mod application;
pub mod application_template;
pub mod binary;
pub mod certificate;
mod contract;
pub mod data;
mod der;
pub mod directory_file;
pub mod file;
pub mod flags;
pub mod key;
pub mod key_pair;
pub mod object;
pub mod object_directory;
pub mod path;
pub mod pin;
pub mod secret_key;
pub mod token_info;

pub use application::{Application, Directory, Listing, entries};
pub use application_template::ApplicationTemplate;
pub use certificate::CertificateEntry;
pub use data::DataEntry;
pub use directory_file::{DirectoryFile, Item};
pub use file::{FileControl, Files};
pub use flags::{AccessFlags, KeyUsage, ObjectFlags, Operations, PinFlags, TokenFlags};
pub use key::{KeyAlgorithm, KeyAttributes, KeyInfo, PairAttributes};
pub use key_pair::{PrivateKeyEntry, PublicKeyEntry};
pub use object::{Common, Entry, EntryError, ObjectValue};
pub use object_directory::{ObjectClass, ObjectDirectoryEntry, Place, UnusedSpaceEntry};
pub use path::{Location, Path};
pub use pin::{PinEntry, PinType};
pub use secret_key::{SecretKeyAlgorithm, SecretKeyEntry};
pub use token_info::{AlgorithmInfo, TokenInfo};

#[cfg(test)]
mod tests;
