//! What a reader knows: its card, where that is, and what it has been told to do.

use std::time::{Duration, Instant};

use cardea_virtual_reader::protocol::{PowerAction, TAG_IFD_ATR, TAG_IFD_POLLING_THREAD_WITH_TIMEOUT};

use super::fault::Faults;
use super::log::{Event, Log};
use super::pinpad::{self, Entry, IFD_PIN_PROPERTIES, PinPad, Status};
use super::properties::feature_code;
use super::{Failure, GET_FEATURE_REQUEST, GET_TLV_PROPERTIES, Properties};
use crate::card::VirtualCard;

/// `SCARD_ATTR_ATR_STRING`.
const SCARD_ATTR_ATR_STRING: u32 = 0x0009_0303;
/// `SCARD_ATTR_ICC_PRESENCE`: 0 absent, 2 present.
const SCARD_ATTR_ICC_PRESENCE: u32 = 0x0009_0300;
/// `SCARD_ATTR_ICC_INTERFACE_STATUS`: nonzero with power.
const SCARD_ATTR_ICC_INTERFACE_STATUS: u32 = 0x0009_0301;

/// What a control code comes to.
pub(super) enum Control {
    /// An answer of the reader itself.
    Answer(Vec<u8>),
    /// After the time that the user takes, a command whose response is the answer, or an answer in the card's place.
    Entry { outcome: Result<Vec<u8>, Status>, delay: Duration },
}

/// The state of one reader.
pub(super) struct State {
    /// The card in the reader or, unless `seated`, beside it; absent also while it executes a command.
    pub(super) card: Option<Box<dyn VirtualCard>>,
    pub(super) seated: bool,
    pub(super) powered: bool,
    pub(super) plugged: bool,
    /// A command is under way.
    pub(super) busy: bool,
    /// Changes with every movement of a card or of the reader.
    pub(super) tenure: u32,
    /// A card left, and the driver was not told of it yet.
    pub(super) absence_untold: bool,
    pub(super) attached: usize,
    pub(super) latency: Duration,
    pub(super) properties: Properties,
    pub(super) pin_pad: Option<PinPad>,
    /// How often somebody has hurried.
    pub(super) hurried: u32,
    /// Started on the PIN pad and not finished.
    pub(super) entry: Option<Entry>,
    pub(super) faults: Faults,
    pub(super) log: Log,
}

impl State {
    pub(super) fn new(properties: Properties) -> Self {
        Self {
            card: None,
            seated: false,
            powered: false,
            plugged: true,
            busy: false,
            tenure: 0,
            absence_untold: false,
            attached: 0,
            latency: Duration::ZERO,
            properties,
            pin_pad: None,
            hurried: 0,
            entry: None,
            faults: Faults::default(),
            log: Log::new(),
        }
    }

    /// The card at hand goes into the reader.
    pub(super) fn seat(&mut self) {
        self.seated = true;
        self.tenure += 1;
        self.log.record(Event::Inserted);
    }

    /// The card, if any, leaves the reader; it loses power now, or when it comes back from a command.
    pub(super) fn withdraw(&mut self) {
        if !self.seated {
            return;
        }
        self.cut_power();
        self.seated = false;
        self.tenure += 1;
        self.absence_untold = true;
        self.log.record(Event::Removed);
    }

    pub(super) fn unplug(&mut self) {
        self.cut_power();
        self.plugged = false;
        self.tenure += 1;
        self.log.record(Event::Unplugged);
    }

    pub(super) fn plug(&mut self) {
        self.plugged = true;
        self.tenure += 1;
        self.log.record(Event::Plugged);
    }

    /// The card loses power without a request.
    pub(super) fn cut_power(&mut self) {
        if std::mem::take(&mut self.powered)
            && let Some(card) = &mut self.card
        {
            card.power_off();
        }
    }

    /// The card loses its volatile state without a request.
    pub(super) fn reset_silently(&mut self) {
        if let Some(card) = &mut self.card {
            card.reset();
        }
    }

    pub(super) fn presence(&self) -> Result<(), Failure> {
        match (self.plugged, self.seated) {
            (false, _) => Err(Failure::NoReader),
            (true, false) => Err(Failure::NoCard),
            (true, true) => Ok(()),
        }
    }

    /// Whether a card with power is in the reader.
    pub(super) fn ready(&self) -> Result<(), Failure> {
        self.presence()?;
        if self.powered { Ok(()) } else { Err(Failure::Unpowered) }
    }

    pub(super) fn power(&mut self, action: PowerAction) -> Result<Vec<u8>, Failure> {
        match (self.presence(), action) {
            (Err(Failure::NoCard), PowerAction::Down) => return Ok(Vec::new()),
            (presence, _) => presence?,
        }
        let card = self.card.as_mut().ok_or(Failure::NoCard)?;
        let event = match action {
            PowerAction::Down if !self.powered => return Ok(Vec::new()),
            PowerAction::Down => {
                card.power_off();
                Event::PowerOff
            }
            PowerAction::Reset if self.powered => {
                card.reset();
                Event::Reset
            }
            PowerAction::Up | PowerAction::Reset => {
                card.power_on();
                Event::PowerOn
            }
        };
        self.powered = action != PowerAction::Down;
        let atr = if self.powered { card.atr() } else { Vec::new() };
        self.log.record(event);
        Ok(atr)
    }

