//! A reader with a PIN pad: the PIN goes from the person to the card.

use cardea_harness::provision::PIN;
use cardea_harness::reader::{Key, PinPad};
use cardea_virtual_hardware::ccid::{CcidReader, Command, ReaderDescription};

use super::{PINPAD, PINPAD_TPDU};
use crate::bed::{Bed, MESSAGE, Outcome, ensure};

/// Plugs the reader in, with a person at it who does `keys`.
fn plug(bed: &mut Bed, description: &str, keys: &[Key]) -> Outcome<CcidReader> {
    bed.plug(ReaderDescription::parse(description)?)?;
    let reader = bed.reader()?;
    let mut pad = PinPad::typing(&[]);
    pad.user.extend(keys.iter().cloned());
    reader.reader().set_pin_pad(Some(pad));
    Ok(reader)
}

/// The reader asked once for each of `prompts`, by PC_to_RDR_Secure, and the PIN stayed inside.
fn asked(reader: &CcidReader, prompts: usize) -> Outcome {
    let (secure, shown) = (reader.count(Command::Secure), reader.reader().pin_pad().map_or(0, |pad| pad.prompts));
    ensure(secure == prompts && shown as usize == prompts, || format!("{secure} messages, {shown} prompts"))?;
    ensure(!reader.has_carried(PIN.as_bytes()), || "the PIN was on the bus".to_owned())
}

pub(super) fn login(bed: &mut Bed, _: Option<ReaderDescription>) -> Outcome {
    log_in(bed, PINPAD)
}

/// The prologue of the T=1 block that the reader makes is libccid's, and its numbers go on from there.
pub(super) fn login_tpdu(bed: &mut Bed, _: Option<ReaderDescription>) -> Outcome {
    log_in(bed, PINPAD_TPDU)
}

fn log_in(bed: &mut Bed, description: &str) -> Outcome {
    let reader = plug(bed, description, &[Key::Digits(PIN.to_owned())])?;
    bed.initialize()?;
    let token = bed.guest().ask("token", "")?;
    ensure(token.lines().nth(1) == Some("true"), || "CKF_PROTECTED_AUTHENTICATION_PATH is not set".to_owned())?;
    bed.guest().ask("open", "")?;
    bed.guest().ask("login", "")?;
    asked(&reader, 1)?;
    bed.sign()?;
    asked(&reader, 1)?;
    bed.guest().ask("finalize", "").map(drop)
}

pub(super) fn cancelled(bed: &mut Bed, _: Option<ReaderDescription>) -> Outcome {
    let reader = plug(bed, PINPAD, &[Key::Cancel, Key::Nothing])?;
    bed.initialize()?;
    bed.guest().ask("open", "")?;
    for expected in ["FunctionCanceled", "FunctionCanceled"] {
        let error = bed.guest().ask("login", "").err().ok_or("logged in without a PIN")?;
        ensure(error.contains(expected), || format!("not {expected}: {error}"))?;
    }
    asked(&reader, 2)?;
    ensure(bed.guest().ask("sign", "x").is_err(), || "signed without login".to_owned())?;
    bed.guest().ask("finalize", "").map(drop)
}

/// The same pad with another module: what fails here too is not the module's fault.
pub(super) fn opensc(bed: &mut Bed, _: Option<ReaderDescription>) -> Outcome {
    let reader = plug(bed, PINPAD, &[Key::Digits(PIN.to_owned())])?;
    bed.initialize()?;
    bed.guest().ask("finalize", "")?;
    let signature = bed.guest().run(&format!(
        "printf %s '{MESSAGE}' >/tmp/message
        pkcs11-tool --login --sign --mechanism SHA256-RSA-PKCS --id 01 \
            --input-file /tmp/message --output-file /tmp/signature >/tmp/output || {{ cat /tmp/output; exit 1; }}
        hexdump -v -e '/1 \"%02x\"' /tmp/signature"
    ))?;
    bed.verify(signature.lines().last().unwrap_or_default())?;
    asked(&reader, 1)
}
