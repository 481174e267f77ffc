//! C_DeriveKey: ECDH with a key on the card; the derived key is a session object on the host (PKCS#11 3.2 section 5.18.5).

use std::sync::Arc;

use super::operation::KeyInUse;
use super::Session;
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::plan::plan_derive;
use crate::object::secret_key;
use crate::object::template::Template;

/// C_DeriveKey.
pub fn derive(session: &Session, mechanism: Mechanism, base_key: u64, template: Template) -> Result<u64, Error> {
    session.with_operations(|_| {
        let in_use = KeyInUse::new(session.key(base_key)?)?;
        let key = in_use.key()?;
        let plan = plan_derive(&mechanism, key)?;
        let wish = secret_key::Wish::parse(&template, in_use.is_private())?;
        let shared = session.slot().with_key(session.generation(), key, None, |application, channel| {
            application.agree(channel, key, plan.peer())
        })?;
        let value = plan.finish(&shared, wish.length)?;
        session.add_object(|handle| Ok(Arc::new(secret_key::object(wish, value, secret_key::Origin::Derived, handle)?)))
    })
}
