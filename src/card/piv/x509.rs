//! What the certificate of a PIV key says about its use.

use crate::card::Usage;
use crate::card::key::KeyKind;
use crate::card::x509::KeyUsage;
pub(super) use crate::card::x509::{Fields, fields};

use super::key_reference::{PivKey, intersection, possible_usage};

/// What a key of this kind under this reference is meant for.
///
/// The key usage extension decides, as far as a key of this kind can do what it says. Where it says nothing
/// that the key can do, the reference decides; without the extension, RFC 5280 allows all that the key can do.
pub(super) fn usage(key: PivKey, kind: KeyKind, key_usage: Option<KeyUsage>) -> Usage {
    let Some(key_usage) = key_usage else {
        return possible_usage(kind);
    };
    let stated = intersection(key_usage.usage(), possible_usage(kind));
    if stated == Usage::default() { key.usage(kind) } else { stated }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
pub(super) mod tests;
