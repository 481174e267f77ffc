//! Transcripts of cards, as `cardea trace` records them, played back: what the Library makes of each stays as it is.
//!
//! Whoever has a card that is not here records one (`cardea trace --output tests/transcripts/NAME.txt`), and
//! `UPDATE_GOLDEN=1` writes beside it what the Library sees.

use std::fmt::Write;
use std::path::Path;

use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::log::Log;
use cardea_pkcs11::pcsc::replay::Replay;
use cardea_pkcs11::slot::Slot;
use cryptoki_sys::{CKA_CLASS, CKA_ID, CKA_LABEL};

use crate::clients::golden::assert_golden;

fn library(transcript: &str) -> (Library, Replay) {
    let replay = Replay::new(transcript).unwrap();
    let library = Library::new(Box::new(replay.clone()), Configuration::default(), Log::default(), DRIVERS);
    (library.unwrap(), replay)
}

/// The token of a slot and its objects, as text.
fn description(slot: &Slot) -> String {
    let info = match slot.token_info() {
        Ok(info) => info,
        Err(error) => return format!("{}: {error}\n", slot.reader().name()),
    };
    let mut text =
        format!("{}: {} {} {} {}\n", slot.reader().name(), info.label, info.manufacturer, info.model, info.serial);
    let objects = slot.objects(slot.present().unwrap()).unwrap();
    for (_, object) in objects.iter() {
        let attributes = object.attributes();
        let label = String::from_utf8_lossy(attributes.shown(CKA_LABEL).unwrap_or_default()).into_owned();
        let id: String =
            attributes.shown(CKA_ID).unwrap_or_default().iter().map(|byte| format!("{byte:02X}")).collect();
        writeln!(text, "  {} [{id}] {label}", attributes.number(CKA_CLASS).unwrap()).unwrap();
    }
    text
}

#[test]
fn each_transcript_shows_what_it_always_showed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let (library, _) = library(&std::fs::read_to_string(&path).unwrap());
        let ids = library.slot_ids(false, true).unwrap();
        let text: String = ids.iter().map(|id| description(&library.slot(*id).unwrap())).collect();
        assert_golden(&format!("transcripts/{}", path.file_name().unwrap().to_str().unwrap()), &text);
        seen += 1;
    }
    assert!(seen >= 2);
}

#[test]
fn a_command_that_was_never_sent_is_counted_and_harms_nothing() {
    let transcript = "# Cardea transcript 1\nreader R\natr 3B80800101\n> 00A40400\n! the card was removed\n";
    let (library, replay) = library(transcript);
    let id = library.slot_ids(true, true).unwrap()[0];
    assert_eq!(library.slot(id).unwrap().token_info().unwrap_err(), Error::TokenNotRecognized);
    assert!(replay.unknown_commands() > 0);
    assert_eq!(library.slot(id).unwrap().reader().identity(1).unwrap().atr, [0x3B, 0x80, 0x80, 0x01, 0x01]);
    library.finalize();
}
