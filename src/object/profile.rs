//! Profile objects: which conformance clauses the token meets (PKCS#11 3.2 section 4.13).
//!
//! PKCS#11 Profiles 3.2 has every other profile build on the baseline, and wants an object for each that is claimed.

use cryptoki_sys::*;

use super::{Content, Object, storage};
use crate::card::CardObject;

/// Every profile that a token here may claim, in the order of the clauses.
///
/// - Baseline Provider (5.1) and Extended Provider (5.3): the functions are there for every token.
/// - Authentication Token (5.4): there is a private key that signs, and its public half.
/// - Public Certificates Token (5.5): certificates can be found and read without login. GnuTLS and NSS then list them
///   without asking for the PIN.
pub(super) const ALL: [CK_PROFILE_ID; 4] =
    [CKP_BASELINE_PROVIDER, CKP_EXTENDED_PROVIDER, CKP_AUTHENTICATION_TOKEN, CKP_PUBLIC_CERTIFICATES_TOKEN];

/// The object that claims a profile for the token with this serial number.
pub(super) fn object(token: &str, profile: CK_PROFILE_ID) -> Object {
    let attributes =
        storage(CKO_PROFILE, false, "", &[token.as_bytes(), &profile.to_be_bytes()]).ulong(CKA_PROFILE_ID, profile);
    Object::new(attributes, Content::Plain)
}

/// Whether this object of a card, with its public half, makes an authentication token of it.
pub(super) fn authenticates(card: &CardObject) -> bool {
    matches!(card, CardObject::PrivateKey(key) if key.usage.sign)
}
