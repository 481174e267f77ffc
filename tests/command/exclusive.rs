//! `exclusive` before a real pcscd: who has a card for himself, and what the others are told.

use std::ffi::CString;

use cryptoki::context::{CInitializeArgs, CInitializeFlags};
use cryptoki::error::{Error, RvError};
use cryptoki::session::UserType;
use pcsc::{Context, Disposition, Protocols, Scope, ShareMode};

use super::desk::{CARDEA, code};
use crate::budgets::steps::{MODULE, load, pin};
use crate::clients::child;
use crate::clients::program::{Run, run};
use crate::clients::station::{Card, Station};
use crate::module;

/// Another program at the same card is turned away.
const HELD: i32 = 7;

/// Runs `cardea info` beside this process, with the configuration's `exclusive` or without.
fn info(exclusive: &str) -> Run {
    let mut command = std::process::Command::new(CARDEA);
    command.arg("info").env("CARDEA_EXCLUSIVE", exclusive);
    run(command)
}

fn sign(exclusive: &str) -> Run {
    let mut command = std::process::Command::new("bash");
    let script = r#"echo data > exclusive.txt; exec "$0" sign --id 04 --output exclusive.sig exclusive.txt"#;
    command.args(["-c", script, CARDEA]).current_dir(child::directory()).env("CARDEA_EXCLUSIVE", exclusive);
    run(command)
}

#[test]
fn a_program_with_a_session_has_the_card_for_itself_until_it_closes_it() {
    if !child::is_child() {
        let station = Station::new(Card::Elliptic);
        let environment = [(MODULE, module::path().to_str().unwrap()), ("CARDEA_EXCLUSIVE", "1")];
        child::spawn(a_program_with_a_session_has_the_card_for_itself_until_it_closes_it, &station, &environment)
            .succeeded();
        return;
    }
    let ours = load();
    ours.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slot = ours.get_slots_with_token().unwrap()[0];
    ours.get_token_info(slot).unwrap();
    assert_eq!(code(&info("0")), 0, "without a session the card is everybody's");

    let session = ours.open_rw_session(slot).unwrap();
    session.login(UserType::User, Some(&pin())).unwrap();
    let refused = info("0");
    assert_eq!(code(&refused), HELD);
    refused.says("another program holds the card exclusively");
    session.close().unwrap();
    assert_eq!(code(&info("0")), 0);

    let context = Context::establish(Scope::User).unwrap();
    let name = CString::new("Cardea Virtual Reader 00 00").unwrap();
    let card = context.connect(&name, ShareMode::Shared, Protocols::ANY).unwrap();
    assert!(matches!(ours.open_rw_session(slot), Err(Error::Pkcs11(RvError::DeviceError, _))));
    let refused = sign("1");
    assert_eq!(code(&refused), HELD);
    refused.says("another program uses the card, which is to be had exclusively");
    sign("0").succeeded();
    card.disconnect(Disposition::LeaveCard).map_err(|(_, error)| error).unwrap();
    sign("1").succeeded();
    ours.open_rw_session(slot).unwrap().close().unwrap();
}
