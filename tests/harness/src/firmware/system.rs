//! The card's operating system: power, transmission, and which application is selected.

use std::sync::mpsc::{Receiver, Sender};

use super::platform::{After, Answer, Applications, Running, run};
use super::{Image, Job};
use crate::card::{Command, Received, Transmission, status};

/// The AID of an application that answers 6D00 to everything: what another program may select. Every card has it.
pub(crate) const DUMMY_AID: [u8; 8] = [0xF0, 0x43, 0x41, 0x52, 0x44, 0x45, 0x41, 0x01];

/// The AID of the application that each YubiKey has besides.
const MANAGEMENT_AID: [u8; 8] = [0xA0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17];

/// What the operating system does in one way or another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Behaviour {
    /// Whether the card takes extended length APDUs.
    pub(crate) extended_length: bool,
    /// The longest part of a chain that the card takes, where it is not the usual one.
    pub(crate) longest_part: Option<usize>,
    /// Whether the first application is selected after reset.
    pub(crate) implicitly_selected: bool,
    /// Whether the card has Yubico's management application, which here is the dummy one.
    pub(crate) management_application: bool,
}

/// The commands of one application between the operating system and the application itself.
pub(crate) trait CommandLayer {
    /// Whether this name selects the application.
    fn answers_to(&self, name: &[u8]) -> bool;
    /// Whether SELECT of the application that is selected already leaves its security status alone.
    fn reselect_keeps_login(&self) -> bool;
    /// SELECT.
    fn select(&mut self, application: &mut dyn Running) -> Option<Answer>;
    /// Processes one command; `None` means that the application crashed.
    fn call(&mut self, application: &mut dyn Running, command: &Command) -> Option<Answer>;
}

/// Lives the card's life on the calling thread, until its handle is dropped.
pub(super) fn live(image: Image, seed: [u8; 32], jobs: &Receiver<Job>, answers: &Sender<Vec<u8>>) {
    let Image { installed, prepared, layers, behaviour } = image;
    let mut system = System {
        transmission: Transmission::new(behaviour.extended_length).with_longest_part(behaviour.longest_part),
        selected: Selected::after_reset(behaviour),
        behaviour,
        layers,
    };
    run(seed, &installed, &prepared, |applications| system.session(applications, jobs, answers));
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Selected {
    Nothing,
    Application(usize),
    Dummy,
}

impl Selected {
    fn after_reset(behaviour: Behaviour) -> Self {
        if behaviour.implicitly_selected { Self::Application(0) } else { Self::Nothing }
    }
}

/// Whether the security status survives a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Kept,
    Lost,
}

struct System {
    transmission: Transmission,
    selected: Selected,
    behaviour: Behaviour,
    layers: Vec<Box<dyn CommandLayer>>,
}

impl System {
    fn session(
        &mut self,
        applications: Applications<'_, '_>,
        jobs: &Receiver<Job>,
        answers: &Sender<Vec<u8>>,
    ) -> After {
        while let Ok(job) = jobs.recv() {
            let (answer, status) = match job {
                Job::LoseVolatileState => {
                    self.transmission.reset();
                    self.selected = Selected::after_reset(self.behaviour);
                    (Vec::new(), Status::Lost)
                }
                Job::Transmit(apdu) => self.transmit(applications, &apdu),
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

    fn transmit(&mut self, applications: Applications<'_, '_>, apdu: &[u8]) -> (Vec<u8>, Status) {
        let command = match self.transmission.receive(apdu) {
            Received::Answer(answer) => return (answer, Status::Kept),
            Received::Command(command) => command,
        };
        let (answer, status) = match (command.instruction, self.selected) {
            (0xA4, _) => self.select(applications, &command),
            (_, Selected::Application(index)) => {
                match self.layers[index].call(applications[index].as_mut(), &command) {
                    Some(answer) => (answer, Status::Kept),
                    None => (Answer::status(status::NO_PRECISE_DIAGNOSIS), Status::Lost),
                }
            }
            (_, Selected::Nothing | Selected::Dummy) => {
                (Answer::status(status::INSTRUCTION_NOT_SUPPORTED), Status::Kept)
            }
        };
        let Answer { data, status: word } = answer;
        (self.transmission.answer(data, word, command.expected), status)
    }

    /// SELECT (ISO 7816-4 11.2.2): an AID that is not on the card changes nothing; another application loses the
    /// security status of the one before.
    fn select(&mut self, applications: Applications<'_, '_>, command: &Command) -> (Answer, Status) {
        if (command.p1, command.p2) != (0x04, 0x00) {
            return (Answer::status(status::INCORRECT_P1_P2), Status::Kept);
        }
        if let Some(index) = self.layers.iter().position(|layer| layer.answers_to(&command.data)) {
            let before = std::mem::replace(&mut self.selected, Selected::Application(index));
            let layer = &mut self.layers[index];
            let drops_login = match before {
                Selected::Application(other) => other != index || !layer.reselect_keeps_login(),
                Selected::Nothing | Selected::Dummy => false,
            };
            return match layer.select(applications[index].as_mut()) {
                Some(answer) => (answer, if drops_login { Status::Lost } else { Status::Kept }),
                None => (Answer::status(status::NO_PRECISE_DIAGNOSIS), Status::Lost),
            };
        }
        let management = self.behaviour.management_application && command.data == MANAGEMENT_AID;
        if management || command.data == DUMMY_AID {
            let before = std::mem::replace(&mut self.selected, Selected::Dummy);
            // file control information with the application's name (ISO 7816-4 7.4)
            let mut information = vec![0x6F, 2 + DUMMY_AID.len() as u8, 0x84, DUMMY_AID.len() as u8];
            information.extend_from_slice(&DUMMY_AID);
            let drops_login = matches!(before, Selected::Application(_));
            return (Answer::success(information), if drops_login { Status::Lost } else { Status::Kept });
        }
        (Answer::status(status::NOT_FOUND), Status::Kept)
    }
}

/// Whether `name` is the AID or its beginning, at least `shortest` bytes of it.
pub(crate) fn names(name: &[u8], aid: &[u8], shortest: usize) -> bool {
    name.len() >= shortest && aid.starts_with(name)
}
