//! The card inside a transaction, with what is believed and known about the selected application.

use cardea_apdu::Capabilities;

use super::channels::Channels;
use super::security::SecurityEpoch;
use super::standing::Standing;
use crate::card::driver::Found;
use crate::card::key::KeyKind;
use crate::card::{Abilities, CardApplication, CardError, Description, PinUse, PrivateKey, Role, Tries};
use crate::channel::logical::{self, BASIC};
use crate::channel::pin_pad::Pad;
use crate::channel::{Channel, ChannelError};
use crate::pcsc::LinkError;
use crate::secret::Pin;
use crate::token::Facilities;
use crate::token::login::PinPath;

/// The card inside a transaction, seen from one application.
pub struct CardAccess<'a, 't> {
    application: &'a mut dyn CardApplication,
    description: &'a mut Option<Description>,
    channel: Channel<'t>,
    security: &'a SecurityEpoch,
    channels: &'a mut Channels,
    index: usize,
    /// What the card says of channels, where the application is to have one of its own.
    offer: Option<Capabilities>,
    /// Established inside this transaction.
    certain: bool,
    /// Where nobody else reaches the card: what is believed of the channels is true, until the card refuses something.
    sure: Option<&'a mut bool>,
    /// The user's login, as far as we know.
    standing: Option<Standing>,
    /// The security officer is logged in.
    officer: bool,
    /// SELECT commands of this transaction.
    selections: u32,
    pad: Pad,
}

