//! A reader and the card in it: the card lock, the connection, and which application is selected.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cardea_apdu::Atr;
use cardea_apdu::historical::Capabilities;
use parking_lot::Mutex;

use crate::card::driver::{Driver, identify};
use crate::card::{CardApplication, CardError};
use crate::channel::limits::{Limits, speaks_t1};
use crate::channel::{Channel, ChannelError};
use crate::error::Error;
use crate::log::Log;
use crate::pcsc::{Begun, Connection, Context, Disposition, LinkError, ReaderState, ShareMode, Transaction, part10};
use crate::profile::{Profiles, UsbId};

/// What every reader of a Library shares.
pub struct Surroundings {
    /// PC/SC.
    pub context: Box<dyn Context>,
    /// The trace.
    pub log: Log,
    /// The drivers that cards are shown to.
    pub drivers: &'static [Driver],
    /// What is known of readers.
    pub profiles: Profiles,
}

/// One reader by its PC/SC name, for the life of the Library.
pub struct Reader {
    name: String,
    surroundings: Arc<Surroundings>,
    presence: Mutex<Presence>,
    card: Mutex<Option<Binding>>,
    security: SecurityEpoch,
}

/// The last view of the reader and how many insertions were seen.
#[derive(Default)]
struct Presence {
    state: ReaderState,
    generation: u64,
    /// A command met no card although PC/SC had not reported a removal yet: that report is old news.
    found_gone: bool,
}

/// Counts the moments at which the card dropped its verified PINs, or must be taken to have dropped them.
///
/// A login remembers the value it was made at and is void when the value moved.
#[derive(Default)]
pub struct SecurityEpoch {
    losses: AtomicU64,
    resets: AtomicU64,
}

impl SecurityEpoch {
    /// The present value.
    pub fn current(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }

    /// Nobody can rely on the card's security status any more, though the card may still have it.
    pub fn lost(&self) {
        self.losses.fetch_add(1, Ordering::AcqRel);
    }

    /// How often the card was seen to start afresh, with no PIN verified for certain.
    pub fn resets(&self) -> u64 {
        self.resets.load(Ordering::Acquire)
    }

    fn was_reset(&self) {
        self.resets.fetch_add(1, Ordering::AcqRel);
        self.lost();
    }
}

/// A connection to the card of one insertion.
struct Binding {
    connection: Box<dyn Connection>,
    generation: u64,
    /// What the first transaction finds out.
    card: Option<Card>,
    /// Index of the application that our last command found selected.
    selected: Option<usize>,
}

/// A card with its applications; none where nobody knows it.
struct Card {
    limits: Limits,
    applications: Vec<Box<dyn CardApplication>>,
}

impl Reader {
    /// A reader that has not been looked at.
    pub fn new(name: String, surroundings: Arc<Surroundings>) -> Self {
        Self { name, surroundings, presence: Mutex::default(), card: Mutex::new(None), security: SecurityEpoch::default() }
    }

    /// PC/SC name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The trace.
    pub fn log(&self) -> &Log {
        &self.surroundings.log
    }

    /// The epoch that logins compare with.
    pub fn security(&self) -> &SecurityEpoch {
        &self.security
    }

    /// Looks at the reader without a card command. A card that came or went since the last look starts a
    /// new generation.
    ///
    /// PC/SC is asked under the lock: of two threads that look at once, the one with the older view must not
    /// undo what the other saw, which would start generations that nothing happened in.
    pub fn look(&self) -> (ReaderState, u64) {
        let mut presence = self.presence.lock();
        let state = self.surroundings.context.state(&self.name).unwrap_or_default();
        let expected = std::mem::take(&mut presence.found_gone);
        let same = if expected { !state.card_present } else { is_same_card(&presence.state, &state) };
        if !same {
            presence.generation += 1;
            self.security.was_reset();
        }
        presence.state = state.clone();
        (state, presence.generation)
    }

    /// Records that the card of this generation is gone, whether or not PC/SC reported it yet.
    fn gone(&self, generation: u64) {
        let mut presence = self.presence.lock();
        if presence.generation == generation {
            presence.generation += 1;
            presence.found_gone = true;
            self.security.was_reset();
        }
    }

