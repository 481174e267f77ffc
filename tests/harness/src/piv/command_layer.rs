//! What the card adds to the commands of the PIV application, and where it refuses what the application would not.

use std::collections::{BTreeMap, BTreeSet};

use super::attestation::Attestation;
use super::key_material::PrivateKey;
use super::management_key::ManagementKeys;
use super::metadata::{KeyOrigin, Metadata};
use super::tries::{ReferenceData, Tries};
use super::{PIV_AID, PivOptions};
use crate::card::{Command, status};
use crate::firmware::{self, Answer, PreparedKey, Running};

/// A dynamic authentication template that asks for a witness.
const ASKS_FOR_WITNESS: [u8; 4] = [0x7C, 0x02, 0x80, 0x00];
/// The PUK's retry counter when full; the application sets the same number.
const PUK_RETRIES: u8 = 3;

/// The discovery object's tag (SP 800-73-4 part 1 3.3.2).
const DISCOVERY_OBJECT: &[u8] = &[0x7E];

/// The beginning of the tags of Yubico's own data objects.
const YUBICO_OBJECTS: &[u8] = &[0x5F, 0xFF];

/// The last byte of the tag of the attestation certificate.
const ATTESTATION_OBJECT: u8 = 0x01;

/// The longest content of a data object that a card with Yubico's extensions takes.
const LONGEST_OBJECT: usize = 20_000;

/// Firmware from which MOVE KEY exists.
const MOVES_KEYS: [u8; 3] = [5, 7, 0];

/// The key history object's tag (SP 800-73-4 part 1 3.3.3).
const KEY_HISTORY_OBJECT: &[u8] = &[0x5F, 0xC1, 0x0C];

/// The commands of the PIV application between the operating system and the application itself.
pub(super) struct CommandLayer {
    options: PivOptions,
    serial: u32,
    prepared: PreparedKey,
    metadata: Metadata,
    puk_retries: u8,
    /// The content of the key history object once it has been written; the application makes up its own.
    key_history: Option<Vec<u8>>,
    /// Yubico's own data objects 5FFF00 to 5FFF0F: the last byte of the tag and the object.
    own_objects: BTreeMap<u8, Vec<u8>>,
    /// References whose keys were deleted, though the application still has them.
    deleted: BTreeSet<u8>,
    /// Where the application has the key of a reference, if that is not the reference itself: keys that were moved.
    places: BTreeMap<u8, u8>,
    management_keys: ManagementKeys,
    reference_data: ReferenceData,
    /// The attestation key.
    attests: Option<Attestation>,
}

impl firmware::CommandLayer for CommandLayer {
    fn answers_to(&self, name: &[u8]) -> bool {
        firmware::names(name, &PIV_AID, 5)
    }

    fn reselect_keeps_login(&self) -> bool {
        self.options.reselect_keeps_login
    }

    /// SELECT of the application by its whole name; gives the application property template.
    fn select(&mut self, application: &mut dyn Running) -> Option<Answer> {
        application.call(&command(0xA4, 0x04, 0x00, PIV_AID.to_vec()))
    }

    /// Processes one command; `None` means that the application crashed.
    fn call(&mut self, application: &mut dyn Running, command: &Command) -> Option<Answer> {
        let yubico = self.options.yubico_extensions;
        match (command.instruction, command.p1, command.p2) {
            (0x20, 0x00, 0x80) => self.verify(application, command),
            (0x24, 0x00, 0x80) => self.change_pin(application, command),
            (0x24, 0x00, 0x81) => self.try_puk(application, command),
            (0x2C, 0x00, 0x80) => self.try_puk(application, command),
            (0x47, 0x00, reference) => self.generate(application, command, reference),
            (0x87, _, 0x9B) if command.data == ASKS_FOR_WITNESS && !self.options.mutual_authentication => {
                own(application, Answer::status(status::INCORRECT_DATA))
            }
            (0x87, algorithm, reference) => self.general_authenticate(application, command, algorithm, reference),
            (0xCB, 0x3F, 0xFF) => self.get_data(application, command),
            (0xDB, 0x3F, 0xFF) => self.put_data(application, command),
            (0x20 | 0x24 | 0x2C | 0x47 | 0xCB | 0xDB, _, _) => application.call(command),
            (0xFE, algorithm, reference) => self.import(application, command, algorithm, reference),
            (0xF9, reference, 0x00) if self.attests.is_some() => self.attest(application, reference),
            (0xFD, 0x00, 0x00) if yubico => own(application, Answer::success(self.options.version.to_vec())),
            (0xF8, _, _) if yubico => own(application, Answer::success(self.serial.to_be_bytes().to_vec())),
            (0xF7, 0x00, reference) if yubico => self.get_metadata(application, reference),
            (0xF6, to, from) if yubico && self.options.version >= MOVES_KEYS => self.move_key(application, to, from),
            (0xFA, pin, puk) if yubico => self.set_tries(application, pin, puk),
            (0xFB, _, _) if yubico => self.reset(application, command),
            (0xFF, _, _) if yubico => self.set_management_key(application, command),
            _ => own(application, Answer::status(status::INSTRUCTION_NOT_SUPPORTED)),
        }
    }
}

