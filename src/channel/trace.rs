//! What a command looks like in the log: header and lengths always, bytes only where they are no secret.

use cardea_apdu::{Command, Response, StatusWord};

use crate::log::{Level, Log};
use crate::pcsc::LinkError;

/// A command that is about to be sent.
pub(super) fn command(log: &Log, reader: &str, command: &Command) {
    if !log.enabled(Level::Trace) {
        return;
    }
    let header = hex::encode_upper([command.cla(), command.ins(), command.p1(), command.p2()]);
    let data = shown(command.data_bytes(), command.is_secret_command());
    let expected = if command.expected().is_some() { " Le" } else { "" };
    log.line(Level::Trace, format_args!("[{reader}] > {header} {data}{expected}"));
}

/// The card's answer to `command`.
pub(super) fn response(log: &Log, reader: &str, command: &Command, response: &Response) {
    if !log.enabled(Level::Trace) {
        return;
    }
    let data = shown(response.data(), super::hides_answer(command));
    log.line(Level::Trace, format_args!("[{reader}] < {data} {}", response.sw()));
}

/// A command that got no answer.
pub(super) fn failure(log: &Log, reader: &str, error: LinkError) {
    log.line(Level::Trace, format_args!("[{reader}] ! {error}"));
}

/// A command that the reader's user completes. Its data field may hold what the host knows of a secret.
pub(super) fn entry(log: &Log, reader: &str, header: &[u8; 4]) {
    log.line(Level::Trace, format_args!("[{reader}] > {} <entered on the reader>", hex::encode_upper(header)));
}

/// The answer to it.
pub(super) fn entered(log: &Log, reader: &str, status: StatusWord) {
    log.line(Level::Trace, format_args!("[{reader}] < - {status}"));
}

fn shown(bytes: &[u8], secret: bool) -> String {
    match bytes.len() {
        0 => "-".to_owned(),
        length if secret => format!("<{length} secret bytes>"),
        _ => hex::encode_upper(bytes),
    }
}
