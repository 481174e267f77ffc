//! One command through the reader: faults, latency, and the card, which works without holding the lock.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use super::state::{Control, State};
use super::{Action, Event, Failure, VirtualReader, fault};

impl VirtualReader {
    /// A PC/SC part 10 feature, which may send a command of its own.
    pub(super) fn feature(&self, code: u32, data: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut state = self.idle();
        match state.control(code, data)? {
            Control::Answer(answer) => Ok(answer),
            Control::Entry { outcome, delay } => {
                let tenure = state.tenure;
                let state = self.wait(state, delay);
                if state.tenure != tenure {
                    return Err(state.ready().err().unwrap_or(Failure::Communication));
                }
                drop(state);
                outcome.map_or_else(|status| Ok(status.to_vec()), |command| self.transmit(&command))
            }
        }
    }

    /// The response to a command, or what became of it.
    pub(super) fn exchange(&self, command: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut state = self.idle();
        state.ready()?;
        state.properties.check_command(command)?;
        let actions = state.faults.strike(command);
        for action in &actions {
            state.log.record(Event::Fault(action.clone()));
        }
        let tenure = state.tenure;
        let mut state = self.pass(state, &actions);
        if state.tenure != tenure {
            return Err(state.ready().err().unwrap_or(Failure::Communication));
        }
        let mut executes = true;
        let mut response = Vec::new();
        for action in &actions {
            match action {
                Action::RemoveCard => self.withdraw(&mut state),
                Action::Unplug => {
                    state.unplug();
                    self.0.changed.notify_all();
                }
                Action::ResetCard => state.reset_silently(),
                Action::Mute => return Err(Failure::Mute),
                Action::Fail => return Err(Failure::Communication),
                Action::Respond(bytes) => (executes, response) = (false, bytes.clone()),
                Action::Garbage { length, seed } => (executes, response) = (false, fault::garbage(*length, *seed)),
                _ => {}
            }
        }
        state.ready()?;
        if executes {
            (state, response) = self.execute(state, command)?;
        }
        for action in &actions {
            match action {
                Action::RemoveCardAfter => self.withdraw(&mut state),
                Action::LoseResponse => return Err(Failure::Communication),
                Action::Truncate(length) => response.truncate(*length),
                _ => {}
            }
        }
        state.ready()?;
        state.properties.check_response(&response)?;
        Ok(response)
    }

    /// Lets latency and the delays among `actions` pass, or less if the card is pulled meanwhile.
    fn pass<'a>(&'a self, state: MutexGuard<'a, State>, actions: &[Action]) -> MutexGuard<'a, State> {
        let delays = actions.iter().map(|action| match action {
            Action::Delay(delay) => *delay,
            _ => Duration::ZERO,
        });
        let time = state.latency + delays.sum::<Duration>();
        self.wait(state, time)
    }

    /// Is busy for `time`, or less if the card is pulled or somebody hurries meanwhile.
    fn wait<'a>(&'a self, mut state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        if time.is_zero() {
            return state;
        }
        let (tenure, hurried) = (state.tenure, state.hurried);
        state.busy = true;
        let waits = |state: &mut State| (state.tenure, state.hurried) == (tenure, hurried);
        let wait = self.0.changed.wait_timeout_while(state, time, waits);
        let (mut state, _) = wait.unwrap_or_else(PoisonError::into_inner);
        state.busy = false;
        self.0.changed.notify_all();
        state
    }

    /// Lets the card execute `command`, without holding the lock.
    fn execute<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        command: &[u8],
    ) -> Result<(MutexGuard<'a, State>, Vec<u8>), Failure> {
        let mut card = state.card.take().ok_or(Failure::NoCard)?;
        let tenure = state.tenure;
        state.busy = true;
        drop(state);
        let response = catch_unwind(AssertUnwindSafe(|| card.transmit(command)));
        let mut state = self.state();
        state.busy = false;
        if state.tenure != tenure {
            card.power_off();
        }
        state.card = Some(card);
        self.0.changed.notify_all();
        match response {
            Ok(response) if state.tenure == tenure => Ok((state, response)),
            Ok(_) => Err(state.ready().err().unwrap_or(Failure::Communication)),
            Err(_) => Err(Failure::Mute),
        }
    }
}
