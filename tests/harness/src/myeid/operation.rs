//! MANAGE SECURITY ENVIRONMENT, PERFORM SECURITY OPERATION and GENERAL AUTHENTICATE.

use crate::card::Command;
use crate::card::status::{CONDITIONS_OF_USE_NOT_SATISFIED, INCORRECT_P1_P2, WRONG_LENGTH};

use super::application::{Application, Outcome};
use super::block_cipher::Direction;
use super::channel::{Channel, RunningCipher};
use super::curve::Curve;
use super::file::{Access, Content, File, FileNumber, Kind};
use super::key::Key;
use super::rsa_key::RsaKey;
use super::security_environment::{Algorithm, Environment, Template};
use super::status::{INCOMPATIBLE_FILE, INVALID_DATA, LENGTH_INCONSISTENT};
use super::tlv;

impl Application {
    /// MANAGE SECURITY ENVIRONMENT (ISO 7816-4 7.5.11). A refused one leaves none set; `22 F3 00` clears it.
    pub(super) fn manage_security_environment(&mut self, channel: &mut Channel, command: &Command) -> Outcome {
        let Command { p1, p2, ref data, .. } = *command;
        channel.environment = None;
        if p1 == 0xF3 {
            return if p2 == 0 && data.is_empty() { Ok(().into()) } else { Err(LENGTH_INCONSISTENT) };
        }
        let directory = self.files.directory(channel.selected);
        let find = |id| self.files.child(directory, id).filter(|file| file.kind.is_key()).map(|file| file.number);
        channel.environment = Some(Environment::decode(p1, p2, data, find)?);
        Ok(().into())
    }

    /// PERFORM SECURITY OPERATION (ISO 7816-8 11) on the key of the channel's security environment.
    pub(super) fn perform_security_operation(&mut self, channel: &mut Channel, command: &Command) -> Outcome {
        match (command.p1, command.p2) {
            (0x9E, 0x9A) => self.compute_digital_signature(channel, &command.data).map(Into::into),
            (0x84, 0x80) => self.cipher(channel, command).map(Into::into),
            (0x80, 0x84) if self.has_block_cipher(channel) => self.cipher(channel, command).map(Into::into),
            (0x80, 0x84 | 0x86) => self.decipher(channel, command),
            (0x84, 0x00) => self.wrap(channel, command).map(Into::into),
            (0x00, 0x84 | 0x86) => self.unwrap(channel, command),
            _ => Err(INCORRECT_P1_P2),
        }
    }

    /// The environment if it is for the operation.
    fn environment(channel: &Channel, template: Template) -> Result<Environment, u16> {
        channel
            .environment
            .clone()
            .filter(|environment| environment.template == template)
            .ok_or(CONDITIONS_OF_USE_NOT_SATISFIED)
    }

    /// A key file that may be used; 6985 if it is gone or empty.
    fn key(&self, number: FileNumber, access: Access) -> Result<(&File, &Key), u16> {
        let file = self.files.file(number).ok_or(CONDITIONS_OF_USE_NOT_SATISFIED)?;
        self.check(file, access)?;
        match &file.content {
            Content::Key(key) if key.is_usable() => Ok((file, key)),
            _ => Err(CONDITIONS_OF_USE_NOT_SATISFIED),
        }
    }

    fn rsa_key(&self, number: FileNumber) -> Result<&RsaKey, u16> {
        match self.key(number, Access::Read)? {
            (_, Key::Rsa(key)) => Ok(key),
            _ => Err(CONDITIONS_OF_USE_NOT_SATISFIED),
        }
    }

    fn elliptic_key(&self, number: FileNumber) -> Result<(Curve, &[u8]), u16> {
        match self.key(number, Access::Read)? {
            (file, Key::Elliptic { private: Some(private), .. }) => {
                Ok((Curve::from_bits(file.size).ok_or(CONDITIONS_OF_USE_NOT_SATISFIED)?, private))
            }
            _ => Err(CONDITIONS_OF_USE_NOT_SATISFIED),
        }
    }

    /// A key that asks for user consent takes the PIN with it when it has been used.
    fn used(&mut self, number: FileNumber) {
        let consent = self.files.file(number).map_or(0, |file| file.attributes.consent());
        if consent != 0 {
            // reference 15 is no PIN
            let _ = self.pins.forget(consent);
        }
    }

