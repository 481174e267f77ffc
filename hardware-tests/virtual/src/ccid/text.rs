//! Descriptions of readers as text: the form in which libccid's `parse` prints what it read from a reader.

use super::ReaderDescription;

impl ReaderDescription {
    /// Reads the first CCID interface of a description that this reader can be: bulk transfers, and no exchange of
    /// single characters.
    ///
    /// # Errors
    /// What is missing, or why none fits.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reason = "no idVendor".to_owned();
        for section in text.split("idVendor:").skip(1) {
            match parse_interface(section) {
                Ok(description) => return Ok(description),
                Err(error) => reason = error,
            }
        }
        Err(reason)
    }
}

fn parse_interface(section: &str) -> Result<ReaderDescription, String> {
    let fields = Fields(section);
    if fields.number("bInterfaceProtocol")? != 0 {
        return Err("the interface is ICCD, without bulk transfers".to_owned());
    }
    let description = ReaderDescription {
        vendor: word(number(section.split_whitespace().next().unwrap_or_default())?)?,
        product: word(fields.number("idProduct")?)?,
        release: word(fields.decimal("bcdDevice")?)?,
        manufacturer: fields.text("iManufacturer").unwrap_or_default().to_owned(),
        name: fields.text("iProduct").unwrap_or_default().to_owned(),
        serial: fields.text("iSerialNumber").unwrap_or_default().to_owned(),
        interface_name: fields.text("iInterface").filter(|text| *text != "0").unwrap_or_default().to_owned(),
        interface_number: byte(fields.number("bInterfaceNumber")?)?,
        interface_class: byte(fields.number("bInterfaceClass")?)?,
        interrupts: fields.number("bNumEndpoints")? == 3,
        version: word(fields.decimal("bcdCCID")?)?,
        max_slot_index: byte(fields.number("bMaxSlotIndex")?)?,
        voltages: byte(fields.number("bVoltageSupport")?)?,
        protocols: fields.protocols()?,
        default_clock: fields.clock("dwDefaultClock")?,
        maximum_clock: fields.clock("dwMaximumClock")?,
        clock_count: byte(fields.number("bNumClockSupported")?)?,
        clocks: fields.supported("kHz"),
        data_rate: fields.number("dwDataRate")?,
        max_data_rate: fields.number("dwMaxDataRate")?,
        data_rate_count: byte(fields.number("bNumDataRatesSupported")?)?,
        data_rates: fields.supported("bps"),
        max_ifsd: fields.number("dwMaxIFSD")?,
        synchronous: fields.number("dwSynchProtocols")?,
        mechanical: fields.number("dwMechanical")?,
        features: fields.number("dwFeatures")?,
        max_message: fields.number("dwMaxCCIDMessageLength")?,
        class_get_response: byte(fields.number("bClassGetResponse")?)?,
        class_envelope: byte(fields.number("bClassEnvelope")?)?,
        lcd_layout: word(fields.number("wLcdLayout")?)?,
        pin_support: byte(fields.number("bPINSupport")?)?,
        busy_slots: byte(fields.number("bMaxCCIDBusySlots")?)?,
    };
    match description.exchange_level() {
        Some(_) => Ok(description),
        None => Err("the reader exchanges characters".to_owned()),
    }
}

