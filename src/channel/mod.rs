//! Floor 2, the channel: a card command in, its whole answer out.
//!
//! Hides what ISO 7816-4 leaves to the transport: answers in pieces (61xx), wrong expected lengths (6Cxx),
//! command chaining and extended length. Exists only inside a transaction.

pub mod limits;
pub mod logical;
pub mod pin_pad;
mod trace;

use std::ops::Range;

use cardea_apdu::{Command, Response, StatusWord, cla};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::log::Log;
use crate::pcsc::{LinkError, Transaction};
use limits::Limits;

/// The last command of a chain was expected (ISO 7816-4 5.3.3).
const LAST_COMMAND_OF_CHAIN_EXPECTED: StatusWord = StatusWord(0x6883);
/// Instructions that carry reference data (ISO 7816-4 11.6).
const INS_VERIFY: u8 = 0x20;
const INS_CHANGE_REFERENCE_DATA: u8 = 0x24;
const INS_RESET_RETRY_COUNTER: u8 = 0x2C;

/// Longest answer that is collected; longer ones are an attack or a fault.
const LONGEST_ANSWER: usize = 65_536;
/// Most GET RESPONSE commands for one answer: 65,536 bytes in pieces of 128 bytes.
const MOST_PIECES: usize = 512;

/// Most commands for finding out what a card is or what is on it: 512 KiB in short answers, more than cards hold.
pub const MOST_QUESTIONS: u64 = 2048;

/// Why an exchange failed below the meaning of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ChannelError {
    /// The link failed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The command cannot be encoded (data too long).
    #[error("the command cannot be encoded")]
    Command,
    /// The answer has no status word, or is longer than any answer may be.
    #[error("malformed response APDU")]
    Malformed,
    /// The card keeps announcing more data.
    #[error("the card never stops answering")]
    Endless,
}

/// A card channel inside an open transaction.
pub struct Channel<'t> {
    transaction: &'t mut (dyn Transaction + 't),
    limits: &'t mut Limits,
    log: &'t Log,
    reader: &'t str,
    /// ISO 7816-4 logical channel number.
    number: u8,
    commands: u64,
    /// How many commands there may be in all.
    most: u64,
}

/// How a command travels.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Short,
    Extended,
}

/// What the card said to a chain of commands.
struct ChainResponse {
    last: Response,
    /// The card refused the first part for its length.
    refused_at_start: bool,
}