    /// COMPUTE DIGITAL SIGNATURE (ISO 7816-8 11.7).
    fn compute_digital_signature(&mut self, channel: &Channel, data: &[u8]) -> Result<Vec<u8>, u16> {
        let environment = Self::environment(channel, Template::Signature)?;
        if data.is_empty() {
            return Err(WRONG_LENGTH);
        }
        let signature = match environment.algorithm {
            Algorithm::Plain => self.rsa_key(environment.key)?.private_operation(data)?,
            Algorithm::Padded => self.rsa_key(environment.key)?.sign_padded(data)?,
            Algorithm::PaddedSha1 => self.rsa_key(environment.key)?.sign_sha1(data)?,
            Algorithm::Elliptic => {
                let (curve, private) = self.elliptic_key(environment.key)?;
                if data.len() > curve.field_bytes() {
                    return Err(WRONG_LENGTH);
                }
                curve.sign(private, data)?
            }
            Algorithm::Wrapping | Algorithm::WrappingPadded => return Err(CONDITIONS_OF_USE_NOT_SATISFIED),
        };
        self.used(environment.key);
        Ok(signature)
    }

    /// The cryptogram of a command: all of its data (P2 84), or what follows the padding indicator (P2 86). Indicator 81 announces
    /// a first half, for which there is no more answer than 9000, and 82 the second.
    fn cryptogram(channel: &mut Channel, command: &Command) -> Result<Option<Vec<u8>>, u16> {
        let first_half = channel.first_half.take();
        let parameters = [command.p1, command.p2];
        match (command.p2, command.data.as_slice()) {
            (_, []) => Err(WRONG_LENGTH),
            (0x84, data) => Ok(Some(data.to_vec())),
            (_, [0x00, data @ ..]) => Ok(Some(data.to_vec())),
            (_, [0x81, half @ ..]) => {
                channel.first_half = Some((parameters, half.to_vec()));
                Ok(None)
            }
            (_, [0x82, half @ ..]) => match first_half {
                Some((found, first)) if found == parameters => Ok(Some([&first, half].concat())),
                _ => Err(CONDITIONS_OF_USE_NOT_SATISFIED),
            },
            _ => Err(INVALID_DATA),
        }
    }

    /// DECIPHER (ISO 7816-8 11.11) with an RSA key.
    fn decipher(&mut self, channel: &mut Channel, command: &Command) -> Outcome {
        let environment = Self::environment(channel, Template::Deciphering)?;
        if self.has_block_cipher(channel) {
            return Err(INCORRECT_P1_P2);
        }
        let key = self.rsa_key(environment.key)?;
        let Some(cryptogram) = Self::cryptogram(channel, command)? else {
            return Ok(().into());
        };
        let plain = match environment.algorithm {
            Algorithm::Plain => key.private_operation(&cryptogram)?,
            Algorithm::Padded => key.decipher_padded(&cryptogram)?,
            _ => return Err(CONDITIONS_OF_USE_NOT_SATISFIED),
        };
        self.used(environment.key);
        Ok(plain.into())
    }

    fn has_block_cipher(&self, channel: &Channel) -> bool {
        channel
            .environment
            .as_ref()
            .and_then(|environment| self.files.file(environment.key))
            .is_some_and(|file| matches!(file.kind, Kind::Aes | Kind::Des))
    }

    /// Whether an APDU of class 10 is one of a block cipher's, which is answered at once.
    pub(super) fn is_running_cipher(&self, channel: &Channel, apdu: &[u8]) -> bool {
        matches!(apdu, [_, 0x2A, 0x84, 0x80, ..] | [_, 0x2A, 0x80, 0x84, ..]) && self.has_block_cipher(channel)
    }

    /// ENCIPHER and DECIPHER with a block cipher. A chain of commands is one message: each is answered with its own part, and the
    /// first begins with the environment's vector. A single command begins with it too, so that with a zero vector and one block
    /// it is ECB.
    ///
    /// The chain's vector belongs to the channel: whoever sends the next command of the chain continues it.
    pub(super) fn cipher(&mut self, channel: &mut Channel, command: &Command) -> Result<Vec<u8>, u16> {
        let (template, direction) = match command.p1 {
            0x84 => (Template::Enciphering, Direction::Encipher),
            _ => (Template::Deciphering, Direction::Decipher),
        };
        let parameters = [command.p1, command.p2];
        let running = channel.cipher.take().filter(|cipher| cipher.parameters == parameters);
        let environment = Self::environment(channel, template)?;
        if environment.algorithm != Algorithm::Plain || environment.target.is_some() {
            return Err(CONDITIONS_OF_USE_NOT_SATISFIED);
        }
        let (_, key) = self.key(environment.key, Access::Read)?;
        let cipher = key.block_cipher().ok_or(INCOMPATIBLE_FILE)?;
        let mut vector = running.map_or(environment.vector, |cipher| cipher.vector);
        let result = cipher.chain(direction, &mut vector, &command.data)?;
        if command.class & 0x10 != 0 {
            channel.cipher = Some(RunningCipher { parameters, vector });
        }
        self.used(environment.key);
        Ok(result)
    }

