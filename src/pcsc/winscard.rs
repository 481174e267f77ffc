//! The floor-1 traits over the system's PC/SC service, through the `pcsc` crate.
//!
//! Every connection has a PC/SC context of its own: pcsc-lite serializes all calls of one context, so that a
//! slow card on a shared context would delay every other reader.

use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::{
    Begun, Connection, Context, Disposition, KnownState, LinkError, ReaderState, ShareMode, Transaction, Waiter, t0,
};

/// Longest response APDU that fits an extended-length answer: 65,536 bytes and the status word.
const LONGEST_RESPONSE: usize = 65_538;
/// Longest answer of a reader driver to a control code.
const LONGEST_CONTROL_ANSWER: usize = 264;
/// How often a transaction is tried again after resets by others.
const BEGIN_ATTEMPTS: usize = 4;
/// Pause between two attempts to cancel a wait.
const CANCEL_INTERVAL: Duration = Duration::from_millis(5);
/// Name of the pseudo-reader that stands for readers coming and going (PC/SC part 5).
const PNP_NOTIFICATION: &CStr = c"\\\\?PnP?\\Notification";

/// The system's PC/SC service. The context is established by the first call and again after the service
/// restarted.
#[derive(Default)]
pub struct System {
    context: Mutex<Option<pcsc::Context>>,
}

impl System {
    /// A service that is contacted by the first call.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `call` with an established context; a context that the service forgot is replaced once.
    fn with_context<T>(&self, call: impl Fn(&pcsc::Context) -> Result<T, pcsc::Error>) -> Result<T, LinkError> {
        let mut guard = self.context.lock();
        let context = match guard.take() {
            Some(context) => context,
            None => establish()?,
        };
        match call(&context) {
            Err(error) if is_stale(error) => {
                let fresh = establish()?;
                let result = call(&fresh);
                *guard = Some(fresh);
                result.map_err(link_error)
            }
            result => {
                *guard = Some(context);
                result.map_err(link_error)
            }
        }
    }
}

fn establish() -> Result<pcsc::Context, LinkError> {
    pcsc::Context::establish(pcsc::Scope::User).map_err(link_error)
}

/// Errors that say that the service no longer knows this context.
fn is_stale(error: pcsc::Error) -> bool {
    use pcsc::Error as E;
    matches!(error, E::InvalidHandle | E::NoService | E::ServiceStopped | E::CommError | E::Shutdown | E::InternalError)
}

fn link_error(error: pcsc::Error) -> LinkError {
    use pcsc::Error as E;
    match error {
        E::NoService | E::ServiceStopped | E::Shutdown | E::InvalidHandle | E::InternalError => LinkError::NoService,
        E::UnknownReader | E::ReaderUnavailable | E::NoReadersAvailable => LinkError::NoReader,
        E::NoSmartcard => LinkError::NoCard,
        E::RemovedCard => LinkError::Removed,
        E::ResetCard => LinkError::Reset,
        E::UnpoweredCard => LinkError::Unpowered,
        E::UnresponsiveCard => LinkError::Mute,
        E::SharingViolation => LinkError::Sharing,
        E::ProtoMismatch => LinkError::Protocol,
        E::NotTransacted | E::CommError | E::CommDataLost => LinkError::Communication,
        E::Timeout | E::WaitedTooLong => LinkError::Timeout,
        E::Cancelled | E::SystemCancelled => LinkError::Cancelled,
        E::UnsupportedFeature | E::ReaderUnsupported => LinkError::Unsupported,
        other => LinkError::Other(other as u32),
    }
}

fn reader_name(reader: &str) -> Result<CString, LinkError> {
    CString::new(reader).map_err(|_| LinkError::NoReader)
}

fn state_of(entry: &pcsc::ReaderState) -> ReaderState {
    let state = entry.event_state();
    let unusable = pcsc::State::UNKNOWN | pcsc::State::UNAVAILABLE | pcsc::State::IGNORE;
    let card_present = state.contains(pcsc::State::PRESENT);
    ReaderState {
        available: !state.intersects(unusable),
        card_present,
        mute: state.contains(pcsc::State::MUTE),
        exclusive: state.contains(pcsc::State::EXCLUSIVE),
        event_count: entry.event_count(),
        atr: if card_present { entry.atr().to_vec() } else { Vec::new() },
    }
}

