//! Secret keys on the host: created, generated, agreed on and unwrapped (PKCS#11 3.2 section 4.10).

use cryptoki_sys::*;

use super::attribute::Attributes;
use super::rule::{Change, Creator, Form, Given, KEY, Rule, STORAGE, parse, rule};
use super::template::Template;
use super::{Content, Object, unique_id};
use crate::error::Error;
use crate::mechanism::Hash;
use crate::mechanism::symmetric::{
    SecretKey, SecretKind, cipher_check_value, has_odd_parity, secret_check_value, set_odd_parity,
};
use crate::mechanism::table::mechanisms_for_secret;
use crate::secret::LockedBytes;

/// Longest secret in bytes.
const LONGEST: CK_ULONG = 65_536;

/// What holds for secret keys however they come about.
pub(super) const RULES: &[Rule] = &[
    rule(CKA_SENSITIVE, Form::Boolean, Given::Boolean(false), Change::OnceTrue),
    rule(CKA_ENCRYPT, Form::Boolean, Given::Absent, Change::Free),
    rule(CKA_DECRYPT, Form::Boolean, Given::Absent, Change::Free),
    rule(CKA_SIGN, Form::Boolean, Given::Absent, Change::Free),
    rule(CKA_VERIFY, Form::Boolean, Given::Absent, Change::Free),
    // Not by default: whoever may both unwrap and decrypt with a key learns what it wraps.
    rule(CKA_WRAP, Form::Boolean, Given::Boolean(false), Change::Free),
    rule(CKA_UNWRAP, Form::Boolean, Given::Boolean(false), Change::Free),
    rule(CKA_EXTRACTABLE, Form::Boolean, Given::Boolean(true), Change::OnceFalse),
    rule(CKA_ALWAYS_SENSITIVE, Form::Boolean, Given::Never, Change::Never),
    rule(CKA_NEVER_EXTRACTABLE, Form::Boolean, Given::Never, Change::Never),
    rule(CKA_CHECK_VALUE, Form::Bytes, Given::Absent, Change::Never),
    rule(CKA_WRAP_WITH_TRUSTED, Form::Boolean, Given::Boolean(false), Change::OnceTrue),
    rule(CKA_TRUSTED, Form::Boolean, Given::Boolean(false), Change::Officer),
    rule(CKA_WRAP_TEMPLATE, Form::Template, Given::Absent, Change::Never),
    rule(CKA_UNWRAP_TEMPLATE, Form::Template, Given::Absent, Change::Never),
    rule(CKA_DERIVE_TEMPLATE, Form::Template, Given::Absent, Change::Never),
];
/// C_CreateObject: the caller has the value.
const CREATED: &[Rule] = &[
    rule(CKA_VALUE, Form::Bytes, Given::Required, Change::Never),
    rule(CKA_VALUE_LEN, Form::Number, Given::Never, Change::Never),
];
/// All other functions: the caller says at most how long the value is to be.
pub(super) const MADE: &[Rule] = &[
    rule(CKA_VALUE, Form::Bytes, Given::Never, Change::Never),
    rule(CKA_VALUE_LEN, Form::Number, Given::Absent, Change::Never),
];

/// Types of keys, their kinds, and the only length in bytes that some have.
const TYPES: [(CK_KEY_TYPE, SecretKind, Option<CK_ULONG>); 11] = [
    (CKK_GENERIC_SECRET, SecretKind::Generic, None),
    (CKK_AES, SecretKind::Aes, None),
    (CKK_SHA_1_HMAC, SecretKind::Hmac(Hash::Sha1), None),
    (CKK_SHA224_HMAC, SecretKind::Hmac(Hash::Sha224), None),
    (CKK_SHA256_HMAC, SecretKind::Hmac(Hash::Sha256), None),
    (CKK_SHA384_HMAC, SecretKind::Hmac(Hash::Sha384), None),
    (CKK_SHA512_HMAC, SecretKind::Hmac(Hash::Sha512), None),
    (CKK_HKDF, SecretKind::Hkdf, None),
    (CKK_DES2, SecretKind::Des2, Some(16)),
    (CKK_DES3, SecretKind::Des3, Some(24)),
    (CKK_CHACHA20, SecretKind::Other, Some(32)),
];

