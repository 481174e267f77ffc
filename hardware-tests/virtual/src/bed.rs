//! The machine and the reader that is plugged into it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cardea_harness::piv::{PivCard, PivOptions};
use cardea_harness::provision::{Authority, Layout, PIN, provision};
use cardea_harness::reader::{Properties, VirtualReader};
use cardea_virtual_hardware::ccid::{CcidReader, ExchangeLevel, ReaderDescription};
use cardea_virtual_hardware::machine::Guest;
use cardea_virtual_hardware::usbip::Server;

/// What is signed.
pub(crate) const MESSAGE: &str = "Cardea in a virtual machine";
/// How long the machine may take to notice something.
pub(crate) const NOTICE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// What a case says when it fails.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// The test bed.
pub(crate) struct Bed {
    guest: Guest,
    plugged: Option<(CcidReader, Server)>,
    /// The public key of the card's RSA key, for OpenSSL.
    directory: PathBuf,
}

/// One line of `slots`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SlotLine {
    pub(crate) id: String,
    pub(crate) token: bool,
    pub(crate) name: String,
}

impl Bed {
    pub(crate) fn new(guest: Guest, directory: PathBuf) -> Self {
        Self { guest, plugged: None, directory }
    }

    /// The machine.
    pub(crate) fn guest(&mut self) -> &mut Guest {
        &mut self.guest
    }

    /// The reader that is plugged in.
    pub(crate) fn reader(&self) -> Outcome<CcidReader> {
        self.plugged.as_ref().map(|(reader, _)| reader.clone()).ok_or_else(|| "no reader".to_owned())
    }

    /// Plugs a reader in, with a PIV card that has an RSA key in 9A.
    pub(crate) fn plug(&mut self, description: ReaderDescription) -> Outcome {
        self.plug_card(description, PivOptions::extended())
    }

    /// The same with another card.
    pub(crate) fn plug_card(&mut self, description: ReaderDescription, options: PivOptions) -> Outcome {
        let short = description.exchange_level() == Some(ExchangeLevel::ShortApdu);
        let mut card = PivCard::new(options);
        let token = provision(&mut card, &Layout::standard(), &Authority::new("Cardea Test CA"));
        token.write_pem(&self.directory).map_err(|error| error.to_string())?;
        let properties = if short { Properties::short() } else { Properties::default() };
        let inside = VirtualReader::new(properties);
        inside.insert(card);
        let reader = CcidReader::new(description, inside);
        let server = Server::start(Arc::new(reader.clone())).map_err(|error| error.to_string())?;
        self.plugged = Some((reader, server));
        self.attach()
    }

    /// Lets the machine take the reader.
    pub(crate) fn attach(&mut self) -> Outcome {
        let port = self.plugged.as_ref().map(|(_, server)| server.port()).ok_or("no reader")?;
        self.guest.run(&format!("usbip --tcp-port {port} attach --remote 10.0.2.2 --busid 1-1")).map(drop)
    }

    /// Lets the machine give the reader back.
    pub(crate) fn detach(&mut self) -> Outcome {
        self.guest.run("usbip detach --port 0").map(drop)
    }

    /// Ends what a case has left, so that the next begins afresh.
    pub(crate) fn tidy(&mut self) {
        // a case that passed has done it
        let _ = self.guest.ask("finalize", "");
        if self.plugged.take().is_some() {
            let free = "for try in $(seq 100); do usbip port 2>/dev/null | grep -q 'Port 0' || exit 0; sleep 0.1; done";
            let _ = self.guest.run(free);
            // pcscd lists a reader for a moment after that, which the next case must not take for its own.
            let _ = self.guest.ask("initialize", "");
            let _ = self.await_token(false);
            let _ = self.guest.ask("finalize", "");
        }
    }

    /// Keeps the machine's logs; where.
    pub(crate) fn keep_logs(&mut self) -> PathBuf {
        self.guest.keep_log()
    }

    /// The slots as C_GetSlotList and C_GetSlotInfo give them.
    pub(crate) fn slots(&mut self) -> Outcome<Vec<SlotLine>> {
        let text = self.guest.ask("slots", "")?;
        let lines = text.lines().filter_map(|line| {
            let mut words = line.splitn(3, ' ');
            let (id, token, name) = (words.next()?, words.next()?, words.next()?);
            Some(SlotLine { id: id.to_owned(), token: token == "true", name: name.to_owned() })
        });
        Ok(lines.collect())
    }

    /// Waits until some slot has a token, or until none has: that slot, or the first.
    pub(crate) fn await_token(&mut self, present: bool) -> Outcome<SlotLine> {
        let deadline = Instant::now() + NOTICE;
        loop {
            let slots = self.slots()?;
            let with_token = slots.iter().find(|slot| slot.token);
            match (with_token, present) {
                (Some(slot), true) => return Ok(slot.clone()),
                (None, false) => return slots.first().cloned().ok_or_else(|| "the slot itself is gone".to_owned()),
                _ if Instant::now() > deadline => return Err(format!("no change: {slots:?}")),
                _ => thread::sleep(LOOK),
            }
        }
    }

    /// C_Initialize, and a token is there.
    pub(crate) fn initialize(&mut self) -> Outcome<SlotLine> {
        self.guest.ask("initialize", "")?;
        self.await_token(true)
    }

    /// Waits until pcscd has taken the reader: who calls C_Initialize from now on finds it there.
    pub(crate) fn settle(&mut self) -> Outcome {
        self.initialize()?;
        self.guest.ask("finalize", "").map(drop)
    }

    /// C_OpenSession and C_Login with the PIN.
    pub(crate) fn log_in(&mut self) -> Outcome {
        self.guest.ask("open", "")?;
        self.guest.ask("login", PIN).map(drop)
    }

    /// C_Sign, and OpenSSL agrees.
    pub(crate) fn sign(&mut self) -> Outcome {
        let signature = self.guest.ask("sign", MESSAGE)?;
        self.verify(&signature)
    }

    /// Whether OpenSSL takes the signature (in hexadecimal) for one by the card's key in 9A.
    pub(crate) fn verify(&self, signature: &str) -> Outcome {
        let write = |name: &str, content: &[u8]| {
            let path = self.directory.join(name);
            fs::write(&path, content).map(|()| path).map_err(|error| error.to_string())
        };
        let signature = write("signature", &hex::decode(signature.trim()).map_err(|error| error.to_string())?)?;
        let message = write("message", MESSAGE.as_bytes())?;
        let mut openssl = Command::new("openssl");
        openssl.args(["dgst", "-sha256", "-verify"]).arg(self.directory.join("9a.pub.pem"));
        let output =
            openssl.arg("-signature").arg(signature).arg(message).output().map_err(|error| error.to_string())?;
        ensure(output.status.success(), || format!("OpenSSL: {}", String::from_utf8_lossy(&output.stdout)))
    }
}

/// Fails with `message` unless `condition` holds.
pub(crate) fn ensure(condition: bool, message: impl FnOnce() -> String) -> Outcome {
    if condition { Ok(()) } else { Err(message()) }
}

/// Waits until `condition` holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) -> Outcome {
    let deadline = Instant::now() + NOTICE;
    while !condition() {
        if Instant::now() > deadline {
            return Err(format!("this did not come about: {what}"));
        }
        thread::sleep(LOOK);
    }
    Ok(())
}
