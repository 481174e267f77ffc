//! Cards and readers that come and go.

use cardea_harness::reader::{Action, Fault};
use cardea_virtual_hardware::ccid::{Command, ReaderDescription};

use super::EXTENDED;
use crate::bed::{Bed, Outcome, ensure, eventually};

/// GENERAL AUTHENTICATE (SP 800-73-4 part 2 3.2.4).
const GENERAL_AUTHENTICATE: u8 = 0x87;

pub(super) fn card(bed: &mut Bed, description: Option<ReaderDescription>) -> Outcome {
    bed.plug(description.map_or_else(|| ReaderDescription::parse(EXTENDED), Ok)?)?;
    // Otherwise its coming may be an event that the first wait tells of.
    bed.settle()?;
    let slot = bed.initialize()?;
    bed.log_in()?;
    bed.sign()?;
    let reader = bed.reader()?;

    bed.guest().send("wait", "")?;
    reader.reader().remove();
    let woken = bed.guest().receive()?;
    ensure(woken == slot.id, || format!("the removal woke for slot {woken}, not {}", slot.id))?;
    ensure(bed.slots()?.iter().all(|slot| !slot.token), || "the token is still there".to_owned())?;
    ensure(bed.guest().ask("sign", "x").is_err(), || "a card that is not there signed".to_owned())?;

    bed.guest().send("wait", "")?;
    reader.reader().reinsert();
    let woken = bed.guest().receive()?;
    ensure(woken == slot.id, || format!("the insertion woke for slot {woken}, not {}", slot.id))?;
    ensure(bed.await_token(true)? == slot, || "another slot".to_owned())?;
    ensure(bed.guest().ask("sign", "x").is_err(), || "the login survived the card's removal".to_owned())?;
    bed.log_in()?;
    bed.sign()?;
    bed.guest().ask("finalize", "").map(drop)
}

pub(super) fn surprise(bed: &mut Bed, _: Option<ReaderDescription>) -> Outcome {
    bed.plug(ReaderDescription::parse(EXTENDED)?)?;
    let slot = bed.initialize()?;
    bed.log_in()?;
    let reader = bed.reader()?;
    reader.reader().fault(Fault::on(GENERAL_AUTHENTICATE, Action::Unplug));
    match bed.guest().ask("sign", "x") {
        Ok(_) => return Err("a reader that is not there signed".to_owned()),
        Err(error) => {
            let named = ["DeviceRemoved", "TokenNotPresent", "DeviceError"].iter().any(|name| error.contains(name));
            ensure(named, || format!("an odd error: {error}"))?;
        }
    }
    ensure(!reader.reader().is_plugged(), || "the reader was not pulled out".to_owned())?;
    bed.await_token(false)?;
    reader.reader().plug();
    bed.attach()?;
    ensure(bed.await_token(true)? == slot, || "another slot".to_owned())?;
    bed.log_in()?;
    bed.sign()?;
    bed.guest().ask("finalize", "").map(drop)
}

pub(super) fn detached(bed: &mut Bed, _: Option<ReaderDescription>) -> Outcome {
    bed.plug(ReaderDescription::parse(EXTENDED)?)?;
    let slot = bed.initialize()?;
    bed.detach()?;
    let empty = bed.await_token(false)?;
    ensure(empty.id == slot.id, || format!("slot {} became {}", slot.id, empty.id))?;
    bed.attach()?;
    ensure(bed.await_token(true)? == slot, || "another slot".to_owned())?;
    bed.log_in()?;
    bed.sign()?;
    bed.guest().ask("finalize", "").map(drop)
}

/// PC_to_RDR_IccPowerOff is what the reader sees of SCARD_LEAVE_CARD and the last handle's end.
pub(super) fn power_off(bed: &mut Bed, _: Option<ReaderDescription>) -> Outcome {
    bed.plug(ReaderDescription::parse(EXTENDED)?)?;
    bed.initialize()?;
    bed.log_in()?;
    bed.sign()?;
    let reader = bed.reader()?;
    reader.clear_log();
    ensure(reader.reader().is_powered(), || "the card lost power during the session".to_owned())?;
    bed.guest().ask("close", "")?;
    bed.guest().ask("finalize", "")?;
    eventually("PC_to_RDR_IccPowerOff", || reader.count(Command::IccPowerOff) > 0)?;
    ensure(!reader.reader().is_powered(), || "the card has power".to_owned())
}
