//! C_SeedRandom and C_GenerateRandom (PKCS#11 3.2 section 5.19): the card's generator, and the system's for a card that
//! has none, since programs draw their vectors and nonces here.

use zeroize::Zeroizing;

use super::Session;
use crate::error::Error;
use crate::mechanism::random::fill;
use crate::secret::SecretBytes;

/// Most bytes asked of the card at once.
const PIECE: usize = 128;

/// C_SeedRandom: no generator here takes a seed.
pub fn seed(session: &Session, _seed: &[u8]) -> Result<(), Error> {
    session.slot().description()?;
    Err(Error::RandomSeedNotSupported)
}

/// C_GenerateRandom.
pub fn generate(session: &Session, length: usize) -> Result<SecretBytes, Error> {
    if !session.slot().description()?.random {
        let mut random = Zeroizing::new(vec![0; length]);
        fill(&mut random)?;
        return Ok(random);
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
