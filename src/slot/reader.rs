//! A reader and the card in it: the card lock, the connection, and which application is selected.

mod parting;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cardea_apdu::Atr;
use cardea_apdu::historical::Capabilities;

use crate::card::CardError;
use crate::card::driver::{Driver, Found, Identified, identify};
use crate::channel::limits::{Limits, speaks_t1};
use crate::channel::pin_pad::Pad;
use crate::channel::{Channel, ChannelError, logical};
use crate::configuration::EjectPolicy;
use crate::error::Error;
use crate::log::Log;
use crate::pcsc::part10::{self, Properties};
use crate::pcsc::{Begun, Connection, Context, Disposition, LinkError, ReaderState, ShareMode, Transaction};
use crate::profile::{Profiles, ReaderProfile, UsbId};
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering};

use super::access::CardAccess;
use super::channels::Channels;
use super::eject::Departure;
use super::security::SecurityEpoch;

/// What every reader of a Library shares.
pub struct Surroundings {
    /// PC/SC.
    pub context: Box<dyn Context>,
    /// The trace.
    pub log: Log,
    /// The drivers that cards are shown to.
    pub drivers: Vec<&'static Driver>,
    /// What is known of readers.
    pub profiles: Profiles,
    /// How cards are connected to while a session is open.
    pub share: ShareMode,
}

/// One reader by its PC/SC name, for the life of the Library.
pub struct Reader {
    name: String,
    surroundings: Arc<Surroundings>,
    presence: Mutex<Presence>,
    card: Mutex<Option<Binding>>,
    security: SecurityEpoch,
    /// Cloned by every session with a token in this reader.
    sessions: Arc<()>,
    /// How often the card was used: what has this number was done inside one transaction, with nothing of ours between.
    uses: AtomicU64,
    /// A PIN was verified or volatile memory used since the connection was made.
    touched: AtomicBool,
    /// The reader said that it ejects and kept the card.
    keeps_cards: AtomicBool,
    /// A verified PIN is on the card that no command drops: it is reset when the connection ends.
    reset_owed: AtomicBool,
}

/// The last view of the reader and how many insertions were seen.
#[derive(Default)]
struct Presence {
    state: ReaderState,
    generation: u64,
    /// A command met no card although PC/SC had not reported a removal yet: that report is old news.
    found_gone: bool,
    /// Names of the applications that were found on this card; `None` while nobody looked.
    applications: Option<Vec<&'static str>>,
}

impl Presence {
    /// Another card, or none.
    fn next(&mut self) {
        self.generation += 1;
        self.applications = None;
    }
}

/// The card of one insertion.
struct Binding {
    /// Only while somebody of ours uses the card: a connection keeps others from having it for themselves.
    link: Option<Link>,
    generation: u64,
    /// What the first transaction finds out.
    card: Option<Card>,
    channels: Channels,
}

/// A connection to the card, and who else has one.
struct Link {
    connection: Box<dyn Connection>,
    share: ShareMode,
    /// Of an exclusive one: what is believed to be selected is.
    sure: bool,
}

impl Link {
    /// Nobody else reaches the card.
    fn is_exclusive(&self) -> bool {
        self.share == ShareMode::Exclusive
    }
}

/// What a card carries, and how its reader treats it.
struct Card {
    limits: Limits,
    /// What it announces of itself.
    capabilities: Capabilities,
    pad: Pad,
    /// None where nobody knows the card.
    applications: Vec<Found>,
    departure: Departure,
    atr: Vec<u8>,
    properties: Properties,
    family: Option<String>,
}

/// What is known of a reader and the card in it, for people.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The card's answer to reset.
    pub atr: Vec<u8>,
    /// What the reader says about itself.
    pub properties: Properties,
    /// Family of the reader profile that applies.
    pub family: Option<String>,
    /// Limits of card and reader together, as far as they were tried.
    pub limits: Limits,
    /// Names of the drivers that know the card, one for each application.
    pub drivers: Vec<&'static str>,
}

