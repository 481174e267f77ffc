//! Whatever comes, the card answers with a status word.

use super::*;

/// Marsaglia's xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.next() % choices.len()]
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// A command that is nearly right.
fn command(random: &mut Random) -> Vec<u8> {
    const HEADERS: [[u8; 3]; 28] = [
        hex!("20 00 01"),
        hex!("20 00 03"),
        hex!("24 00 01"),
        hex!("2C 00 01"),
        hex!("2E 00 00"),
        hex!("22 41 B6"),
        hex!("22 41 B8"),
        hex!("22 81 B8"),
        hex!("22 41 A4"),
        hex!("2A 9E 9A"),
        hex!("2A 80 86"),
        hex!("2A 80 84"),
        hex!("2A 84 80"),
        hex!("2A 84 00"),
        hex!("2A 00 84"),
        hex!("2A 00 86"),
        hex!("46 00 00"),
        hex!("70 00 00"),
        hex!("70 80 01"),
        hex!("84 00 00"),
        hex!("86 00 00"),
        hex!("A4 00 00"),
        hex!("A4 08 00"),
        hex!("B0 00 00"),
        hex!("D6 00 00"),
        hex!("DA 01 A0"),
        hex!("E0 00 00"),
        hex!("E4 00 00"),
    ];
    let header = random.pick(&HEADERS);
    let id = random.pick(&[0x4B01, 0x4B02, 0x4D01, 0x4D02, 0x4D10, 0x5031, 0x3F00, 0x5015]);
    let length = random.pick(&[0, 1, 8, 16, 32, 33, 65, 130, 255]);
    let data = match random.next() % 8 {
        0 => PIN.to_vec(),
        1 => u16::to_be_bytes(id).to_vec(),
        2 => [&[0x80, 1, random.pick(&[0, 2, 4, 0x0A, 0x8A]), 0x81, 2][..], &id.to_be_bytes()].concat(),
        3 => key_file(random.pick(&[0x22, 0x29, 0x41, 0x19]), random.pick(&[128, 192, 256]), 0x4D10, [0, 1]),
        4 => [&[0x7C, 0x43, 0x85, 0x41, 0x04][..], &random.bytes(64)].concat(),
        _ => random.bytes(length),
    };
    let class = random.pick(&[0x00, 0x00, 0x00, 0x10, 0x01, 0x11, 0xA0, 0x0C]);
    let mut apdu = vec![class, header[0], header[1], header[2]];
    if !data.is_empty() {
        apdu.push(data.len() as u8);
        apdu.extend(&data);
    }
    if random.next().is_multiple_of(2) {
        apdu.push(random.next() as u8);
    }
    apdu
}

#[test]
fn random_commands_always_get_a_status_word_and_spoil_nothing() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for options in [
        MyEidOptions { volatile_bytes: 200, ..MyEidOptions::with_channels() },
        MyEidOptions { extended_length: true, ..MyEidOptions::default() },
    ] {
        let (mut card, _) = logged_in(options);
        for round in 0..4000 {
            let mut apdu = command(&mut random);
            match random.next() % 10 {
                0 => {
                    let position = random.next() % apdu.len();
                    apdu[position] = random.next() as u8;
                }
                1 => apdu.truncate(random.next() % apdu.len()),
                _ => {}
            }
            // blocked PINs and initialisation would make the rest dull
            let (answer, status) = raw(&mut card, &apdu);
            assert!(answer.len() <= 65_536 && status >> 12 >= 6, "{apdu:02X?} got {status:04X}");
            if round % 200 == 0 {
                card.reset();
                raw(&mut card, &hex!("00 2C 00 01 10 31323334353637383132333435 36FFFF"));
                raw(&mut card, &hex!("00 70 00 00 01"));
                raw(&mut card, &hex!("00 A4 08 0C 02 5015"));
                raw(&mut card, &[&hex!("00 20 00 01 08")[..], PIN].concat());
            }
        }
        card.reset();
        assert!(card.probe().volatile_files().is_empty());
        let mut terminal = Terminal::new(&mut card);
        terminal.send(SELECT_NAME, &MYEID_AID).unwrap();
    }
}

#[test]
fn noise_always_gets_a_status_word() {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let mut card = blank(MyEidOptions::with_channels());
    for _ in 0..4000 {
        let length = random.next() % 300;
        let apdu = random.bytes(length);
        assert!(raw(&mut card, &apdu).1 >= 0x6000);
    }
}