impl<'t> Channel<'t> {
    /// The basic channel of the card in `transaction`.
    pub fn basic(
        transaction: &'t mut (dyn Transaction + 't),
        limits: &'t mut Limits,
        log: &'t Log,
        reader: &'t str,
    ) -> Self {
        Self { transaction, limits, log, reader, number: 0, commands: 0, most: u64::MAX }
    }

    /// The logical channel that commands go to; 0 is the basic one.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Sends what follows to another logical channel, which is open on the card.
    pub fn switch_to(&mut self, number: u8) {
        self.number = number;
    }

    /// The card says how long a command APDU it takes.
    pub fn card_takes(&mut self, command: usize) {
        self.limits.card_takes(command);
    }

    /// Command APDUs sent so far, GET RESPONSE and parts of chains included.
    pub fn commands(&self) -> u64 {
        self.commands
    }

    /// Runs what a card could drag out without end by lists and files that go on and on: after so many commands each
    /// is answered `Endless`, without being sent.
    pub fn bounded<R>(&mut self, commands: u64, work: impl FnOnce(&mut Self) -> R) -> R {
        let outer = self.most;
        self.most = outer.min(self.commands.saturating_add(commands));
        let result = work(self);
        self.most = outer;
        result
    }

    /// Sends `command` in the form that card and reader can take and returns the complete answer with its
    /// final status word, which is never 61xx or 6Cxx with data outstanding.
    pub fn transmit(&mut self, command: Command) -> Result<Response, ChannelError> {
        let class = cla::for_channel(command.cla(), self.number).ok_or(ChannelError::Command)?;
        let command = command.with_cla(class);
        let wants_extended = !command.fits_short() || command.expects_everything();
        if wants_extended && self.limits.allow_extended(&command) {
            match self.begin(&command, Form::Extended) {
                Ok(response) if response.sw() == StatusWord::WRONG_LENGTH => self.limits.extended_refused(),
                Ok(response) => {
                    if response.sw().is_success() {
                        self.limits.extended_worked();
                    }
                    return Ok(response);
                }
                Err(error) if is_length_suspect(error) && self.limits.extended_failed() => {}
                Err(error) => return Err(error),
            }
        }
        self.transmit_short(command)
    }

    /// Short commands; data that do not fit one are sent by command chaining (ISO 7816-4 5.3.3), in smaller parts where
    /// the card does not take the usual ones.
    fn transmit_short(&mut self, command: Command) -> Result<Response, ChannelError> {
        let block = self.limits.short_data();
        if command.data_bytes().len() <= block {
            return self.begin(&command, Form::Short);
        }
        let response = self.send_chain(&command, block)?;
        let Some(smaller) = self.limits.smaller_blocks().filter(|_| response.refused_at_start) else {
            return Ok(response.last);
        };
        // The first part was not taken, so nothing was done.
        let again = self.send_chain(&command, smaller)?;
        if !again.refused_at_start {
            self.limits.blocks_were_too_long();
        }
        Ok(again.last)
    }

    fn send_chain(&mut self, command: &Command, block: usize) -> Result<ChainResponse, ChannelError> {
        let mut parts = command.chain(block);
        let last = parts.pop().ok_or(ChannelError::Command)?;
        for (number, part) in parts.into_iter().enumerate() {
            let response =
                if number == 0 { self.begin(&part, Form::Short) } else { self.exchange(&part, Form::Short) }?;
            if !response.sw().is_success() {
                let refused_at_start = number == 0 && response.sw() == StatusWord::WRONG_LENGTH;
                return Ok(ChainResponse { last: response, refused_at_start });
            }
        }
        Ok(ChainResponse { last: self.exchange(&last, Form::Short)?, refused_at_start: false })
    }

    /// A command that continues none before it. A card that waits for the rest of a chain that broke off ends the chain
    /// with a refusal, does nothing else, and gets the command again; reference data are not sent twice.
    fn begin(&mut self, command: &Command, form: Form) -> Result<Response, ChannelError> {
        let response = self.exchange(command, form)?;
        let proves = [INS_VERIFY, INS_CHANGE_REFERENCE_DATA, INS_RESET_RETRY_COUNTER].contains(&command.ins());
        if response.sw() == LAST_COMMAND_OF_CHAIN_EXPECTED && !proves {
            return self.exchange(command, form);
        }
        Ok(response)
    }

    /// One command and its whole answer.
    fn exchange(&mut self, command: &Command, form: Form) -> Result<Response, ChannelError> {
        let mut response = self.once(command, form)?;
        // Only where data were asked for: a VERIFY that is answered 6Cxx must not carry the PIN a second time.
        if let Some(length) = response.sw().correct_le()
            && command.expected().is_some()
        {
            response = self.once(&with_expected(command, length), Form::Short)?;
        }
        if response.sw().more_data().is_none() {
            return Ok(response);
        }
        self.collect(command, response)
    }

    /// Fetches the rest of an answer that the card gives in pieces (ISO 7816-4 5.3.4).
    fn collect(&mut self, command: &Command, first: Response) -> Result<Response, ChannelError> {
        let mut whole = Zeroizing::new(Vec::with_capacity(LONGEST_ANSWER));
        let mut response = first;
        for _ in 0..MOST_PIECES {
            if whole.len() + response.data().len() > LONGEST_ANSWER {
                return Err(ChannelError::Malformed);
            }
            whole.extend_from_slice(response.data());
            let Some(more) = response.sw().more_data() else {
                return Ok(Response::new(shrunk(&whole), response.sw()));
            };
            let mut next = Command::get_response(command.cla(), u8::try_from(more).unwrap_or(0));
            if hides_answer(command) {
                next = next.secret_response();
            }
            response = self.once(&next, Form::Short)?;
            if let Some(length) = response.sw().correct_le() {
                response = self.once(&with_expected(&next, length), Form::Short)?;
            }
        }
        Err(ChannelError::Endless)
    }

    fn once(&mut self, command: &Command, form: Form) -> Result<Response, ChannelError> {
        let bytes = match form {
            Form::Short => command.encode_short(),
            Form::Extended => command.encode_extended(),
        };
        let bytes = bytes.map_err(|_| ChannelError::Command)?;
        if self.commands >= self.most {
            return Err(ChannelError::Endless);
        }
        trace::command(self.log, self.reader, command);
        self.commands += 1;
        self.transaction.conceal(secret_part(command, form), hides_answer(command));
        let answer =
            self.transaction.transmit(&bytes).inspect_err(|error| trace::failure(self.log, self.reader, *error))?;
        let response = Response::parse(&answer).map_err(|_| ChannelError::Malformed)?;
        trace::response(self.log, self.reader, command, &response);
        Ok(response)
    }
}

/// Whether the answer's data are kept out of the log and the transcript: a card may give back what it was sent.
fn hides_answer(command: &Command) -> bool {
    command.is_secret_response() || command.is_secret_command()
}

/// Where the secret data of an encoded command are: after the header and Lc (ISO 7816-4 5.1).
fn secret_part(command: &Command, form: Form) -> Option<Range<usize>> {
    let start = if form == Form::Short { 5 } else { 7 };
    command.is_secret_command().then(|| start..start + command.data_bytes().len())
}

/// The same command with the expected length that the card asked for.
fn with_expected(command: &Command, length: u16) -> Command {
    let mut again = Command::new(command.cla(), command.ins(), command.p1(), command.p2())
        .data(command.data_bytes())
        .le(usize::from(length));
    if command.is_secret_command() {
        again = again.secret_command();
    }
    if command.is_secret_response() {
        again = again.secret_response();
    }
    again
}

/// A copy at its exact size, so that the collecting buffer can be wiped at once.
fn shrunk(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes.to_vec())
}

/// Failures by which readers and cards refuse an extended APDU without saying so.
fn is_length_suspect(error: ChannelError) -> bool {
    use LinkError as L;
    matches!(
        error,
        ChannelError::Malformed
            | ChannelError::Link(L::Communication | L::Unsupported | L::Protocol | L::Timeout | L::Other(_))
    )
}
