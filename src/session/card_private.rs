//! Private keys that come into being on the card: generated there or brought there, to last or for the session.

use super::Session;
use crate::card::new_key::{NewKind, Storage, StoreAbilities};
use crate::card::{CardObject, PrivateKey, Role};
use crate::error::Error;
use crate::mechanism::PairType;
use crate::object::Object;
use crate::object::created::{Imported, PrivateWish, PublicWish};
use crate::object::template::Template;

/// C_GenerateKeyPair: the handles of public and private key.
pub(super) fn generate(
    session: &Session,
    pair: PairType,
    public: &Template,
    private: &Template,
) -> Result<(u64, u64), Error> {
    let store = session.slot().store(session.generation())?;
    let makes = session.slot().makes(session.generation())?;
    let kinds = || makes.iter().filter(|kind| PairType::of(**kind) == pair);
    if kinds().next().is_none() {
        return Err(Error::MechanismInvalid);
    }
    let creator = session.creator()?;
    let half = PublicWish::generated(public, pair, creator)?;
    let mut wish = PrivateWish::generated(private, half.kind, creator)?;
    if !kinds().any(|kind| *kind == half.kind) {
        // A length that the card does not have is a wrong value; a curve has a code of its own.
        return Err(if pair == PairType::Rsa { Error::AttributeValueInvalid } else { Error::CurveNotSupported });
    }
    if creator.lasting(public)? != creator.lasting(private)? {
        return Err(Error::TemplateInconsistent);
    }
    name(&mut wish, &half)?;
    judge(session, &wish, &store)?;
    let (slot, generation) = (session.slot(), session.generation());
    let new = wish.new.clone();
    if new.storage == Storage::Token {
        let added = slot.create_lasting(generation, &new, |application, channel, reference| {
            let key = application.generate_key_pair(channel, reference, &new)?;
            Ok(CardObject::PrivateKey(named(key, &wish)))
        })?;
        return Ok((added.public.ok_or(Error::DeviceError)?, added.own));
    }
    let handles = slot.create_volatile(
        generation,
        session.handle(),
        &new,
        |application, channel, reference| application.generate_key_pair(channel, reference, &new),
        |token, key, next| shown(token, &wish, Some(half), &key, next),
    )?;
    match handles.as_slice() {
        [private, public] => Ok((*public, *private)),
        _ => Err(Error::DeviceError),
    }
}

/// C_CreateObject for a private key.
pub(super) fn create(session: &Session, template: &Template) -> Result<u64, Error> {
    bring(session, Imported::parse(template, session.creator()?)?)
}

/// Whether the token takes such a key from C_UnwrapKey, as far as that can be said before it is unwrapped.
pub(super) fn check_unwrap(session: &Session, template: &Template) -> Result<(), Error> {
    Imported::check_unwrapped(template, session.creator()?)?;
    let store = session.slot().store(session.generation())?;
    if store.import.is_empty() { Err(Error::TemplateInconsistent) } else { Ok(()) }
}

/// C_UnwrapKey for a private key: `info` is its PrivateKeyInfo, with at most so many zeros after it.
pub(super) fn unwrap(session: &Session, template: &Template, info: &[u8], filling: usize) -> Result<u64, Error> {
    bring(session, Imported::unwrapped(template, info, filling, session.creator()?)?)
}

/// Brings a private key to the card.
fn bring(session: &Session, imported: Imported) -> Result<u64, Error> {
    let mut leaving = imported.leaving()?;
    let Imported { wish, value, .. } = imported;
    let store = session.slot().store(session.generation())?;
    let taken = matches!(wish.new.kind, NewKind::Private(kind) if store.import.contains(&kind));
    if !taken {
        return Err(Error::TemplateInconsistent);
    }
    judge(session, &wish, &store)?;
    let (slot, generation) = (session.slot(), session.generation());
    let new = wish.new.clone();
    if new.storage == Storage::Token {
        let added = slot.create_lasting(generation, &new, |application, channel, reference| {
            let key = application.import_private_key(channel, reference, &new, &value)?;
            Ok(CardObject::PrivateKey(named(key, &wish)))
        })?;
        return Ok(added.own);
    }
    let handles = slot.create_volatile(
        generation,
        session.handle(),
        &new,
        |application, channel, reference| application.import_private_key(channel, reference, &new, &value),
        |token, key, next| {
            let objects = shown(token, &wish, None, &key, next).into_iter();
            objects.map(|(handle, object)| (handle, object.leaving(leaving.take()))).collect()
        },
    )?;
    handles.first().copied().ok_or(Error::GeneralError)
}

/// One identifier and name for both halves, which a token keeps only once.
fn name(wish: &mut PrivateWish, half: &PublicWish) -> Result<(), Error> {
    if wish.new.id.is_empty() {
        wish.new.id = half.id().to_vec();
    } else if !half.id().is_empty() && wish.new.id != half.id() && wish.new.storage == Storage::Token {
        return Err(Error::TemplateInconsistent);
    }
    if wish.new.label.is_empty() {
        wish.new.label = half.label();
    }
    Ok(())
}

/// Who makes keys: for a session the user, where they are private; those that last are for the card to guard.
fn judge(session: &Session, wish: &PrivateWish, store: &StoreAbilities) -> Result<(), Error> {
    let role = session.slot().role(session.generation())?;
    match wish.new.storage {
        Storage::Volatile if !store.volatile => Err(Error::TemplateInconsistent),
        Storage::Volatile if wish.new.private && role != Some(Role::User) => Err(Error::UserNotLoggedIn),
        _ => Ok(()),
    }
}

fn named(mut key: PrivateKey, wish: &PrivateWish) -> PrivateKey {
    if key.subject.is_empty() {
        key.subject.clone_from(&wish.subject);
    }
    key
}

/// The session objects of a private key in the card's volatile memory, and of its public half.
fn shown(
    token: &str,
    wish: &PrivateWish,
    half: Option<PublicWish>,
    key: &PrivateKey,
    next: &mut dyn FnMut() -> u64,
) -> Vec<(u64, Object)> {
    let private = next();
    let mut objects = vec![(private, wish.session_object(token, key, private))];
    if let Some((half, public)) = half.zip(key.public.as_ref()) {
        let handle = next();
        objects.push((handle, half.session_object(public, handle)));
    }
    objects
}
