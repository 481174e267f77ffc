//! What people and programs read: text, with colours on a terminal only, or JSON.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::failure::Failure;

/// Colours as ANSI X3.64 numbers them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Colour {
    /// Something is wrong.
    Red = 31,
    /// All is well.
    Green = 32,
    /// Something may be wrong.
    Yellow = 33,
    /// A heading.
    Bold = 1,
    /// Something of less weight.
    Faint = 2,
}

/// Standard output and standard error.
pub(crate) struct Output {
    json: bool,
}

impl Output {
    /// For people, or as JSON.
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON was asked for.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// A line of text.
    pub(crate) fn line(&self, text: impl AsRef<str>) -> Result<(), Failure> {
        let mut output = io::stdout().lock();
        writeln!(output, "{}", text.as_ref()).and_then(|()| output.flush()).map_err(Failure::from)
    }

    /// A value as JSON, over several lines.
    pub(crate) fn value(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.line(serde_json::to_string_pretty(value).map_err(io::Error::from)?)
    }

    /// A value as JSON, on one line of its own.
    pub(crate) fn value_line(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.line(serde_json::to_string(value).map_err(io::Error::from)?)
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut output = io::stdout().lock();
        output.write_all(bytes).and_then(|()| output.flush()).map_err(Failure::from)
    }

    /// A remark beside the result, for people only.
    pub(crate) fn remark(&self, text: impl AsRef<str>) {
        if !self.json {
            let _ = writeln!(io::stderr(), "{}", text.as_ref());
        }
    }

    /// `text` in a colour where standard output is a terminal that shows it.
    pub(crate) fn paint(&self, colour: Colour, text: &str) -> String {
        if io::stdout().is_terminal() { painted(colour, text) } else { text.to_owned() }
    }

    /// Why the command failed, on standard error.
    pub(crate) fn failure(&self, failure: &Failure) {
        if failure.what.is_empty() {
            return;
        }
        let mut output = io::stderr().lock();
        if self.json {
            let value = serde_json::json!({
                "error": failure.what, "advice": failure.advice, "exit": failure.exit as u8,
            });
            let _ = writeln!(output, "{value}");
            return;
        }
        let name = if output.is_terminal() { painted(Colour::Red, "cardea:") } else { "cardea:".to_owned() };
        let lines: Vec<String> = failure.what.lines().map(printable).collect();
        let _ = writeln!(output, "{name} {}", lines.join("\n"));
        if let Some(advice) = &failure.advice {
            let _ = writeln!(output, "        {advice}");
        }
    }
}

/// What a card or reader says of itself, without the control characters that would steer a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{FFFD}' } else { character }).collect()
}

/// Colours may be switched off (no-color.org), and mean nothing to a dumb terminal.
fn painted(colour: Colour, text: &str) -> String {
    let off = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if off || std::env::var_os("TERM").is_none_or(|terminal| terminal == "dumb") {
        return text.to_owned();
    }
    format!("\x1B[{}m{text}\x1B[0m", colour as u8)
}