impl Reader {
    /// A reader that has not been looked at.
    pub fn new(name: String, surroundings: Arc<Surroundings>) -> Self {
        Self {
            name,
            surroundings,
            presence: Mutex::default(),
            card: Mutex::new(None),
            security: SecurityEpoch::default(),
            sessions: Arc::default(),
            uses: AtomicU64::new(0),
            touched: AtomicBool::new(false),
            keeps_cards: AtomicBool::new(false),
            reset_owed: AtomicBool::new(false),
        }
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

    /// Announces a use of the card that outlasts one operation: the connection stays until the last hold is gone.
    pub fn hold(&self) -> Arc<()> {
        Arc::clone(&self.sessions)
    }

    /// The number of the last use of the card, the present one when inside [`Self::with_card`].
    pub fn uses(&self) -> u64 {
        self.uses.load(Ordering::Acquire)
    }

    fn is_held(&self) -> bool {
        Arc::strong_count(&self.sessions) > 1
    }

    /// The card holds something that is ours to protect: a verified PIN, a key in volatile memory.
    pub fn touch(&self) {
        self.touched.store(true, Ordering::Release);
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
            presence.next();
            self.security.was_reset();
        }
        presence.state = state.clone();
        (state, presence.generation)
    }

    /// Names of the applications on the card of this generation, as far as somebody looked.
    pub fn applications(&self, generation: u64) -> Option<Vec<&'static str>> {
        let presence = self.presence.lock();
        presence.applications.clone().filter(|_| presence.generation == generation)
    }

    /// Finds out which applications the card has, if nobody did since it was inserted. A reader that is at work is
    /// not waited for: whoever is at work there finds it out.
    pub fn explore(&self) {
        let (state, generation) = self.look();
        if !state.card_present || self.applications(generation).is_some() {
            return;
        }
        let Some(mut card) = self.card.try_lock() else { return };
        let found = self.with_locked(&mut card, generation, |binding| self.in_transaction(binding, 0, |_| Ok(())));
        if found == Err(Error::TokenNotRecognized) {
            // It is asked again by whoever wants to use it, not by each look around.
            self.note_applications(generation, Vec::new());
        }
    }

    fn note_applications(&self, generation: u64, applications: Vec<&'static str>) {
        let mut presence = self.presence.lock();
        if presence.generation == generation {
            presence.applications = Some(applications);
        }
    }

    /// Records that the card of this generation is gone, whether or not PC/SC reported it yet.
    fn gone(&self, generation: u64) {
        let mut presence = self.presence.lock();
        if presence.generation == generation {
            presence.next();
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
        self.with_locked(&mut self.card.lock(), generation, |binding| self.in_transaction(binding, index, work))
    }

    /// What is known of this reader and its card; the card is identified if nobody asked for it yet.
    pub fn identity(&self, generation: u64) -> Result<Identity, Error> {
        self.with_locked(&mut self.card.lock(), generation, |binding| {
            if binding.card.is_none() {
                match self.in_transaction(binding, 0, |_| Ok(())) {
                    Ok(()) | Err(Error::TokenNotRecognized) => {}
                    Err(error) => return Err(error),
                }
            }
            let card = binding.card.as_ref().ok_or(Error::TokenNotRecognized)?;
            Ok(Identity {
                atr: card.atr.clone(),
                properties: card.properties,
                family: card.family.clone(),
                limits: card.limits,
                drivers: card.applications.iter().map(|found| found.driver).collect(),
            })
        })
    }

    /// Whether the application has the card for itself.
    pub fn is_alone(&self) -> bool {
        self.card.lock().as_ref().and_then(|binding| binding.link.as_ref()).is_some_and(Link::is_exclusive)
    }

    /// The profile that applies by what PC/SC says of the reader, with or without a card in it.
    pub fn profile(&self, properties: &Properties) -> Option<&ReaderProfile> {
        self.surroundings.profiles.find(usb_id(properties), &self.name)
    }

    /// What the reader says about itself, with or without a card in it, and what its profile leaves of its PIN pad.
    pub fn announced(&self) -> (Properties, Pad) {
        let Ok(mut connection) = self.surroundings.context.connect(&self.name, ShareMode::Direct) else {
            return Default::default();
        };
        let announced = connection.begin().map(|mut begun| part10::announced(&mut *begun.transaction));
        // Nothing was done that could be left undone.
        let _ = connection.disconnect(Disposition::Leave);
        let (properties, pad) = announced.unwrap_or_default();
        (properties, Pad::new(pad, self.profile(&properties)))
    }

    /// Runs `work` on the card of this generation, whose lock is held.
    fn with_locked<R>(
        &self,
        card: &mut Option<Binding>,
        generation: u64,
        work: impl FnOnce(&mut Binding) -> Result<R, Error>,
    ) -> Result<R, Error> {
        if self.presence.lock().generation != generation {
            return Err(Error::DeviceRemoved);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let binding = self.bound(card, generation)?;
            work(binding)
        }));
        if !self.is_held()
            && let Some(binding) = card.as_mut()
        {
            // Whoever is here last, without a session or after the last was closed, leaves nothing either.
            self.part(binding, self.policy_of_a_straggler());
        }
        match outcome {
            Ok(Err(Error::DeviceRemoved)) => {
                self.drop_binding(card, Disposition::Leave);
                self.gone(generation);
                Err(Error::DeviceRemoved)
            }
            Ok(result) => result,
            Err(_panic) => {
                self.drop_binding(card, Disposition::Reset);
                Err(Error::GeneralError)
            }
        }
    }

    fn disconnect(&self, connection: Box<dyn Connection>, disposition: Disposition) {
        self.security.lost();
        // An error means that the card or the service is gone, and the connection with it.
        if connection.disconnect(disposition).is_ok() && disposition != Disposition::Leave {
            self.security.was_reset();
        }
    }

    fn drop_binding(&self, card: &mut Option<Binding>, disposition: Disposition) {
        self.touched.store(false, Ordering::Release);
        self.reset_owed.store(false, Ordering::Release);
        if let Some(link) = card.take().and_then(|binding| binding.link) {
            self.disconnect(link.connection, disposition);
        }
    }

    /// The binding for `generation`, made if there is none.
    fn bound<'c>(&self, card: &'c mut Option<Binding>, generation: u64) -> Result<&'c mut Binding, Error> {
        if card.as_ref().is_some_and(|binding| binding.generation != generation) {
            self.drop_binding(card, Disposition::Leave);
        }
        let share = if self.is_held() { self.surroundings.share } else { ShareMode::Shared };
        if let Some(binding) = card
            && share == ShareMode::Exclusive
            && binding.link.as_ref().is_some_and(|link| !link.is_exclusive())
        {
            // Made for a look at the card, during which the first session came.
            self.part(binding, EjectPolicy::Leave);
        }
        if card.as_ref().is_none_or(|binding| binding.link.is_none()) {
            let connection = self.surroundings.context.connect(&self.name, share).map_err(connect_error)?;
            let link = Some(Link { connection, share, sure: true });
            match card {
                Some(binding) => {
                    binding.link = link;
                    if share == ShareMode::Exclusive {
                        binding.channels.found_on_basic(None);
                    }
                }
                None => *card = Some(Binding { link, generation, card: None, channels: Channels::default() }),
            }
            // The card may have been exchanged since the caller looked. Once connected, an exchange is reported
            // by the connection.
            if self.look().1 != generation {
                self.drop_binding(card, Disposition::Leave);
                return Err(Error::DeviceRemoved);
            }
        }
        card.as_mut().ok_or(Error::GeneralError)
    }

    /// Learns what reader and card can do, and shows the card to the drivers.
    fn identify(
        &self,
        transaction: &mut dyn Transaction,
        atr: &[u8],
        channels: &mut Channels,
    ) -> Result<(Card, bool), Error> {
        let surroundings = &*self.surroundings;
        let bytes = atr;
        let atr = Atr::parse(bytes).ok();
        let mut capabilities = atr
            .as_ref()
            .map_or_else(Capabilities::default, |atr| Capabilities::from_historical(atr.historical_bytes()));
        let (properties, pad) = part10::announced(transaction);
        let profile = self.profile(&properties);
        let t1 = atr.as_ref().is_some_and(speaks_t1);
        let mut limits = Limits::announced(&capabilities, &properties).within(profile, t1);
        let mut channel = Channel::basic(transaction, &mut limits, &surroundings.log, &self.name);
        let Identified { applications, certain } = match &atr {
            Some(atr) => identify(&surroundings.drivers, &mut channel, atr)?,
            None => Identified::default(),
        };
        channels.found_on_basic(applications.len().checked_sub(1));
        let mut certain = certain;
        let historical = atr.as_ref().and_then(Atr::historical);
        if applications.iter().any(|found| found.application.wants_channel())
            && historical.is_some_and(logical::are_left_to_ef_atr)
        {
            channels.found_on_basic(None);
            certain = false;
            capabilities = match logical::read_ef_atr(&mut channel) {
                Err(error @ ChannelError::Link(_)) => return Err(CardError::from(error).into()),
                told => told.unwrap_or_default(),
            };
        }
        let (atr, departure) = (bytes.to_vec(), Departure::of(profile));
        let family = profile.map(|profile| profile.family.clone().into_owned());
        Ok((
            Card {
                limits,
                capabilities,
                pad: Pad::new(pad, profile),
                applications,
                departure,
                atr,
                properties,
                family,
            },
            certain,
        ))
    }

    /// The first transaction identifies the card and goes on with `work`, so that nobody selects anything in between.
    fn in_transaction<R>(
        &self,
        binding: &mut Binding,
        index: usize,
        work: impl FnOnce(&mut CardAccess<'_, '_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let Binding { link, card, channels, generation } = binding;
        let Link { connection, share, sure } = link.as_mut().ok_or(Error::GeneralError)?;
        let alone = *share == ShareMode::Exclusive;
        let atr = if card.is_none() { connection.atr() } else { Vec::new() };
        let Begun { mut transaction, was_reset } = connection.begin()?;
        self.uses.fetch_add(1, Ordering::AcqRel);
        if was_reset {
            channels.forget();
            self.security.was_reset();
        }
        let mut certain = false;
        let card = match card {
            Some(card) => card,
            None => {
                let (identified, fresh) = self.identify(&mut *transaction, &atr, channels)?;
                certain = fresh && channels.is_selected(index);
                if alone && !fresh {
                    channels.found_on_basic(None);
                }
                self.note_applications(*generation, identified.applications.iter().map(|found| found.driver).collect());
                card.insert(identified)
            }
        };
        let found = card.applications.get_mut(index).ok_or(Error::TokenNotRecognized)?;
        let channel = Channel::basic(&mut *transaction, &mut card.limits, &self.surroundings.log, &self.name);
        // A channel lasts as long as sessions do; for less the basic one is good enough.
        let wanted = found.application.wants_channel() && logical::are_announced(&card.capabilities) && self.is_held();
        let offer = wanted.then_some(card.capabilities);
        let mut access = CardAccess::new(found, channel, &self.security, (channels, index), offer, certain);
        access.set_pad(card.pad);
        if alone {
            access.rely_on(sure);
        }
        let result = work(&mut access);
        // The result stands whatever the end says: a reset or removal is met by the next transaction.
        let _ = transaction.end(Disposition::Leave);
        result
    }
}

fn usb_id(properties: &Properties) -> Option<UsbId> {
    properties.vendor.zip(properties.product).map(|(vendor, product)| UsbId { vendor, product })
}

/// Whether two views are of one insertion. The service may not know the ATR yet, or any more, and pcsc-lite may say that
/// a reader is empty before it counts the removal.
fn is_same_card(before: &ReaderState, now: &ReaderState) -> bool {
    let is_counted = before.card_present || now.card_present;
    before.card_present == now.card_present
        && (before.event_count == now.event_count || !is_counted)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removal_that_is_counted_late_is_no_second_one() {
        let state = |card_present, event_count| ReaderState { card_present, event_count, ..ReaderState::default() };
        assert!(is_same_card(&state(false, 1), &state(false, 2)));
        assert!(!is_same_card(&state(true, 1), &state(false, 1)));
        assert!(!is_same_card(&state(true, 1), &state(true, 3)), "another card, or the same again");
        assert!(!is_same_card(&state(false, 2), &state(true, 3)));
    }
}
