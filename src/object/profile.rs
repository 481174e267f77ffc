//! Profile objects: which conformance clauses the token meets (PKCS#11 3.2 section 4.13).

use cryptoki_sys::*;

use super::{Content, Object, storage};

/// Certificates can be found and read without login (PKCS#11 Profiles 3.1, "Public Certificates Token").
/// GnuTLS and NSS then list certificates without asking for the PIN.
pub(super) fn public_certificates(token: &str) -> Object {
    let profile = CKP_PUBLIC_CERTIFICATES_TOKEN;
    let attributes =
        storage(CKO_PROFILE, false, "", &[token.as_bytes(), &profile.to_be_bytes()]).ulong(CKA_PROFILE_ID, profile);
    Object::new(attributes, Content::Plain)
}
