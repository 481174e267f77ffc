//! The cases, by name, and those about signing.

mod movement;
mod pin_pad;
mod rules;

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::PIN;
use cardea_virtual_hardware::ccid::{Command, ReaderDescription};

use crate::bed::{Bed, MESSAGE, Outcome, ensure};

/// One case. Those that bring no reader of their own get one.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// A sentence.
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Bed, Option<ReaderDescription>) -> Outcome,
}

const fn case(name: &'static str, run: fn(&mut Bed, Option<ReaderDescription>) -> Outcome) -> Case {
    Case { name, run }
}

/// With the readers of this directory.
pub(crate) const OURS: &[Case] = &[
    case("a reader for extended APDUs signs with the PIN, in chained blocks", signs_extended),
    case("a reader for short APDUs signs with the PIN, in chained commands", signs_short),
    case("a reader that exchanges T=1 blocks signs with the PIN", signs_tpdu),
    case("a card that speaks T=0 signs with the PIN in such a reader", signs_t0),
    case("OpenSC's pkcs11-tool signs through the module", pkcs11_tool),
    case("the cases for physical tokens pass", physical),
    case("udev knows the reader, its seat and its name", rules::known),
    case("udev keeps the reader awake that does not come back from sleep", rules::awake),
    case("a card that is pulled and pushed back wakes who waits, and signs again", movement::card),
    case("a reader pulled out during a signature ends it, and signs again when it is back", movement::surprise),
    case("a reader that is detached keeps its slot and gets it back", movement::detached),
    case("the card is switched off after the last session", movement::power_off),
    case("a PIN typed at the reader logs in and never crosses the bus", pin_pad::login),
    case("the same at a reader that exchanges T=1 blocks", pin_pad::login_tpdu),
    case("a person who presses cancel is not logged in", pin_pad::cancelled),
    case("OpenSC logs in at the same PIN pad", pin_pad::opensc),
];

/// With a reader that somebody describes.
pub(crate) const DESCRIBED: &[Case] = &[
    case("udev knows the reader", |bed, reader| rules::describes(bed, reader.ok_or("no reader")?)),
    case("signs with the PIN", |bed, reader| signs(bed, reader.ok_or("no reader")?)),
    case("a card that is pulled and pushed back signs again", movement::card),
];

const EXTENDED: &str = include_str!("../readers/extended.txt");
const SHORT: &str = include_str!("../readers/short.txt");
const TPDU: &str = include_str!("../readers/tpdu.txt");
const PINPAD: &str = include_str!("../readers/pinpad.txt");
const PINPAD_TPDU: &str = include_str!("../readers/pinpad-tpdu.txt");

/// TS, T0 (no interface bytes, ten historical bytes), command chaining in the card's capabilities: T=0.
const T0_ATR: [u8; 12] = *b"\x3B\x0A\x80\x73\xC0\x21\x80\x54Card";
/// ISO 7816-4 7.6.1.
const GET_RESPONSE: u8 = 0xC0;

/// Initialize, log in with the PIN, sign, finalize.
fn signs(bed: &mut Bed, description: ReaderDescription) -> Outcome {
    bed.plug(description)?;
    bed.initialize()?;
    bed.log_in()?;
    bed.sign()?;
    bed.guest().ask("close", "")?;
    bed.guest().ask("finalize", "").map(drop)
}

fn signs_extended(bed: &mut Bed, _: Option<ReaderDescription>) -> Outcome {
    signs(bed, ReaderDescription::parse(EXTENDED)?)?;
    let reader = bed.reader()?;
    let long = reader.reader().commands().iter().any(|command| command.len() > reader.description().max_data());
    ensure(long, || "no command was longer than a message".to_owned())?;
    let chained = reader
        .messages()
        .iter()
        .any(|message| message.command == Command::XfrBlock && matches!(message.specific[1], 0x01 | 0x10));
    ensure(chained, || "no block was chained".to_owned())
}

fn signs_short(bed: &mut Bed, _: Option<ReaderDescription>) -> Outcome {
    signs(bed, ReaderDescription::parse(SHORT)?)?;
    let commands = bed.reader()?.reader().commands();
    ensure(commands.iter().all(|command| command.len() <= 261), || "an extended APDU".to_owned())?;
    ensure(commands.iter().any(|command| command.first().is_some_and(|class| class & 0x10 != 0)), || {
        "no command was chained".to_owned()
    })
}

fn signs_tpdu(bed: &mut Bed, _: Option<ReaderDescription>) -> Outcome {
    signs(bed, ReaderDescription::parse(TPDU)?)?;
    // the control byte of an I-block that more follow
    let chained = bed.reader()?.messages().iter().any(|message| {
        message.command == Command::XfrBlock && message.data.get(1).is_some_and(|pcb| pcb & 0xA0 == 0x20)
    });
    ensure(chained, || "no T=1 block was chained".to_owned())
}

/// A response to a command with data waits for GET RESPONSE, and no command is longer than a TPDU.
fn signs_t0(bed: &mut Bed, _: Option<ReaderDescription>) -> Outcome {
    let card = PivOptions { atr: Some(T0_ATR.to_vec()), ..PivOptions::short() };
    bed.plug_card(ReaderDescription::parse(TPDU)?, card)?;
    bed.initialize()?;
    bed.log_in()?;
    bed.sign()?;
    let reader = bed.reader()?;
    let fetched = reader
        .messages()
        .iter()
        .any(|message| message.command == Command::XfrBlock && message.data.get(1) == Some(&GET_RESPONSE));
    ensure(fetched, || "no response was fetched".to_owned())?;
    bed.guest().ask("finalize", "").map(drop)
}

fn pkcs11_tool(bed: &mut Bed, _: Option<ReaderDescription>) -> Outcome {
    bed.plug(ReaderDescription::parse(EXTENDED)?)?;
    bed.initialize()?;
    bed.guest().ask("finalize", "")?;
    let signature = bed.guest().run(&format!(
        "printf %s '{MESSAGE}' >/tmp/message
        pkcs11-tool --module /cardea/module.so --login --pin {PIN} --sign --mechanism SHA256-RSA-PKCS --id 01 \
            --input-file /tmp/message --output-file /tmp/signature >/tmp/output || {{ cat /tmp/output; exit 1; }}
        hexdump -v -e '/1 \"%02x\"' /tmp/signature"
    ))?;
    bed.verify(signature.lines().last().unwrap_or_default())
}

/// The package next door, with the virtual card in its list.
fn physical(bed: &mut Bed, _: Option<ReaderDescription>) -> Outcome {
    bed.plug(ReaderDescription::parse(EXTENDED)?)?;
    bed.initialize()?;
    let token = bed.guest().ask("token", "")?;
    let serial = token.lines().next().unwrap_or_default();
    bed.guest().ask("finalize", "")?;
    let output = bed.guest().run(&format!(
        "printf '[[token]]\\nserial = \"{serial}\"\\npin_from = \"PIN\"\\n' >/tmp/allow.toml
        PIN={PIN} /cardea/hardware-tests --allow /tmp/allow.toml --module /cardea/module.so"
    ))?;
    let passed = output.lines().filter(|line| line.starts_with("  ok ")).count();
    ensure(passed >= 5 && output.contains(" 0 failed"), || output.clone())
}
