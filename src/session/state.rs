//! C_GetOperationState and C_SetOperationState (PKCS#11 3.2 section 5.6.6 and 5.6.7): digests on the host.
//!
//! A saved state is `CARDEA`, a version, the hash function, how far the operation is, the state of the hash, and a code
//! over all of it and the token's serial number with a secret of this process. A state of another token, process or
//! module is therefore refused, and so is one that was changed. Operations with keys are not saved: their state would
//! contain what the key protects.

use super::Session;
use super::operation::{Answer, Digest, Operations, Progress};
use crate::error::Error;
use crate::mechanism::digest::Digester;
use crate::mechanism::symmetric::{Mac, SecretKey, SecretKind};
use crate::mechanism::{Hash, MacFunction, Mechanism};
use crate::secret::{LockedBytes, SecretBytes};

/// First bytes of a saved state, with its version.
const MAGIC: [u8; 7] = *b"CARDEA\x01";
/// Length of the code at its end.
const CODE: usize = 32;
/// What the code is for, since the secret has other uses too.
const PURPOSE: &[u8] = b"operation state";

/// C_GetOperationState. `StateUnsaveable` beside any operation with a key, and for a digest of one.
pub fn save(session: &Session, capacity: Option<usize>) -> Result<Answer, Error> {
    session.with_operations(|operations| {
        if operations.with_key() {
            return Err(Error::StateUnsaveable);
        }
        let Digest { digester, progress, keyed } = operations.digest.as_ref().ok_or(Error::OperationNotInitialized)?;
        if *keyed {
            return Err(Error::StateUnsaveable);
        }
        let state = sealed(session, digester, *progress)?;
        Ok(Answer::before(state.len(), capacity).unwrap_or(Answer::Bytes(state)))
    })
}

/// C_SetOperationState: the session goes on with what was saved, in the place of whatever cryptographic operation was active
/// in it, as the example of the specification does in the middle of a digest. A state that is refused ends nothing.
pub fn restore(session: &Session, state: &[u8], encryption_key: u64, authentication_key: u64) -> Result<(), Error> {
    session.with_operations(|operations| {
        let digest = opened(session, state)?;
        if encryption_key != 0 || authentication_key != 0 {
            return Err(Error::KeyNotNeeded);
        }
        *operations = Operations { search: operations.search.take(), digest: Some(digest), ..Operations::default() };
        Ok(())
    })
}

fn sealed(session: &Session, digester: &Digester, progress: Progress) -> Result<SecretBytes, Error> {
    let hash = Hash::ALL.iter().position(|hash| *hash == digester.hash()).unwrap_or_default();
    let state = digester.save();
    let mut sealed = SecretBytes::new(Vec::with_capacity(MAGIC.len() + 2 + state.len() + CODE));
    sealed.extend_from_slice(&MAGIC);
    sealed.push(u8::try_from(hash).unwrap_or(u8::MAX));
    sealed.push(u8::from(progress == Progress::Updated));
    sealed.extend_from_slice(&state);
    let code = code(session, &sealed)?.finish();
    sealed.extend_from_slice(&code);
    Ok(sealed)
}

fn opened(session: &Session, sealed: &[u8]) -> Result<Digest, Error> {
    let length = sealed.len().checked_sub(CODE).ok_or(Error::SavedStateInvalid)?;
    let (content, seal) = sealed.split_at_checked(length).ok_or(Error::SavedStateInvalid)?;
    code(session, content)?.verify(seal).map_err(|_| Error::SavedStateInvalid)?;
    let Some([hash, progress, state @ ..]) = content.strip_prefix(&MAGIC) else { return Err(Error::SavedStateInvalid) };
    let hash = Hash::ALL.get(usize::from(*hash)).ok_or(Error::SavedStateInvalid)?;
    Ok(Digest {
        digester: Box::new(Digester::restore(*hash, state).ok_or(Error::SavedStateInvalid)?),
        progress: if *progress == 0 { Progress::Started } else { Progress::Updated },
        keyed: false,
    })
}

fn code(session: &Session, content: &[u8]) -> Result<Mac, Error> {
    let key = SecretKey { kind: SecretKind::Generic, value: LockedBytes::new(&**session.slot().rejection_secret()) };
    let mut code = Mac::new(&Mechanism::Mac { function: MacFunction::Hmac(Hash::Sha256), length: None }, &key)?;
    let serial = session.slot().description()?.serial.clone();
    // The serial number ends where the content begins, which always begins alike.
    [PURPOSE, serial.as_bytes(), content].into_iter().for_each(|part| code.update(part));
    Ok(code)
}
