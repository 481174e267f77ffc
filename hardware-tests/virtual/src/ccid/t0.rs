//! T=0 as the card speaks it (ISO 7816-3 10): a response to a command with data waits for GET RESPONSE.

/// GET RESPONSE (ISO 7816-4 7.6.1).
const GET_RESPONSE: u8 = 0xC0;

/// The card's side of the protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct T0 {
    /// Response data that wait to be fetched, and the status word behind them.
    waiting: Vec<u8>,
    status: [u8; 2],
}

impl T0 {
    /// Answers one TPDU: five bytes, and with P3 bytes of data those of a command with data.
    pub(super) fn tpdu<E>(
        &mut self,
        tpdu: &[u8],
        transmit: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        let [class, instruction, p1, p2, p3, data @ ..] = tpdu else {
            return Ok(vec![0x67, 0x00]);
        };
        if *instruction == GET_RESPONSE && data.is_empty() && !self.waiting.is_empty() {
            return Ok(self.fetch(*p3));
        }
        self.waiting.clear();
        if !data.is_empty() {
            if data.len() != usize::from(*p3) {
                return Ok(vec![0x67, 0x00]);
            }
            let response = transmit(tpdu)?;
            let Some((body, status)) = response.split_last_chunk::<2>() else {
                return Ok(response);
            };
            if body.is_empty() {
                return Ok(response);
            }
            (self.waiting, self.status) = (body.to_vec(), *status);
            return Ok(vec![0x61, left(&self.waiting)]);
        }
        let response = transmit(&[*class, *instruction, *p1, *p2, *p3])?;
        let body = response.len().saturating_sub(2);
        // the card sends as many bytes as P3 says, or none and how many there are
        let wanted = if *p3 == 0 { 256 } else { usize::from(*p3) };
        if body == 0 || body == wanted { Ok(response) } else { Ok(vec![0x6C, body as u8]) }
    }

    fn fetch(&mut self, p3: u8) -> Vec<u8> {
        let wanted = if p3 == 0 { 256 } else { usize::from(p3) };
        if wanted > self.waiting.len() {
            return vec![0x6C, left(&self.waiting)];
        }
        let rest = self.waiting.split_off(wanted);
        let mut answer = std::mem::replace(&mut self.waiting, rest);
        if self.waiting.is_empty() {
            answer.extend(self.status);
        } else {
            answer.extend([0x61, left(&self.waiting)]);
        }
        answer
    }
}

/// How many bytes wait: 00 for 256 and more.
fn left(waiting: &[u8]) -> u8 {
    u8::try_from(waiting.len()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    fn send(card: &mut T0, tpdu: &[u8], response: &[u8]) -> Vec<u8> {
        card.tpdu(tpdu, |_| Ok::<_, ()>(response.to_vec())).unwrap()
    }

    #[test]
    fn the_response_to_a_command_with_data_is_fetched() {
        let mut card = T0::default();
        assert_eq!(send(&mut card, &hex!("00 CB 3F FF 02 5C 00"), &hex!("01 02 03 90 00")), hex!("61 03"));
        assert_eq!(send(&mut card, &hex!("00 C0 00 00 02"), &[]), hex!("01 02 61 01"));
        assert_eq!(send(&mut card, &hex!("00 C0 00 00 05"), &[]), hex!("6C 01"));
        assert_eq!(send(&mut card, &hex!("00 C0 00 00 01"), &[]), hex!("03 90 00"));
    }

    #[test]
    fn a_wrong_length_is_corrected() {
        let mut card = T0::default();
        assert_eq!(send(&mut card, &hex!("00 B0 00 00 00"), &hex!("01 02 90 00")), hex!("6C 02"));
        assert_eq!(send(&mut card, &hex!("00 B0 00 00 02"), &hex!("01 02 90 00")), hex!("01 02 90 00"));
        assert_eq!(send(&mut card, &hex!("00 20 00 80 00"), &hex!("63 C3")), hex!("63 C3"));
    }
}
