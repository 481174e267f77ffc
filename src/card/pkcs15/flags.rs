//! The named bits of ISO 7816-15; a bit's number there is its number here. Unknown bits are kept.

/// Declares a set of named bits.
macro_rules! named_bits {
    ($(#[$about:meta])* $name:ident { $($(#[$bit_about:meta])* $bit:ident = $number:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $name(pub u32);

        impl $name {
            /// No bit.
            pub const NONE: Self = Self(0);
            $($(#[$bit_about])* pub const $bit: Self = Self(1 << $number);)*

            /// Whether all bits of `other` are set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether any bit of `other` is set.
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// The bits of both.
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                self.union(other)
            }
        }
    };
}

named_bits! {
    /// CommonObjectFlags (PKCS#15 6.1.9).
    ObjectFlags {
        /// Readable only after authentication (`CKA_PRIVATE`).
        PRIVATE = 0,
        /// `CKA_MODIFIABLE`.
        MODIFIABLE = 1,
        /// Not for the outside (ISO 7816-15).
        INTERNAL = 2,
    }
}

named_bits! {
    /// KeyUsageFlags (PKCS#15 6.3.1).
    KeyUsage {
        /// Encryption.
        ENCRYPT = 0,
        /// Decryption.
        DECRYPT = 1,
        /// Signatures with appendix.
        SIGN = 2,
        /// Signatures with message recovery.
        SIGN_RECOVER = 3,
        /// Wrapping of keys.
        WRAP = 4,
        /// Unwrapping of keys.
        UNWRAP = 5,
        /// Verification.
        VERIFY = 6,
        /// Verification with message recovery.
        VERIFY_RECOVER = 7,
        /// Key derivation and agreement.
        DERIVE = 8,
        /// Signatures that bind their owner.
        NON_REPUDIATION = 9,
    }
}

named_bits! {
    /// KeyAccessFlags (PKCS#15 6.3.1).
    AccessFlags {
        /// `CKA_SENSITIVE`.
        SENSITIVE = 0,
        /// `CKA_EXTRACTABLE`.
        EXTRACTABLE = 1,
        /// `CKA_ALWAYS_SENSITIVE`.
        ALWAYS_SENSITIVE = 2,
        /// `CKA_NEVER_EXTRACTABLE`.
        NEVER_EXTRACTABLE = 3,
        /// Generated on the card (`CKA_LOCAL`).
        LOCAL = 4,
    }
}

named_bits! {
    /// PinFlags (PKCS#15 6.8.2, ISO 7816-15 8.9.2).
    PinFlags {
        /// Upper and lower case differ.
        CASE_SENSITIVE = 0,
        /// Valid in its application only.
        LOCAL = 1,
        /// Cannot be changed.
        CHANGE_DISABLED = 2,
        /// Cannot be unblocked.
        UNBLOCK_DISABLED = 3,
        /// Has a value.
        INITIALIZED = 4,
        /// Is padded to the stored length.
        NEEDS_PADDING = 5,
        /// Unblocks others.
        UNBLOCKING_PIN = 6,
        /// Is the security officer's.
        SO_PIN = 7,
        /// Verification can be switched off.
        DISABLE_ALLOWED = 8,
        /// Wants integrity protection on its way.
        INTEGRITY_PROTECTED = 9,
        /// Wants confidentiality on its way.
        CONFIDENTIALITY_PROTECTED = 10,
        /// A change proves the old value.
        EXCHANGE_REFERENCE_DATA = 11,
    }
}

named_bits! {
    /// TokenFlags (PKCS#15 6.9).
    TokenFlags {
        /// `CKF_WRITE_PROTECTED`.
        READ_ONLY = 0,
        /// `CKF_LOGIN_REQUIRED`.
        LOGIN_REQUIRED = 1,
        /// Has a random generator.
        PRN_GENERATION = 2,
        /// Follows the electronic identification profile.
        EID_COMPLIANT = 3,
    }
}

named_bits! {
    /// Operations of an algorithm (PKCS#15 6.9).
    Operations {
        /// Cryptographic checksum.
        COMPUTE_CHECKSUM = 0,
        /// Signature.
        COMPUTE_SIGNATURE = 1,
        /// Checksum verification.
        VERIFY_CHECKSUM = 2,
        /// Signature verification.
        VERIFY_SIGNATURE = 3,
        /// Encryption.
        ENCIPHER = 4,
        /// Decryption.
        DECIPHER = 5,
        /// Digest.
        HASH = 6,
        /// Key generation.
        GENERATE_KEY = 7,
        /// Key derivation.
        DERIVE_KEY = 8,
    }
}
