//! Key-based key derivation (SP 800-108; PKCS#11 3.2 section 6.42): a pseudo-random function over parts that the caller
//! puts together, in one of three modes.

use zeroize::Zeroizing;

use super::SecretKey;
use super::mac::Mac;
use crate::error::Error;
use crate::mechanism::{InputPart, Iteration, KeyBasedParameters, Mechanism, NumberFormat, Result};
use crate::secret::SecretBytes;

/// Longest that all keys of one derivation may be, in bytes.
const LONGEST: usize = 1 << 20;

/// What one round of the function takes beside the parts that stay the same.
struct Round<'r> {
    /// The result of the round before, where the mode has it.
    previous: &'r [u8],
    counter: u64,
    /// Bits of all keys, and of all results of which they are cut.
    keys: u64,
    segments: u64,
}

/// The keys of these lengths that are derived of `base`, each of which begins with a result of its own.
///
/// `KeyTypeInconsistent` for a base key of another type than the function's, `MechanismParamInvalid` where counter or
/// length do not fit the bits that they have.
pub fn derive_keys(parameters: &KeyBasedParameters, base: &SecretKey, lengths: &[usize]) -> Result<Vec<SecretBytes>> {
    let segment = parameters.function.output_len();
    let keys: usize = lengths.iter().sum();
    if keys > LONGEST {
        return Err(Error::AttributeValueInvalid);
    }
    let segments: usize = lengths.iter().map(|length| length.next_multiple_of(segment)).sum();
    let (key_bits, segment_bits) = (8 * keys as u64, 8 * segments as u64);
    let mut results: Vec<SecretBytes> = Vec::with_capacity(segments / segment);
    let mut previous = SecretBytes::default();
    match &parameters.iteration {
        Iteration::Counter => {}
        Iteration::Feedback { iv } => previous = Zeroizing::new(iv.clone()),
        Iteration::DoublePipeline => {
            let round = Round { previous: &[], counter: 0, keys: key_bits, segments: segment_bits };
            previous = fixed(parameters, &round)?;
        }
    }
    for counter in 1..=(segments / segment) as u64 {
        if parameters.iteration == Iteration::DoublePipeline {
            previous = function(parameters, base, &[&previous])?;
        }
        let round = Round { previous: &previous, counter, keys: key_bits, segments: segment_bits };
        let result = result(parameters, base, &round)?;
        if matches!(parameters.iteration, Iteration::Feedback { .. }) {
            previous.clone_from(&result);
        }
        results.push(result);
    }
    Ok(cut(&results, lengths, segment))
}

/// Each key from the beginning of a result on.
fn cut(results: &[SecretBytes], lengths: &[usize], segment: usize) -> Vec<SecretBytes> {
    let mut results = results.iter();
    let key = |length: &usize| {
        let mut key = Zeroizing::new(Vec::with_capacity(length.next_multiple_of(segment)));
        for result in results.by_ref().take(length.div_ceil(segment)) {
            key.extend_from_slice(result);
        }
        key.truncate(*length);
        key
    };
    lengths.iter().map(key).collect()
}

/// The parts that are the same in each round: what the double pipeline begins with.
fn fixed(parameters: &KeyBasedParameters, round: &Round<'_>) -> Result<SecretBytes> {
    let mut all = SecretBytes::default();
    for part in &parameters.input {
        if !matches!(part, InputPart::Iteration(_) | InputPart::Counter(_)) {
            all.extend_from_slice(&bytes(part, round)?);
        }
    }
    Ok(all)
}

fn result(parameters: &KeyBasedParameters, base: &SecretKey, round: &Round<'_>) -> Result<SecretBytes> {
    let parts: Result<Vec<_>> = parameters.input.iter().map(|part| bytes(part, round)).collect();
    let parts = parts?;
    function(parameters, base, &parts.iter().map(|part| part.as_slice()).collect::<Vec<_>>())
}

fn function(parameters: &KeyBasedParameters, base: &SecretKey, parts: &[&[u8]]) -> Result<SecretBytes> {
    let mut mac = Mac::new(&Mechanism::Mac { function: parameters.function, length: None }, base)?;
    for part in parts {
        mac.update(part);
    }
    Ok(mac.finish())
}

fn bytes(part: &InputPart, round: &Round<'_>) -> Result<SecretBytes> {
    match part {
        InputPart::Iteration(None) => Ok(Zeroizing::new(round.previous.to_vec())),
        InputPart::Iteration(Some(format)) | InputPart::Counter(format) => number(*format, round.counter),
        InputPart::Length { segments: true, format } => number(*format, round.segments),
        InputPart::Length { segments: false, format } => number(*format, round.keys),
        InputPart::Bytes(bytes) => Ok(bytes.clone()),
    }
}

/// A number in so many bytes; `MechanismParamInvalid` if it has more.
fn number(format: NumberFormat, value: u64) -> Result<SecretBytes> {
    let length = usize::try_from(format.bits / 8).unwrap_or(usize::MAX);
    let mut bytes = value.to_le_bytes().to_vec();
    let fits = bytes.get(length..).is_some_and(|rest| rest.iter().all(|byte| *byte == 0));
    if !fits {
        return Err(Error::MechanismParamInvalid);
    }
    bytes.truncate(length);
    if !format.little_endian {
        bytes.reverse();
    }
    Ok(Zeroizing::new(bytes))
}
