//! C_DeriveKey: ECDH with a key on the card; the derived key is a session object on the host (PKCS#11 3.2 section 5.18.5).

use std::sync::Arc;

use cryptoki_sys::{CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE};

use super::Session;
use super::operation::KeyInUse;
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::plan::plan_derive;
use crate::object::secret_key::{self, Origin, Wish};
use crate::object::template::Template;
use crate::secret::LockedBytes;

/// C_DeriveKey.
pub fn derive(session: &Session, mechanism: Mechanism, base_key: u64, template: Template) -> Result<u64, Error> {
    session.with_operations(|_| {
        let base = session.key(base_key)?;
        let origin = Origin::Derived {
            always_sensitive: base.permits(CKA_ALWAYS_SENSITIVE),
            never_extractable: base.permits(CKA_NEVER_EXTRACTABLE),
        };
        let in_use = KeyInUse::new(base)?;
        let key = in_use.key()?;
        let plan = plan_derive(&mechanism, key)?;
        let wish = Wish::parse(&template, in_use.is_private(), session.creator()?)?;
        let shared = session.slot().with_key(session.generation(), key, None, |application, channel| {
            application.agree(channel, key, plan.peer())
        })?;
        let value = LockedBytes::new(&plan.finish(&shared, wish.length)?);
        session.add_object(|handle| Ok(Arc::new(secret_key::object(wish, value, origin, handle)?)))
    })
}