impl CommandLayer {
    pub(super) fn new(options: &PivOptions, serial: u32, prepared: PreparedKey) -> Self {
        let attests = options.attestation.then(Attestation::default);
        Self {
            own_objects: attests.iter().map(|attests| (ATTESTATION_OBJECT, attests.object())).collect(),
            attests,
            options: options.clone(),
            serial,
            prepared,
            metadata: Metadata::default(),
            puk_retries: PUK_RETRIES,
            key_history: None,
            deleted: BTreeSet::new(),
            places: BTreeMap::new(),
            management_keys: ManagementKeys::default(),
            reference_data: ReferenceData::default(),
        }
    }

    /// Where the application has the key of a reference.
    fn place(&self, reference: u8) -> u8 {
        self.places.get(&reference).copied().unwrap_or(reference)
    }

    /// VERIFY of the PIN, or the question for its state.
    fn verify(&mut self, application: &mut dyn Running, verify: &Command) -> Option<Answer> {
        if !verify.data.is_empty()
            && let Some(answer) = self.reference_data.refused(application, false, &verify.data)
        {
            return answer;
        }
        let answer = application.call(verify)?;
        match self.reference_data.pin_state().filter(|_| verify.data.is_empty() && !answer.is_success()) {
            Some(state) => Some(state),
            None => Some(answer),
        }
    }

    /// SET PIN RETRIES.
    fn set_tries(&mut self, application: &mut dyn Running, pin: u8, puk: u8) -> Option<Answer> {
        let answer = self.reference_data.set_tries(application, pin, puk)?;
        if answer.is_success() {
            (self.metadata.pin_is_default, self.metadata.puk_is_default) = (true, true);
        }
        Some(answer)
    }

    /// CHANGE REFERENCE DATA of the PIN: a wrong PIN is 63CX and ends the verified state (SP 800-73-4 part 2 3.2.2);
    /// the application says 6300, and with the PIN verified it would answer the question for the counter with 9000.
    fn change_pin(&mut self, application: &mut dyn Running, change: &Command) -> Option<Answer> {
        if let Some(answer) = self.reference_data.refused(application, false, &change.data) {
            return answer;
        }
        let answer = application.call(change)?;
        if answer.is_success() {
            self.metadata.pin_is_default = change.data[8..] == *b"123456\xFF\xFF";
            self.reference_data.pin.copy_from_slice(&change.data[8..]);
        }
        if answer.status != 0x6300 {
            return Some(answer);
        }
        application.call(&command(0x20, 0xFF, 0x80, Vec::new()))?;
        let retries = application.call(&command(0x20, 0x00, 0x80, Vec::new()))?;
        Some(match retries.status {
            0x63C0 => Answer::status(status::AUTHENTICATION_METHOD_BLOCKED),
            word => Answer::status(word),
        })
    }

