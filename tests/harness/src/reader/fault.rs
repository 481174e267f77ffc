//! Faults: what goes wrong, at which command.

use std::time::Duration;

/// What happens to a command that meets a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The card is pulled before it sees the command.
    RemoveCard,
    /// The card executes the command and is pulled before its answer is read.
    RemoveCardAfter,
    /// The card loses its volatile state unannounced, then executes the command.
    ResetCard,
    /// The reader is unplugged before the card sees the command.
    Unplug,
    /// The card does not see the command; the reader reports that it did not answer in time.
    Mute,
    /// The card does not see the command; the reader reports a communication error.
    Fail,
    /// The card executes the command; its answer is lost in a communication error.
    LoseResponse,
    /// The card does not see the command; these bytes are the response.
    Respond(Vec<u8>),
    /// The card does not see the command; the response is this many arbitrary bytes, the same for the same seed.
    Garbage {
        /// Bytes in the response, status word included.
        length: usize,
        /// Chooses the bytes.
        seed: u64,
    },
    /// The card executes the command; only this many bytes of its response arrive.
    Truncate(usize),
    /// The command takes this much longer.
    Delay(Duration),
}

/// An action and the commands it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub action: Action,
    /// Only commands with this instruction byte count.
    pub ins: Option<u8>,
    /// The fault strikes at this command from now: 1 is the next.
    pub nth: u32,
    /// How many successive (counted) commands it strikes.
    pub times: u32,
}

impl Fault {
    /// `action` at the `nth` command from now; 1 is the next.
    #[must_use]
    pub fn at(nth: u32, action: Action) -> Self {
        Self { action, ins: None, nth, times: 1 }
    }

    /// `action` at the next command with instruction `ins`.
    #[must_use]
    pub fn on(ins: u8, action: Action) -> Self {
        Self { action, ins: Some(ins), nth: 1, times: 1 }
    }

    /// The same at the `nth` of the commands that count.
    #[must_use]
    pub fn nth(self, nth: u32) -> Self {
        Self { nth, ..self }
    }

    /// The same for `times` successive commands that count.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// Counts `command`; the action if the fault strikes it.
    fn meet(&mut self, command: &[u8]) -> Option<Action> {
        if self.times == 0 || self.ins.is_some_and(|ins| command.get(1) != Some(&ins)) {
            return None;
        }
        self.nth = self.nth.saturating_sub(1);
        if self.nth > 0 {
            return None;
        }
        self.times -= 1;
        Some(self.action.clone())
    }
}

/// The faults that wait, in the order in which they were set.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn arm(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The actions that strike `command`; spent faults are forgotten.
    pub(super) fn strike(&mut self, command: &[u8]) -> Vec<Action> {
        let actions = self.0.iter_mut().filter_map(|fault| fault.meet(command)).collect();
        self.0.retain(|fault| fault.times > 0);
        actions
    }
}

/// Arbitrary bytes (xorshift64*), the same for the same seed.
pub(super) fn garbage(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut byte = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 56) as u8
    };
    (0..length).map(|_| byte()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_the_nth_command_that_counts_and_no_other() {
        let mut faults = Faults::default();
        faults.arm(Fault::on(0x2A, Action::Mute).nth(2).times(2));
        let struck: Vec<bool> = [0x2A, 0x20, 0x2A, 0x20, 0x2A, 0x2A]
            .iter()
            .map(|ins| !faults.strike(&[0, *ins, 0, 0]).is_empty())
            .collect();
        assert_eq!(struck, [false, false, true, false, true, false]);
        assert_eq!(faults.len(), 0);
    }

    #[test]
    fn garbage_depends_on_its_seed_alone() {
        assert_eq!(garbage(40, 7), garbage(40, 7));
        assert_ne!(garbage(40, 7), garbage(40, 8));
    }
}
