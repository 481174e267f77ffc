//! The walk through the module: reader, token, objects, login, signatures, decryption, TLS, logout, close.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use cryptoki::context::Pkcs11;
use cryptoki::object::KeyType;
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

use crate::client::{self, Certificate, Credential};
use crate::meter::Meter;
use crate::openssl::{Openssl, text};
use crate::report::Report;
use crate::{NO_TOKEN, Result, module, tls, witness};

const MESSAGE: &[u8] = b"Whoever holds this card has signed this line.\n";
const SECRET: &[u8] = b"for the holder of the card only";
/// A PIV card's answer to VERIFY without a PIN while the PIN is verified.
const VERIFIED: u16 = 0x9000;

/// Whose card it is, and with that what may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Card {
    /// Everything.
    Virtual,
    /// The PIN is the user's, and is asked for.
    Real,
}

/// Everything that the steps share.
struct Walk<'a> {
    card: Card,
    meter: Meter,
    report: Report,
    openssl: Openssl<'a>,
    pkcs11: Pkcs11,
    slot: Slot,
    reader: String,
}

/// Walks through all steps.
pub(crate) fn walk(card: Card) -> Result<ExitCode> {
    let meter = match card {
        Card::Virtual => Meter::of_reader()?,
        Card::Real => Meter::of_trace()?,
    };
    let directory = tempfile::tempdir()?;
    let module = module()?;
    let mut report = Report::begin();
    let ((pkcs11, slot, reader), cost) = meter.measure(|| {
        let pkcs11 = client::load(&module)?;
        let Some(slot) = pkcs11.get_slots_with_token()?.first().copied() else {
            return Ok((pkcs11, None, String::new()));
        };
        let reader = pkcs11.get_slot_info(slot)?.slot_description().to_owned();
        Ok((pkcs11, Some(slot), reader))
    })?;
    let Some(slot) = slot else {
        report.step("reader", cost, "no token");
        return Ok(ExitCode::from(NO_TOKEN));
    };
    report.step("reader", cost, &reader);
    let openssl = Openssl::new(directory.path());
    let mut walk = Walk { card, meter, report, openssl, pkcs11, slot, reader };
    walk.token()?;
    let (session, certificates) = walk.objects()?;
    if let Some(pin) = walk.pin()? {
        walk.with_login(&session, &certificates, &pin)?;
    }
    walk.close(session)?;
    farewell(card, &module)
}

