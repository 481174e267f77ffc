//! Floor 1, the link: what PC/SC offers, as three small traits.
//!
//! `winscard` implements them over pcsc-lite, `recorder` writes down what goes through another, `replay` plays that back;
//! tests implement them over virtual readers in process.

pub mod part10;
pub mod recorder;
pub mod replay;
mod t0;
pub mod transcript;
pub mod winscard;

use std::ops::Range;
use std::time::Duration;

use thiserror::Error;
use zeroize::Zeroizing;

/// Why the link to a card failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LinkError {
    /// The PC/SC service is not running or went away.
    #[error("the PC/SC service is not available")]
    NoService,
    /// The reader is not connected (any more).
    #[error("the reader is not available")]
    NoReader,
    /// There is no card in the reader.
    #[error("no card in the reader")]
    NoCard,
    /// The card was removed since the connection was made.
    #[error("the card was removed")]
    Removed,
    /// The card was reset since our last transaction.
    #[error("the card was reset")]
    Reset,
    /// The card has no power.
    #[error("the card is not powered")]
    Unpowered,
    /// The card does not answer the reset or a command.
    #[error("the card does not respond")]
    Mute,
    /// Somebody else holds the card exclusively.
    #[error("another program holds the card exclusively")]
    Sharing,
    /// Reader and card found no common protocol.
    #[error("no common protocol with the card")]
    Protocol,
    /// The exchange failed between reader and card.
    #[error("the exchange with the card failed")]
    Communication,
    /// The wait ended without an event.
    #[error("timeout")]
    Timeout,
    /// The wait was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The reader refuses the request.
    #[error("the reader does not support this")]
    Unsupported,
    /// Any other PC/SC code.
    #[error("PC/SC error {0:#010x}")]
    Other(u32),
}

/// What happens to the card at the end of a transaction or connection (PC/SC part 5, `SCARD_*_CARD`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Nothing.
    Leave,
    /// Warm reset.
    Reset,
    /// Power off.
    Unpower,
    /// Mechanical ejection where the reader can.
    Eject,
}

/// Whether others may use the card at the same time (PC/SC part 5, `SCARD_SHARE_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareMode {
    /// Others may connect too.
    Shared,
    /// Nobody else may connect.
    Exclusive,
    /// To the reader itself, whether or not a card is in it: for control codes only.
    Direct,
}

/// A reader's state at one moment, without any card command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReaderState {
    /// The reader itself is there.
    pub available: bool,
    /// A card is in the reader.
    pub card_present: bool,
    /// The card does not answer its reset.
    pub mute: bool,
    /// Somebody holds the card exclusively.
    pub exclusive: bool,
    /// Insertions and removals counted by the PC/SC service.
    pub event_count: u32,
    /// The ATR of the present card; empty without one.
    pub atr: Vec<u8>,
}

/// What a blocking wait compares with: the caller's last view of one reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownState {
    /// Reader name.
    pub reader: String,
    /// The last state seen.
    pub state: ReaderState,
}

/// A PC/SC context (`SCARDCONTEXT`).
pub trait Context: Send + Sync {
    /// Names of the readers that the service knows; empty when there is none.
    fn readers(&self) -> Result<Vec<String>, LinkError>;
    /// State of one reader at this moment.
    fn state(&self, reader: &str) -> Result<ReaderState, LinkError>;
    /// State of one reader as soon as its card is gone, or after `patience`.
    fn settled(&self, reader: &str, patience: Duration) -> Result<ReaderState, LinkError>;
    /// Opens a connection to the card in `reader`.
    fn connect(&self, reader: &str, share: ShareMode) -> Result<Box<dyn Connection>, LinkError>;
    /// A waiter of its own, so that waiting and cancelling do not disturb this context.
    fn waiter(&self) -> Result<Box<dyn Waiter>, LinkError>;
    /// Forgets a broken connection to the service, so that the next call makes a fresh one.
    fn refresh(&self);
}

/// Waits for reader events in the caller's thread.
pub trait Waiter: Send + Sync {
    /// Blocks until a reader differs from `known`, a reader comes or goes, or `cancel` is called.
    fn wait(&self, known: &[KnownState]) -> Result<(), LinkError>;
    /// Ends a `wait` that is running in another thread, or the next one.
    fn cancel(&self);
}

/// A connection to one card (`SCARDHANDLE`).
pub trait Connection: Send {
    /// Starts a transaction: no other connection reaches the card until it ends. A card that others reset
    /// or that lost its power is reconnected first, as it was connected before.
    fn begin(&mut self) -> Result<Begun<'_>, LinkError>;
    /// ATR of the card as connected.
    fn atr(&self) -> Vec<u8>;
    /// Closes the connection.
    fn disconnect(self: Box<Self>, disposition: Disposition) -> Result<(), LinkError>;
}

/// A transaction that has started.
pub struct Begun<'c> {
    /// The transaction.
    pub transaction: Box<dyn Transaction + 'c>,
    /// The card was reset since our last transaction: its volatile state is gone.
    pub was_reset: bool,
}

/// A transaction: all card commands happen inside one.
pub trait Transaction {
    /// Says which bytes of the next command or control code are secret, and whether its answer is: for those who
    /// write down what goes through, and nobody else.
    fn conceal(&mut self, _command: Option<Range<usize>>, _response: bool) {}
    /// Sends a command APDU and returns the response APDU, status word included.
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, LinkError>;
    /// Sends a control code to the reader driver.
    fn control(&mut self, code: u32, input: &[u8]) -> Result<Vec<u8>, LinkError>;
    /// Ends the transaction.
    fn end(self: Box<Self>, disposition: Disposition) -> Result<(), LinkError>;
}