impl Context for System {
    fn readers(&self) -> Result<Vec<String>, LinkError> {
        let names = self.with_context(pcsc::Context::list_readers_owned)?;
        Ok(names.into_iter().map(|name| name.to_string_lossy().into_owned()).collect())
    }

    fn state(&self, reader: &str) -> Result<ReaderState, LinkError> {
        let name = reader_name(reader)?;
        self.with_context(|context| {
            let mut entries = [pcsc::ReaderState::new(name.clone(), pcsc::State::UNAWARE)];
            context.get_status_change(Duration::ZERO, &mut entries)?;
            let [entry] = &entries;
            Ok(state_of(entry))
        })
    }

    fn settled(&self, reader: &str, patience: Duration) -> Result<ReaderState, LinkError> {
        let name = reader_name(reader)?;
        // On a context of its own: other readers' states are asked for meanwhile.
        let context = establish()?;
        let mut entries = [pcsc::ReaderState::new(name, pcsc::State::UNAWARE)];
        let started = Instant::now();
        let mut left = Duration::ZERO;
        loop {
            context.get_status_change(left, &mut entries).or_else(ignore_timeout).map_err(link_error)?;
            let [entry] = &mut entries;
            let state = state_of(entry);
            left = patience.saturating_sub(started.elapsed());
            if !state.card_present || left.is_zero() {
                return Ok(state);
            }
            entry.sync_current_state();
        }
    }

    fn connect(&self, reader: &str, share: ShareMode) -> Result<Box<dyn Connection>, LinkError> {
        let name = reader_name(reader)?;
        let context = establish()?;
        let protocols = if share == ShareMode::Direct { pcsc::Protocols::UNDEFINED } else { pcsc::Protocols::ANY };
        let card = context.connect(&name, share.into(), protocols).map_err(link_error)?;
        Ok(Box::new(SystemConnection { speaks_t0: speaks_t0(&card), card: Some(card), share }))
    }

    fn waiter(&self) -> Result<Box<dyn Waiter>, LinkError> {
        Ok(Box::new(SystemWaiter { context: establish()?, state: Mutex::default() }))
    }

    fn refresh(&self) {
        *self.context.lock() = None;
    }
}

impl From<ShareMode> for pcsc::ShareMode {
    fn from(mode: ShareMode) -> Self {
        match mode {
            ShareMode::Shared => Self::Shared,
            ShareMode::Exclusive => Self::Exclusive,
            ShareMode::Direct => Self::Direct,
        }
    }
}

impl From<Disposition> for pcsc::Disposition {
    fn from(disposition: Disposition) -> Self {
        match disposition {
            Disposition::Leave => Self::LeaveCard,
            Disposition::Reset => Self::ResetCard,
            Disposition::Unpower => Self::UnpowerCard,
            Disposition::Eject => Self::EjectCard,
        }
    }
}

/// `None` only while and after it disconnects: dropping a `pcsc::Card` would reset the card.
struct SystemConnection {
    card: Option<pcsc::Card>,
    share: ShareMode,
    /// The card speaks T=0; looked up whenever the protocol may have changed.
    speaks_t0: bool,
}

fn speaks_t0(card: &pcsc::Card) -> bool {
    card.status2_owned().is_ok_and(|status| status.protocol2() == Some(pcsc::Protocol::T0))
}

impl SystemConnection {
    fn close(&mut self, disposition: Disposition) -> Result<(), LinkError> {
        match self.card.take().map(|card| card.disconnect(disposition.into())) {
            None | Some(Ok(())) => Ok(()),
            Some(Err((_dead_handle, error))) => Err(link_error(error)),
        }
    }
}

impl Connection for SystemConnection {
    fn begin(&mut self) -> Result<Begun<'_>, LinkError> {
        let Self { card, share, speaks_t0: t0 } = self;
        let mut card = card.as_mut().ok_or(LinkError::Unpowered)?;
        let mut was_reset = false;
        for _ in 0..BEGIN_ATTEMPTS {
            match card.transaction2() {
                Ok(transaction) => {
                    let transaction = Box::new(SystemTransaction { transaction: Some(transaction), speaks_t0: *t0 });
                    return Ok(Begun { transaction, was_reset });
                }
                Err((again, pcsc::Error::ResetCard | pcsc::Error::UnpoweredCard)) => {
                    card = again;
                    was_reset = true;
                    card.reconnect((*share).into(), pcsc::Protocols::ANY, pcsc::Disposition::LeaveCard)
                        .map_err(link_error)?;
                    *t0 = speaks_t0(card);
                }
                Err((_, error)) => return Err(link_error(error)),
            }
        }
        Err(LinkError::Reset)
    }

    fn atr(&self) -> Vec<u8> {
        let status = self.card.as_ref().map(pcsc::Card::status2_owned);
        status.and_then(Result::ok).map(|status| status.atr().to_vec()).unwrap_or_default()
    }

    fn disconnect(mut self: Box<Self>, disposition: Disposition) -> Result<(), LinkError> {
        self.close(disposition)
    }
}

