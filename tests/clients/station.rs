//! Where a program meets the module: a private pcscd, one reader, one provisioned card, and an environment.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use cardea_harness::bench::Bench;
use cardea_harness::card::VirtualCard;
use cardea_harness::myeid::{MyEidCard, MyEidLayout, MyEidOptions, provision_myeid};
use cardea_harness::openpgp::{OPENPGP_AID, OpenPgpCard, OpenPgpLayout, OpenPgpOptions, provision_openpgp};
use cardea_harness::piv::{PivCard, PivOptions};
use cardea_harness::provision::{Authority, Chuid, Holder, Layout, Provisioned, provision};
use cardea_harness::reader::VirtualReader;
use cardea_harness::several::PivAndOpenPgpCard;

use super::program::{Run, run};
use crate::module;

/// The name of the reader; PC/SC appends ` 00 00`.
const READER: &str = "Cardea Virtual Reader";

/// The cards that programs are tried with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Card {
    /// Extended length, Yubico's extensions, four keys with certificates.
    Standard,
    /// The same keys with short APDUs only.
    Short,
    /// The same keys with nothing beyond SP 800-73-4.
    Plain,
    /// P-384, RSA-3072 and -4096, a compressed certificate, retired keys and a key history.
    Varied,
    /// P-256 in every key reference: there at once.
    Elliptic,
    /// OpenPGP: P-256 with a PIN for each signature, RSA-2048 for decryption and for authentication.
    OpenPgp,
    /// The same keys with short APDUs only.
    OpenPgpShort,
    /// OpenPGP: RSA-4096, P-384, P-521, one PIN for many signatures.
    OpenPgpVaried,
    /// OpenPGP: Ed25519, X25519, Ed25519, without certificates.
    OpenPgpModern,
}

/// Cards with keys of every kind, for cases that run on each.
pub const CARDS: [Card; 4] = [Card::Standard, Card::Short, Card::Plain, Card::Varied];

impl Card {
    /// The name in golden files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Short => "short",
            Self::Plain => "plain",
            Self::Varied => "varied",
            Self::Elliptic => "elliptic",
            Self::OpenPgp => "openpgp",
            Self::OpenPgpShort => "openpgp-short",
            Self::OpenPgpVaried => "openpgp-varied",
            Self::OpenPgpModern => "openpgp-modern",
        }
    }

    /// What of the card's is OpenPGP; `None` for PIV.
    fn openpgp(self) -> Option<(OpenPgpOptions, OpenPgpLayout)> {
        match self {
            Self::OpenPgp => Some((OpenPgpOptions::default(), OpenPgpLayout::standard())),
            Self::OpenPgpShort => Some((OpenPgpOptions::short(), OpenPgpLayout::standard())),
            Self::OpenPgpVaried => Some((OpenPgpOptions::default(), OpenPgpLayout::varied())),
            Self::OpenPgpModern => Some((OpenPgpOptions::default(), OpenPgpLayout::modern())),
            Self::Standard | Self::Short | Self::Plain | Self::Varied | Self::Elliptic => None,
        }
    }

    /// Whether its RSA keys take whole blocks, so that the module does the padding: OpenPGP cards pad by themselves.
    pub fn has_raw_rsa(self) -> bool {
        self.openpgp().is_none()
    }

    fn options(self) -> PivOptions {
        match self {
            Self::Short => PivOptions::short(),
            Self::Plain => PivOptions::plain(),
            _ => PivOptions::extended(),
        }
    }

    fn layout(self) -> Layout {
        match self {
            Self::Varied => Layout::varied(),
            Self::Elliptic => Layout::elliptic(),
            _ => Layout::standard(),
        }
    }
}

/// A bench with one card in its one reader.
pub struct Station {
    pub bench: Bench,
    pub reader: VirtualReader,
    pub provisioned: Provisioned,
}

impl Station {
    pub fn new(card: Card) -> Self {
        match card.openpgp() {
            Some((options, layout)) => Self::with_openpgp_options(options, &layout),
            None => Self::with_layout(card.options(), &card.layout()),
        }
    }

    /// A bench with an OpenPGP card, filled according to `layout`; its keys are named 01, 02, 03.
    pub fn with_openpgp(layout: &OpenPgpLayout) -> Self {
        Self::with_openpgp_options(OpenPgpOptions::default(), layout)
    }

    /// The same with a card of another kind.
    pub fn with_openpgp_options(options: OpenPgpOptions, layout: &OpenPgpLayout) -> Self {
        let mut inserted = OpenPgpCard::new(options);
        let written = provision_openpgp(&mut inserted, layout, &Authority::default());
        let provisioned = Provisioned {
            pin: written.pin,
            puk: written.so_pin,
            ca_pem: written.ca_pem,
            certificates: written.certificates,
            public_keys: written.public_keys,
            ..nothing_of_piv(layout.holder.clone())
        };
        Self::with_card(Box::new(inserted), provisioned)
    }

