//! A USB smartcard reader without hardware: USB/IP ([`usbip`]) carries the USB class CCID ([`ccid`]) from a virtual
//! reader of the bench to a kernel that takes it for plugged in, the kernel of a virtual machine ([`machine`]).
//!
//! Nothing here depends on the module under test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

pub mod ccid;
pub mod machine;
pub mod usb;
pub mod usbip;
