//! Slot events (PKCS#11 3.2 section 5.5.4): each insertion and removal is reported once, to one waiter.

use std::collections::HashMap;
use std::sync::Arc;

use super::Slot;
use crate::error::Error;
use crate::pcsc::{Context, KnownState, LinkError, ReaderState, Waiter};
use crate::sync::Mutex;

/// Generation of a reader that was looked at once and has not changed since.
const FIRST_GENERATION: u64 = 1;

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

/// A slot at one moment. What a wait compares with is what was judged, not a later view of another thread.
struct View {
    slot: u64,
    reader: String,
    generation: u64,
    state: ReaderState,
}

impl View {
    fn of(slot: &Arc<Slot>) -> Self {
        let (state, generation) = slot.reader().look();
        Self { slot: slot.id(), reader: slot.reader().name().to_owned(), generation, state }
    }
}

impl Events {
    /// The slot of the next event. Blocks in the caller's thread on a PC/SC context of its own.
    pub fn next(
        &self,
        context: &dyn Context,
        blocking: bool,
        slots: impl Fn() -> Result<Vec<Arc<Slot>>, Error>,
    ) -> Result<u64, Error> {
        loop {
            let views: Vec<View> = slots()?.iter().map(View::of).collect();
            if let Some(slot) = self.unreported(&views) {
                return Ok(slot);
            }
            if !blocking {
                return Err(Error::NoEvent);
            }
            self.wait(context, views)?;
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

    fn unreported(&self, views: &[View]) -> Option<u64> {
        let mut state = self.0.lock();
        let started = std::mem::replace(&mut state.started, true);
        let mut changed = None;
        for view in views {
            let event = match state.reported.get(&view.slot) {
                // Another thread may have reported a later view already.
                Some(reported) => view.generation > *reported,
                // A slot seen for the first time: it may have changed since another function looked at it. A card
                // that came with its reader is an event, an empty reader is none.
                None => view.generation > FIRST_GENERATION || (started && view.state.card_present),
            };
            if event && changed.is_some() {
                continue;
            }
            if event || !state.reported.contains_key(&view.slot) {
                state.reported.insert(view.slot, view.generation);
            }
            if event {
                changed = Some(view.slot);
            }
        }
        changed
    }

    fn wait(&self, context: &dyn Context, views: Vec<View>) -> Result<(), Error> {
        let known: Vec<KnownState> =
            views.into_iter().map(|view| KnownState { reader: view.reader, state: view.state }).collect();
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
