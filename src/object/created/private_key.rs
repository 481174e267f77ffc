//! Private keys that a card makes or takes (PKCS#11 3.2 sections 4.9, 6.1.3, 6.3.4).

use cryptoki_sys::*;
use zeroize::Zeroizing;

use super::public_key::{curve, key_type_number};
use super::{Creator, Rule, info_agrees, named};
use crate::card::key::{KeyKind, PublicKey};
use crate::card::new_key::{NewKey, NewKind, PrivateValue};
use crate::card::number::of_length;
use crate::card::secret_key::SecretUsage;
use crate::card::{Authentication, KeyPolicy, PrivateKey, Storage, Touch, Usage};
use crate::error::Error;
use crate::mechanism::PairType;
use crate::mechanism::rsa::components::{Given as RsaNumbers, complete};
use crate::object::attribute::Attributes;
use crate::object::private_key::{self, PIN_POLICY, TOUCH_POLICY};
use crate::object::private_key_info::{self, DecodedKey};
use crate::object::rule::{Change, Form, Given, KEY, STORAGE, parse, rule};
use crate::object::template::Template;
use crate::object::{Content, Object};
use crate::secret::{LockedBytes, wipe_stack};

/// What holds for private keys of every type. Their usages are what the type can do, unless the template says otherwise.
pub(in crate::object) const RULES: &[Rule] = &[
    rule(CKA_SUBJECT, Form::Bytes, Given::Empty, Change::Free),
    rule(CKA_SENSITIVE, Form::Boolean, Given::Boolean(true), Change::OnceTrue),
    rule(CKA_DECRYPT, Form::Boolean, Given::Absent, Change::Never),
    rule(CKA_SIGN, Form::Boolean, Given::Absent, Change::Never),
    rule(CKA_SIGN_RECOVER, Form::Boolean, Given::Absent, Change::Never),
    rule(CKA_UNWRAP, Form::Boolean, Given::Absent, Change::Never),
    rule(CKA_EXTRACTABLE, Form::Boolean, Given::Boolean(false), Change::OnceFalse),
    rule(CKA_ALWAYS_SENSITIVE, Form::Boolean, Given::Never, Change::Never),
    rule(CKA_NEVER_EXTRACTABLE, Form::Boolean, Given::Never, Change::Never),
    rule(CKA_WRAP_WITH_TRUSTED, Form::Boolean, Given::Boolean(false), Change::OnceTrue),
    rule(CKA_ALWAYS_AUTHENTICATE, Form::Boolean, Given::Boolean(false), Change::Never),
    rule(CKA_DECAPSULATE, Form::Boolean, Given::Boolean(false), Change::Never),
    rule(CKA_PUBLIC_KEY_INFO, Form::Bytes, Given::Empty, Change::Never),
    rule(TOUCH_POLICY, Form::Number, Given::Absent, Change::Never),
    rule(PIN_POLICY, Form::Number, Given::Absent, Change::Never),
];
/// C_GenerateKeyPair: the numbers are the card's to make.
const GENERATED: &[Rule] = &[
    rule(CKA_MODULUS, Form::Bytes, Given::Never, Change::Never),
    rule(CKA_EC_PARAMS, Form::Bytes, Given::Never, Change::Never),
    rule(CKA_VALUE, Form::Bytes, Given::Never, Change::Never),
];
const RSA: &[Rule] = &[
    rule(CKA_MODULUS, Form::Bytes, Given::Required, Change::Never),
    rule(CKA_PUBLIC_EXPONENT, Form::Bytes, Given::Absent, Change::Never),
    rule(CKA_PRIVATE_EXPONENT, Form::Bytes, Given::Absent, Change::Never),
    rule(CKA_PRIME_1, Form::Bytes, Given::Absent, Change::Never),
    rule(CKA_PRIME_2, Form::Bytes, Given::Absent, Change::Never),
    rule(CKA_EXPONENT_1, Form::Bytes, Given::Absent, Change::Never),
    rule(CKA_EXPONENT_2, Form::Bytes, Given::Absent, Change::Never),
    rule(CKA_COEFFICIENT, Form::Bytes, Given::Absent, Change::Never),
];
/// The point is no attribute of a private key, but follows from the value, and OpenSC's programs give it.
const EC: &[Rule] = &[
    rule(CKA_EC_PARAMS, Form::Bytes, Given::Required, Change::Never),
    rule(CKA_VALUE, Form::Bytes, Given::Required, Change::Never),
    rule(CKA_EC_POINT, Form::Bytes, Given::Absent, Change::Never),
];

/// What a template asks of a private key.
pub struct PrivateWish {
    /// For the card.
    pub new: NewKey,
    /// DER Name, which no key file holds: it is shown until the card goes.
    pub subject: Vec<u8>,
    attributes: Attributes,
}

