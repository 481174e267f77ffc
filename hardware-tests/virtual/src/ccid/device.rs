//! The reader as a USB device: messages in, answers and notices out, a virtual reader of the bench behind it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use cardea_harness::reader::{Failure, VirtualReader};
use cardea_virtual_reader::protocol::PowerAction;

use super::description::{BULK_IN, BULK_OUT, INTERRUPT_IN};
use super::exchange::{Exchange, Trouble};
use super::message::{ErrorCode, IccStatus, notify_slot_change};
use super::parameters::Parameters;
use super::secure::{self, PinOperation};
use super::{Command, ExchangeLevel, Message, ReaderDescription, Response};
use crate::usb::{Descriptors, Device, Pipe, Setup};

/// The host is told this often that a command takes longer.
const PATIENCE: Duration = Duration::from_millis(700);
/// The watcher looks this often whether the host is still there.
const WATCH: Duration = Duration::from_millis(200);

/// The GemPC PinPad: libccid 1.5.2 loads the texts for its display by PC_to_RDR_Escape when it opens the reader, and
/// gives it up if that fails.
const GEMPC_PINPAD: (u16, u16) = (0x08E6, 0x3478);

/// Requests of the class (CCID 5.3).
const ABORT: u8 = 0x01;
const GET_CLOCK_FREQUENCIES: u8 = 0x02;
const GET_DATA_RATES: u8 = 0x03;

/// A handle on one USB reader.
#[derive(Clone)]
pub struct CcidReader(Arc<Inner>);

struct Inner {
    description: ReaderDescription,
    reader: VirtualReader,
    state: Mutex<State>,
    /// Counts attachments: a watcher of an earlier one ends.
    attachment: AtomicU64,
}

struct State {
    pipe: Option<Arc<dyn Pipe>>,
    received: Vec<u8>,
    parameters: Parameters,
    exchange: Exchange,
    /// bSeq of an ABORT request that awaits PC_to_RDR_Abort.
    aborting: Option<u8>,
    log: Vec<Message>,
    traffic: Vec<u8>,
}

impl CcidReader {
    /// A reader of this description around `reader`, whose cards it uses.
    #[must_use]
    pub fn new(description: ReaderDescription, reader: VirtualReader) -> Self {
        let level = description.exchange_level();
        let parameters = Parameters::default();
        let state = State {
            pipe: None,
            received: Vec::new(),
            exchange: parameters.exchange(level),
            parameters,
            aborting: None,
            log: Vec::new(),
            traffic: Vec::new(),
        };
        Self(Arc::new(Inner { description, reader, state: Mutex::new(state), attachment: AtomicU64::new(0) }))
    }

    /// What the reader says of itself.
    #[must_use]
    pub fn description(&self) -> &ReaderDescription {
        &self.0.description
    }

    /// The virtual reader behind it: cards, PIN pad, faults.
    #[must_use]
    pub fn reader(&self) -> &VirtualReader {
        &self.0.reader
    }

