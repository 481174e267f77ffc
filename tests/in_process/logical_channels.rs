//! A logical channel for the token's application: when there is one, what it is good for, when it ends, and what happens
//! where the card does not keep what it announces.

use std::sync::Arc;

use cardea_harness::card::VirtualCard;
use cardea_harness::myeid::{
    ChannelAssignment, MyEidCard, MyEidLayout, MyEidOptions, MyEidProbe, OTHER_AID, PIN, provision_myeid,
};
use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{Authority, Layout};
use cardea_harness::reader::{Action, Fault, VirtualReader};
use cardea_pkcs11::card::driver::{DRIVERS, Driver};
use cardea_pkcs11::card::{Role, myeid};
use cardea_pkcs11::configuration::{Configuration, EjectPolicy};
use cardea_pkcs11::error::Error;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::log::Log;
use cardea_pkcs11::mechanism::Mechanism;
use cardea_pkcs11::pcsc::ShareMode;
use cardea_pkcs11::profile::Profiles;
use cardea_pkcs11::session::Session;
use cardea_pkcs11::slot::reader::{Reader, Surroundings};

use super::keys::{DIGEST, find_all, private, signature};
use super::link::{Desk, LocalReader};
use super::setting::{self, SELECT, USER, VERIFY, pin, select};

/// INS of MANAGE CHANNEL.
const MANAGE_CHANNEL: u8 = 0x70;
/// CKA_ID of the P-256 key.
const P256: u8 = 0x46;
/// Tries of the PIN when full, as the card says it.
const FULL: [u8; 2] = [0x63, 0xC3];

struct Setting {
    library: Library,
    reader: Arc<LocalReader>,
    chip: MyEidProbe,
}

impl Setting {
    fn new(options: MyEidOptions, configuration: Configuration) -> Self {
        let mut card = MyEidCard::new(options);
        provision_myeid(&mut card, &MyEidLayout::standard(), &Authority::default());
        let chip = card.probe();
        let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
        let library = setting::library(std::slice::from_ref(&reader), configuration, DRIVERS);
        reader.virtual_reader().clear_log();
        Self { library, reader, chip }
    }

    fn with(options: MyEidOptions) -> Self {
        // No card is reset at the end, so that what is closed was closed by command.
        Self::new(options, Configuration { eject: EjectPolicy::Leave, ..Configuration::default() })
    }

    fn standard() -> Self {
        Self::with(MyEidOptions::with_channels())
    }

    /// Another process with the same card.
    fn another_library(&self) -> Library {
        let configuration = Configuration { eject: EjectPolicy::Leave, ..Configuration::default() };
        setting::library(std::slice::from_ref(&self.reader), configuration, DRIVERS)
    }

    fn open(&self) -> Arc<Session> {
        open(&self.library)
    }

    fn logged_in(&self) -> Arc<Session> {
        logged_in(&self.library)
    }

    fn another(&self, command: &[u8]) -> Vec<u8> {
        self.reader.transmit_by_another(command)
    }

    fn another_selects_its_application(&self) {
        assert_eq!(self.another(&select(&OTHER_AID)), [0x90, 0x00]);
    }

    /// Card commands since the last call.
    fn commands(&self) -> Vec<Vec<u8>> {
        let commands = self.reader.virtual_reader().commands();
        self.reader.virtual_reader().clear_log();
        commands
    }

    /// MANAGE CHANNEL commands since the last call of this or [`Self::commands`].
    fn channel_commands(&self) -> Vec<String> {
        let commands = self.commands();
        commands.iter().filter(|command| command[1] == MANAGE_CHANNEL).map(hex::encode).collect()
    }
}

fn open(library: &Library) -> Arc<Session> {
    library.session(library.open_session(0, true).unwrap()).unwrap()
}

fn logged_in(library: &Library) -> Arc<Session> {
    let session = open(library);
    session.login(USER, pin(PIN)).unwrap();
    find_all(&session, &[]).unwrap();
    session
}

