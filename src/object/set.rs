//! The objects of one token in one insertion: a snapshot that is replaced, never edited.

use std::sync::Arc;

use super::{Object, card_secret_key, certificate, data, private_key, profile, public_key};
use crate::card::CardObject;
use crate::handle::Handles;

/// Token objects with their handles, in the order in which the driver reports them.
pub struct ObjectSet(Vec<(u64, Arc<Object>)>);

impl ObjectSet {
    /// The objects of the token with this serial number; each gets a handle of its own.
    pub fn new(token: &str, card: &[CardObject], handles: &Handles) -> Self {
        let mut objects = Vec::new();
        for item in card {
            match item {
                CardObject::Certificate(item) => objects.push(certificate::object(token, item)),
                CardObject::PrivateKey(item) => {
                    objects.extend(public_key::object(token, item));
                    objects.push(private_key::object(token, item));
                }
                CardObject::SecretKey(item) => objects.push(card_secret_key::object(token, item)),
                CardObject::Data(item) => objects.push(data::object(token, item)),
            }
        }
        objects.push(profile::public_certificates(token));
        Self(objects.into_iter().map(|object| (handles.next(), Arc::new(object))).collect())
    }

    /// The object with this handle.
    pub fn find(&self, handle: u64) -> Option<&Arc<Object>> {
        self.0.iter().find(|(own, _)| *own == handle).map(|(_, object)| object)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Arc<Object>)> {
        self.0.iter().map(|(handle, object)| (*handle, object))
    }
}
