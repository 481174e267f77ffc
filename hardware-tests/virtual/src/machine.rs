//! The virtual machine: Debian packages of the distribution that the host runs, unpacked into memory, under QEMU.

mod archive;
mod guest;
mod image;
mod kernel;
mod packages;

pub use guest::{Agent, Guest};
pub use image::Image;
