//! `cardea list`: readers, tokens and the objects on them, with their URIs.

use cardea_pkcs11::error::Error;
use cardea_pkcs11::object::{Content, Object};
use cryptoki_sys::{CKA_ALWAYS_AUTHENTICATE, CKA_SUBJECT};
use serde::Serialize;

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::choice::{Item, Token, TokenChoice};
use crate::failure::{Failure, no_reader};
use crate::output::{Colour, Output, printable};
use crate::uri::Class;

/// What to list.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    token: TokenChoice,
}

/// A slot as JSON.
#[derive(Serialize)]
struct Entry {
    reader: String,
    slot: u64,
    token: Option<TokenEntry>,
    /// Why there is no token to show though there is a card.
    problem: Option<String>,
}

#[derive(Serialize)]
struct TokenEntry {
    label: String,
    manufacturer: String,
    model: String,
    serial: String,
    uri: String,
    initialized: bool,
    objects: Vec<ObjectEntry>,
}

#[derive(Serialize)]
struct ObjectEntry {
    #[serde(rename = "type")]
    class: Class,
    id: String,
    label: String,
    /// Algorithm and size of a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// Subject of a certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// When a private key wants the PIN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pin: Option<&'static str>,
    uri: String,
}

/// Lists.
pub(crate) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<(), Failure> {
    let cards = Cards::open(common)?;
    let slots = cards.slots()?;
    if slots.is_empty() && !output.is_json() {
        return Err(no_reader());
    }
    let mut entries = Vec::new();
    for slot in slots.iter().filter(|slot| arguments.token.admits(slot)) {
        let (token, problem) = match Token::in_slot(&cards, slot) {
            Ok(token) => {
                if arguments.token.uri.as_ref().is_some_and(|uri| !uri.matches_token(token.info())) {
                    continue;
                }
                match entry(&token) {
                    Ok(entry) => (Some(entry), None),
                    Err(failure) => (None, Some(failure.what)),
                }
            }
            Err(Error::TokenNotPresent) => (None, None),
            Err(error) => (None, Some(cards.explain(slot, error).what)),
        };
        entries.push(Entry { reader: slot.reader().name().to_owned(), slot: slot.id(), token, problem });
    }
    if output.is_json() {
        return output.value(&serde_json::json!({ "slots": entries }));
    }
    entries.iter().try_for_each(|entry| show(entry, output))
}

fn entry(token: &Token<'_>) -> Result<TokenEntry, Failure> {
    let info = token.info();
    let objects = token.items()?.iter().map(|item| object(token, item)).collect();
    Ok(TokenEntry {
        label: info.label.clone(),
        manufacturer: info.manufacturer.clone(),
        model: info.model.clone(),
        serial: info.serial.clone(),
        uri: token.uri().to_string(),
        initialized: token.is_initialized(),
        objects,
    })
}

fn object(token: &Token<'_>, item: &Item) -> ObjectEntry {
    ObjectEntry {
        class: item.class,
        id: hex::encode(&item.id),
        label: item.label.clone(),
        key: key_name(&item.object),
        subject: (item.class == Class::Certificate).then(|| subject(&item.object)).flatten(),
        pin: (item.class == Class::PrivateKey).then(|| pin_wanted(&item.object)),
        uri: token.object_uri(item).to_string(),
    }
}

/// Algorithm and size of a key, such as `RSA-2048`.
pub(crate) fn key_name(object: &Object) -> Option<String> {
    match object.content() {
        Content::PublicKey(key) => Some(key.kind().name()),
        Content::PrivateKey(key) => Some(key.kind.name()),
        _ => None,
    }
}

/// Subject of a certificate, as RFC 4514 writes it.
pub(crate) fn subject(object: &Object) -> Option<String> {
    use der::Decode;
    let subject = object.attributes().shown(CKA_SUBJECT)?;
    x509_cert::name::Name::from_der(subject).ok().map(|name| name.to_string())
}

fn pin_wanted(object: &Object) -> &'static str {
    if object.permits(CKA_ALWAYS_AUTHENTICATE) {
        "always"
    } else if object.is_private() {
        "once"
    } else {
        "never"
    }
}

fn show(entry: &Entry, output: &Output) -> Result<(), Failure> {
    output.line(output.paint(Colour::Bold, &printable(&entry.reader)))?;
    let Some(token) = &entry.token else {
        let text = entry.problem.as_deref().map_or("no card".to_owned(), printable);
        return output.line(format!("  {}", output.paint(Colour::Faint, &text)));
    };
    output.line(format!("  {}", output.paint(Colour::Green, &printable(&token.label))))?;
    output.line(format!("    {}", output.paint(Colour::Faint, &token.uri)))?;
    if !token.initialized {
        output.line("    not initialized: `cardea reset` makes it ready for use")?;
    }
    for object in &token.objects {
        let details = [object.key.clone(), object.subject.clone(), object.pin.map(|pin| format!("PIN {pin}"))];
        let details: Vec<String> = details.into_iter().flatten().map(|text| printable(&text)).collect();
        let id = if object.id.is_empty() { "-" } else { &object.id };
        let (title, label) = (object.class.title(), printable(&object.label));
        output.line(format!("    {title:<12} {id:<4} {label}  {}", details.join(", ")))?;
        output.line(format!("      {}", output.paint(Colour::Faint, &object.uri)))?;
    }
    Ok(())
}