    /// CHANGE REFERENCE DATA of the PUK and RESET RETRY COUNTER: a wrong PUK is 63CX, a blocked one 6983.
    fn try_puk(&mut self, application: &mut dyn Running, attempt: &Command) -> Option<Answer> {
        if let Some(answer) = self.reference_data.refused(application, true, &attempt.data) {
            return answer;
        }
        let answer = application.call(attempt)?;
        if answer.is_success() {
            self.puk_retries = PUK_RETRIES;
            let new = &attempt.data[8..];
            if attempt.instruction == 0x24 {
                self.metadata.puk_is_default = *new == *b"12345678";
                self.reference_data.puk.copy_from_slice(new);
            } else {
                self.metadata.pin_is_default = *new == *b"123456\xFF\xFF";
                self.reference_data.pin.copy_from_slice(new);
                if let Some((pin, _)) = &mut self.reference_data.tries {
                    *pin = Tries::full(pin.total);
                }
            }
        }
        if answer.status != 0x6300 && answer.status & 0xFFF0 != 0x63C0 {
            return Some(answer);
        }
        if self.puk_retries == 0 {
            return Some(Answer::status(status::AUTHENTICATION_METHOD_BLOCKED));
        }
        self.puk_retries -= 1;
        Some(Answer::status(0x63C0 | u16::from(self.puk_retries)))
    }

    fn generate(&mut self, application: &mut dyn Running, command: &Command, reference: u8) -> Option<Answer> {
        let template = find(&command.data, &[0xAC]).unwrap_or_default();
        let Some(policy) = self.policy(template) else {
            return own(application, Answer::status(status::INCORRECT_DATA));
        };
        let answer = application.call(&Command { p2: self.place(reference), ..command.clone() })?;
        if answer.is_success() {
            let algorithm = find(template, &[0x80]).and_then(|value| value.first().copied());
            self.metadata.remember(reference, algorithm.unwrap_or(0), KeyOrigin::Generated, policy, &answer.data);
            self.deleted.remove(&reference);
        }
        Some(answer)
    }

    /// The policies for PIN and touch among the elements of a command: AA and AB, each 00 to 03, on a card that has them.
    fn policy(&self, elements: &[u8]) -> Option<[u8; 2]> {
        let one = |tag| match find(elements, &[tag]) {
            None => Some(0),
            Some([policy @ ..=3]) if self.options.yubico_extensions => Some(*policy),
            Some(_) => None,
        };
        Some([one(0xAA)?, one(0xAB)?])
    }

    /// IMPORT KEY in Yubico's format: the key is prepared, and the application generates it.
    fn import(
        &mut self,
        application: &mut dyn Running,
        import: &Command,
        algorithm: u8,
        reference: u8,
    ) -> Option<Answer> {
        let Some(key) = PrivateKey::from_import(algorithm, &import.data) else {
            return own(application, Answer::status(status::INCORRECT_DATA));
        };
        let Some(policy) = self.policy(&import.data) else {
            return own(application, Answer::status(status::INCORRECT_DATA));
        };
        self.prepared.put(key.material());
        let template = vec![0xAC, 0x03, 0x80, 0x01, algorithm];
        let answer = application.call(&command(0x47, 0x00, self.place(reference), template));
        self.prepared.take();
        let answer = answer?;
        if !answer.is_success() {
            return Some(answer);
        }
        self.metadata.remember(reference, algorithm, KeyOrigin::Imported, policy, &answer.data);
        self.deleted.remove(&reference);
        Some(Answer::success(Vec::new()))
    }

    /// MOVE KEY, which deletes where P1 is FF. The application has neither: a deleted key stays there, unreachable, and
    /// a moved one stays where it was made, so that the rules of that reference go with it.
    ///
    /// The attestation key does not move, and the destination must be empty; what is answered then is this card's own.
    fn move_key(&mut self, application: &mut dyn Running, to: u8, from: u8) -> Option<Answer> {
        let probe = application.call(&command(0xDB, 0x3F, 0xFF, vec![0x5C, 0x03, 0x5F, 0xC1, 0x0C, 0x53, 0x00]))?;
        if !probe.is_success() {
            return Some(Answer::status(probe.status));
        }
        Some(Answer::status(match to {
            0xFF if self.metadata.forget(from) => {
                self.deleted.insert(from);
                status::SUCCESS
            }
            0x9A | 0x9C..=0x9E | 0x82..=0x95 if to != from && self.metadata.key(to).is_some() => {
                status::CONDITIONS_OF_USE_NOT_SATISFIED
            }
            0x9A | 0x9C..=0x9E | 0x82..=0x95 if from != 0xF9 && self.metadata.moved(from, to) => {
                let (source, destination) = (self.place(from), self.place(to));
                self.places.extend([(to, source), (from, destination)]);
                self.deleted.insert(from);
                self.deleted.remove(&to);
                status::SUCCESS
            }
            0x9A | 0x9C..=0x9E | 0x82..=0x95 | 0xFF if from != 0xF9 => status::REFERENCED_DATA_NOT_FOUND,
            _ => status::INCORRECT_P1_P2,
        }))
    }