impl Drop for SystemConnection {
    fn drop(&mut self) {
        // The card is left as it is; an error here means that the service is gone already.
        let _ = self.close(Disposition::Leave);
    }
}

/// `None` only after its end.
struct SystemTransaction<'c> {
    transaction: Option<pcsc::Transaction<'c>>,
    speaks_t0: bool,
}

impl SystemTransaction<'_> {
    fn card(&self) -> Result<&pcsc::Transaction<'_>, LinkError> {
        self.transaction.as_ref().ok_or(LinkError::Unpowered)
    }
}

impl Transaction for SystemTransaction<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, LinkError> {
        let mut buffer = Zeroizing::new(vec![0; LONGEST_RESPONSE]);
        let tpdu = if self.speaks_t0 { t0::tpdu(command) } else { Cow::Borrowed(command) };
        let length = self.card()?.transmit(&tpdu, &mut buffer).map_err(link_error)?.len();
        Ok(Zeroizing::new(buffer.get(..length).unwrap_or_default().to_vec()))
    }

    fn control(&mut self, code: u32, input: &[u8]) -> Result<Vec<u8>, LinkError> {
        let mut buffer = vec![0; LONGEST_CONTROL_ANSWER];
        let answer = self.card()?.control(code.into(), input, &mut buffer).map_err(link_error)?;
        Ok(answer.to_vec())
    }

    fn end(mut self: Box<Self>, disposition: Disposition) -> Result<(), LinkError> {
        match self.transaction.take().map(|transaction| transaction.end(disposition.into())) {
            None | Some(Ok(())) => Ok(()),
            Some(Err((_, error))) => Err(link_error(error)),
        }
    }
}

#[derive(Default)]
struct WaiterState {
    waiting: bool,
    cancelled: bool,
}

struct SystemWaiter {
    context: pcsc::Context,
    state: Mutex<WaiterState>,
}

impl SystemWaiter {
    fn wait_for_difference(&self, known: &[KnownState]) -> Result<(), LinkError> {
        let mut entries = vec![pcsc::ReaderState::new(PNP_NOTIFICATION, pcsc::State::UNAWARE)];
        for item in known {
            entries.push(pcsc::ReaderState::new(reader_name(&item.reader)?, pcsc::State::UNAWARE));
        }
        // The first look tells the present states; only a difference from what the caller knows ends the wait.
        self.context.get_status_change(Duration::ZERO, &mut entries).or_else(ignore_timeout).map_err(link_error)?;
        if entries.iter().skip(1).zip(known).any(|(entry, item)| state_of(entry) != item.state) {
            return Ok(());
        }
        for entry in &mut entries {
            entry.sync_current_state();
        }
        if self.state.lock().cancelled {
            return Err(LinkError::Cancelled);
        }
        self.context.get_status_change(None, &mut entries).map_err(link_error)
    }
}

impl Waiter for SystemWaiter {
    fn wait(&self, known: &[KnownState]) -> Result<(), LinkError> {
        self.state.lock().waiting = true;
        let result = self.wait_for_difference(known);
        self.state.lock().waiting = false;
        result
    }

    fn cancel(&self) {
        self.state.lock().cancelled = true;
        // SCardCancel reaches a call that is already waiting in the service and no other, so it is repeated
        // until the waiter has left.
        while self.state.lock().waiting {
            if self.context.cancel().is_err() {
                break;
            }
            std::thread::sleep(CANCEL_INTERVAL);
        }
    }
}

fn ignore_timeout(error: pcsc::Error) -> Result<(), pcsc::Error> {
    if error == pcsc::Error::Timeout { Ok(()) } else { Err(error) }
}
