//! A provisioned card with the driver's application on it, and every command that went between them.

use cardea_apdu::{Atr, Capabilities};
use cardea_harness::card::VirtualCard;
use cardea_harness::openpgp::{
    OpenPgpCard, OpenPgpLayout, OpenPgpOptions, PW1, PW3, ProvisionedOpenPgp, provision_openpgp,
};
use cardea_harness::provision::Authority;
use cardea_pkcs11::card::{CardApplication, CardError, CardObject, PrivateKey, Role, openpgp};
use cardea_pkcs11::channel::Channel;
use cardea_pkcs11::channel::limits::Limits;
use cardea_pkcs11::log::Log;
use cardea_pkcs11::pcsc::part10::Properties;
use cardea_pkcs11::pcsc::{Disposition, LinkError, Transaction};
use cardea_pkcs11::secret::Pin;
use zeroize::Zeroizing;

/// A link of one card.
pub struct Link {
    pub card: OpenPgpCard,
    pub commands: Vec<Vec<u8>>,
    /// What commands with this header are answered with in the card's place.
    pub answers: Vec<([u8; 4], Vec<u8>)>,
}

impl Transaction for Link {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, LinkError> {
        self.commands.push(command.to_vec());
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
pub struct Bench {
    pub link: Link,
    pub provisioned: ProvisionedOpenPgp,
    pub application: Box<dyn CardApplication>,
}

impl Bench {
    /// A card of the standard layout.
    pub fn standard() -> Self {
        Self::with(OpenPgpOptions::default(), &OpenPgpLayout::standard())
    }

    /// A card without keys.
    pub fn blank() -> Self {
        Self::with(OpenPgpOptions::default(), &OpenPgpLayout { keys: [None; 3], ..OpenPgpLayout::modern() })
    }

    pub fn with(options: OpenPgpOptions, layout: &OpenPgpLayout) -> Self {
        let mut card = OpenPgpCard::new(options);
        let provisioned = provision_openpgp(&mut card, layout, &Authority::default());
        let mut link = Link { card, commands: Vec::new(), answers: Vec::new() };
        let application = probe(&mut link).unwrap().unwrap();
        link.commands.clear();
        Self { link, provisioned, application }
    }

    /// The driver looks at the card anew.
    pub fn probed_again(mut self) -> Self {
        self.application = probe(&mut self.link).unwrap().unwrap();
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

    pub fn logged_in(mut self) -> Self {
        self.verify(Role::User, PW1).unwrap();
        self.link.commands.clear();
        self
    }

    pub fn with_officer(mut self) -> Self {
        self.verify(Role::SecurityOfficer, PW3).unwrap();
        self.link.commands.clear();
        self
    }

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

    /// Instruction bytes of the commands since they were last looked at.
    pub fn instructions(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.link.commands).iter().map(|command| command[1]).collect()
    }

    /// Another program's command; its answer.
    pub fn another(&mut self, command: &[u8]) -> Vec<u8> {
        self.link.card.transmit(command)
    }

    /// Tries of PW1, the resetting code and PW3, as the card says.
    pub fn tries(&mut self) -> [u8; 3] {
        let answer = self.another(&[0x00, 0xCA, 0x00, 0xC4, 0x00]);
        answer[4..7].try_into().unwrap()
    }
}

/// The driver's probe.
pub fn probe(link: &mut Link) -> Result<Option<Box<dyn CardApplication>>, CardError> {
    let atr = Atr::parse(&link.card.atr()).unwrap();
    with_channel(link, |channel| openpgp::probe(channel, &atr))
}

fn with_channel<R>(link: &mut Link, work: impl FnOnce(&mut Channel<'_>) -> R) -> R {
    let atr = Atr::parse(&link.card.atr()).unwrap();
    let capabilities = Capabilities::from_historical(atr.historical_bytes());
    let mut limits = Limits::announced(&capabilities, &Properties::default());
    let log = Log::default();
    work(&mut Channel::basic(link, &mut limits, &log, "test"))
}
