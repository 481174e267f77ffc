//! The IFD handler of the package `virtual-reader` with the driver interface 2.0 of PC/SC Lite.
//!
//! pcscd takes a library for one of version 2.0 where it has no `IFDHCreateChannelByName`, and sends an ejection to no
//! other. So this is a library of its own, and not one that depends on the other, whose symbols it would export.
//!
//! A reader has a number (`CHANNELID`) instead of a name: `CHANNELID 3` is the socket `reader-3` in the directory that the
//! environment variable `CARDEA_VIRTUAL_READERS` of pcscd names.

#[path = "../../virtual-reader/src/ifd.rs"]
pub mod ifd;
#[path = "../../virtual-reader/src/protocol.rs"]
pub mod protocol;
#[path = "../../virtual-reader/src/reader.rs"]
mod reader;
pub mod version_2;
