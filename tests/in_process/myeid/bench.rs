//! A provisioned MyEID card with the driver's application on it.

use cardea_apdu::Atr;
use cardea_harness::myeid::{MyEidCard, MyEidLayout, MyEidOptions, MyEidProbe, PIN, ProvisionedMyEid, provision_myeid};
use cardea_harness::provision::Authority;
use cardea_pkcs11::card::{CardApplication, CardError, myeid};
use cardea_pkcs11::channel::Channel;

use crate::in_process::bench::DrivenCard;

pub type Bench = crate::in_process::bench::Bench<MyEidCard>;

impl DrivenCard for MyEidCard {
    type Provisioned = ProvisionedMyEid;
    const PIN: &'static str = PIN;

    fn find(channel: &mut Channel<'_>, atr: &Atr) -> Result<Option<Box<dyn CardApplication>>, CardError> {
        myeid::probe(channel, atr)
    }
}

impl Bench {
    /// A card of the standard layout.
    pub fn standard() -> Self {
        Self::with(MyEidOptions::default(), &MyEidLayout::standard())
    }

    pub fn with(options: MyEidOptions, layout: &MyEidLayout) -> Self {
        let mut card = MyEidCard::new(options);
        let provisioned = provision_myeid(&mut card, layout, &Authority::default());
        Self::on(card, provisioned)
    }

    /// What only the card knows.
    pub fn chip(&self) -> MyEidProbe {
        self.link.card.probe()
    }

    /// Another program makes the MF the current file.
    pub fn another_selects_the_master_file(&mut self) {
        assert_eq!(self.another("00A40000 02 3F00"), 0x9000);
    }
}