    /// A bench with a card of this kind, filled according to `layout`.
    pub fn with_layout(options: PivOptions, layout: &Layout) -> Self {
        let mut inserted = PivCard::new(options);
        let provisioned = provision(&mut inserted, layout, &Authority::default());
        Self::with_card(Box::new(inserted), provisioned)
    }

    /// A bench with a card that has PIV, P-256 everywhere, and OpenPGP with Ed25519; both have the same PIN.
    pub fn with_piv_and_openpgp() -> Self {
        let mut inserted = PivAndOpenPgpCard::new(PivOptions::extended(), OpenPgpOptions::default());
        let provisioned = provision(&mut inserted, &Layout::elliptic(), &Authority::default());
        let openpgp = provision_openpgp(&mut inserted, &OpenPgpLayout::modern(), &Authority::default());
        let station = Self::with_card(Box::new(inserted), provisioned);
        openpgp.write_pem(station.directory()).unwrap();
        station
    }

    /// A bench with a MyEID card, to which programs write with the user's PIN alone.
    pub fn with_myeid() -> Self {
        let mut inserted = MyEidCard::new(MyEidOptions::default());
        let layout = MyEidLayout::standard();
        let written = provision_myeid(&mut inserted, &layout, &Authority::default());
        let provisioned = Provisioned {
            pin: written.pin,
            puk: written.so_pin,
            ca_pem: written.ca_pem,
            certificates: written.certificates,
            public_keys: written.public_keys,
            ..nothing_of_piv(layout.holder)
        };
        Self::with_card(Box::new(inserted), provisioned)
    }

    fn with_card(card: Box<dyn VirtualCard>, provisioned: Provisioned) -> Self {
        let reader = VirtualReader::with_card(card);
        let bench = Bench::start(vec![(READER, reader.clone())]);
        provisioned.write_pem(bench.directory()).unwrap();
        Self { bench, reader, provisioned }
    }

    /// A directory that goes with the bench; it holds `ca.pem`, `9a.crt.pem`, `9a.pub.pem` and so on.
    pub fn directory(&self) -> &Path {
        self.bench.directory()
    }

    /// A file in [`Self::directory`] with this content.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A command for `program` in the environment that `tests/with-token` gives, and nobody's own configuration.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.bench.command(program);
        command
            .current_dir(self.directory())
            .env("HOME", self.directory())
            .env("XDG_CONFIG_HOME", self.directory())
            .env("LC_ALL", "C.UTF-8")
            .env("CARDEA_MODULE", module::path())
            .env("CARDEA_PIN", &self.provisioned.pin)
            .env("CARDEA_SO_PIN", &self.provisioned.puk)
            .env("CARDEA_BENCH_DIR", self.directory())
            .env_remove("CARDEA_LOG")
            .env_remove("CARDEA_LOG_FILE");
        command
    }

    /// Runs `program` to its end.
    pub fn run<A: AsRef<OsStr>>(&self, program: &str, arguments: impl IntoIterator<Item = A>) -> Run {
        let mut command = self.command(program);
        command.args(arguments);
        run(command)
    }

    /// Whether the card would do now what wants the PIN: it is asked where it is, past pcscd.
    pub fn is_verified(&self) -> bool {
        self.reader.transmit(&[0x00, 0x20, 0x00, 0x80]).is_ok_and(|answer| answer == [0x90, 0x00])
    }

    /// Takes the card out of the reader, does something with it, and pushes it back.
    pub fn in_hand<R>(&self, work: impl FnOnce(&mut dyn VirtualCard) -> R) -> R {
        let mut card = self.reader.take().unwrap();
        card.power_on();
        let result = work(&mut *card);
        card.power_off();
        self.reader.insert(card);
        result
    }

    /// Tries left for the application PIN, as the card itself says (for OpenPGP, PW1): the card is taken out of the reader, asked
    /// after a reset, and pushed back.
    pub fn pin_tries(&self) -> u8 {
        let answer = self.in_hand(|card| {
            card.transmit(&[&[0x00, 0xA4, 0x04, 0x00, 0x05][..], &[0xA0, 0x00, 0x00, 0x03, 0x08]].concat());
            let answer = card.transmit(&[0x00, 0x20, 0x00, 0x80]);
            if answer != [0x6D, 0x00] {
                return answer;
            }
            card.transmit(&[&[0x00, 0xA4, 0x04, 0x00, 0x06][..], &OPENPGP_AID].concat());
            card.transmit(&[0x00, 0x20, 0x00, 0x82])
        });
        match answer[..] {
            [0x63, counter] => counter & 0x0F,
            [0x69, 0x83] => 0,
            _ => panic!("the card answers the question for its counter with {answer:02X?}"),
        }
    }
}

/// What a card without PIV leaves empty.
fn nothing_of_piv(holder: Holder) -> Provisioned {
    Provisioned {
        pin: String::new(),
        puk: String::new(),
        management_key: Vec::new(),
        ca_pem: String::new(),
        certificates: Vec::new(),
        public_keys: Vec::new(),
        chuid: Chuid::default(),
        holder,
    }
}
