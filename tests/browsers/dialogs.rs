//! What Firefox's dialogs asked, and what they are answered.

use std::path::Path;

use serde_json::{Value, json};

use super::marionette::Marionette;

/// Runs in the browser; the file says how.
const SCRIPT: &str = include_str!("dialogs.js");

/// What to answer from now on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answers<'a> {
    /// The PINs, in the order in which they are asked for; after the last, Cancel is pressed.
    pub pins: &'a [&'a str],
    /// A part of the subject of the certificate to choose.
    pub certificate: Option<&'a str>,
}

/// One dialog that has been answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialog {
    /// The PIN was asked for with this text.
    Pin(String),
    /// One of the certificates with these subjects was to be chosen.
    Certificate(Vec<String>),
}

/// Lets the browser answer its dialogs; screenshots of them go to `pictures`.
pub fn answer(marionette: &mut Marionette, answers: &Answers<'_>, pictures: &Path) {
    marionette.chrome(SCRIPT, json!([answers.pins, answers.certificate, pictures]));
}

/// The dialogs since the last call of [`answer`].
pub fn seen(marionette: &mut Marionette) -> Vec<Dialog> {
    let script = "arguments[0]([window.cardea.seen, window.cardea.errors])";
    let seen = marionette.chrome(script, json!([]));
    assert_eq!(seen[1], json!([]), "the answers did not work");
    seen[0].as_array().unwrap().iter().map(dialog).collect()
}

fn dialog(seen: &Value) -> Dialog {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    match seen["kind"].as_str() {
        Some("pin") => Dialog::Pin(text(&seen["text"])),
        _ => Dialog::Certificate(seen["subjects"].as_array().unwrap().iter().map(text).collect()),
    }
}
