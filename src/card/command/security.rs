//! Commands that use keys: authentication (ISO 7816-4 11.6), MANAGE SECURITY ENVIRONMENT (11.6.11) and
//! PERFORM SECURITY OPERATION (ISO 7816-8 11).

use cardea_apdu::Command;

use super::{
    INS_GENERAL_AUTHENTICATE, INS_GENERATE_ASYMMETRIC_KEY_PAIR, INS_GET_CHALLENGE, INS_INTERNAL_AUTHENTICATE,
    INS_MANAGE_SECURITY_ENVIRONMENT, INS_PERFORM_SECURITY_OPERATION, execute,
};
use crate::card::CardError;
use crate::channel::Channel;
use crate::secret::SecretBytes;

/// GENERAL AUTHENTICATE with a dynamic authentication template. The answer counts as secret: it may be a
/// deciphered text or a shared secret.
pub fn general_authenticate(
    channel: &mut Channel<'_>,
    algorithm: u8,
    reference: u8,
    template: SecretBytes,
) -> Result<SecretBytes, CardError> {
    let command = Command::new(0x00, INS_GENERAL_AUTHENTICATE, algorithm, reference);
    execute(channel, command.data_zeroizing(template).le_max().secret_response())
}

/// INTERNAL AUTHENTICATE of `challenge` with the key in the current security environment.
pub fn internal_authenticate(channel: &mut Channel<'_>, challenge: &[u8]) -> Result<SecretBytes, CardError> {
    execute(channel, Command::new(0x00, INS_INTERNAL_AUTHENTICATE, 0x00, 0x00).data(challenge).le_max())
}

/// GET CHALLENGE of exactly `length` bytes.
pub fn get_challenge(channel: &mut Channel<'_>, length: usize) -> Result<SecretBytes, CardError> {
    let challenge = execute(channel, Command::new(0x00, INS_GET_CHALLENGE, 0x00, 0x00).le(length).secret_response())?;
    if challenge.len() == length { Ok(challenge) } else { Err(CardError::Malformed { what: "challenge" }) }
}

/// MANAGE SECURITY ENVIRONMENT SET: `p1` says for what, `template` is the tag of the control reference template.
pub fn manage_security_environment(
    channel: &mut Channel<'_>,
    p1: u8,
    template: u8,
    content: &[u8],
) -> Result<(), CardError> {
    execute(channel, Command::new(0x00, INS_MANAGE_SECURITY_ENVIRONMENT, p1, template).data(content)).map(drop)
}

/// PERFORM SECURITY OPERATION: COMPUTE DIGITAL SIGNATURE over data to be signed (ISO 7816-8 11.7).
pub fn compute_digital_signature(channel: &mut Channel<'_>, data: &[u8]) -> Result<SecretBytes, CardError> {
    execute(channel, Command::new(0x00, INS_PERFORM_SECURITY_OPERATION, 0x9E, 0x9A).data(data).le_max())
}

/// PERFORM SECURITY OPERATION: DECIPHER of a padding indicator and a cryptogram, or of template A6 (ISO 7816-8 11.11).
pub fn decipher(channel: &mut Channel<'_>, data: &[u8]) -> Result<SecretBytes, CardError> {
    let command = Command::new(0x00, INS_PERFORM_SECURITY_OPERATION, 0x80, 0x86);
    execute(channel, command.data(data).le_max().secret_response())
}

/// PERFORM SECURITY OPERATION: ENCIPHER; gives a padding indicator and the cryptogram (ISO 7816-8 11.9).
pub fn encipher(channel: &mut Channel<'_>, data: &[u8]) -> Result<SecretBytes, CardError> {
    let command = Command::new(0x00, INS_PERFORM_SECURITY_OPERATION, 0x86, 0x80);
    execute(channel, command.data(data).le_max().secret_command())
}

/// GENERATE ASYMMETRIC KEY PAIR: `p1` says whether a key is generated or read, `template` is a control reference template.
pub fn generate_asymmetric_key_pair(
    channel: &mut Channel<'_>,
    p1: u8,
    template: &[u8],
) -> Result<SecretBytes, CardError> {
    let command = Command::new(0x00, INS_GENERATE_ASYMMETRIC_KEY_PAIR, p1, 0x00);
    execute(channel, command.data(template).le_max())
}