    /// Runs `work` with the card lock held, inside one PC/SC transaction on application `index`.
    ///
    /// A panic in `work` costs the connection to this card, and nothing else.
    pub fn with_card<R>(
        &self,
        generation: u64,
        index: usize,
        work: impl FnOnce(&mut CardAccess<'_, '_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut card = self.card.lock();
        if self.presence.lock().generation != generation {
            return Err(Error::DeviceRemoved);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let binding = self.bound(&mut card, generation)?;
            self.in_transaction(binding, index, work)
        }));
        match outcome {
            Ok(Err(Error::DeviceRemoved)) => {
                self.drop_binding(&mut card, Disposition::Leave);
                self.gone(generation);
                Err(Error::DeviceRemoved)
            }
            Ok(result) => result,
            Err(_panic) => {
                self.drop_binding(&mut card, Disposition::Reset);
                Err(Error::GeneralError)
            }
        }
    }

    /// Closes the connection, if there is one. `reset` asks for a reset on the way, because the application has
    /// no command that drops a verified PIN; it is done only where nobody else uses the card.
    pub fn disconnect(&self, reset: bool) {
        let mut card = self.card.lock();
        let Some(binding) = card.as_mut() else { return };
        // An exclusive reconnection succeeds only when no other connection exists, and keeps others out.
        let alone = reset && binding.connection.reconnect(ShareMode::Exclusive, Disposition::Leave).is_ok();
        self.drop_binding(&mut card, if alone { Disposition::Reset } else { Disposition::Leave });
    }

    fn drop_binding(&self, card: &mut Option<Binding>, disposition: Disposition) {
        if let Some(binding) = card.take() {
            self.security.lost();
            // An error means that the card or the service is gone, and the connection with it.
            if binding.connection.disconnect(disposition).is_ok() && disposition == Disposition::Reset {
                self.security.was_reset();
            }
        }
    }

    /// The binding for `generation`, made if there is none.
    fn bound<'c>(&self, card: &'c mut Option<Binding>, generation: u64) -> Result<&'c mut Binding, Error> {
        if card.as_ref().is_some_and(|binding| binding.generation != generation) {
            self.drop_binding(card, Disposition::Leave);
        }
        if card.is_none() {
            *card = Some(self.connect(generation)?);
            // The card may have been exchanged since the caller looked. Once connected, an exchange is reported
            // by the connection.
            if self.look().1 != generation {
                self.drop_binding(card, Disposition::Leave);
                return Err(Error::DeviceRemoved);
            }
        }
        card.as_mut().ok_or(Error::GeneralError)
    }

    fn connect(&self, generation: u64) -> Result<Binding, Error> {
        let connection = self.surroundings.context.connect(&self.name, ShareMode::Shared).map_err(connect_error)?;
        Ok(Binding { connection, generation, card: None, selected: None })
    }

    /// Learns what reader and card can do, and shows the card to the drivers.
    fn identify(&self, transaction: &mut dyn Transaction, atr: &[u8]) -> Result<Card, Error> {
        let surroundings = &*self.surroundings;
        let atr = Atr::parse(atr).ok();
        let capabilities = atr.as_ref().map_or_else(Capabilities::default, |atr| Capabilities::from_historical(atr.historical_bytes()));
        let properties = part10::properties(transaction);
        let id = properties.vendor.zip(properties.product).map(|(vendor, product)| UsbId { vendor, product });
        let profile = surroundings.profiles.find(id, &self.name);
        let t1 = atr.as_ref().is_some_and(speaks_t1);
        let mut limits = Limits::announced(&capabilities, &properties).within(profile, t1);
        let mut channel = Channel::basic(transaction, &mut limits, &surroundings.log, &self.name);
        let applications = match &atr {
            Some(atr) => identify(surroundings.drivers, &mut channel, atr)?,
            None => Vec::new(),
        };
        Ok(Card { limits, applications })
    }

    /// The first transaction identifies the card and goes on with `work`, so that nobody selects anything in between.
    fn in_transaction<R>(
        &self,
        binding: &mut Binding,
        index: usize,
        work: impl FnOnce(&mut CardAccess<'_, '_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let Binding { connection, card, selected, .. } = binding;
        let atr = if card.is_none() { connection.atr() } else { Vec::new() };
        let Begun { mut transaction, was_reset } = connection.begin()?;
        if was_reset {
            *selected = None;
            self.security.was_reset();
        }
        let fresh = card.is_none();
        let card = match card {
            Some(card) => card,
            None => {
                let identified = self.identify(&mut *transaction, &atr)?;
                *selected = identified.applications.len().checked_sub(1);
                card.insert(identified)
            }
        };
        let application = card.applications.get_mut(index).ok_or(Error::TokenNotRecognized)?;
        let mut access = CardAccess {
            application: &mut **application,
            channel: Channel::basic(&mut *transaction, &mut card.limits, &self.surroundings.log, &self.name),
            security: &self.security,
            certain: fresh && *selected == Some(index),
            selected,
            index,
        };
        let result = work(&mut access);
        // The result stands whatever the end says: a reset or removal is met by the next transaction.
        let _ = transaction.end(Disposition::Leave);
        result
    }
}