    /// ATTEST: the certificate that the attestation key makes for a key that was generated on the card.
    fn attest(&mut self, application: &mut dyn Running, reference: u8) -> Option<Answer> {
        let key = self.metadata.key(reference);
        let attested = key.and_then(|key| self.attests.as_ref()?.certificate(reference, key));
        own(application, attested.map_or(Answer::status(status::INCORRECT_DATA), Answer::success))
    }

    /// GENERAL AUTHENTICATE: an algorithm that is not the key's is 6A86, a number not below the modulus 6A80.
    fn general_authenticate(
        &mut self,
        application: &mut dyn Running,
        command: &Command,
        algorithm: u8,
        reference: u8,
    ) -> Option<Answer> {
        if reference == 0x9B
            && let Some(answer) = self.management_keys.authenticate(application, command)
        {
            return answer;
        }
        if self.deleted.contains(&reference) {
            return own(application, Answer::status(status::REFERENCED_DATA_NOT_FOUND));
        }
        let command = &Command { p2: self.place(reference), ..command.clone() };
        let Some(key) = self.metadata.key(reference) else {
            return application.call(command);
        };
        if key.algorithm != algorithm {
            return own(application, Answer::status(status::INCORRECT_P1_P2));
        }
        let number = find(&command.data, &[0x7C, 0x81]).unwrap_or_default();
        let too_large = key.modulus().is_some_and(|modulus| number.len() == modulus.len() && number >= modulus);
        if !too_large {
            return application.call(command);
        }
        // raw RSA of the application ends the program when the number is too large: it gets a zero in its place
        let mut harmless = command.clone();
        let start = harmless.data.len() - number.len();
        match find(&harmless.data, &[0x7C, 0x81]).filter(|_| harmless.data.ends_with(number)) {
            Some(_) => harmless.data[start..].fill(0),
            None => return own(application, Answer::status(status::INCORRECT_DATA)),
        }
        let answer = application.call(&harmless)?;
        Some(if answer.is_success() { Answer::status(status::INCORRECT_DATA) } else { answer })
    }

    fn get_data(&mut self, application: &mut dyn Running, command: &Command) -> Option<Answer> {
        let tag = find(&command.data, &[0x5C]).unwrap_or_default();
        if tag == DISCOVERY_OBJECT && !self.options.discovery_object
            || tag == KEY_HISTORY_OBJECT && !self.options.key_history && self.key_history.is_none()
        {
            return own(application, Answer::status(status::NOT_FOUND));
        }
        if let [0x5F, 0xFF, number @ ..=0x0F] = tag {
            let object = self.own_objects.get(number).filter(|_| self.options.yubico_extensions);
            return own(
                application,
                object.map_or(Answer::status(status::NOT_FOUND), |object| Answer::success(object.clone())),
            );
        }
        match &self.key_history {
            Some(content) if tag == KEY_HISTORY_OBJECT => own(application, Answer::success(content.clone())),
            _ => application.call(command),
        }
    }

    fn put_data(&mut self, application: &mut dyn Running, command: &Command) -> Option<Answer> {
        let tag = find(&command.data, &[0x5C]).unwrap_or_default();
        if command.data.len() > LONGEST_OBJECT && self.options.yubico_extensions {
            return own(application, Answer::status(status::WRONG_LENGTH));
        }
        if tag.starts_with(YUBICO_OBJECTS) && self.options.yubico_extensions {
            return self.put_own_object(application, command);
        }
        let answer = application.call(command)?;
        if answer.is_success() && tag == KEY_HISTORY_OBJECT {
            // 5C 03 5FC10C, then 53 with the content: the object as GET DATA gives it
            self.key_history = Some(command.data[5..].to_vec());
        }
        Some(answer)
    }

