//! PKCS#11 URIs (RFC 7512): names for tokens and the objects on them.

use std::fmt::Write;
use std::str::FromStr;

/// What a URI says about a token and an object; absent attributes match everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Uri {
    /// CKA_LABEL of the token.
    pub(crate) token: Option<String>,
    /// Its maker.
    pub(crate) manufacturer: Option<String>,
    /// Its serial number.
    pub(crate) serial: Option<String>,
    /// Its model.
    pub(crate) model: Option<String>,
    /// CK_SLOT_ID.
    pub(crate) slot: Option<u64>,
    /// Name of the reader.
    pub(crate) slot_description: Option<String>,
    /// CKA_LABEL of the object.
    pub(crate) object: Option<String>,
    /// Its class.
    pub(crate) class: Option<Class>,
    /// CKA_ID.
    pub(crate) id: Option<Vec<u8>>,
}

/// Object classes by the names of RFC 7512 2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(crate) enum Class {
    /// CKO_CERTIFICATE.
    #[serde(rename = "cert")]
    Certificate,
    /// CKO_DATA.
    #[serde(rename = "data")]
    Data,
    /// CKO_PRIVATE_KEY.
    #[serde(rename = "private")]
    PrivateKey,
    /// CKO_PUBLIC_KEY.
    #[serde(rename = "public")]
    PublicKey,
    /// CKO_SECRET_KEY.
    #[serde(rename = "secret-key")]
    SecretKey,
}

impl Class {
    const ALL: [Self; 5] = [Self::Certificate, Self::Data, Self::PrivateKey, Self::PublicKey, Self::SecretKey];

    /// The value of the attribute `type`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Certificate => "cert",
            Self::Data => "data",
            Self::PrivateKey => "private",
            Self::PublicKey => "public",
            Self::SecretKey => "secret-key",
        }
    }
}

impl std::fmt::Display for Uri {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |value: &Option<String>| value.as_deref().map(|value| escaped(value.as_bytes()));
        let attributes = [
            ("model", text(&self.model)),
            ("manufacturer", text(&self.manufacturer)),
            ("serial", text(&self.serial)),
            ("token", text(&self.token)),
            ("slot-id", self.slot.map(|slot| slot.to_string())),
            ("slot-description", text(&self.slot_description)),
            ("id", self.id.as_deref().map(octets)),
            ("object", text(&self.object)),
            ("type", self.class.map(|class| class.name().to_owned())),
        ];
        let present = attributes.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
        write!(formatter, "pkcs11:{}", present.collect::<Vec<_>>().join(";"))
    }
}

impl FromStr for Uri {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let scheme = text.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("pkcs11:"));
        let rest = scheme.and(text.get(7..)).ok_or("it does not begin with pkcs11:")?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        judge_query(query)?;
        let mut uri = Self::default();
        let mut seen = Vec::new();
        for attribute in path.split(';').filter(|attribute| !attribute.is_empty()) {
            let (name, value) = attribute.split_once('=').ok_or_else(|| format!("{attribute} has no value"))?;
            if seen.contains(&name) {
                return Err(format!("{name} is there twice"));
            }
            seen.push(name);
            uri.set(name, unescaped(value)?)?;
        }
        Ok(uri)
    }
}

impl Uri {
    fn set(&mut self, name: &str, value: Vec<u8>) -> Result<(), String> {
        if name == "id" {
            self.id = Some(value);
            return Ok(());
        }
        let text = String::from_utf8(value).map_err(|_| format!("{name} is not UTF-8"))?;
        match name {
            "token" => self.token = Some(text),
            "manufacturer" => self.manufacturer = Some(text),
            "serial" => self.serial = Some(text),
            "model" => self.model = Some(text),
            "object" => self.object = Some(text),
            "slot-description" => self.slot_description = Some(text),
            "slot-id" => self.slot = Some(text.parse().map_err(|_| "slot-id is no number".to_owned())?),
            "type" => {
                let class = Class::ALL.into_iter().find(|class| class.name() == text);
                self.class = Some(class.ok_or_else(|| format!("there is no object type {text}"))?);
            }
            // They speak of the module, which this command is itself.
            "library-manufacturer" | "library-description" | "library-version" | "slot-manufacturer" => {}
            _ => return Err(format!("the attribute {name} is not known")),
        }
        Ok(())
    }
}

/// Query attributes say how a module is loaded and where a PIN is: none of it is taken from a command line.
fn judge_query(query: &str) -> Result<(), String> {
    let names = query.split('&').filter_map(|attribute| attribute.split('=').next());
    for name in names.filter(|name| !name.is_empty()) {
        if name.starts_with("pin-") {
            return Err("a PIN is never taken from a URI: it is asked for, or given by --pin-fd".to_owned());
        }
    }
    Ok(())
}

/// Percent-encoding of all that RFC 7512 2.3 does not permit in a path attribute (pk11-pchar).
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(*byte)),
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

/// An identifier: every byte is encoded (RFC 7512 2.3 recommends it).
fn octets(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = rest.split_at_checked(2).ok_or_else(|| format!("{text} ends inside %xx"))?;
        let mut byte = [0];
        hex::decode_to_slice(digits.0, &mut byte).map_err(|_| format!("{text} has % without two hex digits"))?;
        bytes.extend(byte);
        rest = digits.1;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let uri = Uri {
            token: Some("PIV Card #9C; 100% ä".to_owned()),
            serial: Some("9C3D".to_owned()),
            object: Some("a=b&c?".to_owned()),
            class: Some(Class::PrivateKey),
            id: Some(vec![0, 0x3B, 0xFF]),
            ..Uri::default()
        };
        let text = uri.to_string();
        assert_eq!(
            text,
            "pkcs11:serial=9C3D;token=PIV%20Card%20%239C%3B%20100%25%20%C3%A4;id=%00%3B%FF;object=a%3Db%26c%3F;type=private"
        );
        assert_eq!(parsed(&text), uri);
    }

    #[test]
    fn characters_that_need_no_encoding_are_read_plainly() {
        let uri = parsed("PKCS11:token=The%20Software:Token@home;object=my(key)+1;id=AB");
        assert_eq!(uri.token.as_deref(), Some("The Software:Token@home"));
        assert_eq!(uri.object.as_deref(), Some("my(key)+1"));
        assert_eq!(uri.id.as_deref(), Some(b"AB".as_slice()));
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for wrong in [
            "",
            "http://x",
            "pkcs11:token",
            "pkcs11:token=%4",
            "pkcs11:token=%xy",
            "pkcs11:type=key",
            "pkcs11:token=a;token=b",
            "pkcs11:slot-id=x",
            "pkcs11:colour=red",
            "pkcs11:token=%FF",
            "pkcs11:token=%+1",
        ] {
            assert!(wrong.parse::<Uri>().is_err(), "{wrong}");
        }
        assert_eq!(parsed("pkcs11:"), Uri::default());
    }

    #[test]
    fn a_pin_in_a_uri_is_refused() {
        for query in ["pin-value=1234", "module-name=x&pin-source=file:/x"] {
            let error = format!("pkcs11:token=a?{query}").parse::<Uri>().unwrap_err();
            assert!(error.contains("never"), "{error}");
        }
        assert_eq!(parsed("pkcs11:token=a?module-name=cardea").token.as_deref(), Some("a"));
    }
}
