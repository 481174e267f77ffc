//! What happened in a reader: in memory in full, in a file one line each with reference data masked.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Action, Failure};

/// Instructions whose data field is a PIN, a PUK or a key: VERIFY, CHANGE REFERENCE DATA and RESET RETRY COUNTER with
/// even and odd instruction (ISO 7816-4 11.6), and the SET MANAGEMENT KEY of PIV tokens.
const SECRET_INSTRUCTIONS: [u8; 7] = [0x20, 0x21, 0x24, 0x25, 0x2C, 0x2D, 0xFF];

/// One event in a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A card was inserted.
    Inserted,
    /// The card was pulled.
    Removed,
    /// The reader was unplugged.
    Unplugged,
    /// The reader was plugged in again.
    Plugged,
    /// Cold start.
    PowerOn,
    /// The contacts were switched off.
    PowerOff,
    /// Warm reset.
    Reset,
    /// A command and what came of it.
    Command {
        /// The command APDU.
        command: Vec<u8>,
        /// The response APDU, or why there is none.
        outcome: Result<Vec<u8>, Failure>,
    },
    /// A command to the reader itself.
    Control {
        /// The control code.
        code: u32,
        /// The reader's answer, or why there is none.
        outcome: Result<Vec<u8>, Failure>,
    },
    /// A CT-BCS command to the reader itself, and its answer or why there is none.
    Terminal {
        /// The command.
        command: Vec<u8>,
        /// The reader's answer, or why there is none.
        outcome: Result<Vec<u8>, Failure>,
    },
    /// A fault struck the command that follows.
    Fault(Action),
}

/// An event and when it was over, counted from the reader's creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Since the reader's creation.
    pub at: Duration,
    /// What happened.
    pub event: Event,
}

impl Entry {
    /// The line of the file: `0.512345 00A4040005A000000308 -> 9000, 61 bytes`. Reference data and answers stay out.
    #[must_use]
    pub fn line(&self) -> String {
        let seconds = self.at.as_secs_f64();
        match &self.event {
            Event::Inserted => format!("{seconds:.6} card inserted"),
            Event::Removed => format!("{seconds:.6} card removed"),
            Event::Unplugged => format!("{seconds:.6} reader unplugged"),
            Event::Plugged => format!("{seconds:.6} reader plugged in"),
            Event::PowerOn => format!("{seconds:.6} power on"),
            Event::PowerOff => format!("{seconds:.6} power off"),
            Event::Reset => format!("{seconds:.6} reset"),
            Event::Command { command, outcome } => {
                format!("{seconds:.6} {} -> {}", masked(command), summary(outcome))
            }
            Event::Control { code, outcome } => match outcome {
                Ok(answer) => format!("{seconds:.6} control {code:08X} -> {} bytes", answer.len()),
                Err(failure) => format!("{seconds:.6} control {code:08X} -> {failure}"),
            },
            Event::Terminal { command, outcome } => {
                format!("{seconds:.6} terminal {} -> {}", masked(command), summary(outcome))
            }
            Event::Fault(action) => format!("{seconds:.6} fault {action:?}"),
        }
    }
}

/// The command in hexadecimal, with `**` for each byte after the header where those may be secret.
fn masked(command: &[u8]) -> String {
    let secret = command.get(1).is_some_and(|ins| SECRET_INSTRUCTIONS.contains(ins));
    let mut text = String::with_capacity(command.len() * 2);
    for (position, byte) in command.iter().enumerate() {
        if secret && position > 4 {
            text.push_str("**");
        } else {
            write!(text, "{byte:02X}").unwrap();
        }
    }
    text
}

/// Status word and length of the data, or the failure.
fn summary(outcome: &Result<Vec<u8>, Failure>) -> String {
    match outcome {
        Ok(response) => match response.split_last_chunk::<2>() {
            Some((data, [sw1, sw2])) => format!("{sw1:02X}{sw2:02X}, {} bytes", data.len()),
            None => format!("{} bytes without a status word", response.len()),
        },
        Err(failure) => failure.to_string(),
    }
}

/// How often what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Commands that reached the reader.
    pub commands: u64,
    /// Commands that got no response.
    pub failures: u64,
    /// Bytes in commands.
    pub bytes_sent: u64,
    /// Bytes in responses.
    pub bytes_received: u64,
    /// Cold starts.
    pub power_ups: u64,
    /// Times the contacts were switched off.
    pub power_downs: u64,
    /// Warm resets.
    pub resets: u64,
}

/// The events of one reader.
#[derive(Debug)]
pub(super) struct Log {
    start: Instant,
    entries: Vec<Entry>,
    file: Option<File>,
    counters: Counters,
}

impl Log {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), entries: Vec::new(), file: None, counters: Counters::default() }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.counters = Counters::default();
    }

    /// Appends every event, past and to come, to the file at `path`.
    pub(super) fn write_to(&mut self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let past: String = self.entries.iter().map(|entry| entry.line() + "\n").collect();
        file.write_all(past.as_bytes())?;
        self.file = Some(file);
        Ok(())
    }

    pub(super) fn record(&mut self, event: Event) {
        self.count(&event);
        let entry = Entry { at: self.start.elapsed(), event };
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(format!("{}\n", entry.line()).as_bytes())
        {
            eprintln!("the command log is incomplete: {error}");
            self.file = None;
        }
        self.entries.push(entry);
    }

    fn count(&mut self, event: &Event) {
        match event {
            Event::Command { command, outcome } => {
                self.counters.commands += 1;
                self.counters.bytes_sent += command.len() as u64;
                match outcome {
                    Ok(response) => self.counters.bytes_received += response.len() as u64,
                    Err(_) => self.counters.failures += 1,
                }
            }
            Event::PowerOn => self.counters.power_ups += 1,
            Event::PowerOff => self.counters.power_downs += 1,
            Event::Reset => self.counters.resets += 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(command: &[u8], outcome: Result<Vec<u8>, Failure>) -> String {
        let event = Event::Command { command: command.to_vec(), outcome };
        Entry { at: Duration::from_millis(1500), event }.line()
    }

    #[test]
    fn a_pin_never_reaches_the_file() {
        let verify = [&[0x00, 0x20, 0x00, 0x80, 0x08][..], b"123456\xFF\xFF"].concat();
        let line = line(&verify, Ok(vec![0x63, 0xC2]));
        assert_eq!(line, "1.500000 0020008008**************** -> 63C2, 0 bytes");
    }

    #[test]
    fn a_line_tells_status_word_and_length_but_no_answer() {
        let line = line(&[0, 0xA4, 4, 0], Ok(vec![1, 2, 3, 0x90, 0x00]));
        assert_eq!(line, "1.500000 00A40400 -> 9000, 3 bytes");
    }

    #[test]
    fn a_failed_command_tells_why() {
        let line = line(&[0, 0xA4, 4, 0], Err(Failure::Mute));
        assert_eq!(line, "1.500000 00A40400 -> no answer");
    }
}