fn sign(session: &Session) -> Result<Vec<u8>, Error> {
    let key = private(session, P256).ok_or(Error::KeyHandleInvalid)?;
    signature(session, Mechanism::Ecdsa, key, DIGEST)
}

/// The logical channels of commands with an interindustry class.
fn channels(commands: &[Vec<u8>]) -> Vec<u8> {
    let mut channels: Vec<u8> = commands.iter().map(|command| command[0] & 0x03).collect();
    channels.sort_unstable();
    channels.dedup();
    channels
}

#[test]
fn another_programs_selection_on_the_basic_channel_costs_neither_login_nor_command() {
    let setting = Setting::standard();
    let session = setting.logged_in();
    sign(&session).unwrap();
    setting.commands();
    sign(&session).unwrap();
    let undisturbed = setting.commands();
    for _ in 0..3 {
        setting.another_selects_its_application();
        setting.commands();
        sign(&session).unwrap();
        let commands = setting.commands();
        assert_eq!(commands, undisturbed);
        assert_eq!(channels(&commands), [1]);
    }
    assert_eq!(setting.chip.verified_pins(), 1);
    session.logout().unwrap();
    assert_eq!(setting.chip.verified_pins(), 0, "the logout reaches the card on its channel");
}

#[test]
fn without_channels_such_a_selection_costs_the_login() {
    let setting = Setting::with(MyEidOptions::default());
    let session = setting.logged_in();
    setting.another_selects_its_application();
    assert_eq!(sign(&session), Err(Error::UserNotLoggedIn));
    session.login(USER, pin(PIN)).unwrap();
    sign(&session).unwrap();
    assert!(setting.channel_commands().is_empty(), "what is not announced is not tried");
}

#[test]
fn a_channel_costs_one_command_and_one_selection_for_each_connection() {
    let commands = |options| {
        let setting = Setting::with(options);
        let first = setting.logged_in();
        sign(&first).unwrap();
        let opening = setting.commands();
        let second = setting.open();
        sign(&second).unwrap();
        (opening, setting.commands())
    };
    let (with, with_later) = commands(MyEidOptions::with_channels());
    let (without, without_later) = commands(MyEidOptions::default());
    let instructions = |commands: &[Vec<u8>]| commands.iter().map(|command| command[1]).collect::<Vec<_>>();
    let count = |commands: &[Vec<u8>], wanted| instructions(commands).into_iter().filter(|ins| *ins == wanted).count();
    assert_eq!(count(&with, MANAGE_CHANNEL), 1);
    assert_eq!(count(&with, SELECT), count(&without, SELECT) + 1);
    assert!(with.len() <= without.len() + 2);
    assert_eq!(instructions(&with_later), instructions(&without_later));
}

#[test]
fn without_a_session_no_channel_is_opened() {
    let setting = Setting::standard();
    setting.library.slot(0).unwrap().token_info().unwrap();
    setting.library.slot(0).unwrap().mechanisms().unwrap();
    assert!(setting.channel_commands().is_empty());
}

#[test]
fn the_channel_is_closed_with_the_last_session() {
    let setting = Setting::standard();
    for _ in 0..5 {
        let (first, second) = (setting.logged_in(), setting.open());
        assert_eq!(setting.chip.open_channels(), [0, 1]);
        setting.library.close_session(first.handle()).unwrap();
        assert_eq!(setting.chip.open_channels(), [0, 1]);
        sign(&second).unwrap();
        setting.library.close_session(second.handle()).unwrap();
        assert_eq!(setting.chip.open_channels(), [0]);
        assert_eq!(setting.channel_commands(), ["0070000001", "00708001"]);
    }
    setting.logged_in();
    setting.library.close_all_sessions(0).unwrap();
    assert_eq!(setting.chip.open_channels(), [0], "all at once");
    setting.logged_in();
    setting.library.finalize();
    assert_eq!(setting.chip.open_channels(), [0], "the end of the library");
    assert_eq!(setting.chip.verified_pins(), 0);
}