impl<'a, 't> CardAccess<'a, 't> {
    /// Application number `index`, with what is believed of the channels; `certain` where this transaction has
    /// selected it on the basic channel.
    pub fn new(
        found: &'a mut Found,
        channel: Channel<'t>,
        security: &'a SecurityEpoch,
        (channels, index): (&'a mut Channels, usize),
        offer: Option<Capabilities>,
        certain: bool,
    ) -> Self {
        let Found { application, description, .. } = found;
        Self {
            application: &mut **application,
            description,
            channel,
            security,
            channels,
            index,
            offer,
            certain,
            sure: None,
            standing: None,
            officer: false,
            selections: 0,
            pad: Pad::default(),
        }
    }

    /// The user is logged in: where the application has to be selected anew, the card is asked whether that still holds.
    pub fn expect_login(&mut self, standing: Standing) {
        self.standing = Some(standing);
    }

    /// The security officer is logged in: that is a matter of the host, and each command of the officer's proves it anew.
    pub fn expect_officer(&mut self) {
        self.officer = true;
    }

    /// Nobody else reaches the card between our transactions: a certainty outlasts them, as long as `sure` says so.
    pub fn rely_on(&mut self, sure: &'a mut bool) {
        self.sure = Some(sure);
    }

    /// What became of the login that was expected.
    pub fn take_login(&mut self) -> Option<Standing> {
        self.standing.take()
    }

    /// What the application said about itself when it was found; once.
    pub fn take_description(&mut self) -> Option<Description> {
        self.description.take()
    }

    /// Gives it the reader's PIN pad.
    pub fn set_pad(&mut self, pad: Pad) {
        self.pad = pad;
    }

    /// Whether the reader's PIN pad can complete the application's command for `purpose`; without any I/O.
    pub fn pad_serves(&self, purpose: PinUse<'_>) -> bool {
        self.application.pin_command(purpose).is_ok_and(|command| self.pad.serves(&command))
    }

    /// How the user's PIN can reach the card. A reader that keeps PINs back and has no usable pad is tried all the same.
    fn pin_path(&self) -> PinPath {
        let protected = self.pad_serves(PinUse::Verify(Role::User));
        let officer = self.pad_serves(PinUse::Verify(Role::SecurityOfficer));
        PinPath { protected, officer, exclusive: protected && self.pad.is_exclusive() }
    }

    /// Lets the reader's user type what `purpose` needs, with certainty about the selection. `cancelled` is looked at
    /// meanwhile, where the reader permits that.
    pub fn enter_pin(&mut self, purpose: PinUse<'_>, cancelled: &dyn Fn() -> bool) -> Result<(), CardError> {
        let pad = self.pad;
        self.certainly(|application, channel| {
            application.prepare_pin_pad(channel)?;
            let command = application.pin_command(purpose)?;
            if !pad.serves(&command) {
                return Err(CardError::NotSupported);
            }
            let status = channel.enter_pin(&pad, &command, cancelled)??;
            let refused = || application.pin_refusal(command.instruction(), status);
            if status.is_success() { Ok(()) } else { Err(refused()) }
        })
    }

    /// Whether the user's PIN, given for one use of `key`, renews the login as well.
    pub fn renews_login(&self, key: &PrivateKey) -> bool {
        self.application.renews_login(key)
    }

    /// What a PIN of this form is; costs no card command.
    pub fn judge(&self, role: Role, pin: &Pin) -> Result<Tries, CardError> {
        self.application.judge(role, pin)
    }

    /// What the application makes and takes; costs no card command once it was described, but for what the use of a PIN
    /// pad depends on. A card that does not tell that gets its PINs from the host.
    pub fn facilities(&mut self) -> Facilities {
        if self.pad.verifies() {
            let _ = self.application.prepare_pin_pad(&mut self.channel);
        }
        let store = self.application.store();
        Facilities {
            store,
            abilities: self.abilities(),
            readiness: self.application.readiness(),
            officer_stays: self.application.officer_stays(),
            pin_path: self.pin_path(),
        }
    }

    /// The private keys that the application makes, and what it does with them, as far as it knows by now; costs no card
    /// command.
    pub fn abilities(&self) -> Vec<(KeyKind, Abilities)> {
        let abilities = |kind: &KeyKind| Some((*kind, self.application.abilities(*kind)?));
        self.application.store().generate.iter().filter_map(abilities).collect()
    }

    /// Makes sure that the application is selected, by asking it or by selecting it.
    ///
    /// Necessary before every VERIFY: another program may have selected something else since our last
    /// transaction, and its PIN must not lose a try. Where no other program can, nothing is asked.
    pub fn make_certain(&mut self) -> Result<(), CardError> {
        self.take_channel()?;
        if self.certain {
            return Ok(());
        }
        let is_sure = self.sure.as_ref().is_some_and(|sure| **sure);
        if !(self.channels.is_selected(self.index) && (is_sure || self.is_selected()?)) {
            self.select()?;
        }
        self.certain = true;
        self.set_sure(true);
        Ok(())
    }

    fn set_sure(&mut self, now: bool) {
        if let Some(sure) = &mut self.sure {
            **sure = now;
        }
    }

    /// Asks the application. On a channel of its own a refusal is an answer: that channel may be closed.
    fn is_selected(&mut self) -> Result<bool, CardError> {
        match self.application.is_selected(&mut self.channel) {
            Err(error) if self.is_on_its_own() && !is_link_failure(error) => Ok(false),
            result => result,
        }
    }

    /// Selects the application. A channel of its own on which it was and is not any more was closed by others or by a
    /// reset that nobody told of, and is opened again; where it cannot be selected there, it gets the basic one.
    fn select(&mut self) -> Result<(), CardError> {
        let was_selected = self.channels.is_selected(self.index);
        self.channels.set_selected(self.index, false);
        let mut result = self.application.select(&mut self.channel);
        if was_selected && self.is_refused(&result) {
            self.security.lost_by(self.index);
            self.give_up_channel()?;
            self.take_channel()?;
            result = self.application.select(&mut self.channel);
        }
        if self.is_refused(&result) {
            self.give_up_channel()?;
            self.channels.refused(self.index);
            result = self.application.select(&mut self.channel);
        }
        result?;
        self.selections += 1;
        self.channels.set_selected(self.index, true);
        // On a fresh channel nothing was there to be lost.
        if was_selected || !self.is_on_its_own() {
            // Some cards keep the verification while another application is selected, most do not.
            let standing = self.standing.as_mut();
            let holds = standing.is_some_and(|standing| standing.holds(self.application, &mut self.channel));
            if !holds && !self.officer {
                self.security.lost_by(self.index);
            }
        }
        Ok(())
    }

    /// Goes to the channel of the application, which is opened if none was asked for yet.
    fn take_channel(&mut self) -> Result<(), CardError> {
        if let Some(card) = self.offer
            && !self.channels.is_settled(self.index)
        {
            match logical::open(&mut self.channel, &card) {
                Ok(Some(number)) => {
                    self.channels.opened(self.index, number);
                    self.certain = false;
                }
                Ok(None) => self.channels.refused(self.index),
                Err(error) => {
                    self.channels.left_stray();
                    if let ChannelError::Link(_) = error {
                        return Err(error.into());
                    }
                    self.channels.refused(self.index);
                }
            }
        }
        self.channel.switch_to(self.channels.number(self.index));
        Ok(())
    }

    /// Closes the application's own channel and goes to the basic one.
    fn give_up_channel(&mut self) -> Result<(), CardError> {
        if let Some(number) = self.channels.give_up(self.index)
            && !logical::close(&mut self.channel, number)?
        {
            self.channels.left_stray();
        }
        self.channel.switch_to(BASIC);
        Ok(())
    }

    fn is_on_its_own(&self) -> bool {
        self.channel.number() != BASIC
    }

    /// Whether the card refused what it may do on the basic channel.
    fn is_refused(&self, result: &Result<(), CardError>) -> bool {
        self.is_on_its_own() && result.is_err_and(|error| !is_link_failure(error))
    }

    /// Whether the application is not the selected one any more, in a transaction in which it was; then it is selected.
    pub fn has_lost_selection(&mut self) -> Result<bool, CardError> {
        if !self.certain || self.is_selected()? {
            return Ok(false);
        }
        self.certain = false;
        self.select()?;
        self.certain = true;
        Ok(true)
    }

    /// Whether a command could be lost on another application: makes certain, and says whether it had to select.
    pub fn selects_anew(&mut self) -> Result<bool, CardError> {
        let before = self.selections;
        self.set_sure(false);
        self.make_certain()?;
        Ok(self.selections != before)
    }

    /// Runs one operation of the application, with certainty about the selection.
    pub fn certainly<R>(
        &mut self,
        work: impl FnOnce(&mut dyn CardApplication, &mut Channel<'_>) -> Result<R, CardError>,
    ) -> Result<R, CardError> {
        let result = self.make_certain().and_then(|()| work(self.application, &mut self.channel));
        self.note_failure(&result);
        result
    }

    /// Runs one operation of the application on the belief that it is still selected; where it fails and the
    /// belief was wrong, selects and runs it once more. Not for commands that spend a try.
    pub fn probably<R>(
        &mut self,
        work: impl FnMut(&mut dyn CardApplication, &mut Channel<'_>) -> Result<R, CardError>,
    ) -> Result<R, CardError> {
        let result = self.with_belief(work);
        self.note_failure(&result);
        result
    }

    fn with_belief<R>(
        &mut self,
        mut work: impl FnMut(&mut dyn CardApplication, &mut Channel<'_>) -> Result<R, CardError>,
    ) -> Result<R, CardError> {
        self.take_channel()?;
        if !self.channels.is_selected(self.index) {
            self.make_certain()?;
        }
        match work(self.application, &mut self.channel) {
            Err(error) if !self.certain && is_selection_suspect(error) => {
                if self.selects_anew()? || (error == CardError::SecurityStatus && self.restores_login()) {
                    work(self.application, &mut self.channel)
                } else {
                    Err(error)
                }
            }
            result => result,
        }
    }

    /// Whether the application, which is selected for certain, had lost the user's login and has it again.
    fn restores_login(&mut self) -> bool {
        let standing = self.standing.as_mut();
        standing.is_some_and(|standing| standing.restores(self.application, &mut self.channel))
    }

    /// After a refusal the card is asked again which application is selected. A reset in the middle of a transaction
    /// leaves nothing selected and nothing verified.
    fn note_failure<R>(&mut self, result: &Result<R, CardError>) {
        if result.is_err() {
            self.set_sure(false);
        }
        if let Err(CardError::Channel(ChannelError::Link(LinkError::Reset | LinkError::Unpowered))) = result {
            self.channels.forget();
            self.channel.switch_to(BASIC);
            self.certain = false;
            self.security.was_reset();
        }
    }
}

fn is_link_failure(error: CardError) -> bool {
    matches!(error, CardError::Channel(ChannelError::Link(_)))
}

/// Failures that a command may meet when another application got it: all that the card itself answers.
fn is_selection_suspect(error: CardError) -> bool {
    !matches!(
        error,
        CardError::Channel(ChannelError::Link(_)) | CardError::Input | CardError::PinLength | CardError::PinInvalid
    )
}
