//! Slot events (PKCS#11 3.2 section 5.5.4): each insertion and removal is reported once, to one waiter.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Slot;
use crate::error::Error;
use crate::pcsc::{Context, KnownState, LinkError, Waiter};

/// Which events were reported, and who waits.
#[derive(Default)]
pub struct Events(Mutex<State>);

#[derive(Default)]
struct State {
    /// Generation of each slot's card when it was last reported or first seen.
    reported: HashMap<u64, u64>,
    /// The slots were looked at once: slots that appear from then on are events.
    started: bool,
    waiters: Vec<Arc<dyn Waiter>>,
    ended: bool,
}

impl Events {
    /// The slot of the next event. Blocks in the caller's thread on a PC/SC context of its own.
    pub fn next(&self, context: &dyn Context, blocking: bool, slots: impl Fn() -> Result<Vec<Arc<Slot>>, Error>) -> Result<u64, Error> {
        loop {
            let slots = slots()?;
            if let Some(slot) = self.unreported(&slots) {
                return Ok(slot);
            }
            if !blocking {
                return Err(Error::NoEvent);
            }
            self.wait(context, &slots)?;
        }
    }

    /// Ends all waits: C_Finalize.
    pub fn end(&self) {
        let waiters = {
            let mut state = self.0.lock();
            state.ended = true;
            state.waiters.clone()
        };
        for waiter in waiters {
            waiter.cancel();
        }
    }

    fn unreported(&self, slots: &[Arc<Slot>]) -> Option<u64> {
        let generations: Vec<(u64, u64)> = slots.iter().map(|slot| (slot.id(), slot.reader().look().1)).collect();
        let mut state = self.0.lock();
        let started = std::mem::replace(&mut state.started, true);
        let mut changed = None;
        for (slot, generation) in generations {
            let known = state.reported.get(&slot).copied();
            // What was there before the first call is no event, and neither is an empty slot that appears.
            let event = started && known.map_or(generation > 0, |known| known != generation);
            if event && changed.is_some() {
                continue;
            }
            state.reported.insert(slot, generation);
            if event {
                changed = Some(slot);
            }
        }
        changed
    }

    fn wait(&self, context: &dyn Context, slots: &[Arc<Slot>]) -> Result<(), Error> {
        let known: Vec<KnownState> = slots
            .iter()
            .map(|slot| KnownState { reader: slot.reader().name().to_owned(), state: slot.reader().last_state() })
            .collect();
        let waiter: Arc<dyn Waiter> = Arc::from(context.waiter().map_err(no_service)?);
        {
            let mut state = self.0.lock();
            if state.ended {
                return Err(Error::CryptokiNotInitialized);
            }
            state.waiters.push(Arc::clone(&waiter));
        }
        let result = waiter.wait(&known);
        let mut state = self.0.lock();
        state.waiters.retain(|other| !Arc::ptr_eq(other, &waiter));
        if state.ended {
            return Err(Error::CryptokiNotInitialized);
        }
        drop(state);
        result.map_err(no_service)
    }
}

/// C_WaitForSlotEvent has no code for a missing service.
fn no_service(error: LinkError) -> Error {
    match error {
        LinkError::NoService => Error::FunctionFailed,
        other => other.into(),
    }
}
