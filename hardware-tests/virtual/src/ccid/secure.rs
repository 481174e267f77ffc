//! PC_to_RDR_Secure (CCID 6.1.11): PINs that are typed at the reader.
//!
//! The structures of CCID and of PC/SC part 10, which the bench's PIN pad reads, have the same fields but for a second
//! timeout, the length of the command, and prompts that CCID leaves out when they are not shown.

use super::message::ErrorCode;

/// The control codes under which the bench's reader has its PIN pad, in libccid's scheme.
const VERIFY_PIN_DIRECT: u32 = 0x4233_0006;
const MODIFY_PIN_DIRECT: u32 = 0x4233_0007;

/// A PIN operation for the bench's reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PinOperation {
    /// `FEATURE_VERIFY_PIN_DIRECT` or `FEATURE_MODIFY_PIN_DIRECT`.
    pub(super) code: u32,
    /// `PIN_VERIFY_STRUCTURE` or `PIN_MODIFY_STRUCTURE` (PC/SC part 10 2.5).
    pub(super) structure: Vec<u8>,
}

impl PinOperation {
    /// Whether it changes the PIN.
    pub(super) fn modifies(&self) -> bool {
        self.code == MODIFY_PIN_DIRECT
    }

    /// Reads bPINOperation and abPINDataStructure.
    pub(super) fn parse(data: &[u8]) -> Result<Self, ErrorCode> {
        match data {
            [0, fields @ ..] => verification(fields).ok_or(ErrorCode::BAD_LENGTH),
            [1, fields @ ..] => modification(fields).ok_or(ErrorCode::BAD_LENGTH),
            [_, ..] => Err(ErrorCode::COMMAND_NOT_SUPPORTED),
            [] => Err(ErrorCode::BAD_LENGTH),
        }
    }
}

fn verification(fields: &[u8]) -> Option<PinOperation> {
    // timeout; format, block, length format; extra digits, condition, messages, language, message index; prologue
    let (head, rest) = fields.split_first_chunk::<11>()?;
    let (prologue, command) = rest.split_first_chunk::<3>()?;
    let [timeout, layout @ ..] = head;
    let mut structure = vec![*timeout, *timeout];
    structure.extend(layout);
    Some(finished(VERIFY_PIN_DIRECT, structure, *prologue, command))
}

fn modification(fields: &[u8]) -> Option<PinOperation> {
    // as above with two offsets before the extra digits and bConfirmPIN behind them; bNumberMessage is the 11th byte
    let (head, rest) = fields.split_first_chunk::<14>()?;
    // bMsgIndex2 is there if any message is shown, bMsgIndex3 if three are
    let shown = match head[10] {
        0 => 0,
        3 => 2,
        _ => 1,
    };
    let (indices, rest) = rest.split_at_checked(shown)?;
    let (prologue, command) = rest.split_first_chunk::<3>()?;
    let [timeout, layout @ ..] = head;
    let mut structure = vec![*timeout, *timeout];
    structure.extend(layout);
    structure.extend([indices.first().unwrap_or(&0), indices.get(1).unwrap_or(&0)]);
    Some(finished(MODIFY_PIN_DIRECT, structure, *prologue, command))
}

fn finished(code: u32, mut structure: Vec<u8>, prologue: [u8; 3], command: &[u8]) -> PinOperation {
    structure.extend(prologue);
    structure.extend((command.len() as u32).to_le_bytes());
    structure.extend(command);
    PinOperation { code, structure }
}

/// What a status word of the PIN pad's own is in CCID; `None` for the card's, and for those that CCID has no error for.
pub(super) fn error(response: &[u8]) -> Option<ErrorCode> {
    match response {
        [0x64, 0x00] => Some(ErrorCode::PIN_TIMEOUT),
        [0x64, 0x01] => Some(ErrorCode::PIN_CANCELLED),
        [0x6B, 0x80] => Some(ErrorCode::BAD_PARAMETER),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn a_verification_gets_its_second_timeout_and_the_length_of_the_command() {
        let data = hex!("00 1E 82 08 00 08 04 02 01 09 04 00 00 00 00 00 20 00 80 08 FF FF FF FF FF FF FF FF");
        let operation = PinOperation::parse(&data).unwrap();
        let structure =
            hex!("1E 1E 82 08 00 08 04 02 01 09 04 00 00 00 00 0D 00 00 00 00 20 00 80 08 FF FF FF FF FF FF FF FF");
        assert_eq!(operation, PinOperation { code: VERIFY_PIN_DIRECT, structure: structure.to_vec() });
    }

    #[test]
    fn a_modification_has_as_many_prompts_as_it_shows() {
        let command = hex!("00 24 00 80 10");
        let head = hex!("01 1E 82 08 00 00 08 08 04 03 02");
        for (messages, indices, expected) in
            [(0u8, &[0u8][..], [0u8, 0, 0]), (2, &[0, 1], [0, 1, 0]), (3, &[0, 1, 2], [0, 1, 2])]
        {
            let data = [&head[..], &[messages, 0x09, 0x04], indices, &[0, 0, 0], &command].concat();
            let operation = PinOperation::parse(&data).unwrap();
            assert_eq!(operation.code, MODIFY_PIN_DIRECT);
            let structure = [
                &hex!("1E 1E 82 08 00 00 08 08 04 03 02")[..],
                &[messages, 0x09, 0x04],
                &expected,
                &[0; 3],
                &[5, 0, 0, 0],
                &command,
            ];
            assert_eq!(operation.structure, structure.concat());
        }
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        assert_eq!(PinOperation::parse(&hex!("00 1E 82")), Err(ErrorCode::BAD_LENGTH));
        assert_eq!(PinOperation::parse(&[]), Err(ErrorCode::BAD_LENGTH));
        assert_eq!(PinOperation::parse(&[4]), Err(ErrorCode::COMMAND_NOT_SUPPORTED));
    }
}