/// C_UnwrapKey: the numbers come out of the wrapping.
const UNWRAPPED: &[Rule] = &[
    rule(CKA_MODULUS, Form::Bytes, Given::Never, Change::Never),
    rule(CKA_PUBLIC_EXPONENT, Form::Bytes, Given::Never, Change::Never),
    rule(CKA_PRIVATE_EXPONENT, Form::Bytes, Given::Never, Change::Never),
    rule(CKA_PRIME_1, Form::Bytes, Given::Never, Change::Never),
    rule(CKA_PRIME_2, Form::Bytes, Given::Never, Change::Never),
    rule(CKA_EXPONENT_1, Form::Bytes, Given::Never, Change::Never),
    rule(CKA_EXPONENT_2, Form::Bytes, Given::Never, Change::Never),
    rule(CKA_COEFFICIENT, Form::Bytes, Given::Never, Change::Never),
    rule(CKA_EC_PARAMS, Form::Bytes, Given::Never, Change::Never),
    rule(CKA_VALUE, Form::Bytes, Given::Never, Change::Never),
    rule(CKA_EC_POINT, Form::Bytes, Given::Never, Change::Never),
];

/// C_CreateObject or C_UnwrapKey for a private key: what is asked of it, its value, and its public half.
pub struct Imported {
    /// What is asked of it.
    pub wish: PrivateWish,
    /// Its value.
    pub value: PrivateValue,
    /// The public half.
    pub public: PublicKey,
}

impl PrivateWish {
    /// Judges the template of a private key that a card generates.
    pub fn generated(template: &Template, kind: KeyKind, creator: Creator) -> Result<Self, Error> {
        let attributes = parse(template, &[STORAGE, KEY, RULES, GENERATED], creator)?;
        Self::new(template, attributes, kind, creator, false)
    }

    /// `known` says whether the value is here and not the card's secret.
    fn new(
        template: &Template,
        attributes: Attributes,
        kind: KeyKind,
        creator: Creator,
        known: bool,
    ) -> Result<Self, Error> {
        let own = key_type_number(PairType::of(kind));
        let class = template.ulong(CKA_CLASS)?.is_none_or(|class| class == CKO_PRIVATE_KEY);
        if !class || template.ulong(CKA_KEY_TYPE)?.is_some_and(|given| given != own) {
            return Err(Error::TemplateInconsistent);
        }
        let on_token = creator.lasting(template)?;
        // A key of the card does not leave it, and no program is let believe that it could. One that was brought for a
        // session leaves in a wrapping where the template says so.
        let stays = on_token || !known;
        let leaves = attributes.is_true(CKA_EXTRACTABLE) || attributes.is_true(CKA_WRAP_WITH_TRUSTED);
        let dated = [CKA_START_DATE, CKA_END_DATE].into_iter().any(|date| is_given(&attributes, date));
        let bound = [CKA_MODIFIABLE, CKA_DESTROYABLE].into_iter().any(|fate| !attributes.is_true(fate));
        if stays && leaves || on_token && (dated || bound) {
            return Err(Error::TemplateInconsistent);
        }
        let private = template.boolean(CKA_PRIVATE)?.unwrap_or(true);
        let always_authenticate = attributes.is_true(CKA_ALWAYS_AUTHENTICATE);
        if always_authenticate && !private {
            return Err(Error::TemplateInconsistent);
        }
        let new = NewKey {
            kind: NewKind::Private(kind),
            storage: if on_token { Storage::Token } else { Storage::Volatile },
            id: attributes.shown(CKA_ID).unwrap_or_default().to_vec(),
            label: text(&attributes, CKA_LABEL),
            usage: usage(template, kind)?,
            secret_usage: SecretUsage::default(),
            extractable: false,
            generated: false,
            private,
            always_authenticate,
            policy: policy(&attributes)?,
        };
        Ok(Self { new, subject: attributes.shown(CKA_SUBJECT).unwrap_or_default().to_vec(), attributes })
    }

    /// The session object for a key in the card's volatile memory.
    pub fn session_object(&self, token: &str, key: &PrivateKey, handle: u64) -> Object {
        let object = private_key::object(token, key);
        let given = [CKA_SUBJECT, CKA_START_DATE, CKA_END_DATE, CKA_MODIFIABLE, CKA_DESTROYABLE];
        let given = given.into_iter().chain([CKA_EXTRACTABLE, CKA_WRAP_WITH_TRUSTED]);
        let attributes = given.fold(object.attributes().clone(), |attributes, attribute| {
            attributes.bytes(attribute, self.attributes.shown(attribute).unwrap_or_default())
        });
        let attributes = attributes
            .boolean(CKA_TOKEN, false)
            .boolean(CKA_COPYABLE, false)
            .boolean(CKA_PRIVATE, key.authentication != Authentication::Never);
        Object::new(named(attributes, CKO_PRIVATE_KEY, handle), Content::PrivateKey(key.clone()))
    }
}