/// How the value came about, and what that says about its past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// C_CreateObject.
    Created,
    /// C_GenerateKey by this mechanism.
    Generated(u64),
    /// C_DeriveKey from a base key with these attributes (PKCS#11 3.2 6.3.18).
    Derived {
        /// CKA_ALWAYS_SENSITIVE of the base key.
        always_sensitive: bool,
        /// CKA_NEVER_EXTRACTABLE of the base key.
        never_extractable: bool,
    },
    /// C_UnwrapKey.
    Unwrapped,
}

/// Judges a template for a key that the card is to keep, as far as it says what no secret key takes.
pub fn judge(template: &Template, origin: Origin, creator: Creator) -> Result<(), Error> {
    if template.ulong(CKA_CLASS)?.is_some_and(|class| class != CKO_SECRET_KEY) {
        return Err(Error::TemplateInconsistent);
    }
    let value_rules = if origin == Origin::Created { CREATED } else { MADE };
    parse(template, &[STORAGE, KEY, RULES, value_rules], creator).map(drop)
}

/// What a template asks of a secret key.
pub struct Wish {
    /// CKA_VALUE_LEN, or the length that the key type implies.
    pub length: Option<usize>,
    key_type: CK_KEY_TYPE,
    kind: SecretKind,
    attributes: Attributes,
}

impl Wish {
    /// Judges a template for a key that is derived or unwrapped here: a generic secret where the template names no
    /// type, and private, where it does not say, as `private` says, that is, if the key is that it comes from.
    pub fn parse(template: &Template, private: bool, creator: Creator) -> Result<Self, Error> {
        let key_type = template.ulong(CKA_KEY_TYPE)?.unwrap_or(CKK_GENERIC_SECRET);
        Self::of_type(template, key_type, MADE, private, creator)
    }

    /// Judges a template for a key that is generated for a mechanism: its type is the mechanism's, and its length must
    /// be given.
    pub fn generated(template: &Template, kind: SecretKind, creator: Creator) -> Result<Self, Error> {
        let own = key_type(kind);
        if template.ulong(CKA_KEY_TYPE)?.is_some_and(|given| given != own) {
            return Err(Error::TemplateInconsistent);
        }
        let wish = Self::of_type(template, own, MADE, creator.makes_private(), creator)?;
        if wish.length.is_some() { Ok(wish) } else { Err(Error::TemplateIncomplete) }
    }

    fn of_type(
        template: &Template,
        key_type: CK_KEY_TYPE,
        value_rules: &[Rule],
        private: bool,
        creator: Creator,
    ) -> Result<Self, Error> {
        template.consistent()?;
        if template.ulong(CKA_CLASS)?.is_some_and(|class| class != CKO_SECRET_KEY) {
            return Err(Error::TemplateInconsistent);
        }
        creator.session_object(template)?;
        let attributes = parse(template, &[STORAGE, KEY, RULES, value_rules], creator)?;
        let row = TYPES.iter().find(|row| row.0 == key_type).ok_or(Error::AttributeValueInvalid)?;
        let attributes =
            if template.bytes(CKA_PRIVATE).is_none() { attributes.boolean(CKA_PRIVATE, private) } else { attributes };
        // Such a key must not leave the token, and no token here has a place for it: never silently on the host.
        if attributes.is_true(CKA_SENSITIVE) && !attributes.is_true(CKA_EXTRACTABLE) {
            return Err(Error::TemplateInconsistent);
        }
        let length = length(key_type, row.2, attributes.number(CKA_VALUE_LEN))?;
        Ok(Self { length, key_type, kind: row.1, attributes: usages(attributes, row.1) })
    }
}

