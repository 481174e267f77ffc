//! The objects of one token in one insertion: a snapshot that is replaced, never edited. What stays keeps its handle.

use std::sync::Arc;

use cryptoki_sys::{CKA_COPYABLE, CKA_DESTROYABLE, CKA_MODIFIABLE, CKP_AUTHENTICATION_TOKEN};

use super::{Object, card_secret_key, certificate, data, private_key, profile, public_key};
use crate::card::new_key::StoreAbilities;
use crate::card::{CardObject, Certificate, KeyReference};
use crate::handle::Handles;

/// An object with its handle.
type Shown = (u64, Arc<Object>);

/// Token objects with their handles, in the order in which the driver reports them.
#[derive(Clone)]
pub struct ObjectSet {
    token: String,
    store: StoreAbilities,
    items: Vec<Item>,
    /// For each of [`profile::ALL`].
    profiles: Vec<Shown>,
    /// Handles of public halves that went with their private keys and that nobody has destroyed yet.
    parted: Vec<u64>,
}

/// What the card holds, and the objects that show it.
#[derive(Clone)]
struct Item {
    card: CardObject,
    /// The public half of a private key; nothing where it was destroyed: the private key has it all the same.
    public: Option<Shown>,
    own: Shown,
}

/// What a handle stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// What the card holds.
    Own(CardObject),
    /// The public half of this private key.
    PublicHalf(CardObject),
    /// The public half of a private key that is gone.
    Parted,
    /// What the module says of the token.
    Module,
}

/// Handles of what was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    /// The public half of a private key, where it is known.
    pub public: Option<u64>,
    /// The object itself.
    pub own: u64,
}

impl ObjectSet {
    /// The objects of the token with this serial number, which makes and takes what `store` says; each gets a handle of
    /// its own.
    pub fn new(token: &str, card: &[CardObject], store: StoreAbilities, handles: &Handles) -> Self {
        let profiles = profile::ALL.map(|profile| (handles.next(), Arc::new(profile::object(token, profile)))).to_vec();
        let (items, parted) = (Vec::new(), Vec::new());
        let mut set = Self { token: token.to_owned(), store, items, profiles, parted };
        set.items = card.iter().map(|card| set.item(card.clone(), None, handles)).collect();
        set
    }

    /// What the card holds when it is read again: what was there before keeps its handle. Keys that a card shows only to
    /// its user stay as they were known.
    #[must_use]
    pub fn read_again(&self, card: &[CardObject], handles: &Handles) -> Self {
        let mut set = self.clone();
        let mut before = std::mem::take(&mut set.items);
        for card in card {
            let same = before.iter().position(|item| is_same(&item.card, card));
            let same = same.map(|at| before.remove(at));
            let item = match &same {
                Some(before) if lacks_public(&before.card) => {
                    let fresh = set.item(card.clone(), None, handles);
                    Item { own: (before.own.0, fresh.own.1), ..fresh }
                }
                before => set.item(card.clone(), before.as_ref(), handles),
            };
            set.items.push(item);
        }
        let (hidden, gone) = before.into_iter().partition::<Vec<_>, _>(|item| set.is_hidden(&item.card));
        set.items.extend(hidden);
        set.parted.extend(gone.iter().filter_map(|item| item.public.as_ref().map(|public| public.0)));
        set
    }

    /// Without the keys of which this holds, among those that the card shows only to its user.
    #[must_use]
    pub fn without_hidden(&self, gone: impl Fn(&CardObject) -> bool) -> Self {
        let mut set = self.clone();
        set.items.retain(|item| !(self.is_hidden(&item.card) && gone(&item.card)));
        set
    }

    fn is_hidden(&self, card: &CardObject) -> bool {
        self.store.hides_keys && matches!(card, CardObject::SecretKey(_))
    }

    /// The object with this handle.
    pub fn find(&self, handle: u64) -> Option<&Arc<Object>> {
        self.shown().find(|(own, _)| *own == handle).map(|(_, object)| object)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Arc<Object>)> {
        self.shown().map(|(handle, object)| (*handle, object))
    }

    fn shown(&self) -> impl Iterator<Item = &Shown> {
        let items = self.items.iter().flat_map(|item| item.public.iter().chain([&item.own]));
        items.chain(self.claimed())
    }

    /// The profiles that the token has with these objects.
    fn claimed(&self) -> impl Iterator<Item = &Shown> {
        let authenticates = self.items.iter().any(|item| item.public.is_some() && profile::authenticates(&item.card));
        let all = profile::ALL.iter().zip(&self.profiles);
        all.filter(move |(profile, _)| **profile != CKP_AUTHENTICATION_TOKEN || authenticates).map(|(_, shown)| shown)
    }

