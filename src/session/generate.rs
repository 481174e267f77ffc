//! C_GenerateKey and C_GenerateKeyPair (PKCS#11 3.2 section 5.18).

use std::sync::Arc;

use cryptoki_sys::{CKA_KEY_TYPE, CKA_VALUE_LEN};

use super::{Session, card_private, card_secret};
use crate::error::Error;
use crate::mechanism::{Mechanism, table};
use crate::object::secret_key::{self, Origin, Wish};
use crate::object::template::Template;

/// C_GenerateKey: a secret key on the card, or of this session on the host. A key that is to be sensitive and not
/// extractable belongs on a card, and is refused where that has no memory for it (`TemplateInconsistent`).
pub fn key(session: &Session, mechanism: Mechanism, template: Template) -> Result<u64, Error> {
    session.with_operations(|_| {
        let Mechanism::Generate(kind) = mechanism else { return Err(Error::MechanismInvalid) };
        let key_type = secret_key::key_type(kind);
        let length = template.ulong(CKA_VALUE_LEN)?.and_then(|length| usize::try_from(length).ok());
        let same = template.ulong(CKA_KEY_TYPE)?.is_none_or(|given| given == key_type);
        let origin = Origin::Generated(table::number(&mechanism));
        if let Some(length) = length.or(card_secret::only_length(key_type))
            && same
            && let Some(new) = card_secret::wish(session, &template, (key_type, length), origin)?
        {
            return match card_secret::generate(session, &new)? {
                Some(key) => Ok(key),
                None => card_secret::create_drawn(session, &new, kind.draw(length)?.expose()),
            };
        }
        let wish = Wish::generated(&template, kind, session.creator()?)?;
        let value = kind.draw(wish.length.unwrap_or(0))?;
        session.add_object(|handle| Ok(Arc::new(secret_key::object(wish, value, origin, handle)?)))
    })
}

/// C_GenerateKeyPair.
pub fn key_pair(
    session: &Session,
    mechanism: Mechanism,
    public: Template,
    private: Template,
) -> Result<(u64, u64), Error> {
    session.with_operations(|_| {
        let Mechanism::GeneratePair(pair) = mechanism else { return Err(Error::MechanismInvalid) };
        card_private::generate(session, pair, &public, &private)
    })
}
