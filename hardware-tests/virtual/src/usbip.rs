//! USB/IP (Documentation/usb/usbip_protocol.rst of Linux, version 1.1.1): a device of ours at somebody else's kernel.

mod connection;
pub mod protocol;
mod server;

pub use server::Server;
