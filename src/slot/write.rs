//! Changes of what the token holds: made by the card, then shown in a fresh snapshot of the token objects.
//!
//! Who writes is the user, or on cards of which the officer is the master the officer too. A card may have lost the
//! officer's authentication since the login, to a SELECT by another program: it is proved again in the transaction of
//! the write, with what the officer gave at the login, and once.

use std::sync::Arc;

use super::Slot;
use super::access::CardAccess;
use crate::card::new_key::{NewKey, StoreAbilities};
use crate::card::new_object::{Change, ContentClass};
use crate::card::{Attestation, CardApplication, CardError, CardObject, DataReference, KeyReference, Role, Storage};
use crate::channel::Channel;
use crate::error::Error;
use crate::object::Object;
use crate::object::set::{Added, ObjectSet, Source};
use crate::secret::Pin;
use crate::token::login::Login;

/// A command to the application, which may have to be repeated.
type Work<'w, R> = &'w mut dyn FnMut(&mut dyn CardApplication, &mut Channel<'_>) -> Result<R, CardError>;

/// The card in the transaction of a write.
struct Writer<'w, 'a, 't> {
    slot: &'w Slot,
    access: &'w mut CardAccess<'a, 't>,
    generation: u64,
    /// What proves the officer again; not known where it was entered at the reader.
    officer: Option<Arc<Pin>>,
    /// The card is written by its officer, so that a refusal says nothing of the user's login.
    officer_writes: bool,
    /// A command that writes has failed: nobody knows for certain what it has changed.
    failed: bool,
}