    /// Every message from the host since creation or [`Self::clear_log`].
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.state().log.clone()
    }

    /// How many messages were of this kind.
    #[must_use]
    pub fn count(&self, command: Command) -> usize {
        self.state().log.iter().filter(|message| message.command == command).count()
    }

    /// Whether these bytes went over the bus, in either direction.
    #[must_use]
    pub fn has_carried(&self, bytes: &[u8]) -> bool {
        self.state().traffic.windows(bytes.len()).any(|window| window == bytes)
    }

    /// Forgets the messages and the traffic.
    pub fn clear_log(&self) {
        let mut state = self.state();
        state.log.clear();
        state.traffic.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn level(&self) -> Option<ExchangeLevel> {
        self.0.description.exchange_level()
    }

    fn icc_status(&self) -> IccStatus {
        match (self.0.reader.presence(), self.0.reader.is_powered()) {
            (Ok(()), true) => IccStatus::Active,
            (Ok(()), false) => IccStatus::Inactive,
            (Err(_), _) => IccStatus::Absent,
        }
    }

    /// Sends an answer, with extensions of time before it if it is long in coming.
    fn reply(&self, message: &Message) {
        let (sender, outcome) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || sender.send(self.carry_out(message)));
            loop {
                match outcome.recv_timeout(PATIENCE) {
                    Ok(response) => return self.send(response),
                    Err(RecvTimeoutError::Timeout) => {
                        self.send(Response::time_extension(message, self.icc_status(), 1));
                    }
                    // the card is a virtual one and has panicked
                    Err(RecvTimeoutError::Disconnected) => {
                        return self.send(Response::failure(message, self.icc_status(), ErrorCode::HW_ERROR));
                    }
                }
            }
        });
    }

    /// Sends an answer, unless the reader was unplugged before it could be sent.
    fn send(&self, response: Response) {
        if !self.0.reader.is_plugged() {
            return;
        }
        let bytes = response.into_bytes();
        let mut state = self.state();
        state.traffic.extend(&bytes);
        let pipe = state.pipe.clone();
        drop(state);
        if let Some(pipe) = pipe {
            pipe.send(BULK_IN, bytes);
        }
    }

    fn carry_out(&self, message: &Message) -> Response {
        if message.slot > self.0.description.max_slot_index {
            return Response::failure(message, IccStatus::Absent, ErrorCode::SLOT_DOES_NOT_EXIST);
        }
        if message.slot > 0 {
            // only the first slot takes cards
            return match message.command {
                Command::GetSlotStatus | Command::IccPowerOff => Response::success(message, IccStatus::Absent, 0, &[]),
                _ => Response::failure(message, IccStatus::Absent, ErrorCode::ICC_MUTE),
            };
        }
        let outcome = match message.command {
            Command::IccPowerOn => self.power_on(message.specific[0]),
            Command::IccPowerOff => self.0.reader.power_off().map(|()| (0, Vec::new())).map_err(Trouble::Card),
            Command::GetSlotStatus => Ok((0, Vec::new())),
            Command::XfrBlock => self.exchange(message),
            Command::Secure => self.secure(message),
            Command::GetParameters => Ok(self.parameters()),
            Command::ResetParameters => {
                let mut state = self.state();
                state.parameters = state.parameters.reset();
                drop(state);
                Ok(self.parameters())
            }
            Command::SetParameters => self.set_parameters(message),
            Command::IccClock => Ok((message.specific[0] & 1, Vec::new())),
            Command::T0Apdu => Ok((0, Vec::new())),
            Command::SetDataRateAndClockFrequency if message.data.len() == 8 => Ok((0, message.data.clone())),
            Command::SetDataRateAndClockFrequency => Err(Trouble::Refused(ErrorCode::BAD_LENGTH)),
            Command::Abort => self.abort(message.sequence),
            Command::Escape if self.0.description.product_id() == GEMPC_PINPAD => Ok((0, Vec::new())),
            Command::Escape | Command::Mechanical | Command::Unknown(_) => {
                Err(Trouble::Refused(ErrorCode::COMMAND_NOT_SUPPORTED))
            }
        };
        let icc = self.icc_status();
        match outcome {
            Ok((last, data)) => Response::success(message, icc, last, &data),
            Err(Trouble::Refused(error)) => Response::failure(message, icc, error),
            Err(Trouble::Card(failure)) => Response::failure(message, icc, card_error(failure)),
        }
    }

    fn power_on(&self, voltage: u8) -> Result<(u8, Vec<u8>), Trouble> {
        let description = &self.0.description;
        let automatic = description.features & 0x08 != 0;
        let known = match voltage {
            0 => true,
            1..=3 => !automatic && description.voltages & (1 << (voltage - 1)) != 0,
            _ => false,
        };
        if !known {
            return Err(Trouble::Refused(ErrorCode::BAD_PARAMETER));
        }
        // an active card is reset, not switched off (CCID 6.1.1)
        let atr = self.0.reader.power(PowerAction::Reset)?;
        let mut state = self.state();
        state.parameters = Parameters::of(&atr);
        state.exchange = state.parameters.exchange(self.level());
        Ok((0, atr))
    }

    fn exchange(&self, message: &Message) -> Result<(u8, Vec<u8>), Trouble> {
        let room = self.0.description.max_data();
        if message.data.len() > room {
            return Err(Trouble::Refused(ErrorCode::BAD_LENGTH));
        }
        let parameter = u16::from_le_bytes([message.specific[1], message.specific[2]]);
        // the lock is not held while the card works: a request or a notice may come between
        let mut exchange = self.state().exchange.clone();
        let outcome = exchange.block(parameter, &message.data, room, |command| self.0.reader.transmit(command));
        self.state().exchange = exchange;
        outcome
    }

    fn secure(&self, message: &Message) -> Result<(u8, Vec<u8>), Trouble> {
        let operation = PinOperation::parse(&message.data).map_err(Trouble::Refused)?;
        let ability = if operation.modifies() { 2 } else { 1 };
        if self.0.description.pin_support & ability == 0 {
            return Err(Trouble::Refused(ErrorCode::COMMAND_NOT_SUPPORTED));
        }
        let response = match self.0.reader.control(operation.code, &operation.structure, 1 << 16) {
            Err(Failure::Unsupported) => return Err(Trouble::Refused(ErrorCode::COMMAND_NOT_SUPPORTED)),
            outcome => outcome?,
        };
        if self.state().aborting.is_some() {
            return Err(Trouble::Refused(ErrorCode::CMD_ABORTED));
        }
        if let Some(error) = secure::error(&response) {
            return Err(Trouble::Refused(error));
        }
        match &mut self.state().exchange {
            Exchange::T1(card) => Ok((0, card.answer(response))),
            _ => Ok((0, response)),
        }
    }

    /// bProtocolNum and abProtocolDataStructure.
    fn parameters(&self) -> (u8, Vec<u8>) {
        let state = self.state();
        (state.parameters.protocol(), state.parameters.to_bytes())
    }

    fn set_parameters(&self, message: &Message) -> Result<(u8, Vec<u8>), Trouble> {
        let wanted = Parameters::parse(message.specific[0], &message.data);
        self.state().parameters = wanted.map_err(Trouble::Refused)?;
        Ok(self.parameters())
    }

    /// PC_to_RDR_Abort (6.1.13) belongs to the control request with the same number.
    fn abort(&self, sequence: u8) -> Result<(u8, Vec<u8>), Trouble> {
        match self.state().aborting.take() {
            Some(number) if number == sequence => Ok((0, Vec::new())),
            _ => Err(Trouble::Refused(ErrorCode::COMMAND_NOT_SUPPORTED)),
        }
    }

    /// Tells the host of cards that come and go until it is gone; a reader that is unplugged leaves the bus.
    fn watch(&self, attachment: u64, pipe: &dyn Pipe) {
        let current = || self.0.attachment.load(Ordering::SeqCst) == attachment;
        let mut told = false;
        let mut movements = self.0.reader.await_movement(u32::MAX, Duration::ZERO);
        while current() {
            if !self.0.reader.is_plugged() {
                return pipe.unplug();
            }
            let present = self.0.reader.is_present();
            if present != told && self.0.description.interrupts {
                pipe.send(INTERRUPT_IN, notify_slot_change(self.0.description.max_slot_index + 1, present));
            }
            told = present;
            movements = self.0.reader.await_movement(movements, WATCH);
        }
    }
}