    /// What the terminal answers to EJECT ICC: 9001 that the card is out, 6200 that there is none.
    pub(super) fn terminal(&self, command: &[u8]) -> Result<Vec<u8>, Failure> {
        /// CLA and INS, and the number of the only slot.
        const EJECT_ICC: [u8; 3] = [0x20, 0x15, 0x01];
        if !self.plugged {
            return Err(Failure::NoReader);
        }
        match command.starts_with(&EJECT_ICC) {
            true if self.seated => Ok(vec![0x90, 0x01]),
            true => Ok(vec![0x62, 0x00]),
            false => Err(Failure::Unsupported),
        }
    }

    pub(super) fn control(&mut self, code: u32, data: &[u8]) -> Result<Control, Failure> {
        const VERIFY: u32 = feature_code(pinpad::VERIFY_PIN_DIRECT);
        const MODIFY: u32 = feature_code(pinpad::MODIFY_PIN_DIRECT);
        const START_VERIFY: u32 = feature_code(pinpad::VERIFY_PIN_START);
        const START_MODIFY: u32 = feature_code(pinpad::MODIFY_PIN_START);
        const FINISH_VERIFY: u32 = feature_code(pinpad::VERIFY_PIN_FINISH);
        const FINISH_MODIFY: u32 = feature_code(pinpad::MODIFY_PIN_FINISH);
        const KEY: u32 = feature_code(pinpad::GET_KEY_PRESSED);
        const ABORT: u32 = feature_code(pinpad::ABORT);
        const PIN_PROPERTIES: u32 = feature_code(IFD_PIN_PROPERTIES);
        if !self.plugged {
            return Err(Failure::NoReader);
        }
        match (code, &self.pin_pad) {
            (GET_FEATURE_REQUEST, pad) => {
                let features = pad.as_ref().map(PinPad::features).unwrap_or_default();
                Ok(Control::Answer(Properties::feature_list(&features)))
            }
            (GET_TLV_PROPERTIES, pad) => {
                let pad = pad.as_ref().map(PinPad::tlv).unwrap_or_default();
                Ok(Control::Answer([pad, self.properties.tlv()].concat()))
            }
            (PIN_PROPERTIES, Some(pad)) => Ok(Control::Answer(pad.pin_properties())),
            (VERIFY, Some(pad)) if pad.direct => self.enter_pin(|pad| pad.verify(data)),
            (MODIFY, Some(pad)) if pad.direct && pad.modifies => self.enter_pin(|pad| pad.modify(data)),
            (START_VERIFY, Some(pad)) if pad.pairs => self.start(|pad| pad.verify(data)),
            (START_MODIFY, Some(pad)) if pad.pairs && pad.modifies => self.start(|pad| pad.modify(data)),
            (FINISH_VERIFY | FINISH_MODIFY, Some(pad)) if pad.pairs => self.finish(),
            (KEY, Some(pad)) if pad.pairs => {
                self.ready()?;
                Ok(Control::Answer(vec![self.entry.as_ref().map_or(0x40, Entry::key)]))
            }
            (ABORT, Some(pad)) if pad.aborts => {
                if let Some(entry) = &mut self.entry {
                    entry.abort();
                }
                Ok(Control::Answer(Vec::new()))
            }
            _ => Err(Failure::Unsupported),
        }
    }

    /// Lets the user of the PIN pad act: what comes of it, and how long it takes.
    fn enter_pin(&mut self, entry: impl FnOnce(&mut PinPad) -> Result<Vec<u8>, Status>) -> Result<Control, Failure> {
        self.ready()?;
        let pad = self.pin_pad.as_mut().ok_or(Failure::Unsupported)?;
        let before = pad.prompts;
        let outcome = entry(pad);
        Ok(Control::Entry { outcome, delay: pad.delay * (pad.prompts - before) })
    }

    /// Does the same while the host goes on.
    fn start(&mut self, entry: impl FnOnce(&mut PinPad) -> Result<Vec<u8>, Status>) -> Result<Control, Failure> {
        if let Control::Entry { outcome, delay } = self.enter_pin(entry)? {
            self.entry = Some(Entry { outcome, until: Instant::now() + delay });
        }
        Ok(Control::Answer(Vec::new()))
    }

    /// The end of what was started.
    fn finish(&mut self) -> Result<Control, Failure> {
        self.ready()?;
        let Entry { outcome, until } = self.entry.take().ok_or(Failure::Communication)?;
        Ok(Control::Entry { outcome, delay: until.saturating_duration_since(Instant::now()) })
    }

    pub(super) fn attribute(&self, tag: u32) -> Result<Vec<u8>, Failure> {
        if !self.plugged {
            return Err(Failure::NoReader);
        }
        match tag {
            TAG_IFD_ATR | SCARD_ATTR_ATR_STRING => match &self.card {
                Some(card) if self.powered => Ok(card.atr()),
                _ => Ok(Vec::new()),
            },
            TAG_IFD_POLLING_THREAD_WITH_TIMEOUT if self.properties.interrupts => Ok(Vec::new()),
            SCARD_ATTR_ICC_PRESENCE => Ok(vec![if self.seated { 2 } else { 0 }]),
            SCARD_ATTR_ICC_INTERFACE_STATUS => Ok(vec![u8::from(self.powered)]),
            _ => self.properties.attribute(tag),
        }
    }
}
