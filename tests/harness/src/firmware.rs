//! The firmware that applications of the trussed framework run on: one card's chip, from its reset to its end.
//!
//! The applications' types live on a thread of the card's own; [`Chip`] is the handle. Any number of cards live side by
//! side in one process.

mod dispatch;
mod platform;
mod prepared;
mod system;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use rand_core::{OsRng, RngCore};

use crate::card::{VirtualCard, status};

pub(crate) use platform::{Answer, Installed, Running};
pub(crate) use prepared::PreparedKey;
pub(crate) use system::{Behaviour, CommandLayer, DUMMY_AID, names};

enum Job {
    /// Cold reset, warm reset or power off: they all lose volatile state and nothing else.
    LoseVolatileState,
    Transmit(Vec<u8>),
}

/// What is put on a chip: the applications as their crates have them, and the layer above each, in the same order.
pub(crate) struct Image {
    pub(crate) installed: Installed,
    pub(crate) prepared: PreparedKey,
    pub(crate) layers: Vec<Box<dyn CommandLayer>>,
    pub(crate) behaviour: Behaviour,
}

/// A chip with its applications; its state ends with this value.
pub(crate) struct Chip {
    atr: Vec<u8>,
    jobs: Option<Sender<Job>>,
    answers: Receiver<Vec<u8>>,
    thread: Option<JoinHandle<()>>,
}

impl Chip {
    /// A chip with what `image` makes on the chip's own thread.
    pub(crate) fn new(atr: Vec<u8>, seed: [u8; 32], image: impl FnOnce() -> Image + Send + 'static) -> Self {
        let (jobs, incoming) = channel();
        let (outgoing, answers) = channel();
        let thread = Builder::new()
            .name("card".into())
            .stack_size(16 * 1024 * 1024)
            .spawn(move || system::live(image(), seed, &incoming, &outgoing))
            .expect("a thread for the card");
        Self { atr, jobs: Some(jobs), answers, thread: Some(thread) }
    }

    fn ask(&self, job: Job) -> Option<Vec<u8>> {
        self.jobs.as_ref()?.send(job).ok()?;
        self.answers.recv().ok()
    }
}

impl VirtualCard for Chip {
    fn atr(&self) -> Vec<u8> {
        self.atr.clone()
    }

    fn power_on(&mut self) {
        self.ask(Job::LoseVolatileState);
    }

    fn reset(&mut self) {
        self.ask(Job::LoseVolatileState);
    }

    fn power_off(&mut self) {
        self.ask(Job::LoseVolatileState);
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        self.ask(Job::Transmit(command.to_vec())).unwrap_or_else(|| status::NO_PRECISE_DIAGNOSIS.to_be_bytes().to_vec())
    }
}

/// A card is what the chip is that it consists of.
macro_rules! on_a_chip {
    ($card:ty) => {
        impl $crate::card::VirtualCard for $card {
            fn atr(&self) -> Vec<u8> {
                self.0.atr()
            }

            fn power_on(&mut self) {
                self.0.power_on();
            }

            fn reset(&mut self) {
                self.0.reset();
            }

            fn power_off(&mut self) {
                self.0.power_off();
            }

            fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
                self.0.transmit(command)
            }
        }
    };
}
pub(crate) use on_a_chip;

impl Drop for Chip {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Bytes of the operating system's entropy.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.fill_bytes(&mut bytes);
    bytes
}
