use std::collections::VecDeque;

use zeroize::Zeroizing;

use super::*;
use crate::channel::limits::Limits;
use crate::log::Log;
use crate::pcsc::{Disposition, LinkError, Transaction};

/// Answers in their order; a text that is no hexadecimal number is a failure of the link.
struct Script {
    answers: VecDeque<String>,
    commands: Vec<String>,
}

impl Transaction for Script {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, LinkError> {
        self.commands.push(hex::encode(command));
        let answer = self.answers.pop_front().unwrap();
        hex::decode(answer).map(Zeroizing::new).map_err(|_| LinkError::Communication)
    }

    fn control(&mut self, _: u32, _: &[u8]) -> Result<Vec<u8>, LinkError> {
        Err(LinkError::Unsupported)
    }

    fn end(self: Box<Self>, _: Disposition) -> Result<(), LinkError> {
        Ok(())
    }
}

/// What came of `work`, and the commands.
fn with<R>(answers: &[&str], work: impl FnOnce(&mut Channel<'_>) -> R) -> (R, Vec<String>) {
    let mut script =
        Script { answers: answers.iter().map(|answer| answer.replace(' ', "")).collect(), commands: Vec::new() };
    let (mut limits, log) = (Limits::short(), Log::default());
    let result = work(&mut Channel::basic(&mut script, &mut limits, &log, "test"));
    assert!(script.answers.is_empty(), "answers that nobody asked for");
    (result, script.commands)
}

fn card(third: u8) -> Capabilities {
    Capabilities::from_object(&[0x00, 0x00, third])
}

fn opened(third: u8, answers: &[&str]) -> (Result<Option<u8>, ChannelError>, Vec<String>) {
    with(answers, |channel| open(channel, &card(third)))
}

#[test]
fn channels_are_announced_where_there_are_more_than_one_and_somebody_assigns_them() {
    let announced = |third| are_announced(&card(third));
    assert!(announced(0x11) && announced(0x09) && announced(0x1B) && announced(0x17));
    assert!(!announced(0x10) && !announced(0x08) && !announced(0x03) && !announced(0x00));
    assert!(!are_announced(&Capabilities::default()));
}

#[test]
fn the_card_chooses_the_number() {
    for number in 1..=19 {
        assert_eq!(opened(0x13, &[&format!("{number:02x} 9000")]), (Ok(Some(number)), vec!["0070000001".to_owned()]));
    }
}

#[test]
fn a_card_that_asks_for_another_length_gets_it() {
    assert_eq!(opened(0x13, &["6c01", "029000"]).0, Ok(Some(2)));
    assert_eq!(opened(0x13, &["6101", "029000"]).0, Ok(Some(2)));
}

#[test]
fn a_refusal_of_any_kind_is_no_channel() {
    for answer in ["6881", "6a81", "6a84", "6a86", "6d00", "6e00", "6200", "016200", "6985", "6f00", "6700"] {
        assert_eq!(opened(0x13, &[answer]), (Ok(None), vec!["0070000001".to_owned()]), "{answer}");
    }
}

#[test]
fn a_number_that_is_none_leaves_it_open_whether_there_is_a_channel() {
    for answer in ["9000", "009000", "149000", "ff9000", "01029000"] {
        assert_eq!(opened(0x13, &[answer]).0, Err(ChannelError::Malformed), "{answer}");
    }
    assert!(matches!(opened(0x13, &["lost"]).0, Err(ChannelError::Link(_))));
}

#[test]
fn where_only_the_interface_device_chooses_the_first_free_number_is_taken() {
    let (result, commands) = opened(0x0B, &["6a81", "6985", "9000"]);
    assert_eq!((result, commands), (Ok(Some(3)), ["00700001", "00700002", "00700003"].map(str::to_owned).to_vec()));
    assert_eq!(opened(0x0B, &["6a81", "6a81", "6a81"]).0, Ok(None));
    assert_eq!(opened(0x0B, &["6d00"]).0, Ok(None), "without the command there is no use in trying on");
}

#[test]
fn nobody_to_choose_is_no_command() {
    assert_eq!(opened(0x03, &[]), (Ok(None), vec![]));
}

#[test]
fn a_channel_is_opened_and_closed_from_the_basic_one() {
    let ((), commands) = with(&["039000", "9000"], |channel| {
        channel.switch_to(2);
        assert_eq!(open(channel, &card(0x13)), Ok(Some(3)));
        channel.switch_to(3);
        assert_eq!(close(channel, 3), Ok(true));
        assert_eq!(channel.number(), BASIC);
    });
    assert_eq!(commands, ["0070000001", "00708003"]);
}

#[test]
fn a_channel_that_was_closed_already_is_closed() {
    let closed = |answer| with(&[answer], |channel| close(channel, 1)).0;
    assert_eq!([closed("9000"), closed("6200"), closed("6881")], [Ok(true), Ok(true), Ok(true)]);
    assert_eq!([closed("6a81"), closed("6985"), closed("6d00")], [Ok(false), Ok(false), Ok(false)]);
}

#[test]
fn every_command_of_a_channel_bears_its_number() {
    for (number, first, last, rest) in
        [(0, "10", "00", "00"), (3, "13", "03", "03"), (4, "50", "40", "40"), (19, "5f", "4f", "4f")]
    {
        let (answer, commands) = with(&["9000", "aa6102", "bbcc9000"], |channel| {
            channel.switch_to(number);
            channel.transmit(Command::new(0x00, 0x2A, 0x80, 0x86).data(&[7; 300]).le(256))
        });
        assert_eq!(answer.unwrap().data(), [0xAA, 0xBB, 0xCC]);
        let classes: Vec<&str> = commands.iter().map(|command| command.get(..2).unwrap()).collect();
        assert_eq!(classes, [first, last, rest], "chain, last of the chain, GET RESPONSE on channel {number}");
    }
}

#[test]
fn a_class_that_cannot_bear_the_number_is_not_sent() {
    let (answer, commands) = with(&[], |channel| {
        channel.switch_to(5);
        channel.transmit(Command::new(0x80, 0xCA, 0x00, 0x00)).err()
    });
    assert_eq!((answer, commands), (Some(ChannelError::Command), vec![]));
}

#[test]
fn ef_atr_is_asked_where_the_historical_bytes_leave_it_to_it() {
    let left = |text: &str| {
        let bytes = hex::decode(text).unwrap();
        HistoricalBytes::parse(&bytes).is_some_and(are_left_to_ef_atr)
    };
    assert!(left("803110") && left("003110059000"));
    assert!(!left("80311073C02113"), "told already");
    assert!(!left("803180"), "no EF.ATR");
    assert!(!left("80"));
}

#[test]
fn ef_atr_tells_capabilities_or_historical_bytes() {
    let read = |content: &str| with(&["9000", content], read_ef_atr);
    let (told, commands) = read("430110 4703000013 9000");
    assert_eq!((told, commands), (Ok(card(0x13)), vec!["00a4080c022f01".to_owned(), "00b0000000".to_owned()]));
    assert_eq!(read("5f52058073c02193 9000").0, Ok(Capabilities::from_object(&[0xC0, 0x21, 0x93])));
    assert_eq!(read("470300").0, Ok(Capabilities::default()), "cut short");
    assert_eq!(read("4703000013 6282").0, Ok(card(0x13)), "shorter than asked for");
    assert_eq!(with(&["6a82"], read_ef_atr).0, Ok(Capabilities::default()));
}
