//! Letting go of a card that nobody of ours uses any more.

use std::sync::Arc;
use std::time::Duration;

use super::{Binding, Reader};
use crate::channel::{Channel, logical};
use crate::configuration::EjectPolicy;
use crate::log::Level;
use crate::pcsc::{Begun, Disposition, ShareMode};
use crate::slot::eject::Departure;
use crate::sync::Ordering;

/// How long a reader may take to put a card out.
const EJECTION_TIME: Duration = Duration::from_secs(3);

impl Reader {
    /// Gives back `hold`, the last of application number `index` unless `is_used` by then, whose channel is closed.
    /// Lets go of the card when nobody of ours uses it any more (see [`crate::slot::eject`]). `reset_owed` says that a
    /// verified PIN is still on it.
    pub fn leave(
        &self,
        hold: Arc<()>,
        (index, is_used): (usize, impl FnOnce() -> bool),
        policy: EjectPolicy,
        reset_owed: bool,
    ) {
        let mut card = self.card.lock();
        self.reset_owed.fetch_or(reset_owed, Ordering::AcqRel);
        // Given back under the card lock: who else has the card meanwhile must not take it for abandoned.
        drop(hold);
        let Some(binding) = card.as_mut() else { return };
        if self.is_held() {
            if !is_used() {
                self.close_channels(binding, Some(index));
            }
            return;
        }
        self.part(binding, policy);
    }

    /// What happens to the card at the hands of a call that is its last user, without a session or after the last was
    /// closed: it leaves nothing that is ours to protect.
    pub fn policy_of_a_straggler(&self) -> EjectPolicy {
        if self.touched.load(Ordering::Acquire) { EjectPolicy::Unpower } else { EjectPolicy::Leave }
    }

    /// Lets go of a card that nobody of ours uses any more.
    pub(super) fn part(&self, binding: &mut Binding, policy: EjectPolicy) {
        self.close_channels(binding, None);
        let stray = binding.channels.has_stray();
        let Some(link) = binding.link.take() else { return };
        let reset_owed = self.reset_owed.swap(false, Ordering::AcqRel) || stray;
        let touched = self.touched.swap(false, Ordering::AcqRel);
        let departure = binding.card.as_ref().map_or_else(|| Departure::of(None), |card| card.departure);
        let ejects = departure.ejects && !self.keeps_cards.load(Ordering::Acquire);
        let wish = Departure { ejects, ..departure }.wish(policy, touched, reset_owed);
        if link.is_exclusive() {
            self.disconnect(link.connection, wish);
        } else {
            self.disconnect(link.connection, Disposition::Leave);
            if wish == Disposition::Leave {
                return;
            }
            // An exclusive connection is made only when no other exists, and keeps others out. A reconnection would do
            // the same at once, but libpcsclite waits with it for as long as others have the card.
            let Ok(alone) = self.surroundings.context.connect(&self.name, ShareMode::Exclusive) else { return };
            self.disconnect(alone, wish);
        }
        if wish == Disposition::Eject {
            self.check_ejection();
        }
    }

    /// pcsc-lite reports success for ejections that its driver cannot carry out: where the card is still there,
    /// it is unpowered, and the reader not asked again.
    fn check_ejection(&self) {
        let surroundings = &*self.surroundings;
        let settled = surroundings.context.settled(&self.name, EJECTION_TIME);
        if settled.is_ok_and(|state| !state.card_present) {
            return;
        }
        self.keeps_cards.store(true, Ordering::Release);
        surroundings
            .log
            .line(Level::Calls, format_args!("[{}] the reader did not eject the card; it is unpowered", self.name));
        if let Ok(connection) = surroundings.context.connect(&self.name, ShareMode::Exclusive) {
            self.disconnect(connection, Disposition::Unpower);
        }
    }

    /// Closes the channel of one application, or of all. One that the card does not close is left to the next reset.
    fn close_channels(&self, binding: &mut Binding, index: Option<usize>) {
        let Binding { link, card, channels, .. } = binding;
        let numbers = match index {
            Some(index) => channels.give_up(index).into_iter().collect(),
            None => channels.give_up_all(),
        };
        let (false, Some(link), Some(card)) = (numbers.is_empty(), link, card) else { return };
        // A card that is not reached any more has no channels.
        let Ok(Begun { mut transaction, was_reset }) = link.connection.begin() else { return };
        if was_reset {
            channels.forget();
            self.security.was_reset();
        } else {
            let log = &self.surroundings.log;
            let mut channel = Channel::basic(&mut *transaction, &mut card.limits, log, &self.name);
            for number in numbers {
                if !logical::close(&mut channel, number).is_ok_and(|closed| closed) {
                    channels.left_stray();
                }
            }
        }
        let _ = transaction.end(Disposition::Leave);
    }
}
