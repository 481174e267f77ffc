//! Level 2: programs that others wrote, with the built module.

pub mod child;
mod counting;
mod cryptoki;
mod engine;
mod git;
mod gnupg;
pub mod golden;
mod java;
pub mod keys;
mod killing;
mod memory;
mod nss;
mod openpgp;
mod openssh;
pub mod openssl;
mod openvpn;
mod p11_kit;
mod p11tool;
mod pkcs11_tool;
pub mod program;
mod python;
mod sharing;
pub mod station;
mod strongswan;
mod trace;
mod web;
mod writing;