#[test]
fn a_session_that_nothing_is_done_with_costs_no_channel() {
    let setting = Setting::standard();
    setting.library.slot(0).unwrap().token_info().unwrap();
    setting.commands();
    let session = setting.open();
    setting.library.close_session(session.handle()).unwrap();
    assert!(setting.commands().is_empty());
}

#[test]
fn a_card_that_runs_out_of_channels_leaves_the_rest_on_the_basic_one() {
    let setting = Setting::standard();
    let others = [setting.another_library(), setting.another_library(), setting.another_library()];
    let mut sessions = vec![setting.logged_in()];
    sessions.extend(others.iter().map(logged_in));
    assert_eq!(setting.chip.open_channels(), [0, 1, 2, 3]);
    setting.commands();
    let used = sessions.iter().map(|session| {
        sign(session).unwrap();
        channels(&setting.commands())
    });
    assert_eq!(used.collect::<Vec<_>>(), [[1], [2], [3], [0]]);
    others[1].close_all_sessions(0).unwrap();
    assert_eq!(setting.chip.open_channels(), [0, 1, 2]);
    others[2].close_all_sessions(0).unwrap();
    logged_in(&others[2]);
    assert_eq!(setting.chip.open_channels(), [0, 1, 2, 3], "the next connection of the fourth gets what became free");
}

#[test]
fn a_card_that_refuses_what_it_announces_is_asked_once_for_each_connection() {
    let setting =
        Setting::with(MyEidOptions { channel_assignment: ChannelAssignment::Nobody, ..MyEidOptions::with_channels() });
    let session = setting.logged_in();
    for _ in 0..3 {
        sign(&session).unwrap();
    }
    assert_eq!(setting.channel_commands(), ["0070000001"]);
    setting.library.close_session(session.handle()).unwrap();
    assert!(setting.channel_commands().is_empty(), "there is nothing to close");
}

#[test]
fn where_only_the_interface_device_chooses_numbers_we_do() {
    let setting = Setting::with(MyEidOptions {
        channel_assignment: ChannelAssignment::InterfaceDevice,
        ..MyEidOptions::with_channels()
    });
    assert_eq!(setting.another(&[0x00, MANAGE_CHANNEL, 0x00, 0x01]), [0x90, 0x00]);
    setting.commands();
    let session = setting.logged_in();
    assert_eq!(setting.channel_commands(), ["00700001", "00700002"]);
    sign(&session).unwrap();
    assert_eq!(channels(&setting.commands()), [2]);
    setting.library.close_session(session.handle()).unwrap();
    assert_eq!(setting.chip.open_channels(), [0, 1], "another program's channel is its own");
}

#[test]
fn ef_atr_may_announce_channels() {
    let setting = Setting::with(MyEidOptions { announces_in_ef_atr: true, ..MyEidOptions::with_channels() });
    let session = setting.logged_in();
    sign(&session).unwrap();
    let commands = setting.commands();
    assert!(commands.contains(&vec![0x00, 0xA4, 0x08, 0x0C, 0x02, 0x2F, 0x01]), "EF.ATR is selected");
    assert_eq!(setting.chip.open_channels(), [0, 1]);
    setting.library.close_session(session.handle()).unwrap();
    setting.open();
    assert!(!setting.commands().iter().any(|command| command.ends_with(&[0x2F, 0x01])), "read once per insertion");
}

#[test]
fn a_reset_by_others_closes_the_channel_and_the_next_operation_opens_one() {
    let setting = Setting::standard();
    let session = setting.logged_in();
    for _ in 0..3 {
        setting.reader.reset_by_another();
        assert_eq!(setting.chip.open_channels(), [0]);
        assert_eq!(sign(&session), Err(Error::UserNotLoggedIn));
        session.login(USER, pin(PIN)).unwrap();
        sign(&session).unwrap();
        assert_eq!(setting.chip.open_channels(), [0, 1]);
    }
    setting.library.close_session(session.handle()).unwrap();
    assert_eq!(setting.chip.open_channels(), [0]);
}

