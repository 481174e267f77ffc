//! The steps of a program's life with a token, and the commands that each sends to the card.

use std::path::PathBuf;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

use crate::clients::child;
use crate::clients::keys::{self, Algorithm, Key, Purpose};
use crate::clients::openssl::OpenSsl;
use crate::clients::station::Card;

/// Names the module to measure, in the child.
pub const MODULE: &str = "CARDEA_MEASURED_MODULE";
/// What a line with a step begins with.
const MARK: &str = "step\t";

/// What one step cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub name: String,
    /// Instruction bytes.
    pub commands: Vec<u8>,
    /// Why the module refused the step.
    pub error: Option<String>,
}

impl Step {
    /// The step in a line of the child's output.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut fields = line[line.find(MARK)? + MARK.len()..].split('\t');
        let name = fields.next()?.to_owned();
        let commands = hex::decode(fields.next()?).ok()?;
        let error = fields.next().filter(|text| !text.is_empty()).map(str::to_owned);
        Some(Self { name, commands, error })
    }

    /// `3 commands: CB A4 CB`.
    pub(super) fn list(&self) -> String {
        let names: Vec<_> = self.commands.iter().map(|instruction| format!("{instruction:02X}")).collect();
        match names.len() {
            0 => "0 commands".to_owned(),
            1 => format!("1 command: {}", names[0]),
            count => format!("{count} commands: {}", names.join(" ")),
        }
    }
}

/// Runs one step and prints what it sent.
fn step<T>(name: &str, body: impl FnOnce() -> Result<T, Error>) -> Option<T> {
    let before = child::instructions().len();
    let result = body();
    let commands = hex::encode(&child::instructions()[before..]);
    let error = result.as_ref().err().map(ToString::to_string).unwrap_or_default().replace(['\n', '\t'], " ");
    println!("\n{MARK}{name}\t{commands}\t{error}");
    result.ok()
}

/// The module to measure, loaded.
pub fn load() -> Pkcs11 {
    Pkcs11::new(PathBuf::from(std::env::var_os(MODULE).unwrap())).unwrap()
}

pub fn pin() -> AuthPin {
    AuthPin::new(std::env::var("CARDEA_PIN").unwrap().into())
}

/// The private key with this CKA_ID.
pub(super) fn private(session: &Session, key: &Key) -> ObjectHandle {
    let template = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Id(vec![key.id])];
    session.find_objects(&template).unwrap()[0]
}

/// A program's life: start, look around, log in, sign, decrypt, leave.
pub(super) fn run(card: Card) {
    let pkcs11 = load();
    let slot = step("start", || {
        pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
        let slot = pkcs11.get_slots_with_token()?[0];
        pkcs11.get_token_info(slot)?;
        Ok(slot)
    })
    .unwrap();
    let session = step("open a session", || pkcs11.open_rw_session(slot)).unwrap();
    step("all objects", || look_around(&session));
    step("all objects again", || look_around(&session));
    step("token information again", || pkcs11.get_token_info(slot));
    step("slot and session information", || pkcs11.get_slot_info(slot).and(session.get_session_info()));
    step("mechanisms", || {
        let mechanisms = pkcs11.get_mechanism_list(slot)?;
        mechanisms.into_iter().try_for_each(|mechanism| pkcs11.get_mechanism_info(slot, mechanism).map(drop))
    });
    step("login", || session.login(UserType::User, Some(&pin())));
    step("all objects after login", || look_around(&session));
    use_keys(&session, card);
    step("all objects after use", || look_around(&session));
    step("logout, first", || session.logout());
    step("login again", || session.login(UserType::User, Some(&pin())));
    step("logout again", || session.logout());
    step("close the session", || session.close());
    step("finalize", || pkcs11.finalize());
}

/// Finds every object and reads what programs read.
fn look_around(session: &Session) -> Result<(), Error> {
    const READ: [AttributeType; 6] = [
        AttributeType::Class,
        AttributeType::Label,
        AttributeType::Id,
        AttributeType::KeyType,
        AttributeType::Subject,
        AttributeType::Value,
    ];
    // Data objects are found, not read: some modules read them each time, some want a PIN.
    for class in [ObjectClass::CERTIFICATE, ObjectClass::PUBLIC_KEY, ObjectClass::PRIVATE_KEY] {
        for object in session.find_objects(&[Attribute::Class(class)])? {
            session.get_attributes(object, &READ)?;
        }
    }
    session.find_objects(&[]).map(drop)
}

fn use_keys(session: &Session, card: Card) {
    let signers = || keys::on(card).iter().filter(|key| key.purpose == Purpose::Sign && !key.each_time);
    for (number, key) in signers().enumerate() {
        let handle = private(session, key);
        let (name, mechanism) = match key.algorithm {
            Algorithm::Rsa(bits) => (format!("RSA-{bits}"), Mechanism::Sha256RsaPkcs),
            Algorithm::P256 => ("P-256".to_owned(), Mechanism::EcdsaSha256),
            Algorithm::P384 => ("P-384".to_owned(), Mechanism::EcdsaSha256),
            Algorithm::P521 => ("P-521".to_owned(), Mechanism::EcdsaSha256),
            other => unreachable!("no budget has a signature by {other:?}"),
        };
        let sign = || session.sign(&mechanism, handle, b"a message");
        if number == 0 {
            step(&format!("{name} signature, first"), sign);
        } else {
            let _ = sign();
        }
        step(&format!("{name} signature, warm"), sign);
    }
    for key in keys::on(card).iter().filter(|key| key.each_time) {
        let (name, mechanism, data) = match key.algorithm {
            Algorithm::Rsa(bits) => (format!("RSA-{bits}"), Mechanism::RsaPkcs, vec![1; 51]),
            _ => ("P-256".to_owned(), Mechanism::Ecdsa, vec![1; 32]),
        };
        let handle = private(session, key);
        step(&format!("{} {name} signature with its PIN", key.reference.to_uppercase()), || {
            session.sign_init(&mechanism, handle)?;
            session.login(UserType::ContextSpecific, Some(&pin()))?;
            session.sign_update(&data)?;
            session.sign_final()
        });
    }
    let openssl = OpenSsl::new(child::directory());
    for key in keys::on(card).iter().filter(|key| key.purpose == Purpose::KeyManagement) {
        if let Algorithm::Rsa(bits) = key.algorithm {
            let cryptogram = openssl.encrypt(&key.public(), &["rsa_padding_mode:pkcs1"], b"a secret");
            let handle = private(session, key);
            step(&format!("RSA-{bits} decryption"), || session.decrypt(&Mechanism::RsaPkcs, handle, &cryptogram));
        }
    }
}