impl Slot {
    /// Makes a lasting key at the reference that `make` is given.
    pub fn create_lasting(
        &self,
        generation: u64,
        new: &NewKey,
        mut make: impl FnMut(&mut dyn CardApplication, &mut Channel<'_>, KeyReference) -> Result<CardObject, CardError>,
    ) -> Result<Added, Error> {
        self.add(generation, |writer| {
            let reference = writer.ask(&mut |application, channel| application.reserve(channel, new))?;
            writer.slot.begin_lasting(generation, reference);
            let made = writer.run(&mut |application, channel| make(application, channel, reference));
            match made {
                Ok(_) => writer.slot.finish_lasting(generation, reference),
                Err(CardError::Occupied | CardError::Input) => writer.slot.finish_lasting(generation, reference),
                Err(_) => writer.take_back(reference),
            }
            made
        })
    }

    /// Writes a lasting object that is no key.
    pub fn create_object(
        &self,
        generation: u64,
        class: ContentClass,
        mut write: impl FnMut(&mut dyn CardApplication, &mut Channel<'_>) -> Result<CardObject, CardError>,
    ) -> Result<Added, Error> {
        self.add(generation, |writer| {
            let place = writer.ask(&mut |application, channel| application.reserve_content(channel, class))?;
            writer.run_noted(place.as_slice(), &mut write)
        })
    }

    /// C_DestroyObject for a token object. The public half of a key goes from view alone; its private key has it still,
    /// and shows it again when the card is next read.
    pub fn delete_object(&self, generation: u64, handle: u64) -> Result<(), Error> {
        let set = self.objects(generation)?;
        let deleted = match set.source(handle).ok_or(Error::ObjectHandleInvalid)? {
            Source::Module => return Err(Error::ActionProhibited),
            Source::Parted => Ok(()),
            // Whoever may not destroy the private key may not destroy this.
            Source::PublicHalf(_) => self.write(generation, |_| Ok(())),
            Source::Own(card) => self.write(generation, |writer| {
                let place = place_of(&card);
                let deleted = writer.run_noted(place.as_slice(), &mut |application, channel| match &card {
                    CardObject::PrivateKey(key) => application.delete_key(channel, key.reference, Storage::Token),
                    CardObject::SecretKey(key) => application.delete_key(channel, key.reference, Storage::Token),
                    CardObject::Certificate(certificate) => application.delete_certificate(channel, certificate),
                    CardObject::Data(data) => application.delete_data(channel, data),
                    CardObject::Attestation(_) => Err(CardError::NotSupported),
                });
                match deleted {
                    // Somebody else was quicker.
                    Ok(()) | Err(CardError::NotFound) => Ok(()),
                    Err(CardError::NotSupported) => Err(Error::ActionProhibited),
                    Err(error) => Err(error.into()),
                }
            }),
        };
        deleted?;
        self.show(generation, |set| (set.without(handle), ()))?;
        self.read_names_again(generation, &set, handle)
    }

    /// C_SetAttributeValue for a token object. What changes of a key changes of its public half too.
    pub fn change_object(&self, generation: u64, handle: u64, change: &Change) -> Result<(), Error> {
        let set = self.objects(generation)?;
        let card = match set.source(handle).ok_or(Error::ObjectHandleInvalid)? {
            Source::Own(card) | Source::PublicHalf(card) => card,
            Source::Module | Source::Parted => return Err(Error::ActionProhibited),
        };
        let (changed, companions) = self.write(generation, |writer| {
            let places = match &card {
                // A content comes into a place of its own before the former one goes.
                CardObject::Data(data) if change.value.is_some() => {
                    let class = if data.private { ContentClass::PrivateData } else { ContentClass::Data };
                    let place = writer.ask(&mut |application, channel| application.reserve_content(channel, class))?;
                    place.into_iter().chain(place_of(&card)).collect()
                }
                _ => Vec::new(),
            };
            let changed =
                writer.run_noted(&places, &mut |application, channel| application.change(channel, &card, change));
            let changed = changed.map_err(|error| match error {
                CardError::NotSupported => Error::AttributeReadOnly,
                CardError::Input => Error::AttributeValueInvalid,
                other => other.into(),
            })?;
            let companions = if is_moved(&card, &changed) { writer.companions(&changed) } else { Vec::new() };
            Ok((changed, companions))
        })?;
        let handles = self.handles();
        self.show(generation, |set| (set.replaced(handle, changed, handles).with_all(companions, handles), ()))?;
        self.read_names_again(generation, &set, handle)
    }

    /// A certificate that goes or is called otherwise takes along what a key was called after it.
    fn read_names_again(&self, generation: u64, before: &ObjectSet, handle: u64) -> Result<(), Error> {
        let Some(Source::Own(CardObject::Certificate(gone))) = before.source(handle) else { return Ok(()) };
        let is_named = |card: &CardObject| matches!(card, CardObject::PrivateKey(key) if key.id == gone.id && !key.subject.is_empty());
        let stale = before.card_objects().any(is_named);
        self.with_state(generation, |state| state.stale |= stale)
    }

    /// CKA_ID of the private key for which this holds.
    pub fn key_identifier(
        &self,
        generation: u64,
        wanted: impl Fn(&crate::card::PrivateKey) -> bool,
    ) -> Result<Option<Vec<u8>>, Error> {
        let set = self.objects(generation)?;
        let keys =
            set.card_objects().filter_map(|card| if let CardObject::PrivateKey(key) = card { Some(key) } else { None });
        Ok(keys.into_iter().find(|key| wanted(key)).map(|key| key.id.clone()))
    }

    /// Whether this handle is of the public half of a key that is gone.
    pub fn is_parted(&self, generation: u64, handle: u64) -> Result<bool, Error> {
        let set = self.with_state(generation, |state| state.objects.clone())?;
        Ok(set.is_some_and(|set| set.source(handle) == Some(Source::Parted)))
    }

    /// The public half of the private key for which this holds, shown again where it was destroyed; `None` where the
    /// token has no such key.
    pub fn public_half(
        &self,
        generation: u64,
        wanted: impl Fn(&crate::card::PrivateKey) -> bool,
    ) -> Result<Option<u64>, Error> {
        let set = self.objects(generation)?;
        let Some(own) = set.private_key(wanted) else { return Ok(None) };
        self.show(generation, |set| match set.with_public_half(own, self.handles()) {
            Some((set, handle)) => (set, Some(handle)),
            None => (set.clone(), None),
        })
    }

    fn add(
        &self,
        generation: u64,
        make: impl FnOnce(&mut Writer<'_, '_, '_>) -> Result<CardObject, CardError>,
    ) -> Result<Added, Error> {
        self.objects(generation)?;
        let (card, companions) = self.write(generation, |writer| {
            let card = make(writer).map_err(refusal)?;
            let companions = writer.companions(&card);
            Ok((card, companions))
        })?;
        self.show(generation, |set| {
            let (set, added) = set.with(card, self.handles());
            (set.with_all(companions, self.handles()), added)
        })
    }

    /// The object with this handle; an attestation that nobody asked for is made first, once for each insertion.
    pub fn attestation(&self, generation: u64, handle: u64) -> Result<Arc<Object>, Error> {
        let source = self.objects(generation)?.source(handle);
        if let Some(Source::Own(CardObject::Attestation(found @ Attestation { der: None, .. }))) = source {
            let made = self.with_card(generation, |access| {
                Ok(access.probably(|application, channel| application.read(channel, found.reference))?)
            })?;
            let made = CardObject::Attestation(Attestation { der: Some(made.to_vec()), ..found });
            self.show(generation, |set| (set.replaced(handle, made, self.handles()), ()))?;
        }
        self.object(generation, handle)
    }

    /// Puts what `change` makes of the present snapshot in its place.
    fn show<R>(&self, generation: u64, change: impl FnOnce(&ObjectSet) -> (ObjectSet, R)) -> Result<R, Error> {
        self.with_state(generation, |state| {
            let set = state.objects.as_ref().ok_or(Error::DeviceError)?;
            let (set, result) = change(set);
            state.objects = Some(Arc::new(set));
            Ok(result)
        })?
    }

    /// Runs a write in one transaction, for whom the card lets write.
    fn write<R>(
        &self,
        generation: u64,
        work: impl FnOnce(&mut Writer<'_, '_, '_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let StoreAbilities { officer_writes, .. } = self.store(generation)?;
        self.with_card(generation, |access| {
            let officer = match self.role(generation)? {
                Some(Role::User) => None,
                Some(Role::SecurityOfficer) if officer_writes => self.officer(generation)?,
                Some(Role::SecurityOfficer) | None => return Err(Error::UserNotLoggedIn),
            };
            let mut writer = Writer { slot: self, access, generation, officer, officer_writes, failed: false };
            writer.begin()?;
            let result = work(&mut writer);
            if writer.failed {
                // What it has changed all the same shows when the objects are read again.
                let _ = self.with_state(generation, |state| state.stale = true);
            }
            result
        })
    }

    /// The PIN of the officer who is logged in.
    pub(super) fn officer(&self, generation: u64) -> Result<Option<Arc<Pin>>, Error> {
        self.with_state(generation, |state| match &state.login {
            Login::SecurityOfficer { pin, .. } => pin.clone(),
            _ => None,
        })
    }
}

impl Writer<'_, '_, '_> {
    /// Makes sure of the application, and takes away what a write that broke off may have left.
    fn begin(&mut self) -> Result<(), Error> {
        let before = self.slot.epoch();
        self.access.make_certain()?;
        if self.slot.epoch() != before {
            match self.officer {
                Some(_) => self.prove()?,
                None => return Err(Error::UserNotLoggedIn),
            }
        }
        self.slot.take_away_unfinished(self.access, self.generation);
        Ok(())
    }

    /// What the token holds besides because of a key that has come. Where the card does not say, it is found when the
    /// card is next read.
    fn companions(&mut self, card: &CardObject) -> Vec<CardObject> {
        let CardObject::PrivateKey(key) = card else { return Vec::new() };
        self.access.certainly(|application, channel| application.companions(channel, key)).unwrap_or_default()
    }

    /// The same with a line in the journal for each place that it fills or empties: what breaks off is brought to an end at
    /// once, or by the next who logs in or writes.
    fn run_noted<R>(&mut self, places: &[KeyReference], work: Work<'_, R>) -> Result<R, CardError> {
        for place in places {
            self.slot.begin_lasting(self.generation, *place);
        }
        let result = self.run(work);
        if let Ok(_) | Err(CardError::NotFound | CardError::Occupied | CardError::Input) = result {
            for place in places {
                self.slot.finish_lasting(self.generation, *place);
            }
        } else {
            self.slot.take_away_unfinished(self.access, self.generation);
        }
        result
    }

    /// Takes back what came of making a key that failed in a place that was free: at once, as long as nobody else has had
    /// the card. Where that is not possible, a card that lists its keys has it taken away by the next write; another shows
    /// it to whoever looks.
    fn take_back(&mut self, reference: KeyReference) {
        let taken = self.run(&mut |application, channel| application.take_back(channel, reference));
        if let Ok(()) | Err(CardError::NotFound) = taken {
            self.slot.finish_lasting(self.generation, reference);
        }
    }

    /// Runs one operation that may change the card.
    fn run<R>(&mut self, work: Work<'_, R>) -> Result<R, CardError> {
        let result = self.ask(work);
        self.failed |= !matches!(result, Ok(_) | Err(CardError::Occupied | CardError::Input));
        result
    }

    /// Runs one operation; what the card refuses to an officer is proved and run once more.
    fn ask<R>(&mut self, work: Work<'_, R>) -> Result<R, CardError> {
        let mut result = self.access.certainly(&mut *work);
        if matches!(result, Err(CardError::NotSupported | CardError::NotFound | CardError::Status { .. }))
            && self.access.has_lost_selection()?
        {
            // Nothing but a reset that nobody told of takes the application away in the middle of a transaction.
            result = Err(CardError::SecurityStatus);
        }
        let refused = matches!(result, Err(CardError::SecurityStatus));
        if refused && self.officer.is_some() {
            return match self.prove() {
                Ok(()) => self.access.certainly(work),
                Err(_) => result,
            };
        }
        if refused && !self.officer_writes {
            self.slot.lose_login();
        }
        result
    }

    /// Proves the officer again. The login goes on with what the card holds then.
    fn prove(&mut self) -> Result<(), Error> {
        let officer = self.officer.clone().ok_or(Error::UserNotLoggedIn)?;
        self.slot.verify_on(self.access, self.generation, Role::SecurityOfficer, &officer)?;
        let now = self.slot.epoch();
        self.slot.with_state(self.generation, |state| {
            if let Login::SecurityOfficer { epoch, .. } = &mut state.login {
                *epoch = now;
            }
        })
    }
}

/// Whether a private key is somewhere else now.
fn is_moved(before: &CardObject, now: &CardObject) -> bool {
    matches!((before, now), (CardObject::PrivateKey(before), CardObject::PrivateKey(now)) if before.reference != now.reference)
}

/// Where an object is that may be in a list.
fn place_of(card: &CardObject) -> Option<KeyReference> {
    let content = |DataReference(reference): DataReference| u16::try_from(reference).ok().map(KeyReference);
    match card {
        CardObject::PrivateKey(key) => Some(key.reference),
        CardObject::SecretKey(key) => Some(key.reference),
        CardObject::Certificate(certificate) => certificate.reference.and_then(content),
        CardObject::Data(data) => content(data.reference),
        CardObject::Attestation(_) => None,
    }
}

/// What a refusal to make an object means to the caller.
fn refusal(error: CardError) -> Error {
    match error {
        CardError::NotSupported | CardError::Input => Error::TemplateInconsistent,
        other => other.into(),
    }
}
