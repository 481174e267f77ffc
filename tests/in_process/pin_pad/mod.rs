//! PINs that are typed on the reader: what the pad is told, what comes of what its user does, and how an entry ends.

mod changes;
mod ending;
mod login;
mod readers;

use std::time::{Duration, Instant};

use cardea_harness::reader::{Key, PinPad};

use super::setting::Setting;

/// CKF_PROTECTED_AUTHENTICATION_PATH.
const PROTECTED: u64 = 0x100;

fn typed(digits: &str) -> Key {
    Key::Digits(digits.to_owned())
}

/// A PIV card in a reader with this pad.
fn setting(pad: PinPad) -> Setting {
    let setting = Setting::elliptic();
    give(&setting, pad);
    setting
}

fn give(setting: &Setting, pad: PinPad) {
    setting.reader.virtual_reader().set_pin_pad(Some(pad));
}

fn pad(setting: &Setting) -> PinPad {
    setting.reader.virtual_reader().pin_pad().unwrap()
}

/// Waits until the pad has asked so often.
fn await_prompts(setting: &Setting, prompts: u32) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while pad(setting).prompts < prompts {
        assert!(Instant::now() < deadline, "the pad does not ask");
        std::thread::yield_now();
    }
}