/// Whether two views are of one insertion. The service may not know the ATR yet, or any more.
fn is_same_card(before: &ReaderState, now: &ReaderState) -> bool {
    before.card_present == now.card_present
        && before.event_count == now.event_count
        && before.available == now.available
        && (before.atr == now.atr || now.atr.is_empty() || before.atr.is_empty())
}

/// What a failed connection means to a caller who was told that a card is there.
fn connect_error(error: LinkError) -> Error {
    match error {
        LinkError::Mute | LinkError::Protocol => Error::TokenNotRecognized,
        LinkError::NoCard | LinkError::Removed | LinkError::NoReader | LinkError::NoService => Error::DeviceRemoved,
        other => other.into(),
    }
}

/// The card inside a transaction, seen from one application.
pub struct CardAccess<'a, 't> {
    application: &'a mut dyn CardApplication,
    channel: Channel<'t>,
    security: &'a SecurityEpoch,
    selected: &'a mut Option<usize>,
    index: usize,
    /// Established inside this transaction.
    certain: bool,
}

impl CardAccess<'_, '_> {
    /// Makes sure that the application is selected, by asking it or by selecting it.
    ///
    /// Necessary before every VERIFY: another program may have selected something else since our last
    /// transaction, and its PIN must not lose a try.
    pub fn make_certain(&mut self) -> Result<(), CardError> {
        if self.certain {
            return Ok(());
        }
        let believed = *self.selected == Some(self.index);
        if !(believed && self.application.is_selected(&mut self.channel)?) {
            *self.selected = None;
            self.application.select(&mut self.channel)?;
            self.security.lost();
            *self.selected = Some(self.index);
        }
        self.certain = true;
        Ok(())
    }

    /// Whether a command could be lost on another application: makes certain, and says whether it had to select.
    pub fn selects_anew(&mut self) -> Result<bool, CardError> {
        let before = self.security.current();
        self.make_certain()?;
        Ok(self.security.current() != before)
    }

    /// Runs one operation of the application, with certainty about the selection.
    pub fn certainly<R>(&mut self, work: impl FnOnce(&mut dyn CardApplication, &mut Channel<'_>) -> Result<R, CardError>) -> Result<R, CardError> {
        let result = self.make_certain().and_then(|()| work(self.application, &mut self.channel));
        self.note_reset(&result);
        result
    }

    /// Runs one operation of the application on the belief that it is still selected; where it fails and the
    /// belief was wrong, selects and runs it once more. Not for commands that spend a try.
    pub fn probably<R>(&mut self, work: impl FnMut(&mut dyn CardApplication, &mut Channel<'_>) -> Result<R, CardError>) -> Result<R, CardError> {
        let result = self.with_belief(work);
        self.note_reset(&result);
        result
    }

    fn with_belief<R>(&mut self, mut work: impl FnMut(&mut dyn CardApplication, &mut Channel<'_>) -> Result<R, CardError>) -> Result<R, CardError> {
        if *self.selected != Some(self.index) {
            self.make_certain()?;
        }
        match work(self.application, &mut self.channel) {
            Err(error) if !self.certain && is_selection_suspect(error) => {
                if self.selects_anew()? { work(self.application, &mut self.channel) } else { Err(error) }
            }
            result => result,
        }
    }

    /// A reset in the middle of a transaction leaves nothing selected and nothing verified.
    fn note_reset<R>(&mut self, result: &Result<R, CardError>) {
        if let Err(CardError::Channel(ChannelError::Link(LinkError::Reset | LinkError::Unpowered))) = result {
            *self.selected = None;
            self.certain = false;
            self.security.was_reset();
        }
    }
}

/// Failures that a command may meet when another application got it: all that the card itself answers.
fn is_selection_suspect(error: CardError) -> bool {
    !matches!(error, CardError::Channel(ChannelError::Link(_)) | CardError::Input | CardError::PinLength | CardError::PinInvalid)
}