/// The lines of one interface.
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        let line = self.0.lines().find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.trim())
    }

    fn first(&self, name: &str) -> Result<&'a str, String> {
        self.text(name).and_then(|text| text.split_whitespace().next()).ok_or_else(|| format!("no {name}"))
    }

    /// The first word as a number.
    fn number(&self, name: &str) -> Result<u32, String> {
        number(self.first(name)?).map_err(|error| format!("{name}: {error}"))
    }

    /// `1.10` as 0110.
    fn decimal(&self, name: &str) -> Result<u32, String> {
        let text = self.first(name)?;
        let parts = text.split_once('.').and_then(|(whole, rest)| {
            let digits = format!("{whole}{rest:0>2}");
            u32::from_str_radix(&digits, 16).ok()
        });
        parts.ok_or_else(|| format!("{name}: {text} is no version"))
    }

    /// dwProtocols is printed in halves, the upper one first.
    fn protocols(&self) -> Result<u32, String> {
        let text = self.text("dwProtocols").ok_or("no dwProtocols")?;
        let halves: Result<Vec<u32>, String> = text.split_whitespace().map(number).collect();
        match halves?.as_slice() {
            [high, low, ..] => Ok(high << 16 | low),
            _ => Err("dwProtocols has no two halves".to_owned()),
        }
    }

    /// `4.800 MHz` as 4800.
    fn clock(&self, name: &str) -> Result<u32, String> {
        let text = self.first(name)?;
        let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
        let digits = format!("{whole}{rest:0<3}");
        digits.parse().map_err(|_| format!("{name}: {text} is no frequency"))
    }

    /// The values of the lines `Support 4000 kHz`.
    fn supported(&self, unit: &str) -> Vec<u32> {
        let values = self.0.lines().filter_map(|line| {
            let value = line.trim().strip_prefix("Support ")?.strip_suffix(unit)?;
            value.trim().parse().ok()
        });
        values.collect()
    }
}

fn number(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("{text} is no number"))
}

fn byte(value: u32) -> Result<u8, String> {
    u8::try_from(value).map_err(|_| format!("{value:X} is no byte"))
}

fn word(value: u32) -> Result<u16, String> {
    u16::try_from(value).map_err(|_| format!("{value:X} is no word"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ccid::ExchangeLevel;
    use std::path::Path;

    #[test]
    fn our_own_readers_are_what_their_names_say() {
        for (text, level, pad) in [
            (include_str!("../../readers/extended.txt"), ExchangeLevel::ExtendedApdu, false),
            (include_str!("../../readers/short.txt"), ExchangeLevel::ShortApdu, false),
            (include_str!("../../readers/tpdu.txt"), ExchangeLevel::Tpdu, false),
            (include_str!("../../readers/pinpad.txt"), ExchangeLevel::ShortApdu, true),
            (include_str!("../../readers/pinpad-tpdu.txt"), ExchangeLevel::Tpdu, true),
        ] {
            let description = ReaderDescription::parse(text).unwrap();
            assert_eq!((description.exchange_level(), description.has_pin_pad()), (Some(level), pad));
        }
    }

    #[test]
    fn numbers_are_read_as_they_are_printed() {
        let fields = Fields(" bcdDevice: 2.02 (firmware release?)\n bcdCCID: 1.10\n dwDefaultClock: 4.800 MHz\n");
        assert_eq!(fields.decimal("bcdDevice"), Ok(0x0202));
        assert_eq!(fields.decimal("bcdCCID"), Ok(0x0110));
        assert_eq!(fields.clock("dwDefaultClock"), Ok(4800));
        assert!(fields.number("dwFeatures").unwrap_err().contains("dwFeatures"));
    }

    /// Where libccid's descriptions lie beside the repository, all but those of other transports can be presented.
    #[test]
    fn every_known_reader_is_read_or_refused_with_a_reason() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/ccid-readers");
        let Ok(entries) = std::fs::read_dir(&folder) else {
            println!("skipped: no descriptors in {}", folder.display());
            return;
        };
        let mut read = 0;
        for entry in entries {
            let path = entry.unwrap().path();
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            if !text.contains("idVendor:") {
                continue;
            }
            match ReaderDescription::parse(&text) {
                Ok(description) => {
                    read += 1;
                    assert_eq!(description.descriptors().configuration[18], 0x36, "{}", path.display());
                }
                Err(reason) => {
                    let known = reason.contains("ICCD") || reason.contains("characters");
                    assert!(known, "{}: {reason}", path.display());
                }
            }
        }
        assert!(read > 600, "{read}");
    }
}
