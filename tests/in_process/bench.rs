//! A virtual card with its driver's application on it, and every command that went between them.

pub mod cipher;

use cardea_apdu::{Atr, Capabilities};
use cardea_harness::card::VirtualCard;
use cardea_pkcs11::card::secret_key::SecretKey;
use cardea_pkcs11::card::{CardApplication, CardError, CardObject, PrivateKey, Role};
use cardea_pkcs11::channel::Channel;
use cardea_pkcs11::channel::limits::Limits;
use cardea_pkcs11::log::Log;
use cardea_pkcs11::pcsc::part10::Properties;
use cardea_pkcs11::pcsc::{Disposition, LinkError, Transaction};
use cardea_pkcs11::secret::Pin;
use zeroize::Zeroizing;

/// A virtual card and the driver that is made for it.
pub trait DrivenCard: VirtualCard {
    /// What its provisioning says is on it.
    type Provisioned;
    /// The user's PIN.
    const PIN: &'static str;

    /// The driver's probe.
    fn find(channel: &mut Channel<'_>, atr: &Atr) -> Result<Option<Box<dyn CardApplication>>, CardError>;
}

/// After so many more commands with this instruction, this status word.
pub type Fault = (u8, u32, u16);

/// A link of one card.
pub struct Link<C> {
    pub card: C,
    pub commands: Vec<Vec<u8>>,
    /// One command is answered so.
    pub fail_once: Option<Fault>,
    /// Every command from then on is answered so.
    pub refuse: Option<Fault>,
    /// What commands with this header are answered with in the card's place.
    pub answers: Vec<([u8; 4], Vec<u8>)>,
}

fn due(fault: &mut Option<Fault>, command: &[u8]) -> Option<u16> {
    let (_, left, status) = fault.as_mut().filter(|(instruction, ..)| command[1] == *instruction)?;
    if *left == 0 {
        return Some(*status);
    }
    *left -= 1;
    None
}

impl<C: VirtualCard> Transaction for Link<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, LinkError> {
        self.commands.push(command.to_vec());
        let failed = due(&mut self.fail_once, command);
        if failed.is_some() {
            self.fail_once = None;
        }
        if let Some(status) = failed.or_else(|| due(&mut self.refuse, command)) {
            return Ok(Zeroizing::new(status.to_be_bytes().to_vec()));
        }
        let prepared = self.answers.iter().find(|(header, _)| command.starts_with(header));
        Ok(Zeroizing::new(match prepared {
            Some((_, answer)) => answer.clone(),
            None => self.card.transmit(command),
        }))
    }

    fn control(&mut self, _: u32, _: &[u8]) -> Result<Vec<u8>, LinkError> {
        Err(LinkError::Unsupported)
    }

    fn end(self: Box<Self>, _: Disposition) -> Result<(), LinkError> {
        Ok(())
    }
}

/// A card, what is on it, and the driver's application.
pub struct Bench<C: DrivenCard> {
    pub link: Link<C>,
    pub provisioned: C::Provisioned,
    pub application: Box<dyn CardApplication>,
}

impl<C: DrivenCard> Bench<C> {
    /// A card that is there and has power.
    pub fn on(card: C, provisioned: C::Provisioned) -> Self {
        let mut link = Link { card, commands: Vec::new(), fail_once: None, refuse: None, answers: Vec::new() };
        let application = find(&mut link).unwrap().unwrap();
        link.commands.clear();
        Self { link, provisioned, application }
    }

    /// What the driver's probe says of the card.
    pub fn probe(&mut self) -> Option<Box<dyn CardApplication>> {
        find(&mut self.link).unwrap()
    }

    /// The driver looks at the card anew.
    pub fn probed_again(mut self) -> Self {
        self.application = self.probe().unwrap();
        self.link.commands.clear();
        self
    }

    /// Runs one operation of the application.
    pub fn run<R>(&mut self, work: impl FnOnce(&mut dyn CardApplication, &mut Channel<'_>) -> R) -> R {
        let application = self.application.as_mut();
        with_channel(&mut self.link, |channel| work(application, channel))
    }

    pub fn verify(&mut self, role: Role, pin: &str) -> Result<(), CardError> {
        self.run(|application, channel| application.verify(channel, role, &Pin::new(pin.as_bytes())))
    }

    /// The same card with the user logged in.
    pub fn logged_in(mut self) -> Self {
        self.verify(Role::User, C::PIN).unwrap();
        self.link.commands.clear();
        self
    }

    /// Everything that is on the card.
    pub fn objects(&mut self) -> Vec<CardObject> {
        self.run(|application, channel| application.objects(channel)).unwrap()
    }

    pub fn private_key(&mut self, id: u8) -> PrivateKey {
        let found = self.objects().into_iter().find_map(|object| match object {
            CardObject::PrivateKey(key) if key.id == [id] => Some(key),
            _ => None,
        });
        self.link.commands.clear();
        found.unwrap()
    }

    pub fn secret_key(&mut self, id: u8) -> SecretKey {
        let found = self.objects().into_iter().find_map(|object| match object {
            CardObject::SecretKey(key) if key.id == [id] => Some(key),
            _ => None,
        });
        self.link.commands.clear();
        found.unwrap()
    }

    /// Instruction bytes of the commands since they were last looked at.
    pub fn instructions(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.link.commands).iter().map(|command| command[1]).collect()
    }

    /// Another program's command; its status word.
    pub fn another(&mut self, command: &str) -> u16 {
        let answer = self.link.card.transmit(&hex::decode(command.replace(' ', "")).unwrap());
        u16::from_be_bytes(*answer.last_chunk().unwrap())
    }
}

fn find<C: DrivenCard>(link: &mut Link<C>) -> Result<Option<Box<dyn CardApplication>>, CardError> {
    let atr = Atr::parse(&link.card.atr()).unwrap();
    with_channel(link, |channel| C::find(channel, &atr))
}

fn with_channel<C: DrivenCard, R>(link: &mut Link<C>, work: impl FnOnce(&mut Channel<'_>) -> R) -> R {
    let atr = Atr::parse(&link.card.atr()).unwrap();
    let capabilities = Capabilities::from_historical(atr.historical_bytes());
    let mut limits = Limits::announced(&capabilities, &Properties::default());
    let log = Log::default();
    work(&mut Channel::basic(link, &mut limits, &log, "test"))
}
