//! C_FindObjectsInit, C_FindObjects, C_FindObjectsFinal (PKCS#11 3.2 section 5.7). A search is a snapshot, of which the
//! handles are given that are still good: a logout in between hides the private objects.

use cryptoki_sys::{CKA_CLASS, CKA_TOKEN, CKO_SECRET_KEY};

use super::Session;
use crate::error::Error;
use crate::object::template::Template;

/// C_FindObjectsInit.
pub fn find_init(session: &Session, template: Template) -> Result<(), Error> {
    session.with_operations(|operations| {
        if operations.search.is_some() {
            return Err(Error::OperationActive);
        }
        let generation = session.generation();
        if may_be_hidden(&template) {
            session.slot().reveal(generation)?;
        }
        session.slot().look_for_resets(generation)?;
        let tokens = session.slot().objects(generation)?;
        let role = session.slot().role(generation)?;
        let found = session.slot().with_state(generation, |state| {
            let all = tokens.iter().chain(state.session_objects.iter());
            all.filter(|(_, object)| state.shows(object, role) && template.matches(object))
                .map(|(handle, _)| handle)
                .collect()
        })?;
        operations.search = Some(found);
        Ok(())
    })
}

/// Whether this may look for keys that a card shows only to its user. A value of another form is no object's.
fn may_be_hidden(template: &Template) -> bool {
    let (Ok(class), Ok(token)) = (template.ulong(CKA_CLASS), template.boolean(CKA_TOKEN)) else { return false };
    class.is_none_or(|class| class == CKO_SECRET_KEY) && token != Some(false)
}

/// C_FindObjects: at most `max` more handles; none means that all were given.
pub fn find(session: &Session, max: usize) -> Result<Vec<u64>, Error> {
    session.with_operations(|operations| {
        let search = operations.search.as_mut().ok_or(Error::OperationNotInitialized)?;
        let generation = session.generation();
        let role = session.slot().role(generation)?;
        session.slot().with_state(generation, |state| {
            let mut found = Vec::new();
            while found.len() < max
                && let Some(handle) = search.pop_front()
            {
                found.extend(state.object(handle, role).map(|_| handle));
            }
            found
        })
    })
}

/// C_FindObjectsFinal.
pub fn find_final(session: &Session) -> Result<(), Error> {
    session.with_operations(|operations| operations.search.take().map(drop).ok_or(Error::OperationNotInitialized))
}