impl Creator {
    /// What CKA_PRIVATE of a secret key is that a template says nothing about: private to a user who is logged in,
    /// so that it ends with the login, and else public, since it could not be made otherwise.
    fn makes_private(self) -> bool {
        self.role == Some(crate::card::Role::User)
    }
}

/// A key is for everything that its type can do and that protects no other key, unless the template says otherwise.
fn usages(attributes: Attributes, kind: SecretKind) -> Attributes {
    let cipher = kind == SecretKind::Aes || kind.has_parity();
    let code = cipher || matches!(kind, SecretKind::Generic | SecretKind::Hmac(_));
    let defaults = [(CKA_ENCRYPT, cipher), (CKA_DECRYPT, cipher), (CKA_SIGN, code), (CKA_VERIFY, code)];
    defaults.into_iter().fold(attributes, |attributes, (usage, can)| {
        if attributes.find(usage).is_none() { attributes.boolean(usage, can) } else { attributes }
    })
}

/// Bytes that the template wants, or that the key type has by nature.
fn length(key_type: CK_KEY_TYPE, only: Option<CK_ULONG>, wanted: Option<CK_ULONG>) -> Result<Option<usize>, Error> {
    let fits = |bytes: &CK_ULONG| match (key_type, only) {
        (_, Some(only)) => *bytes == only,
        (CKK_AES, None) => matches!(bytes, 16 | 24 | 32),
        (_, None) => (1..=LONGEST).contains(bytes),
    };
    match wanted.or(only) {
        None => Ok(None),
        Some(bytes) if fits(&bytes) => Ok(usize::try_from(bytes).ok()),
        Some(_) => Err(Error::AttributeValueInvalid),
    }
}

/// CKA_KEY_TYPE of keys of a kind.
pub fn key_type(kind: SecretKind) -> CK_KEY_TYPE {
    TYPES.iter().find(|row| row.1 == kind).map_or(CKK_GENERIC_SECRET, |row| row.0)
}

/// A DES key with odd parity, which one that is derived gets and any other must have (PKCS#11 3.2 6.19.1).
fn with_parity(value: LockedBytes, kind: SecretKind, origin: Origin, refusal: Error) -> Result<LockedBytes, Error> {
    match origin {
        _ if !kind.has_parity() || has_odd_parity(value.expose()) => Ok(value),
        Origin::Derived { .. } => LockedBytes::filled(value.len(), |place| {
            place.copy_from_slice(value.expose());
            set_odd_parity(place);
            Ok(())
        }),
        _ => Err(refusal),
    }
}

/// C_CreateObject for a secret key.
pub(super) fn create(template: &Template, creator: Creator, handle: u64) -> Result<Object, Error> {
    let key_type = template.ulong(CKA_KEY_TYPE)?.ok_or(Error::TemplateIncomplete)?;
    let wish = Wish::of_type(template, key_type, CREATED, creator.makes_private(), creator)?;
    let value = LockedBytes::new(template.bytes(CKA_VALUE).unwrap_or_default());
    object(wish, value, Origin::Created, handle)
}

