//! Session objects: made by a session, visible to all sessions of the application with the token, gone with
//! the session that made them (PKCS#11 3.2 section 5.6).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Object;

/// The session objects of one token, by handle.
#[derive(Default)]
pub struct SessionObjects(BTreeMap<u64, SessionObject>);

struct SessionObject {
    owner: u64,
    object: Arc<Object>,
}

impl SessionObjects {
    /// Adds an object that `owner` made.
    pub fn insert(&mut self, handle: u64, owner: u64, object: Arc<Object>) {
        self.0.insert(handle, SessionObject { owner, object });
    }

    /// The object with this handle.
    pub fn find(&self, handle: u64) -> Option<&Arc<Object>> {
        self.0.get(&handle).map(|entry| &entry.object)
    }

    /// Puts what `change` makes of an object in its place; `None` if there is no such object.
    pub fn replace<E>(
        &mut self,
        handle: u64,
        change: impl FnOnce(&Object) -> Result<Object, E>,
    ) -> Option<Result<(), E>> {
        let entry = self.0.get_mut(&handle)?;
        Some(change(&entry.object).map(|changed| entry.object = Arc::new(changed)))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Arc<Object>)> {
        self.0.iter().map(|(handle, entry)| (*handle, &entry.object))
    }

    /// Removes one object; whether it was there.
    pub fn remove(&mut self, handle: u64) -> bool {
        self.0.remove(&handle).is_some()
    }

    /// The session `owner` was closed.
    pub fn close(&mut self, owner: u64) {
        self.0.retain(|_, entry| entry.owner != owner);
    }

    /// The user logged out: private objects go.
    pub fn log_out(&mut self) {
        self.0.retain(|_, entry| !entry.object.is_private());
    }

    /// All sessions are gone.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
