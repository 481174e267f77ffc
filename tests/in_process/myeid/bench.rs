//! A provisioned card with the driver's application on it, and every command that went between them.

use cardea_apdu::{Atr, Capabilities};
use cardea_harness::card::VirtualCard;
use cardea_harness::myeid::{MyEidCard, MyEidLayout, MyEidOptions, MyEidProbe, PIN, ProvisionedMyEid, provision_myeid};
use cardea_harness::provision::Authority;
use cardea_pkcs11::card::secret_key::SecretKey;
use cardea_pkcs11::card::{CardApplication, CardError, CardObject, PrivateKey, Role, myeid};
use cardea_pkcs11::channel::Channel;
use cardea_pkcs11::channel::limits::Limits;
use cardea_pkcs11::log::Log;
use cardea_pkcs11::pcsc::part10::Properties;
use cardea_pkcs11::pcsc::{Disposition, LinkError, Transaction};
use cardea_pkcs11::secret::Pin;
use zeroize::Zeroizing;

/// A link of one card.
pub struct Link {
    pub card: MyEidCard,
    pub commands: Vec<Vec<u8>>,
    /// The commands with this instruction from now on, after so many more of them, are answered with this.
    pub refuse: Option<(u8, u32, u16)>,
    /// After so many more commands with this instruction, one is answered with this.
    pub fail_once: Option<(u8, u32, u16)>,
    /// A class that the card does not know.
    pub refuse_class: Option<u8>,
}

impl Link {
    pub fn new(card: MyEidCard) -> Self {
        Self { card, commands: Vec::new(), refuse: None, fail_once: None, refuse_class: None }
    }
}

impl Transaction for Link {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, LinkError> {
        self.commands.push(command.to_vec());
        if let Some((instruction, left, status)) = &mut self.fail_once
            && command[1] == *instruction
        {
            if *left == 0 {
                let status = *status;
                self.fail_once = None;
                return Ok(Zeroizing::new(status.to_be_bytes().to_vec()));
            }
            *left -= 1;
        }
        if self.refuse_class == Some(command[0]) {
            return Ok(Zeroizing::new(vec![0x6E, 0x00]));
        }
        if let Some((instruction, left, status)) = &mut self.refuse
            && command[1] == *instruction
        {
            if *left == 0 {
                return Ok(Zeroizing::new(status.to_be_bytes().to_vec()));
            }
            *left -= 1;
        }
        Ok(Zeroizing::new(self.card.transmit(command)))
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
    pub chip: MyEidProbe,
    pub provisioned: ProvisionedMyEid,
    pub application: Box<dyn CardApplication>,
}

impl Bench {
    /// A card of the standard layout.
    pub fn standard() -> Self {
        Self::with(MyEidOptions::default(), &MyEidLayout::standard())
    }

    pub fn with(options: MyEidOptions, layout: &MyEidLayout) -> Self {
        let mut card = MyEidCard::new(options);
        let provisioned = provision_myeid(&mut card, layout, &Authority::default());
        let chip = card.probe();
        let mut link = Link::new(card);
        let application = probe(&mut link).unwrap().unwrap();
        link.commands.clear();
        Self { link, chip, provisioned, application }
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
        self.verify(Role::User, PIN).unwrap();
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

    /// Another program makes the MF the current file.
    pub fn another_selects_the_master_file(&mut self) {
        assert_eq!(self.another("00A40000 02 3F00"), 0x9000);
    }
}

/// The driver's probe.
pub fn probe(link: &mut Link) -> Result<Option<Box<dyn CardApplication>>, CardError> {
    let atr = Atr::parse(&link.card.atr()).unwrap();
    with_channel(link, |channel| myeid::probe(channel, &atr))
}

fn with_channel<R>(link: &mut Link, work: impl FnOnce(&mut Channel<'_>) -> R) -> R {
    let atr = Atr::parse(&link.card.atr()).unwrap();
    let capabilities = Capabilities::from_historical(atr.historical_bytes());
    let mut limits = Limits::announced(&capabilities, &Properties::default());
    let log = Log::default();
    work(&mut Channel::basic(link, &mut limits, &log, "test"))
}
