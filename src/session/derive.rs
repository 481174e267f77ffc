//! C_DeriveKey: ECDH with a key on the card, and secrets made of secrets on the host; what is derived is a session object
//! on the host (PKCS#11 3.2 section 5.18.5).

use std::sync::Arc;

use cryptoki_sys::*;

use super::operation::KeyInUse;
use super::{Session, demanded, judge_use};
use crate::error::Error;
use crate::mechanism::plan::plan_derive;
use crate::mechanism::symmetric::{SecretKey, check_derivation, derive as derive_secret, derive_keys};
use crate::mechanism::{Derivation, KeyBasedParameters, Mechanism, Salt};
use crate::object::secret_key::{self, Origin, Wish};
use crate::object::template::Template;
use crate::object::{Content, Object, created};
use crate::secret::LockedBytes;

/// C_DeriveKey of one key.
pub fn derive(session: &Session, mechanism: Mechanism, base_key: u64, template: Template) -> Result<u64, Error> {
    derive_all(session, mechanism, base_key, vec![template])?.pop().ok_or(Error::GeneralError)
}

/// C_DeriveKey: one key for each template, or none. Only key-based derivations make more than one.
pub fn derive_all(
    session: &Session,
    mechanism: Mechanism,
    base_key: u64,
    templates: Vec<Template>,
) -> Result<Vec<u64>, Error> {
    session.with_operations(|_| {
        let base = session.key(base_key)?;
        let templates = templates.into_iter().map(|template| demanded(&base, CKA_DERIVE_TEMPLATE, template));
        let mut templates = templates.collect::<Result<Vec<_>, _>>()?;
        if let (Content::Secret(secret), Mechanism::Derive(Derivation::KeyBased(parameters))) =
            (base.content(), &mechanism)
        {
            check_derivation(&mechanism, secret.kind)?;
            judge_use(&base, &mechanism, CKA_DERIVE)?;
            return key_based(session, parameters, &base, secret, &templates);
        }
        let template = templates.pop().ok_or(Error::GeneralError)?;
        one(session, &mechanism, base, &template).map(|key| vec![key])
    })
}

/// The keys of a key-based derivation, whose sensitivity their templates say (6.42.7).
fn key_based(
    session: &Session,
    parameters: &KeyBasedParameters,
    base: &Object,
    secret: &SecretKey,
    templates: &[Template],
) -> Result<Vec<u64>, Error> {
    let creator = session.creator()?;
    let wish = |template| Wish::parse(template, base.is_private(), creator);
    let wishes = templates.iter().map(wish).collect::<Result<Vec<_>, _>>()?;
    let lengths = wishes.iter().map(|wish| wish.length.ok_or(Error::TemplateIncomplete));
    let values = derive_keys(parameters, secret, &lengths.collect::<Result<Vec<_>, _>>()?)?;
    let mut objects = Vec::new();
    for (wish, value) in wishes.into_iter().zip(&values) {
        let handle = session.slot().handles().next();
        let value = LockedBytes::new(value);
        objects.push((handle, Arc::new(secret_key::object(wish, value, origin(&[base]), handle)?)));
    }
    session.add_objects(objects)
}

fn one(session: &Session, mechanism: &Mechanism, base: Arc<Object>, template: &Template) -> Result<u64, Error> {
    if let Content::Secret(secret) = base.content() {
        return from_secret(session, mechanism, &base, secret, template);
    }
    let origin = origin(&[&base]);
    let in_use = KeyInUse::new(base)?;
    let key = in_use.key()?;
    let plan = plan_derive(mechanism, key)?;
    let wish = Wish::parse(template, in_use.is_private(), session.creator()?)?;
    let shared = session.slot().with_key(session.generation(), key, None, |application, channel| {
        application.agree(channel, key, plan.peer())
    })?;
    let value = LockedBytes::new(&plan.finish(&shared, wish.length)?);
    session.add_object(|handle| Ok(Arc::new(secret_key::object(wish, value, origin, handle)?)))
}

/// A key derived of all these.
fn origin(bases: &[&Object]) -> Origin {
    let all = |attribute| bases.iter().all(|base| base.permits(attribute));
    Origin::Derived { always_sensitive: all(CKA_ALWAYS_SENSITIVE), never_extractable: all(CKA_NEVER_EXTRACTABLE) }
}