impl Imported {
    /// Judges the template of a private key with its value.
    pub fn parse(template: &Template, creator: Creator) -> Result<Self, Error> {
        template.consistent()?;
        let key_type = template.ulong(CKA_KEY_TYPE)?.ok_or(Error::TemplateIncomplete)?;
        let own = match key_type {
            CKK_RSA => RSA,
            CKK_EC | CKK_EC_EDWARDS | CKK_EC_MONTGOMERY => EC,
            _ => return Err(Error::AttributeValueInvalid),
        };
        let attributes = parse(template, &[STORAGE, KEY, RULES, own], creator)?;
        let judged = if key_type == CKK_RSA { rsa(&attributes) } else { on_curve(&attributes, key_type) };
        wipe_stack();
        let (value, public) = judged?;
        info_agrees(&attributes, &public)?;
        let wish = PrivateWish::new(template, attributes, public.kind(), creator, true)?;
        Ok(Self { wish, value, public })
    }

    /// C_UnwrapKey: judges the template, with any value that has its type.
    pub fn check_unwrapped(template: &Template, creator: Creator) -> Result<(), Error> {
        unwrapped_attributes(template, creator).map(drop)
    }

    /// C_UnwrapKey: the key in the PrivateKeyInfo at the beginning of `info`, after which nothing follows but at most
    /// `filling` zeros. `WrappedKeyInvalid` where there is no key, or one of another type.
    pub fn unwrapped(template: &Template, info: &[u8], filling: usize, creator: Creator) -> Result<Self, Error> {
        let (key_type, attributes) = unwrapped_attributes(template, creator)?;
        let length = private_key_info::encoded_len(info).ok_or(Error::WrappedKeyInvalid)?;
        let (info, rest) = info.split_at_checked(length).ok_or(Error::WrappedKeyInvalid)?;
        if rest.len() > filling || rest.iter().any(|byte| *byte != 0) {
            return Err(Error::WrappedKeyInvalid);
        }
        let DecodedKey { key_type: own, numbers } = DecodedKey::from_private_key_info(info)?;
        if own != key_type {
            return Err(Error::WrappedKeyInvalid);
        }
        let judged = if own == CKK_RSA { rsa(&numbers) } else { on_curve(&numbers, own) };
        wipe_stack();
        let (value, public) = judged.map_err(private_key_info::refusal)?;
        info_agrees(&attributes, &public)?;
        let wish = PrivateWish::new(template, attributes, public.kind(), creator, true)?;
        Ok(Self { wish, value, public })
    }

    /// What a wrapping of the key contains: its PrivateKeyInfo, where the template lets it leave.
    pub fn leaving(&self) -> Result<Option<LockedBytes>, Error> {
        if !self.wish.attributes.is_true(CKA_EXTRACTABLE) {
            return Ok(None);
        }
        private_key_info::encode(&self.value).map(|info| Some(LockedBytes::new(&info)))
    }
}

fn unwrapped_attributes(template: &Template, creator: Creator) -> Result<(CK_KEY_TYPE, Attributes), Error> {
    template.consistent()?;
    let key_type = template.ulong(CKA_KEY_TYPE)?.ok_or(Error::TemplateIncomplete)?;
    if !matches!(key_type, CKK_RSA | CKK_EC | CKK_EC_EDWARDS | CKK_EC_MONTGOMERY) {
        return Err(Error::TemplateInconsistent);
    }
    Ok((key_type, parse(template, &[STORAGE, KEY, RULES, UNWRAPPED], creator)?))
}

fn rsa(attributes: &Attributes) -> Result<(PrivateValue, PublicKey), Error> {
    let given = |attribute| attributes.shown(attribute).filter(|number| !number.is_empty());
    let modulus = given(CKA_MODULUS).ok_or(Error::AttributeValueInvalid)?;
    let numbers = RsaNumbers {
        modulus,
        exponent: given(CKA_PUBLIC_EXPONENT),
        private_exponent: given(CKA_PRIVATE_EXPONENT),
        prime_1: given(CKA_PRIME_1),
        prime_2: given(CKA_PRIME_2),
        exponent_1: given(CKA_EXPONENT_1),
        exponent_2: given(CKA_EXPONENT_2),
        coefficient: given(CKA_COEFFICIENT),
    };
    let whole = complete(&numbers)?;
    let public = PublicKey::from_rsa(modulus, &whole.exponent).map_err(|_| Error::AttributeValueInvalid)?;
    let PublicKey::Rsa { modulus, exponent } = public.clone() else { return Err(Error::AttributeValueInvalid) };
    let value = PrivateValue::Rsa {
        modulus,
        exponent,
        private_exponent: whole.private_exponent,
        prime_1: whole.prime_1,
        prime_2: whole.prime_2,
        exponent_1: whole.exponent_1,
        exponent_2: whole.exponent_2,
        coefficient: whole.coefficient,
    };
    Ok((value, public))
}

