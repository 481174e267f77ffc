//! Session objects: made by a session, visible to all sessions of the application with the token, gone with
//! the session that made them (PKCS#11 3.2 section 5.6).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use super::{Content, Object};
use crate::card::{KeyReference, Storage};
use crate::handle::give_back;

/// The session objects of one token, by handle.
#[derive(Default)]
pub struct SessionObjects {
    objects: BTreeMap<u64, SessionObject>,
    by_owner: HashMap<u64, BTreeSet<u64>>,
    /// Keys in the card's volatile memory whose objects are gone and that are still to be deleted.
    doomed: Vec<KeyReference>,
    /// How often the card had been reset when it was last known what its volatile memory holds.
    resets: u64,
}

/// Somebody who holds copies of an object's secrets while using it: the operations of a session.
pub trait User: Send + Sync {
    /// The object is gone: whatever uses it ends, and what it holds is wiped. Called under a leaf lock, so that it must
    /// not wait for any other.
    fn release(&self, handle: u64);
}

struct SessionObject {
    handle: u64,
    owner: u64,
    object: Arc<Object>,
    /// By session.
    users: HashMap<u64, Weak<dyn User>>,
}

impl Drop for SessionObject {
    fn drop(&mut self) {
        for user in self.users.values().filter_map(Weak::upgrade) {
            user.release(self.handle);
        }
    }
}

impl SessionObjects {
    /// Adds an object that `owner` made.
    pub fn insert(&mut self, handle: u64, owner: u64, object: Arc<Object>) {
        self.objects.insert(handle, SessionObject { handle, owner, object, users: HashMap::new() });
        self.by_owner.entry(owner).or_default().insert(handle);
    }

    /// Adds a key in the card's volatile memory that `owner` made when the card had been reset so many times.
    pub fn insert_on_card(&mut self, handle: u64, owner: u64, object: Arc<Object>, resets: u64) {
        self.resets = resets;
        self.insert(handle, owner, object);
    }

    /// What is said of the card's memory counts from this many resets.
    pub fn count_from(&mut self, resets: u64) {
        self.resets = resets;
    }

    /// A key in the card's volatile memory is to be deleted.
    pub fn doom(&mut self, reference: KeyReference) {
        if !self.doomed.contains(&reference) {
            self.doomed.push(reference);
        }
    }

    /// A key is about to be made in a free place of the card's volatile memory, which was reset so many times: until it has
    /// its object it is to be deleted.
    pub fn begin_on_card(&mut self, reference: KeyReference, resets: u64) {
        self.resets = resets;
        self.doom(reference);
    }

    /// Nothing is to be deleted in this place any more.
    pub fn spare(&mut self, reference: KeyReference) {
        self.doomed.retain(|doomed| *doomed != reference);
    }

    /// Keys that are to be deleted; the caller does it, and says so by [`Self::spare`].
    pub fn doomed(&self) -> &[KeyReference] {
        &self.doomed
    }

    /// Whether anything here is in the card's volatile memory.
    pub fn uses_card(&self) -> bool {
        !self.doomed.is_empty() || self.objects.values().any(|entry| volatile(&entry.object).is_some())
    }

    /// The card has been reset so many times: if that is more than what is known here, its volatile memory is empty, and
    /// the objects in it are gone. Whether there were any.
    pub fn reset_seen(&mut self, resets: u64) -> bool {
        if self.resets == resets || !self.uses_card() {
            return false;
        }
        let lost: Vec<u64> =
            self.iter().filter(|(_, object)| volatile(object).is_some()).map(|(handle, _)| handle).collect();
        for handle in lost {
            self.remove(handle);
        }
        self.doomed.clear();
        self.resets = resets;
        true
    }

    /// Whether what is said of the card's memory is of the time since so many resets.
    pub fn is_of(&self, resets: u64) -> bool {
        self.resets == resets
    }

    fn forget(&mut self, handle: u64) -> Option<SessionObject> {
        let entry = self.objects.remove(&handle)?;
        self.doomed.extend(volatile(&entry.object));
        Some(entry)
    }

    /// The object with this handle.
    pub fn find(&self, handle: u64) -> Option<&Arc<Object>> {
        self.objects.get(&handle).map(|entry| &entry.object)
    }

    /// Notes that the operations of `session` use an object; false if there is no such object.
    pub fn used_by(&mut self, handle: u64, session: u64, user: Weak<dyn User>) -> bool {
        let Some(entry) = self.objects.get_mut(&handle) else { return false };
        // Sessions close without a word to the objects that they used.
        if entry.users.len() == entry.users.capacity() {
            entry.users.retain(|_, user| user.strong_count() > 0);
        }
        entry.users.insert(session, user);
        true
    }

    /// Puts what `change` makes of an object in its place; `None` if there is no such object.
    pub fn replace<E>(
        &mut self,
        handle: u64,
        change: impl FnOnce(&Object) -> Result<Object, E>,
    ) -> Option<Result<(), E>> {
        let entry = self.objects.get_mut(&handle)?;
        Some(change(&entry.object).map(|changed| entry.object = Arc::new(changed)))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Arc<Object>)> {
        self.objects.iter().map(|(handle, entry)| (*handle, &entry.object))
    }

    /// Removes one object; whether it was there.
    pub fn remove(&mut self, handle: u64) -> bool {
        let Some(entry) = self.forget(handle) else { return false };
        if let Some(owned) = self.by_owner.get_mut(&entry.owner) {
            owned.remove(&handle);
        }
        true
    }

    /// The session `owner` was closed.
    pub fn close(&mut self, owner: u64) {
        for handle in self.by_owner.remove(&owner).unwrap_or_default() {
            self.forget(handle);
        }
        give_back(&mut self.by_owner);
    }

    /// The user logged out: private objects go.
    pub fn log_out(&mut self) {
        let private: Vec<u64> =
            self.iter().filter(|(_, object)| object.is_private()).map(|(handle, _)| handle).collect();
        for handle in private {
            self.remove(handle);
        }
    }

    /// All sessions are gone.
    pub fn clear(&mut self) {
        let handles: Vec<u64> = self.objects.keys().copied().collect();
        for handle in handles {
            self.forget(handle);
        }
        self.by_owner.clear();
    }
}

/// Where a key is in the card's volatile memory; `None` for objects of the host.
fn volatile(object: &Object) -> Option<KeyReference> {
    match object.content() {
        Content::CardSecret(key) if key.storage == Storage::Volatile => Some(key.reference),
        Content::PrivateKey(key) if key.storage == Storage::Volatile => Some(key.reference),
        _ => None,
    }
}
