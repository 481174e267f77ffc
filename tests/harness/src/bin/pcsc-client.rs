//! Another program at the card: speaks PC/SC as it is told on standard input, one line at a time, and answers each
//! with one line. A process of its own, because libpcsclite knows one pcscd per process.
//!
//! | line | answer |
//! |---|---|
//! | `list` | names of the readers, separated by tabs |
//! | `await present READER`, `await absent READER`, `await unknown READER` | milliseconds that took |
//! | `connect shared READER` / `connect exclusive READER` | ATR |
//! | `transmit HEX` | response |
//! | `control CODE HEX` | response; CODE in hexadecimal |
//! | `attribute NAME` | value; NAME is `vendor-name`, `serial`, `presence`, `atr` or `max-input` |
//! | `begin`, `end` | `ok`: a transaction |
//! | `reconnect leave`, `reconnect reset`, `reconnect unpower` | `ok` |
//! | `disconnect leave`, `… reset`, `… unpower`, `… eject` | `ok` |
//!
//! A failure is answered with `error ` and the name that the crate `pcsc` gives it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::ffi::CString;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use pcsc::{Attribute, Card, Context, Disposition, Error, Protocols, ReaderState, Scope, ShareMode, State};

/// How long `await` waits.
const PATIENCE: Duration = Duration::from_secs(20);
/// An extended response with room to spare.
const BUFFER: usize = 66_000;

fn main() {
    let context = Context::establish(Scope::System).expect("a PC/SC context");
    let mut card = None;
    while let Some(line) = next_line() {
        match (line.as_str(), card.as_mut()) {
            ("begin", Some(card)) => transaction(card),
            (line, _) => answer(obey(&context, &mut card, line)),
        }
    }
    if let Some(card) = card {
        // dropping the handle would reset the card
        let _ = card.disconnect(Disposition::LeaveCard);
    }
}

fn next_line() -> Option<String> {
    std::io::stdin().lock().lines().next().map(|line| line.expect("a line"))
}

fn answer(result: Result<String, Error>) {
    let text = result.unwrap_or_else(|error| format!("error {error:?}"));
    let mut output = std::io::stdout().lock();
    writeln!(output, "{text}").and_then(|()| output.flush()).expect("a reader of the answers");
}

/// Obeys inside a transaction until `end`.
fn transaction(card: &mut Card) {
    let transaction = match card.transaction() {
        Ok(transaction) => transaction,
        Err(error) => return answer(Err(error)),
    };
    answer(Ok("ok".to_owned()));
    while let Some(line) = next_line() {
        if line == "end" {
            let ended = transaction.end(Disposition::LeaveCard).map_err(|(_, error)| error);
            return answer(ended.map(|()| "ok".to_owned()));
        }
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        answer(exchange(&transaction, verb, rest));
    }
}

fn obey(context: &Context, card: &mut Option<Card>, line: &str) -> Result<String, Error> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    match (verb, card.as_mut()) {
        ("list", _) => list(context),
        ("await", _) => await_card(context, rest),
        ("connect", _) => connect(context, card, rest),
        ("disconnect", Some(_)) => {
            let held = card.take().ok_or(Error::InvalidHandle)?;
            held.disconnect(disposition(rest)).map_err(|(_, error)| error)?;
            Ok("ok".to_owned())
        }
        ("reconnect", Some(card)) => {
            card.reconnect(ShareMode::Shared, Protocols::ANY, disposition(rest))?;
            Ok("ok".to_owned())
        }
        (_, Some(card)) => exchange(card, verb, rest),
        (_, None) => Err(Error::InvalidHandle),
    }
}

/// What works with and without a transaction.
fn exchange(card: &Card, verb: &str, arguments: &str) -> Result<String, Error> {
    let mut buffer = vec![0; BUFFER];
    match verb {
        "transmit" => Ok(hex(card.transmit(&bytes(arguments), &mut buffer)?)),
        "control" => {
            let (code, data) = arguments.split_once(' ').unwrap_or((arguments, ""));
            Ok(hex(card.control(number(code), &bytes(data), &mut buffer)?))
        }
        "attribute" => Ok(hex(card.get_attribute(attribute(arguments)?, &mut buffer[..256])?)),
        _ => Err(Error::InvalidParameter),
    }
}

fn list(context: &Context) -> Result<String, Error> {
    let readers = context.list_readers_owned()?;
    let names: Vec<String> = readers.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    Ok(names.join("\t"))
}

fn await_card(context: &Context, arguments: &str) -> Result<String, Error> {
    let (wanted, reader) = arguments.split_once(' ').ok_or(Error::InvalidParameter)?;
    let wanted = match wanted {
        "present" => State::PRESENT,
        "absent" => State::EMPTY,
        _ => State::UNAVAILABLE,
    };
    let start = Instant::now();
    let mut states = [ReaderState::new(c_string(reader)?, State::UNAWARE)];
    loop {
        context.get_status_change(Some(PATIENCE.saturating_sub(start.elapsed())), &mut states)?;
        if states[0].event_state().contains(wanted) {
            return Ok(format!("{:.1}", start.elapsed().as_secs_f64() * 1000.0));
        }
        states[0].sync_current_state();
    }
}

fn connect(context: &Context, card: &mut Option<Card>, arguments: &str) -> Result<String, Error> {
    let (mode, reader) = arguments.split_once(' ').ok_or(Error::InvalidParameter)?;
    let mode = if mode == "exclusive" { ShareMode::Exclusive } else { ShareMode::Shared };
    let connected = context.connect(&c_string(reader)?, mode, Protocols::ANY)?;
    let atr = hex(&connected.get_attribute_owned(Attribute::AtrString)?);
    *card = Some(connected);
    Ok(atr)
}

fn disposition(name: &str) -> Disposition {
    match name {
        "reset" => Disposition::ResetCard,
        "unpower" => Disposition::UnpowerCard,
        "eject" => Disposition::EjectCard,
        _ => Disposition::LeaveCard,
    }
}

fn attribute(name: &str) -> Result<Attribute, Error> {
    match name {
        "vendor-name" => Ok(Attribute::VendorName),
        "serial" => Ok(Attribute::VendorIfdSerialNo),
        "presence" => Ok(Attribute::IccPresence),
        "atr" => Ok(Attribute::AtrString),
        "max-input" => Ok(Attribute::Maxinput),
        _ => Err(Error::InvalidParameter),
    }
}

fn c_string(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::InvalidParameter)
}

fn number(digits: &str) -> pcsc::ffi::DWORD {
    pcsc::ffi::DWORD::from_str_radix(digits, 16).expect("a hexadecimal number")
}

fn bytes(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