fn on_curve(attributes: &Attributes, key_type: CK_KEY_TYPE) -> Result<(PrivateValue, PublicKey), Error> {
    let kind = curve(attributes.shown(CKA_EC_PARAMS).unwrap_or_default(), key_type)?;
    let given = attributes.shown(CKA_VALUE).unwrap_or_default();
    let (value, public) = match kind {
        KeyKind::Ec(curve) => {
            let scalar = of_length(given, curve.field_len()).map_err(|_| Error::AttributeValueInvalid)?;
            let public = PublicKey::of_scalar(curve, &scalar).map_err(|_| Error::AttributeValueInvalid)?;
            let PublicKey::Ec { point, .. } = public.clone() else { return Err(Error::AttributeValueInvalid) };
            (PrivateValue::Ec { curve, scalar, point }, public)
        }
        KeyKind::Ed25519 | KeyKind::X25519 => {
            let scalar: Zeroizing<[u8; 32]> =
                given.try_into().map(Zeroizing::new).map_err(|_| Error::AttributeValueInvalid)?;
            let (public, bytes) = PublicKey::of_seed(kind, &scalar).ok_or(Error::AttributeValueInvalid)?;
            (PrivateValue::Montgomery { kind, scalar: Zeroizing::new(scalar.to_vec()), public: bytes }, public)
        }
        KeyKind::Rsa { .. } => return Err(Error::AttributeValueInvalid),
    };
    match attributes.shown(CKA_EC_POINT) {
        Some(point) if PublicKey::point_from_caller(kind, point).as_ref() != Ok(&public) => {
            Err(Error::TemplateInconsistent)
        }
        _ => Ok((value, public)),
    }
}

/// What the key is for: what its type can do and the template does not rule out.
fn usage(template: &Template, kind: KeyKind) -> Result<Usage, Error> {
    let rsa = matches!(kind, KeyKind::Rsa { .. });
    let signs = !matches!(kind, KeyKind::X25519);
    let derives = matches!(kind, KeyKind::Ec(_) | KeyKind::X25519);
    let used = |attribute, can: bool| Ok::<_, Error>(can && template.boolean(attribute)?.unwrap_or(true));
    Ok(Usage {
        sign: used(CKA_SIGN, signs)? || signs && template.boolean(CKA_SIGN_RECOVER)? == Some(true),
        decrypt: used(CKA_DECRYPT, rsa)?,
        unwrap: used(CKA_UNWRAP, rsa)?,
        derive: used(CKA_DERIVE, derives)?,
    })
}

fn policy(attributes: &Attributes) -> Result<KeyPolicy, Error> {
    let touch = match attributes.number(TOUCH_POLICY) {
        None | Some(0) => None,
        Some(1) => Some(Touch::Never),
        Some(2) => Some(Touch::Always),
        Some(3) => Some(Touch::Cached),
        Some(_) => return Err(Error::AttributeValueInvalid),
    };
    let pin = match attributes.number(PIN_POLICY) {
        None | Some(0) if attributes.is_true(CKA_ALWAYS_AUTHENTICATE) => Some(Authentication::Always),
        None | Some(0) => None,
        Some(1) => Some(Authentication::Never),
        Some(2) => Some(Authentication::Once),
        Some(3) => Some(Authentication::Always),
        Some(_) => return Err(Error::AttributeValueInvalid),
    };
    let always = attributes.is_true(CKA_ALWAYS_AUTHENTICATE);
    if always && pin != Some(Authentication::Always) {
        return Err(Error::TemplateInconsistent);
    }
    Ok(KeyPolicy { pin, touch })
}

pub(super) fn is_given(attributes: &Attributes, attribute: CK_ATTRIBUTE_TYPE) -> bool {
    attributes.shown(attribute).is_some_and(|value| !value.is_empty())
}

/// A text whose form was judged.
pub(super) fn text(attributes: &Attributes, attribute: CK_ATTRIBUTE_TYPE) -> String {
    String::from_utf8_lossy(attributes.shown(attribute).unwrap_or_default()).into_owned()
}