#[test]
fn a_removal_closes_the_channel_and_the_next_insertion_gets_one() {
    let setting = Setting::standard();
    for _ in 0..3 {
        let session = setting.logged_in();
        sign(&session).unwrap();
        setting.reader.remove();
        setting.reader.reinsert();
        assert_eq!(setting.chip.open_channels(), [0]);
        assert!(sign(&session).is_err());
    }
    sign(&setting.logged_in()).unwrap();
    assert_eq!(setting.chip.open_channels(), [0, 1]);
}

#[test]
fn a_channel_that_somebody_else_closed_is_opened_again() {
    let setting = Setting::standard();
    let session = setting.logged_in();
    assert_eq!(setting.another(&[0x00, MANAGE_CHANNEL, 0x80, 0x01]), [0x90, 0x00]);
    // What the card does with a verified PIN meanwhile is the card's affair; ours is gone.
    let _ = sign(&session);
    session.login(USER, pin(PIN)).unwrap();
    setting.commands();
    sign(&session).unwrap();
    assert_eq!(channels(&setting.commands()), [1]);
    assert_eq!(setting.another(&[0x00, VERIFY, 0x00, 0x01]), [0x90, 0x00]);
}

#[test]
fn a_login_on_a_channel_that_somebody_else_closed_loses_no_try() {
    let setting = Setting::standard();
    let session = setting.logged_in();
    session.logout().unwrap();
    assert_eq!(setting.another(&[0x00, MANAGE_CHANNEL, 0x80, 0x01]), [0x90, 0x00]);
    session.login(USER, pin(PIN)).unwrap();
    sign(&session).unwrap();
    assert_eq!(setting.chip.open_channels(), [0, 1]);
}

#[test]
fn an_application_that_cannot_be_selected_on_a_channel_of_its_own_gets_the_basic_one() {
    for status in [[0x69, 0x85], [0x69, 0x99], [0x6A, 0x82], [0x6E, 0x00], [0x68, 0x81]] {
        let setting = Setting::standard();
        setting.library.slot(0).unwrap().token_info().unwrap();
        setting.reader.virtual_reader().fault(Fault::on(SELECT, Action::Respond(status.to_vec())));
        let session = setting.logged_in();
        assert_eq!(setting.chip.open_channels(), [0], "{status:02X?}");
        setting.commands();
        for _ in 0..2 {
            sign(&session).unwrap();
        }
        assert_eq!(channels(&setting.commands()), [0]);
        setting.library.close_session(session.handle()).unwrap();
        assert!(setting.channel_commands().is_empty());
    }
}

/// The same application twice on one card.
static TWICE: &[Driver] = &[
    Driver { name: "first", hint: myeid::hint, probe: myeid::probe },
    Driver { name: "second", hint: myeid::hint, probe: myeid::probe },
];

#[test]
fn each_application_of_a_card_has_its_channel_and_keeps_it_until_its_own_last_session() {
    let setting = Setting::standard();
    let reader = Reader::new(
        "Virtual Reader 00 00".to_owned(),
        Arc::new(Surroundings {
            context: Box::new(Desk::new(vec![Arc::clone(&setting.reader)])),
            log: Log::default(),
            drivers: TWICE.iter().collect(),
            profiles: Profiles::default(),
            share: ShareMode::Shared,
        }),
    );
    let (_, generation) = reader.look();
    let uses = |index| {
        setting.commands();
        reader.with_card(generation, index, |access| {
            access.certainly(|application, channel| application.retries(channel, Role::User)).map_err(Error::from)
        })?;
        Ok(channels(&setting.commands().split_off(1)))
    };
    let leave = |hold, index, is_used: bool| reader.leave(hold, (index, || is_used), EjectPolicy::Leave, false);
    let holds = [reader.hold(), reader.hold(), reader.hold()];
    uses(0).unwrap();
    uses(1).unwrap();
    assert_eq!((uses(0), uses(1)), (Ok(vec![1]), Ok(vec![2])));
    assert_eq!(setting.chip.open_channels(), [0, 1, 2]);
    let [first, second, third] = holds;
    leave(first, 0, true);
    assert_eq!(setting.chip.open_channels(), [0, 1, 2], "a session was opened meanwhile");
    leave(second, 0, false);
    assert_eq!(setting.chip.open_channels(), [0, 2]);
    assert_eq!(uses(1), Ok::<_, Error>(vec![2]));
    leave(third, 1, false);
    assert_eq!(setting.chip.open_channels(), [0]);
}

