//! **Cardea**: Cryptoki (PKCS#11 2.40, 3.0, 3.2) for smartcards and USB tokens over PC/SC.
//!
//! Built as `libcardea_pkcs11.so`, which programs load like any other PKCS#11 module, and as a Rust library for the
//! `cardea` command and the tests. Five floors; a call goes down, an answer comes up, nothing calls upward:
//!
//! | floor | modules |
//! |---|---|
//! | 5 the C boundary | [`ffi`] |
//! | 4 meaning | [`session`], [`slot`], [`token`], [`object`], [`mechanism`] |
//! | 3 cards | [`card`] |
//! | 2 channels | [`channel`] |
//! | 1 the link | [`pcsc`] |

#[cfg(panic = "abort")]
compile_error!(
    "Cardea is loaded into other programs: a panic must end one call, not the host; build with panic = \"unwind\""
);

pub mod card;
pub mod channel;
pub mod configuration;
pub mod environment;
pub mod error;
pub mod ffi;
pub mod handle;
pub mod journal;
pub mod library;
pub mod log;
pub mod mechanism;
pub mod object;
pub mod own_file;
pub mod pcsc;
pub mod profile;
pub mod registry;
pub mod secret;
pub mod session;
pub mod slot;
pub mod sync;
pub mod token;
