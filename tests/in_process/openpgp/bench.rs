//! A provisioned OpenPGP card with the driver's application on it.

use cardea_apdu::Atr;
use cardea_harness::card::VirtualCard;
use cardea_harness::openpgp::{
    OpenPgpCard, OpenPgpLayout, OpenPgpOptions, PW1, PW3, ProvisionedOpenPgp, provision_openpgp,
};
use cardea_harness::provision::Authority;
use cardea_pkcs11::card::{CardApplication, CardError, Role, openpgp};
use cardea_pkcs11::channel::Channel;

use crate::in_process::bench::DrivenCard;

pub type Bench = crate::in_process::bench::Bench<OpenPgpCard>;

impl DrivenCard for OpenPgpCard {
    type Provisioned = ProvisionedOpenPgp;
    const PIN: &'static str = PW1;

    fn find(channel: &mut Channel<'_>, atr: &Atr) -> Result<Option<Box<dyn CardApplication>>, CardError> {
        openpgp::probe(channel, atr)
    }
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
        Self::on(card, provisioned)
    }

    /// The same card with the officer logged in.
    pub fn with_officer(mut self) -> Self {
        self.verify(Role::SecurityOfficer, PW3).unwrap();
        self.link.commands.clear();
        self
    }

    /// Tries of PW1, the resetting code and PW3, as the card says.
    pub fn tries(&mut self) -> [u8; 3] {
        let answer = self.link.card.transmit(&[0x00, 0xCA, 0x00, 0xC4, 0x00]);
        answer[4..7].try_into().unwrap()
    }
}
