//! The agent in the virtual machine. It connects to the host, which sends one line for each thing to do, a word and
//! at most one argument in hexadecimal; the answer is a line, `ok` or `error` and a text in hexadecimal.
//!
//! | line | what is done | the text |
//! |---|---|---|
//! | `run COMMAND` | a shell command | its exit status, a line feed, its output |
//! | `initialize` | C_Initialize of `/cardea/module.so` | |
//! | `finalize` | C_Finalize | |
//! | `slots` | C_GetSlotList and C_GetSlotInfo | a line for each slot: id, whether a token is present, description |
//! | `wait` | C_WaitForSlotEvent | the slot's id |
//! | `token` | C_GetTokenInfo of the first token | serial number; whether there is a protected path; login required |
//! | `open` | C_OpenSession with the first token | |
//! | `login PIN`, `login` | C_Login, without PIN where none is given | |
//! | `sign MESSAGE` | C_Sign with SHA256-RSA-PKCS and the first RSA key | the signature in hexadecimal |
//! | `close` | C_CloseSession | |

use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

const MODULE: &str = "/cardea/module.so";

fn main() -> io::Result<()> {
    let host = env::args().nth(1).ok_or_else(|| io::Error::other("cardea-guest HOST:PORT"))?;
    let mut answers = TcpStream::connect(host)?;
    answers.set_nodelay(true)?;
    let mut agent = Agent::default();
    for line in BufReader::new(answers.try_clone()?).lines() {
        let line = line?;
        let answer = match agent.obey(&line) {
            Ok(text) => format!("ok {}\n", hex::encode(text)),
            Err(error) => format!("error {}\n", hex::encode(format!("{error:?}"))),
        };
        answers.write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// What lasts from one line to the next. The session goes before the module.
#[derive(Default)]
struct Agent {
    session: Option<Session>,
    module: Option<Pkcs11>,
}

type Answer = Result<String, Box<dyn Error>>;

impl Agent {
    fn obey(&mut self, line: &str) -> Answer {
        let (word, argument) = line.split_once(' ').unwrap_or((line, ""));
        let argument = String::from_utf8(hex::decode(argument)?)?;
        let done = String::new();
        match word {
            "run" => return run(&argument),
            "initialize" => {
                let module = Pkcs11::new(MODULE)?;
                module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
                self.module = Some(module);
            }
            "finalize" => {
                self.session = None;
                self.module.take().ok_or("no module")?.finalize()?;
            }
            "slots" => return self.slots(),
            "wait" => return Ok(self.module()?.wait_for_slot_event()?.id().to_string()),
            "token" => return self.token(),
            "open" => self.session = Some(self.module()?.open_ro_session(self.first_token()?)?),
            "login" => {
                let pin = (!argument.is_empty()).then(|| AuthPin::new(argument.into()));
                self.session()?.login(UserType::User, pin.as_ref())?;
            }
            "sign" => return self.sign(argument.as_bytes()),
            "close" => self.session.take().ok_or("no session")?.close()?,
            _ => return Err(format!("what is {word}?").into()),
        }
        Ok(done)
    }

    fn module(&self) -> Result<&Pkcs11, Box<dyn Error>> {
        self.module.as_ref().ok_or_else(|| "no module".into())
    }

    fn session(&self) -> Result<&Session, Box<dyn Error>> {
        self.session.as_ref().ok_or_else(|| "no session".into())
    }

    fn first_token(&self) -> Result<Slot, Box<dyn Error>> {
        self.module()?.get_slots_with_token()?.first().copied().ok_or_else(|| "no token".into())
    }

    fn slots(&self) -> Answer {
        let module = self.module()?;
        let mut lines = String::new();
        for slot in module.get_all_slots()? {
            let info = module.get_slot_info(slot)?;
            lines += &format!("{} {} {}\n", slot.id(), info.token_present(), info.slot_description());
        }
        Ok(lines)
    }

    fn token(&self) -> Answer {
        let token = self.module()?.get_token_info(self.first_token()?)?;
        let (path, login) = (token.protected_authentication_path(), token.login_required());
        Ok(format!("{}\n{path}\n{login}", token.serial_number().trim()))
    }

    fn sign(&self, message: &[u8]) -> Answer {
        let session = self.session()?;
        let template =
            [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::KeyType(KeyType::RSA), Attribute::Sign(true)];
        let key = session.find_objects(&template)?.first().copied().ok_or("no RSA key")?;
        Ok(hex::encode(session.sign(&Mechanism::Sha256RsaPkcs, key, message)?))
    }
}

fn run(command: &str) -> Answer {
    let output = Command::new("/usr/local/bin/sh").args(["-c", &format!("exec 2>&1\n{command}")]).output()?;
    let status = output.status.code().unwrap_or(-1);
    Ok(format!("{status}\n{}", String::from_utf8_lossy(&output.stdout)))
}