    /// What the card holds.
    pub fn card_objects(&self) -> impl Iterator<Item = &CardObject> {
        self.items.iter().map(|item| &item.card)
    }

    /// What a handle stands for.
    pub fn source(&self, handle: u64) -> Option<Source> {
        let is = |shown: &Shown| shown.0 == handle;
        if self.claimed().any(is) {
            return Some(Source::Module);
        }
        if self.parted.contains(&handle) {
            return Some(Source::Parted);
        }
        self.items.iter().find_map(|item| match item {
            Item { card, own, .. } if is(own) => Some(Source::Own(card.clone())),
            Item { card, public: Some(public), .. } if is(public) => Some(Source::PublicHalf(card.clone())),
            _ => None,
        })
    }

    /// With one more.
    #[must_use]
    pub fn with(&self, card: CardObject, handles: &Handles) -> (Self, Added) {
        let mut set = self.clone();
        let card = set.called_as_certified(card);
        let item = set.item(card.clone(), None, handles);
        let added = Added { public: item.public.as_ref().map(|public| public.0), own: item.own.0 };
        set.items.push(item);
        if let CardObject::Certificate(certificate) = &card {
            set.certify(certificate, handles);
        }
        (set, added)
    }

    /// With these too.
    #[must_use]
    pub fn with_all(self, cards: Vec<CardObject>, handles: &Handles) -> Self {
        cards.into_iter().fold(self, |set, card| set.with(card, handles).0)
    }

    /// With `card` in the place of what this handle stands for.
    #[must_use]
    pub fn replaced(&self, handle: u64, card: CardObject, handles: &Handles) -> Self {
        let mut set = self.clone();
        let found = set.items.iter().position(|item| item.stands(handle));
        if let Some((at, before)) = found.and_then(|at| Some((at, set.items.get(at)?.clone()))) {
            let moved = before.key() != key_of(&card);
            let item = set.item(card, Some(&before), handles);
            if let Some(place) = set.items.get_mut(at) {
                *place = item;
            }
            if moved {
                set.forget_attestations(&before);
            }
        }
        set
    }

    /// What the card said of a key that is gone, or somewhere else, it says no more.
    fn forget_attestations(&mut self, gone: &Item) {
        let Some(key) = gone.key() else { return };
        self.items.retain(|item| !matches!(&item.card, CardObject::Attestation(attestation) if attestation.key == key));
    }

    /// Without what this handle stands for. The public half of a private key goes with it, or alone; what the card
    /// attests of the key goes too.
    #[must_use]
    pub fn without(&self, handle: u64) -> Self {
        let mut set = self.clone();
        set.parted.retain(|parted| *parted != handle);
        for item in &mut set.items {
            item.public.take_if(|public| public.0 == handle);
        }
        let (gone, kept) = set.items.into_iter().partition::<Vec<_>, _>(|item| item.own.0 == handle);
        set.items = kept;
        set.parted.extend(gone.iter().filter_map(|item| item.public.as_ref().map(|public| public.0)));
        gone.iter().for_each(|gone| set.forget_attestations(gone));
        set
    }

    /// With the public half of the private key that `own` stands for, and its handle; `None` where it is not known.
    pub fn with_public_half(&self, own: u64, handles: &Handles) -> Option<(Self, u64)> {
        let item = self.items.iter().find(|item| item.own.0 == own)?;
        if let Some((handle, _)) = &item.public {
            return Some((self.clone(), *handle));
        }
        let mut set = self.clone();
        let fresh = set.item(item.card.clone(), None, handles).public?;
        let handle = fresh.0;
        set.items.iter_mut().filter(|item| item.own.0 == own).for_each(|item| item.public = Some(fresh.clone()));
        Some((set, handle))
    }

    /// Handle of the private key for which this holds.
    pub fn private_key(&self, wanted: impl Fn(&crate::card::PrivateKey) -> bool) -> Option<u64> {
        let is_wanted = |item: &&Item| matches!(&item.card, CardObject::PrivateKey(key) if wanted(key));
        self.items.iter().find(is_wanted).map(|item| item.own.0)
    }

    /// The objects for what the card holds, under the handles that they had `before`.
    fn item(&self, card: CardObject, before: Option<&Item>, handles: &Handles) -> Item {
        let had = |shown: Option<&Shown>| shown.map_or_else(|| handles.next(), |shown| shown.0);
        let token = &self.token;
        let object = match &card {
            CardObject::Certificate(item) => certificate::object(token, item),
            CardObject::Attestation(item) => certificate::attestation(token, item),
            CardObject::PrivateKey(item) => private_key::object(token, item),
            CardObject::SecretKey(item) => card_secret_key::object(token, item),
            CardObject::Data(item) => data::object(token, item),
        };
        let public = match &card {
            CardObject::PrivateKey(item) if before.is_none_or(|before| before.public.is_some()) => {
                public_key::object(token, item)
            }
            _ => None,
        };
        let fate = Fate::of(&card, &self.store);
        let public = public.map(|object| {
            let object = Arc::new(Fate { copies: true, ..fate }.told(object));
            (had(before.and_then(|before| before.public.as_ref())), object)
        });
        let own = (had(before.map(|before| &before.own)), Arc::new(fate.told(object)));
        Item { card, public, own }
    }

