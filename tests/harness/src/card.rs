//! What a reader sees of a card, and what every card's operating system does before an application is asked.

mod atr;
mod command;
mod terminal;
mod transmission;

pub use atr::{Atr, historical_bytes};
pub use command::{Command, status};
pub use terminal::{Response, Terminal};
pub use transmission::{Received, Transmission};

/// A smartcard as a reader sees it.
pub trait VirtualCard: Send {
    /// The answer to reset (ISO 7816-3 8).
    fn atr(&self) -> Vec<u8>;

    /// Cold reset: volatile state is lost.
    fn power_on(&mut self);

    /// Warm reset: volatile state is lost.
    fn reset(&mut self);

    /// The contacts lose power: volatile state is lost.
    fn power_off(&mut self);

    /// Sends one command APDU and returns the response APDU, data followed by SW1 and SW2. Never panics, whatever comes.
    fn transmit(&mut self, command: &[u8]) -> Vec<u8>;
}

impl<C: VirtualCard + ?Sized> VirtualCard for Box<C> {
    fn atr(&self) -> Vec<u8> {
        (**self).atr()
    }

    fn power_on(&mut self) {
        (**self).power_on();
    }

    fn reset(&mut self) {
        (**self).reset();
    }

    fn power_off(&mut self) {
        (**self).power_off();
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        (**self).transmit(command)
    }
}
