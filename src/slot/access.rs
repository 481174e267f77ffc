//! The card inside a transaction, with what is believed and known about the selected application.

use super::reader::SecurityEpoch;
use crate::card::key::KeyKind;
use crate::card::{CardApplication, CardError};
use crate::channel::{Channel, ChannelError};
use crate::pcsc::LinkError;
use crate::token::Facilities;

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

impl<'a, 't> CardAccess<'a, 't> {
    /// Application number `index`, with the one believed to be selected; `certain` where this transaction has
    /// selected it.
    pub fn new(
        application: &'a mut dyn CardApplication,
        channel: Channel<'t>,
        security: &'a SecurityEpoch,
        (selected, index): (&'a mut Option<usize>, usize),
        certain: bool,
    ) -> Self {
        Self { application, channel, security, selected, index, certain }
    }

    /// What the application makes and takes; costs no card command once it was described.
    pub fn facilities(&self) -> Facilities {
        let store = self.application.store();
        let abilities = |kind: &KeyKind| Some((*kind, self.application.abilities(*kind)?));
        Facilities {
            store,
            abilities: store.generate.iter().filter_map(abilities).collect(),
            readiness: self.application.readiness(),
        }
    }

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
    pub fn certainly<R>(
        &mut self,
        work: impl FnOnce(&mut dyn CardApplication, &mut Channel<'_>) -> Result<R, CardError>,
    ) -> Result<R, CardError> {
        let result = self.make_certain().and_then(|()| work(self.application, &mut self.channel));
        self.note_reset(&result);
        result
    }

    /// Runs one operation of the application on the belief that it is still selected; where it fails and the
    /// belief was wrong, selects and runs it once more. Not for commands that spend a try.
    pub fn probably<R>(
        &mut self,
        work: impl FnMut(&mut dyn CardApplication, &mut Channel<'_>) -> Result<R, CardError>,
    ) -> Result<R, CardError> {
        let result = self.with_belief(work);
        self.note_reset(&result);
        result
    }

    fn with_belief<R>(
        &mut self,
        mut work: impl FnMut(&mut dyn CardApplication, &mut Channel<'_>) -> Result<R, CardError>,
    ) -> Result<R, CardError> {
        if *self.selected != Some(self.index) {
            self.make_certain()?;
        }
        match work(self.application, &mut self.channel) {
            Err(error) if !self.certain && is_selection_suspect(error) => {
                if self.selects_anew()? {
                    work(self.application, &mut self.channel)
                } else {
                    Err(error)
                }
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
    !matches!(
        error,
        CardError::Channel(ChannelError::Link(_)) | CardError::Input | CardError::PinLength | CardError::PinInvalid
    )
}
