//! What a reader knows: its card, where that is, and what it has been told to do.

use std::time::Duration;

use cardea_virtual_reader::protocol::{PowerAction, TAG_IFD_ATR, TAG_IFD_POLLING_THREAD_WITH_TIMEOUT};

use super::fault::Faults;
use super::log::{Event, Log};
use super::pinpad::{IFD_PIN_PROPERTIES, MODIFY_PIN_DIRECT, PinPad, VERIFY_PIN_DIRECT};
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
    /// A command whose response is the answer, after the time that the user took.
    Command { command: Vec<u8>, delay: Duration },
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
    pub(super) attached: usize,
    pub(super) latency: Duration,
    pub(super) properties: Properties,
    pub(super) pin_pad: Option<PinPad>,
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
            attached: 0,
            latency: Duration::ZERO,
            properties,
            pin_pad: None,
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

    pub(super) fn control(&mut self, code: u32, data: &[u8]) -> Result<Control, Failure> {
        const VERIFY: u32 = feature_code(VERIFY_PIN_DIRECT);
        const MODIFY: u32 = feature_code(MODIFY_PIN_DIRECT);
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
            (VERIFY, Some(_)) => self.enter_pin(|pad| pad.verify(data)),
            (MODIFY, Some(pad)) if pad.modifies => self.enter_pin(|pad| pad.modify(data)),
            _ => Err(Failure::Unsupported),
        }
    }

    /// Lets the user of the PIN pad act; a status word of the reader's own is an answer like the card's.
    fn enter_pin(&mut self, entry: impl FnOnce(&mut PinPad) -> Result<Vec<u8>, [u8; 2]>) -> Result<Control, Failure> {
        self.ready()?;
        let pad = self.pin_pad.as_mut().ok_or(Failure::Unsupported)?;
        let before = pad.prompts;
        Ok(match entry(pad) {
            Ok(command) => Control::Command { command, delay: pad.delay * (pad.prompts - before) },
            Err(status) => Control::Answer(status.to_vec()),
        })
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
