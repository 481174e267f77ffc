//! The card's operating system: power, transmission, and which application is selected.

use std::sync::mpsc::{Receiver, Sender};

use super::command_layer::CommandLayer;
use super::platform::{After, Answer, Running, run};
use super::prepared::PreparedKey;
use super::{DUMMY_AID, Job, PIV_AID, PivOptions};
use crate::card::{Command, Received, Transmission, status};

/// Lives the card's life on the calling thread, until its handle is dropped.
pub(super) fn live(
    options: &PivOptions,
    seed: [u8; 32],
    guid: [u8; 16],
    serial: u32,
    jobs: &Receiver<Job>,
    answers: &Sender<Vec<u8>>,
) {
    let prepared = PreparedKey::default();
    let mut system = System {
        transmission: Transmission::new(options.extended_length),
        selected: Selected::after_reset(options),
        options: options.clone(),
        piv: CommandLayer::new(options, serial, prepared.clone()),
    };
    run(seed, guid, &prepared, |application| system.session(application, jobs, answers));
}

/// The AID of the application that each YubiKey has besides; here it is the dummy one.
const MANAGEMENT_AID: [u8; 8] = [0xA0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Selected {
    Nothing,
    Piv,
    Dummy,
}

impl Selected {
    fn after_reset(options: &PivOptions) -> Self {
        if options.implicitly_selected { Self::Piv } else { Self::Nothing }
    }
}

/// Whether the PIV application's security status survives a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Kept,
    Lost,
}

struct System {
    transmission: Transmission,
    selected: Selected,
    options: PivOptions,
    piv: CommandLayer,
}

impl System {
    fn session(&mut self, application: &mut dyn Running, jobs: &Receiver<Job>, answers: &Sender<Vec<u8>>) -> After {
        while let Ok(job) = jobs.recv() {
            let (answer, status) = match job {
                Job::LoseVolatileState => {
                    self.transmission.reset();
                    self.selected = Selected::after_reset(&self.options);
                    (Vec::new(), Status::Lost)
                }
                Job::Transmit(apdu) => self.transmit(application, &apdu),
            };
            if answers.send(answer).is_err() {
                return After::End;
            }
            if status == Status::Lost {
                return After::Restart;
            }
        }
        After::End
    }

    fn transmit(&mut self, application: &mut dyn Running, apdu: &[u8]) -> (Vec<u8>, Status) {
        let command = match self.transmission.receive(apdu) {
            Received::Answer(answer) => return (answer, Status::Kept),
            Received::Command(command) => command,
        };
        let (answer, status) = match (command.instruction, self.selected) {
            (0xA4, _) => self.select(application, &command),
            (_, Selected::Piv) => match self.piv.call(application, &command) {
                Some(answer) => (answer, Status::Kept),
                None => (Answer::status(status::NO_PRECISE_DIAGNOSIS), Status::Lost),
            },
            (_, Selected::Nothing | Selected::Dummy) => {
                (Answer::status(status::INSTRUCTION_NOT_SUPPORTED), Status::Kept)
            }
        };
        let Answer { data, status: word } = answer;
        (self.transmission.answer(data, word, command.expected), status)
    }

    /// SELECT (ISO 7816-4 11.2.2, SP 800-73-4 part 2 3.1.1): an AID that is not on the card changes nothing.
    fn select(&mut self, application: &mut dyn Running, command: &Command) -> (Answer, Status) {
        if (command.p1, command.p2) != (0x04, 0x00) {
            return (Answer::status(status::INCORRECT_P1_P2), Status::Kept);
        }
        let reselected = self.selected == Selected::Piv;
        if names(&command.data, &PIV_AID, 5) {
            self.selected = Selected::Piv;
            let drops_login = reselected && !self.options.reselect_keeps_login;
            return match self.piv.select(application) {
                Some(answer) => (answer, if drops_login { Status::Lost } else { Status::Kept }),
                None => (Answer::status(status::NO_PRECISE_DIAGNOSIS), Status::Lost),
            };
        }
        let management = self.options.yubico_extensions && command.data == MANAGEMENT_AID;
        if management || names(&command.data, &DUMMY_AID, DUMMY_AID.len()) {
            self.selected = Selected::Dummy;
            // file control information with the application's name (ISO 7816-4 7.4)
            let mut information = vec![0x6F, 2 + DUMMY_AID.len() as u8, 0x84, DUMMY_AID.len() as u8];
            information.extend_from_slice(&DUMMY_AID);
            return (Answer::success(information), if reselected { Status::Lost } else { Status::Kept });
        }
        (Answer::status(status::NOT_FOUND), Status::Kept)
    }
}

/// Whether `name` is the AID or its beginning, at least `shortest` bytes of it.
fn names(name: &[u8], aid: &[u8], shortest: usize) -> bool {
    name.len() >= shortest && aid.starts_with(name)
}