    /// Wrapping: the target key, which has to be extractable, enciphered under a block cipher.
    fn wrap(&mut self, channel: &Channel, command: &Command) -> Result<Vec<u8>, u16> {
        let environment = Self::environment(channel, Template::Enciphering)?;
        if !command.data.is_empty() {
            return Err(WRONG_LENGTH);
        }
        let (_, wrapping) = self.key(environment.key, Access::Read)?;
        let cipher = wrapping.block_cipher().ok_or(CONDITIONS_OF_USE_NOT_SATISFIED)?;
        let (file, target) = self.key(environment.target.ok_or(WRONG_LENGTH)?, Access::Read)?;
        let value = target.secret().filter(|_| file.attributes.is_extractable());
        let value = value.ok_or(CONDITIONS_OF_USE_NOT_SATISFIED)?;
        let plain = match environment.algorithm {
            Algorithm::Wrapping => value.to_vec(),
            Algorithm::WrappingPadded => cipher.pad(value),
            _ => return Err(CONDITIONS_OF_USE_NOT_SATISFIED),
        };
        let wrapped = cipher.chain(Direction::Encipher, &mut environment.vector.clone(), &plain)?;
        self.used(environment.key);
        Ok(wrapped)
    }

    /// Unwrapping: a secret key deciphered into the target file, with a block cipher (P2 84) or an RSA key (P2 86).
    fn unwrap(&mut self, channel: &mut Channel, command: &Command) -> Outcome {
        let environment = Self::environment(channel, Template::Deciphering)?;
        let target = environment.target.ok_or(CONDITIONS_OF_USE_NOT_SATISFIED)?;
        let value = if self.has_block_cipher(channel) {
            self.unwrap_with_block_cipher(&environment, command)?
        } else {
            let size = self.files.file(environment.key).map_or(0, |file| file.size);
            if channel.chained && size == 2048 && !self.options.chained_unwrapping {
                return Err(CONDITIONS_OF_USE_NOT_SATISFIED);
            }
            let key = self.rsa_key(environment.key)?;
            if environment.algorithm != Algorithm::Wrapping {
                return Err(CONDITIONS_OF_USE_NOT_SATISFIED);
            }
            let Some(cryptogram) = Self::cryptogram(channel, command)? else {
                return Ok(().into());
            };
            key.decipher_padded(&cryptogram)?
        };
        let file = self.files.file(target).ok_or(CONDITIONS_OF_USE_NOT_SATISFIED)?;
        if !file.kind.is_secret_key() {
            return Err(CONDITIONS_OF_USE_NOT_SATISFIED);
        }
        self.check(file, Access::Update)?;
        let outcome = self.changed(|card| match card.files.file_mut(target) {
            Some(file) => match &mut file.content {
                Content::Key(key) => key.load(0xA0, file.size, &value),
                _ => Err(CONDITIONS_OF_USE_NOT_SATISFIED),
            },
            None => Err(CONDITIONS_OF_USE_NOT_SATISFIED),
        })?;
        self.used(environment.key);
        Ok(outcome)
    }

    fn unwrap_with_block_cipher(&self, environment: &Environment, command: &Command) -> Result<Vec<u8>, u16> {
        if command.p2 != 0x84 {
            return Err(INCORRECT_P1_P2);
        }
        let (_, key) = self.key(environment.key, Access::Read)?;
        let cipher = key.block_cipher().ok_or(INCOMPATIBLE_FILE)?;
        let plain = cipher.chain(Direction::Decipher, &mut environment.vector.clone(), &command.data)?;
        match environment.algorithm {
            Algorithm::Wrapping => Ok(plain),
            Algorithm::WrappingPadded => cipher.strip(&plain),
            _ => Err(CONDITIONS_OF_USE_NOT_SATISFIED),
        }
    }

    /// GENERAL AUTHENTICATE (ISO 7816-4 7.5.5) for ECDH: `7C { 85 point }` gives the x coordinate of the common point.
    pub(super) fn general_authenticate(&mut self, channel: &Channel, command: &Command) -> Outcome {
        if (command.p1, command.p2) != (0, 0) {
            return Err(INCORRECT_P1_P2);
        }
        let environment = Self::environment(channel, Template::Agreement)?;
        let Some((0x7C, template, [])) = tlv::first(&command.data) else {
            return Err(INVALID_DATA);
        };
        let objects = tlv::all(template).ok_or(INVALID_DATA)?;
        // 80 names the algorithm, which the environment does already
        let [(0x85, point)] = objects.into_iter().filter(|(tag, _)| *tag != 0x80).collect::<Vec<_>>()[..] else {
            return Err(INVALID_DATA);
        };
        if environment.algorithm != Algorithm::Elliptic {
            return Err(CONDITIONS_OF_USE_NOT_SATISFIED);
        }
        let (curve, private) = self.elliptic_key(environment.key)?;
        let secret = curve.agree(private, point)?;
        self.used(environment.key);
        Ok(secret.into())
    }
}
