//! C_SeedRandom and C_GenerateRandom (PKCS#11 3.2 section 5.19): the token's own generator, or none.

use zeroize::Zeroizing;

use super::Session;
use crate::error::Error;
use crate::secret::SecretBytes;

/// Most bytes asked of the card at once.
const PIECE: usize = 128;

/// C_SeedRandom: no card here takes a seed.
pub fn seed(session: &Session, _seed: &[u8]) -> Result<(), Error> {
    let description = session.slot().description()?;
    Err(if description.random { Error::RandomSeedNotSupported } else { Error::RandomNoRng })
}

/// C_GenerateRandom.
pub fn generate(session: &Session, length: usize) -> Result<SecretBytes, Error> {
    if !session.slot().description()?.random {
        return Err(Error::RandomNoRng);
    }
    let mut random = Zeroizing::new(Vec::with_capacity(length));
    while random.len() < length {
        let piece = PIECE.min(length - random.len());
        let bytes = session.slot().with_card(session.generation(), |access| {
            Ok(access.probably(|application, channel| application.challenge(channel, piece))?)
        })?;
        if bytes.len() != piece {
            return Err(Error::DeviceError);
        }
        random.extend_from_slice(&bytes);
    }
    Ok(random)
}