impl Walk<'_> {
    fn token(&mut self) -> Result<()> {
        let (token, cost) = self.meter.measure(|| Ok(self.pkcs11.get_token_info(self.slot)?))?;
        self.report.step("token", cost, token.label());
        self.report.note(&format!(
            "{}, {}, serial number {}",
            token.manufacturer_id(),
            token.model(),
            token.serial_number()
        ));
        Ok(())
    }

    fn objects(&mut self) -> Result<(Session, Vec<Certificate>)> {
        let ((session, (counts, certificates)), cost) = self.meter.measure(|| {
            let session = self.pkcs11.open_ro_session(self.slot)?;
            let found = client::objects(&session)?;
            Ok((session, found))
        })?;
        let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
        self.report.step("objects", cost, &counts.join(", "));
        for (index, certificate) in certificates.iter().enumerate() {
            let file = self.openssl.certificate(&format!("listed-{index}"), &certificate.value)?;
            let (key, subject) = (self.openssl.key(&file)?, self.openssl.subject(&file)?);
            self.report.note(&format!("{:<19} {key:<9} {subject}", certificate.label));
        }
        let (_, cost) = self.meter.measure(|| client::objects(&session))?;
        self.report.again("objects, again", cost, "what was read once is not read again");
        Ok((session, certificates))
    }

    /// The virtual card's PIN, or what the user types.
    fn pin(&self) -> Result<Option<AuthPin>> {
        match self.card {
            Card::Virtual => Ok(Some(std::env::var("CARDEA_PIN")?.into())),
            Card::Real => {
                let token = self.pkcs11.get_token_info(self.slot)?;
                if token.user_pin_count_low() || token.user_pin_locked() {
                    self.report.note("the card has counted wrong PINs: the demo does not spend what tries are left");
                    return Ok(None);
                }
                ask_for_pin()
            }
        }
    }

    fn with_login(&mut self, session: &Session, certificates: &[Certificate], pin: &AuthPin) -> Result<()> {
        let (_, cost) = self.meter.measure(|| Ok(session.login(UserType::User, Some(pin))?))?;
        self.report.step("login", cost, "the card has verified the PIN");
        if self.card == Card::Virtual {
            let status = witness::pin_status(&self.reader)?;
            self.report.note(&format!("another program asks the card about the PIN: {status:04X}, verified"));
            if status != VERIFIED {
                return Err("the card says that the PIN is not verified".into());
            }
        }
        let credentials = client::credentials(session, certificates, &self.openssl)?;
        for credential in credentials.iter().filter(|credential| credential.signs) {
            self.signature(session, credential, pin)?;
        }
        for credential in credentials.iter().filter(|credential| credential.decrypts) {
            self.decryption(session, credential)?;
        }
        if let Some(credential) =
            credentials.iter().find(|credential| credential.signs && !credential.always_authenticate)
        {
            self.handshake(credential)?;
        }
        self.demand_all(&credentials)?;
        self.logout(session)
    }

    /// The virtual card has keys of both kinds: a walk that met fewer has failed.
    fn demand_all(&self, credentials: &[Credential]) -> Result<()> {
        let signs = |key_type| credentials.iter().any(|credential| credential.signs && credential.key_type == key_type);
        let decrypts = credentials.iter().any(|credential| credential.decrypts);
        if self.card == Card::Real || (signs(KeyType::RSA) && signs(KeyType::EC) && decrypts) {
            return Ok(());
        }
        Err("the virtual card should have an RSA and an EC key that sign, and a key that decrypts".into())
    }

    fn signature(&mut self, session: &Session, credential: &Credential, pin: &AuthPin) -> Result<()> {
        let name = match credential.key_type {
            KeyType::RSA => "RSA signature",
            KeyType::EC => "EC signature",
            _ => return Ok(()),
        };
        let (signature, cost) = self.meter.measure(|| credential.sign(session, MESSAGE, pin))?;
        let said = self.openssl.verify(&credential.pem, MESSAGE, &signature)?;
        let pin = if credential.always_authenticate { ", PIN for each signature" } else { "" };
        self.report.step(name, cost, &format!("{}{pin}; openssl: {said}", credential.label));
        Ok(())
    }

    fn decryption(&mut self, session: &Session, credential: &Credential) -> Result<()> {
        if credential.key_type != KeyType::RSA || credential.always_authenticate {
            return Ok(());
        }
        let encrypted = self.openssl.encrypt(&credential.pem, SECRET)?;
        let (plain, cost) = self.meter.measure(|| credential.decrypt(session, &encrypted))?;
        if plain != SECRET {
            return Err("decryption gives another text than openssl encrypted".into());
        }
        let text = String::from_utf8_lossy(&plain).into_owned();
        self.report.step("RSA decryption", cost, &format!("{}; openssl encrypted: \"{text}\"", credential.label));
        Ok(())
    }

    fn handshake(&mut self, credential: &Credential) -> Result<()> {
        let authority = std::env::var_os("CARDEA_BENCH_DIR").map(|directory| PathBuf::from(directory).join("ca.pem"));
        let server = tls::Server::start(&self.openssl, authority.as_ref().unwrap_or(&credential.pem))?;
        let session = self.pkcs11.open_ro_session(self.slot)?;
        let ((subject, suite), cost) = self.meter.measure(|| tls::connect(&server, credential, session))?;
        self.report.step("TLS 1.3 handshake", cost, &format!("{}; {suite}", credential.label));
        self.report.note(&format!("openssl s_server saw: {subject}"));
        Ok(())
    }

    fn logout(&mut self, session: &Session) -> Result<()> {
        let (_, cost) = self.meter.measure(|| Ok(session.logout()?))?;
        self.report.step("logout", cost, "on the card too");
        if self.card == Card::Virtual {
            let status = witness::pin_status(&self.reader)?;
            if status & 0xFFF0 != 0x63C0 {
                return Err(format!("after the logout the card answers {status:04X}: the PIN is still verified").into());
            }
            let tries = status & 0x000F;
            self.report.note(&format!(
                "another program asks the card about the PIN: {status:04X}, not verified, {tries} tries"
            ));
        }
        Ok(())
    }

    fn close(self, session: Session) -> Result<()> {
        let Self { meter, mut report, pkcs11, .. } = self;
        let (_, cost) = meter.measure(|| {
            session.close()?;
            Ok(pkcs11.finalize()?)
        })?;
        report.step("close", cost, "the reader is free");
        report.end();
        Ok(())
    }
}

/// How to go on.
fn farewell(card: Card, module: &Path) -> Result<ExitCode> {
    println!("Every result was checked. To try the module with a program of yours:\n");
    match card {
        Card::Virtual => println!("  tests/with-token piv sh -c 'pkcs11-tool --module \"$CARDEA_MODULE\" -O'"),
        Card::Real => println!("  pkcs11-tool --module {} -O", text(module)?),
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks on the terminal, without echo; nothing when there is no terminal or no wish.
fn ask_for_pin() -> Result<Option<AuthPin>> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Ok(None);
    }
    let line = |prompt: &str| -> Result<String> {
        print!("\n{prompt} ");
        std::io::stdout().flush()?;
        let mut line = String::new();
        input.lock().read_line(&mut line)?;
        Ok(line.trim_end_matches('\n').to_owned())
    };
    if line("Log in, sign and decrypt with this card? Its PIN is needed. [y/N]")? != "y" {
        return Ok(None);
    }
    Command::new("stty").arg("-echo").status()?;
    let pin = line("PIN:");
    Command::new("stty").arg("echo").status()?;
    println!();
    let pin = pin?;
    Ok(if pin.is_empty() { None } else { Some(pin.into()) })
}
