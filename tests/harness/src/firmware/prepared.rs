//! Key import: the next key that the application generates is one that was prepared outside.
//!
//! The application itself imports RSA keys into 9A only, and in a format of its own.

use std::cell::RefCell;
use std::rc::Rc;

use trussed::backend::Backend;
use trussed::key::{Info, Kind, Secrecy};
use trussed::platform::Platform;
use trussed::service::ServiceResources;
use trussed::store::Keystore;
use trussed::types::CoreContext;
use trussed_core::Error;
use trussed_core::api::{Reply, Request, reply};
use trussed_core::types::Mechanism;

/// A place for one key, shared by the command layer that fills it and the backend that takes it.
#[derive(Debug, Clone, Default)]
pub(crate) struct PreparedKey(Rc<RefCell<Option<Vec<u8>>>>);

impl PreparedKey {
    /// Puts the key there in the form the backends store: PKCS #8 DER for RSA, the scalar for elliptic curves.
    pub(crate) fn put(&self, material: Vec<u8>) {
        self.0.replace(Some(material));
    }

    /// Takes the key away if it is still there.
    pub(crate) fn take(&self) -> Option<Vec<u8>> {
        self.0.take()
    }
}

impl Backend for PreparedKey {
    type Context = ();

    fn request<P: Platform>(
        &mut self,
        core: &mut CoreContext,
        (): &mut (),
        request: &Request,
        resources: &mut ServiceResources<P>,
    ) -> Result<Reply, Error> {
        let Request::GenerateKey(request) = request else {
            return Err(Error::RequestNotAvailable);
        };
        let kind = match request.mechanism {
            Mechanism::Rsa2048Raw => Kind::Rsa2048,
            Mechanism::Rsa3072Raw => Kind::Rsa3072,
            Mechanism::Rsa4096Raw => Kind::Rsa4096,
            Mechanism::P256 => Kind::P256,
            Mechanism::P384 => Kind::P384,
            _ => return Err(Error::RequestNotAvailable),
        };
        let material = self.take().ok_or(Error::RequestNotAvailable)?;
        let mut keystore = resources.keystore(core.path.clone())?;
        let key = keystore.store_key(request.attributes.persistence, Secrecy::Secret, Info::from(kind), &material)?;
        Ok(Reply::GenerateKey(reply::GenerateKey { key }))
    }
}