    /// A private key that has come takes the subject of the certificate that waits for it.
    fn called_as_certified(&self, card: CardObject) -> CardObject {
        let CardObject::PrivateKey(key) = &card else { return card };
        let waits = self.card_objects().find_map(|card| match card {
            CardObject::Certificate(found) if found.id == key.id && found.public == key.public => Some(found),
            _ => None,
        });
        match waits.filter(|_| key.subject.is_empty() && key.public.is_some()) {
            Some(found) => {
                let subject = certificate::subject(&found.der);
                CardObject::PrivateKey(crate::card::PrivateKey { subject, ..key.clone() })
            }
            None => card,
        }
    }

    /// The private keys of a certificate that has come take its subject, and the public half that they lack.
    fn certify(&mut self, certificate: &Certificate, handles: &Handles) {
        let subject = certificate::subject(&certificate.der);
        for at in 0..self.items.len() {
            let Some(Item { card: CardObject::PrivateKey(key), .. }) = self.items.get(at) else { continue };
            let same = key.public.is_none() || key.public == certificate.public;
            let fits = certificate.public.as_ref().is_some_and(|public| public.kind() == key.kind);
            if key.id != certificate.id || !same || !fits {
                continue;
            }
            let mut key = key.clone();
            key.public.clone_from(&certificate.public);
            key.subject.clone_from(&subject);
            if let Some(before) = self.items.get(at).cloned() {
                let item = if lacks_public(&before.card) {
                    let fresh = self.item(CardObject::PrivateKey(key), None, handles);
                    Item { own: (before.own.0, fresh.own.1), ..fresh }
                } else {
                    self.item(CardObject::PrivateKey(key), Some(&before), handles)
                };
                self.items.splice(at..=at, [item]);
            }
        }
    }
}

/// Where a private key is.
fn key_of(card: &CardObject) -> Option<KeyReference> {
    if let CardObject::PrivateKey(key) = card { Some(key.reference) } else { None }
}

/// Whether both are the same object on the card.
fn is_same(one: &CardObject, other: &CardObject) -> bool {
    use CardObject as Card;
    match (one, other) {
        (Card::PrivateKey(one), Card::PrivateKey(other)) => {
            let differ = one.public.is_some() && other.public.is_some() && one.public != other.public;
            one.reference == other.reference && one.kind == other.kind && !differ
        }
        (Card::SecretKey(one), Card::SecretKey(other)) => one.reference == other.reference && one.kind == other.kind,
        (Card::Certificate(one), Card::Certificate(other)) => one.reference == other.reference && one.der == other.der,
        (Card::Data(one), Card::Data(other)) => one.reference == other.reference,
        (Card::Attestation(one), Card::Attestation(other)) => one == other,
        _ => false,
    }
}

fn lacks_public(card: &CardObject) -> bool {
    matches!(card, CardObject::PrivateKey(key) if key.public.is_none())
}

impl Item {
    fn key(&self) -> Option<KeyReference> {
        key_of(&self.card)
    }

    fn stands(&self, handle: u64) -> bool {
        self.own.0 == handle || self.public.as_ref().is_some_and(|public| public.0 == handle)
    }
}

/// What can become of an object on this token.
#[derive(Clone, Copy)]
struct Fate {
    destroys: bool,
    modifies: bool,
    copies: bool,
}

impl Fate {
    fn of(card: &CardObject, store: &StoreAbilities) -> Self {
        match card {
            CardObject::PrivateKey(_) | CardObject::SecretKey(_) => {
                Self { destroys: store.deletes_keys, modifies: store.renames, copies: false }
            }
            CardObject::Certificate(certificate) => {
                let stored = certificate.reference.is_some();
                Self { destroys: store.certificates && stored, modifies: store.renames && stored, copies: true }
            }
            CardObject::Attestation(_) => Self { destroys: false, modifies: false, copies: true },
            CardObject::Data(_) => Self { destroys: store.data, modifies: store.data && store.renames, copies: true },
        }
    }

    fn told(self, object: Object) -> Object {
        let attributes = object
            .attributes()
            .clone()
            .boolean(CKA_DESTROYABLE, self.destroys)
            .boolean(CKA_MODIFIABLE, self.modifies)
            .boolean(CKA_COPYABLE, self.copies);
        object.with_attributes(attributes)
    }
}

#[cfg(test)]
mod tests;
