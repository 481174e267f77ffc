//! C_GenerateKey on the host, C_GenerateKeyPair (PKCS#11 3.2 section 5.18). No driver here generates keys yet.

use std::sync::Arc;

use cryptoki_sys::CKA_VALUE_LEN;

use super::{Session, volatile};
use crate::error::Error;
use crate::mechanism::symmetric::SecretKind;
use crate::mechanism::{Mechanism, random, table};
use crate::object::secret_key::{self, Origin, Wish};
use crate::object::template::Template;
use crate::secret::LockedBytes;

/// C_GenerateKey: a secret key of this session, on the host or in the card's volatile memory. A key that is to be sensitive and not extractable belongs
/// on a token, and is refused where that has no such memory (`TemplateInconsistent`).
pub fn key(session: &Session, mechanism: Mechanism, template: Template) -> Result<u64, Error> {
    session.with_operations(|_| {
        let Mechanism::Generate(kind) = mechanism else { return Err(Error::MechanismInvalid) };
        if kind == SecretKind::Aes
            && let Some(length) = template.ulong(CKA_VALUE_LEN)?.and_then(|length| usize::try_from(length).ok())
            && let Some(new) = volatile::wish(session, &template, length)?
        {
            return volatile::create(session, &new, LockedBytes::filled(length, random::fill)?.expose());
        }
        let wish = Wish::generated(&template, kind, session.creator()?)?;
        let value = LockedBytes::filled(wish.length.unwrap_or(0), random::fill)?;
        let origin = Origin::Generated(table::number(&mechanism));
        session.add_object(|handle| Ok(Arc::new(secret_key::object(wish, value, origin, handle)?)))
    })
}

/// C_GenerateKeyPair.
pub fn key_pair(
    session: &Session,
    _mechanism: Mechanism,
    public: Template,
    private: Template,
) -> Result<(u64, u64), Error> {
    session.with_operations(|_| public.consistent().and_then(|()| private.consistent()))?;
    Err(Error::FunctionNotSupported)
}