fn from_secret(
    session: &Session,
    mechanism: &Mechanism,
    base: &Arc<Object>,
    secret: &SecretKey,
    template: &Template,
) -> Result<u64, Error> {
    let derivation = check_derivation(mechanism, secret.kind)?;
    judge_use(base, mechanism, CKA_DERIVE)?;
    let other = match derivation {
        Derivation::WithKey(handle) => Some(second_key(session, *handle)?),
        Derivation::Hkdf { parameters, .. } => match &parameters.salt {
            Salt::Key(handle) => Some(second_key(session, *handle)?),
            Salt::Zeros | Salt::Data(_) => None,
        },
        _ => None,
    };
    let data = match derivation {
        Derivation::Hkdf { parameters, .. } => match &parameters.salt {
            Salt::Data(data) => Some(data.as_slice()),
            Salt::Zeros | Salt::Key(_) => None,
        },
        _ => None,
    };
    let material = other.as_ref().and_then(|object| object.wrappable()).map(LockedBytes::expose).or(data);
    // A salt says nothing of the key.
    let sources = match (derivation, &other) {
        (Derivation::WithKey(_), Some(other)) => vec![&**base, &**other],
        _ => vec![&**base],
    };
    let private = sources.iter().any(|source| source.is_private());
    if let Derivation::Hkdf { data: true, .. } = derivation {
        return data_object(session, derivation, secret, material, template, private);
    }
    let template = inherited(derivation, &sources, template)?;
    let wish = Wish::parse(&template, private, session.creator()?)?;
    let key_type = template.ulong(CKA_KEY_TYPE)?;
    if wish.length.is_none() && key_type.is_some_and(|key_type| key_type != CKK_GENERIC_SECRET) {
        // A key type that has no length of its own needs one (6.43.3).
        return Err(Error::TemplateIncomplete);
    }
    let value = LockedBytes::new(&derive_secret(derivation, secret, material, wish.length)?);
    session.add_object(|handle| Ok(Arc::new(secret_key::object(wish, value, origin(&sources), handle)?)))
}

/// The other key of a derivation: a secret on the host. CKA_DERIVE is asked of the base key alone (4.7, 6.43.3).
fn second_key(session: &Session, handle: u64) -> Result<Arc<Object>, Error> {
    let object = session.key(handle)?;
    if matches!(object.content(), Content::Secret(_)) { Ok(object) } else { Err(Error::KeyTypeInconsistent) }
}

/// The template with what a derived key has of its base keys: it is sensitive where one of them is, and not extractable
/// where one is not (6.43.3 and those that follow it). Mechanisms that give nothing of the base key away leave both to
/// the template (6.20.5, 6.26.2), HKDF what the template leaves open as well (6.62.5).
fn inherited(derivation: &Derivation, bases: &[&Object], template: &Template) -> Result<Template, Error> {
    let mut more: Vec<(CK_ATTRIBUTE_TYPE, &[u8])> = Vec::new();
    let free = matches!(derivation, Derivation::Digest(_) | Derivation::Encrypt { .. });
    let open = |attribute| !free || template.bytes(attribute).is_none();
    if !matches!(derivation, Derivation::Hkdf { .. }) {
        if open(CKA_SENSITIVE) && bases.iter().any(|base| base.permits(CKA_SENSITIVE)) {
            more.push((CKA_SENSITIVE, &[CK_TRUE]));
        }
        if open(CKA_EXTRACTABLE) && bases.iter().any(|base| !base.permits(CKA_EXTRACTABLE)) {
            more.push((CKA_EXTRACTABLE, &[CK_FALSE]));
        }
    }
    template.joined(&more)
}

/// CKM_HKDF_DATA: the result is what CKA_VALUE of a data object is.
fn data_object(
    session: &Session,
    derivation: &Derivation,
    secret: &SecretKey,
    material: Option<&[u8]>,
    template: &Template,
    private: bool,
) -> Result<u64, Error> {
    if template.ulong(CKA_CLASS)?.is_some_and(|class| class != CKO_DATA) {
        return Err(Error::TemplateInconsistent);
    }
    if template.bytes(CKA_VALUE).is_some() {
        return Err(Error::AttributeReadOnly);
    }
    let length = template.ulong(CKA_VALUE_LEN)?.map(usize::try_from).transpose();
    let length = length.map_err(|_| Error::AttributeValueInvalid)?;
    let value = derive_secret(derivation, secret, material, length)?;
    let class = CKO_DATA.to_ne_bytes();
    let template = template.without(CKA_VALUE_LEN).joined(&[(CKA_CLASS, &class), (CKA_VALUE, &value)])?;
    let template = match template.bytes(CKA_PRIVATE) {
        Some(_) => template,
        None => template.joined(&[(CKA_PRIVATE, &[CK_BBOOL::from(private)])])?,
    };
    let creator = session.creator()?;
    session.add_object(|handle| created::object(&template, creator, handle).map(Arc::new))
}