/// The object for `value`; `handle` makes its CKA_UNIQUE_ID different from every other.
///
/// A value that is no key of the type is an `AttributeValueInvalid`, `WrappedKeyInvalid` or, for keys that are made
/// here, a `KeySizeRange`. So is a CKA_CHECK_VALUE that is not the value's.
pub fn object(wish: Wish, value: LockedBytes, origin: Origin, handle: u64) -> Result<Object, Error> {
    let refusal = match origin {
        Origin::Created => Error::AttributeValueInvalid,
        Origin::Unwrapped => Error::WrappedKeyInvalid,
        Origin::Generated(_) | Origin::Derived { .. } => Error::KeySizeRange,
    };
    let own = CK_ULONG::try_from(value.len()).unwrap_or(CK_ULONG::MAX);
    let only = TYPES.iter().find(|row| row.0 == wish.key_type).and_then(|row| row.2);
    let fits = length(wish.key_type, only, Some(own)).is_ok();
    if !fits || wish.length.is_some_and(|length| length != value.len()) {
        return Err(refusal);
    }
    let value = with_parity(value, wish.kind, origin, refusal)?;
    let attributes = checked(wish.attributes, wish.kind, &value)?;
    let (sensitive, extractable) = (attributes.is_true(CKA_SENSITIVE), attributes.is_true(CKA_EXTRACTABLE));
    let (always_sensitive, never_extractable) = match origin {
        Origin::Created | Origin::Unwrapped => (false, false),
        Origin::Generated(_) => (sensitive, !extractable),
        Origin::Derived { always_sensitive, never_extractable } => {
            (always_sensitive && sensitive, never_extractable && !extractable)
        }
    };
    let generated = if let Origin::Generated(mechanism) = origin { Some(mechanism) } else { None };
    let allowed = attributes.shown(CKA_ALLOWED_MECHANISMS).map(<[u8]>::to_vec);
    let attributes = match allowed {
        Some(_) => attributes,
        None => attributes.ulongs(CKA_ALLOWED_MECHANISMS, &mechanisms_for_secret(wish.kind)),
    };
    let attributes = attributes
        .ulong(CKA_CLASS, CKO_SECRET_KEY)
        .ulong(CKA_KEY_TYPE, wish.key_type)
        .boolean(CKA_LOCAL, generated.is_some())
        .ulong(CKA_KEY_GEN_MECHANISM, generated.unwrap_or(CK_UNAVAILABLE_INFORMATION))
        .boolean(CKA_ALWAYS_SENSITIVE, always_sensitive)
        .boolean(CKA_NEVER_EXTRACTABLE, never_extractable)
        .ulong(CKA_VALUE_LEN, own)
        .bytes(CKA_UNIQUE_ID, unique_id(CKO_SECRET_KEY, &[&handle.to_be_bytes()]).as_bytes());
    let attributes = shown(attributes, &value);
    Ok(Object::new(attributes, Content::Secret(SecretKey { kind: wish.kind, value })))
}

/// CKA_VALUE as far as it may be shown.
pub(super) fn shown(attributes: Attributes, value: &LockedBytes) -> Attributes {
    if attributes.is_true(CKA_SENSITIVE) || !attributes.is_true(CKA_EXTRACTABLE) {
        attributes.sensitive(CKA_VALUE)
    } else {
        attributes.bytes(CKA_VALUE, value.expose())
    }
}

/// CKA_CHECK_VALUE (PKCS#11 3.2 4.10.2): computed, and compared where it is given; an empty one asks for none.
fn checked(attributes: Attributes, kind: SecretKind, value: &LockedBytes) -> Result<Attributes, Error> {
    let Some(own) = check_value(kind, value)? else { return Ok(attributes) };
    match attributes.shown(CKA_CHECK_VALUE) {
        None => Ok(attributes.bytes(CKA_CHECK_VALUE, &own)),
        Some(given) if given.is_empty() || given == own => Ok(attributes),
        Some(_) => Err(Error::AttributeValueInvalid),
    }
}

/// CKA_CHECK_VALUE in C_SetAttributeValue and C_CopyObject: an empty one takes it away (PKCS#11 3.2 4.10.2), and any other
/// has to be the key's.
pub(super) fn judge_check_value(key: &SecretKey, given: &[u8]) -> Result<(), Error> {
    let own = check_value(key.kind, &key.value)?;
    if given.is_empty() || own.is_some_and(|own| given == own) { Ok(()) } else { Err(Error::AttributeValueInvalid) }
}

/// The first bytes of zeros enciphered or of the value's hash; `None` for keys that have none.
fn check_value(kind: SecretKind, value: &LockedBytes) -> Result<Option<[u8; 3]>, Error> {
    match kind {
        SecretKind::Generic | SecretKind::Hmac(_) | SecretKind::Hkdf => Ok(Some(secret_check_value(value.expose()))),
        _ => cipher_check_value(kind, value.expose()),
    }
}
