//! The USB class for smartcard readers (Device Class Specification for USB Chip/Smart Card Interface Devices, 1.10).

mod description;
mod device;
mod exchange;
mod message;
mod parameters;
mod secure;
mod t0;
mod t1;
mod text;

pub use description::{ExchangeLevel, ReaderDescription};
pub use device::CcidReader;
pub use message::{Command, Message, Response};
