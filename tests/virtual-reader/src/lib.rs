//! An IFD handler (PC/SC Lite driver interface 3.0) whose readers live behind Unix sockets.
//!
//! `DEVICENAME unix:/path/to/socket` names one reader. Every question pcscd asks is framed by [`protocol`] and
//! answered by whoever listens there; the driver decides nothing but what concerns itself: that it serves any
//! number of readers in parallel. A listener that goes away is an empty slot, one that comes back is found again.
//!
//! [`ifd`] and [`version_3`] are the C interface, [`reader`] the table of open readers and their connections. The
//! package `virtual-reader-2` builds the same files with the interface 2.0.

pub mod ifd;
pub mod protocol;
mod reader;
pub mod version_3;
