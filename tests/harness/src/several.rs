//! A card that carries the PIV and the OpenPGP application, as many tokens do; selecting one ends the login of the other.

use crate::card::{Atr, historical_bytes};
use crate::firmware::{Chip, Image, Installed, on_a_chip, random};
use crate::openpgp::{self, OpenPgpOptions};
use crate::piv::{self, PivOptions};

/// A card with both applications; its state ends with this value.
pub struct PivAndOpenPgpCard(Chip);

impl PivAndOpenPgpCard {
    /// Makes a fresh card; answer to reset and lengths are those of the PIV options.
    pub fn new(piv: PivOptions, openpgp: OpenPgpOptions) -> Self {
        let atr = Atr::t1(&historical_bytes(piv.extended_length, "Cardea")).to_bytes();
        let seed = piv.seed.unwrap_or_else(random);
        Self(Chip::new(atr, seed, move || joined(piv::image(&piv), openpgp::image(&openpgp))))
    }
}

/// Both applications on one chip, in the order in which the firmware has them.
fn joined(piv: Image, openpgp: Image) -> Image {
    Image {
        installed: Installed { piv: piv.installed.piv, openpgp: openpgp.installed.openpgp },
        layers: piv.layers.into_iter().chain(openpgp.layers).collect(),
        prepared: piv.prepared,
        behaviour: piv.behaviour,
    }
}

on_a_chip!(PivAndOpenPgpCard);