    /// One of Yubico's objects, which the application does not know: it is asked for its leave with one that it knows.
    fn put_own_object(&mut self, application: &mut dyn Running, put: &Command) -> Option<Answer> {
        let [0x5C, 0x03, 0x5F, 0xFF, number @ ..=0x0F, object @ ..] = put.data.as_slice() else {
            return own(application, Answer::status(status::NOT_FOUND));
        };
        let leave = application.call(&command(0xDB, 0x3F, 0xFF, vec![0x5C, 0x03, 0x5F, 0xC1, 0x0C, 0x53, 0x00]))?;
        if leave.is_success() {
            match object {
                [0x53, 0x00] => self.own_objects.remove(number),
                _ => self.own_objects.insert(*number, object.to_vec()),
            };
        }
        Some(leave)
    }

    fn get_metadata(&mut self, application: &mut dyn Running, reference: u8) -> Option<Answer> {
        let verify = application.call(&command(0x20, 0x00, 0x80, Vec::new()))?;
        let pin_retries = match verify.status {
            word if word & 0xFFF0 == 0x63C0 => (word & 0x0F) as u8,
            _ => 3,
        };
        let counted = (Tries { total: 3, left: pin_retries }, Tries { total: PUK_RETRIES, left: self.puk_retries });
        let (pin, puk) = self.reference_data.tries.unwrap_or(counted);
        let metadata = self.metadata.answer(reference, pin, puk);
        Some(match metadata {
            Some(data) => Answer::success(data),
            None => Answer::status(status::REFERENCED_DATA_NOT_FOUND),
        })
    }

    /// RESET: only with PIN and PUK blocked. The application asks for the PIN alone.
    fn reset(&mut self, application: &mut dyn Running, command: &Command) -> Option<Answer> {
        let set = self.reference_data.tries.is_some();
        if !set && self.puk_retries > 0 || !self.reference_data.block(application)? {
            return own(application, Answer::status(status::CONDITIONS_OF_USE_NOT_SATISFIED));
        }
        let answer = application.call(command)?;
        if answer.is_success() {
            self.metadata = Metadata::default();
            self.puk_retries = PUK_RETRIES;
            self.key_history = None;
            // The attestation key outlives a reset.
            self.own_objects.retain(|number, _| *number == ATTESTATION_OBJECT);
            self.deleted.clear();
            self.places.clear();
            self.management_keys = ManagementKeys::default();
            self.reference_data = ReferenceData::default();
        }
        Some(answer)
    }

    fn set_management_key(&mut self, application: &mut dyn Running, command: &Command) -> Option<Answer> {
        let answer = self.management_keys.set(application, command)?;
        if let (true, [algorithm, _, _, key @ ..]) = (answer.is_success(), command.data.as_slice()) {
            self.metadata.set_management_key(*algorithm, key);
        }
        Some(answer)
    }
}

/// Answers in the application's place. The application sees a command all the same: 9C wants the PIN immediately before its use.
pub(super) fn own(application: &mut dyn Running, answer: Answer) -> Option<Answer> {
    application.call(&command(0xFD, 0x00, 0x00, Vec::new()))?;
    Some(answer)
}

/// A command to the application.
pub(super) fn command(instruction: u8, p1: u8, p2: u8, data: Vec<u8>) -> Command {
    Command { class: 0, instruction, p1, p2, data, expected: 65536, extended: true }
}

/// The value of the data object at the end of a path of one-byte tags.
pub(super) fn find<'d>(data: &'d [u8], path: &[u8]) -> Option<&'d [u8]> {
    let mut value = data;
    for tag in path {
        value = objects(value).find(|(found, _)| found == tag)?.1;
    }
    Some(value)
}

/// The data objects in `data` with one-byte tags, as far as they are well-formed.
pub(super) fn objects(mut data: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, length, rest) = match data {
            [tag, 0x82, high, low, rest @ ..] => (*tag, usize::from(u16::from_be_bytes([*high, *low])), rest),
            [tag, 0x81, length, rest @ ..] | [tag, length @ ..=0x7F, rest @ ..] => (*tag, usize::from(*length), rest),
            _ => return None,
        };
        let (value, after) = rest.split_at_checked(length)?;
        data = after;
        Some((tag, value))
    })
}
