//! Level 2: programs that others wrote, with the built module.

pub mod child;
mod cryptoki;
pub mod golden;
pub mod keys;
mod openssh;
pub mod openssl;
mod p11tool;
mod pkcs11_tool;
pub mod program;
mod python;
pub mod station;
mod trace;