#[test]
fn piv_stays_on_the_basic_channel() {
    let setting = setting::Setting::with(PivOptions::default(), &Layout::elliptic(), Configuration::default(), DRIVERS);
    let session = setting.logged_in();
    find_all(&session, &[]).unwrap();
    assert!(!setting.instructions().contains(&MANAGE_CHANNEL));
}

/// A session from its opening to its closing.
fn everything(setting: &Setting) -> Result<(), Error> {
    let session = setting.library.session(setting.library.open_session(0, true)?)?;
    match session.login(USER, pin(PIN)) {
        Ok(()) | Err(Error::UserAlreadyLoggedIn) => {}
        Err(error) => return Err(error),
    }
    find_all(&session, &[])?;
    sign(&session)?;
    setting.library.close_all_sessions(0)
}

/// `action` at each command of a session's life: an error or none, and afterwards all works, with no channel and no try
/// lost.
fn strike(action: &Action, insert_again: bool) {
    let setting = Setting::new(MyEidOptions::with_channels(), Configuration::default());
    let insert = || {
        setting.reader.remove();
        setting.reader.reinsert();
    };
    for nth in 1.. {
        insert();
        let name = format!("{action:?} at command {nth}");
        setting.reader.virtual_reader().fault(Fault::at(nth, action.clone()));
        let result = everything(&setting);
        let met = setting.reader.virtual_reader().pending_faults() == 0;
        setting.reader.virtual_reader().clear_faults();
        if insert_again {
            insert();
        }
        // Sessions that the error left open.
        let _ = setting.library.close_all_sessions(0);
        if !met {
            result.unwrap();
            assert!(nth > 20, "no more than {nth} commands");
            return;
        }
        assert_eq!(setting.chip.open_channels(), [0], "{name}");
        if let Err(Error::UserNotLoggedIn) = everything(&setting) {
            let _ = setting.library.close_all_sessions(0);
        }
        everything(&setting).unwrap_or_else(|error| panic!("{error} after {name}"));
        assert_eq!(setting.chip.open_channels(), [0], "{name}");
        assert_eq!(setting.another(&[0x00, VERIFY, 0x00, 0x01]), FULL, "{name}");
        setting.reader.virtual_reader().clear_log();
    }
}

#[test]
fn a_failure_of_any_command_leaves_no_channel_behind() {
    for action in [Action::Fail, Action::Mute, Action::LoseResponse] {
        strike(&action, false);
    }
}

#[test]
fn a_refusal_of_any_command_leaves_no_channel_behind() {
    for status in [[0x68, 0x81], [0x6A, 0x81], [0x6A, 0x84], [0x6E, 0x00], [0x6D, 0x00], [0x62, 0x00], [0x6F, 0x00]] {
        strike(&Action::Respond(status.to_vec()), true);
    }
}

#[test]
fn a_reset_that_nobody_tells_of_at_any_command_is_survived() {
    strike(&Action::ResetCard, true);
}

#[test]
fn a_removal_at_any_command_is_survived() {
    strike(&Action::RemoveCard, true);
    strike(&Action::RemoveCardAfter, true);
}

#[test]
fn answers_without_sense_to_any_command_leave_no_channel_behind() {
    let lie = |data: &[u8]| Action::Respond([data, &[0x90, 0x00]].concat());
    for action in [Action::Truncate(1), lie(&[]), lie(&[0x00]), lie(&[0x14]), lie(&[0x13]), lie(&[1, 2, 3])] {
        strike(&action, true);
    }
}

#[test]
fn the_virtual_card_announces_its_channels() {
    let atr = MyEidCard::new(MyEidOptions::with_channels()).atr();
    assert_eq!(cardea_apdu::Atr::parse(&atr).unwrap().capabilities().logical_channels, 4);
}