/// bError for what became of a card.
fn card_error(failure: Failure) -> ErrorCode {
    match failure {
        Failure::NoCard | Failure::Unpowered | Failure::Mute => ErrorCode::ICC_MUTE,
        Failure::Communication => ErrorCode::XFR_PARITY_ERROR,
        _ => ErrorCode::HW_ERROR,
    }
}

impl Device for CcidReader {
    fn descriptors(&self) -> Descriptors {
        self.0.description.descriptors()
    }

    fn request(&self, setup: &Setup, _data: &[u8]) -> Option<Vec<u8>> {
        let list = |values: &[u32]| {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (!bytes.is_empty()).then_some(bytes)
        };
        match (setup.request_type, setup.request) {
            (0x21, ABORT) => {
                self.state().aborting = Some(setup.value.to_le_bytes()[1]);
                Some(Vec::new())
            }
            (0xA1, GET_CLOCK_FREQUENCIES) => list(&self.0.description.clocks),
            (0xA1, GET_DATA_RATES) => list(&self.0.description.data_rates),
            _ => None,
        }
    }

    fn output(&self, endpoint: u8, data: &[u8]) {
        if endpoint != BULK_OUT {
            return;
        }
        let mut state = self.state();
        state.traffic.extend(data);
        state.received.extend(data);
        drop(state);
        loop {
            let mut state = self.state();
            let Some(message) = Message::take(&mut state.received) else {
                return;
            };
            state.log.push(message.clone());
            drop(state);
            self.reply(&message);
        }
    }

    fn attached(&self, pipe: Arc<dyn Pipe>) {
        let attachment = self.0.attachment.fetch_add(1, Ordering::SeqCst) + 1;
        let mut state = self.state();
        state.pipe = Some(pipe.clone());
        state.received.clear();
        state.aborting = None;
        drop(state);
        let reader = self.clone();
        thread::spawn(move || reader.watch(attachment, pipe.as_ref()));
    }

    fn detached(&self) {
        self.0.attachment.fetch_add(1, Ordering::SeqCst);
        self.state().pipe = None;
        // the bus gives no power any more
        if self.0.reader.is_powered() {
            let _ = self.0.reader.power_off();
        }
    }
}
