//! PIN, the officer's PIN (PUK, PW3), and their counters by pkcs11-tool.

use super::super::program::Run;
use super::super::station::{Card, Station};
use super::tool;

const WRONG: &str = "654321";

/// Cards whose PINs are counted and set anew in their own ways.
const CARDS: [Card; 2] = [Card::Elliptic, Card::OpenPgp];

fn log_in(station: &Station, pin: &str) -> Run {
    tool(station, &["--login", "--pin", pin, "-O"])
}

fn flags(station: &Station) -> String {
    let run = tool(station, &["-L"]).succeeded();
    run.lines_with("token flags").concat()
}

#[test]
fn the_changed_pin_is_the_one_that_logs_in() {
    for card in CARDS {
        let station = Station::new(card);
        let old = station.provisioned.pin.as_str();
        tool(&station, &["--login", "--pin", old, "--change-pin", "--new-pin", "87654321"])
            .succeeded()
            .says("PIN successfully changed");
        log_in(&station, "87654321").succeeded();
        log_in(&station, old).failed().says("CKR_PIN_INCORRECT");
        assert_eq!(station.pin_tries(), 2);
    }
}

#[test]
fn a_new_pin_of_a_length_that_the_card_does_not_take_is_refused_without_asking_it() {
    for card in CARDS {
        let station = Station::new(card);
        let too_long = if card == Card::OpenPgp { "9".repeat(128) } else { "9".repeat(9) };
        for new in ["12345", too_long.as_str()] {
            let change = ["--login", "--pin", &station.provisioned.pin, "--change-pin", "--new-pin", new];
            tool(&station, &change).failed().says("CKR_PIN_LEN_RANGE");
        }
        let changes = station.reader.commands().into_iter().filter(|command| command[1] == 0x24);
        assert_eq!(changes.count(), 0);
    }
}

#[test]
fn the_officer_gives_a_blocked_user_a_new_pin() {
    for card in CARDS {
        let station = Station::new(card);
        for pin in ["111111", "222222", "333333"] {
            log_in(&station, pin).failed();
        }
        log_in(&station, &station.provisioned.pin).failed().says("CKR_PIN_LOCKED");
        assert!(flags(&station).contains("PIN locked"), "{}", flags(&station));
        let officer = ["--login", "--login-type", "so", "--so-pin", &station.provisioned.puk];
        tool(&station, &[&officer[..], &["--init-pin", "--new-pin", "13579246"]].concat())
            .succeeded()
            .says("User PIN successfully initialized");
        log_in(&station, "13579246").succeeded();
        assert!(!flags(&station).contains("locked"), "{}", flags(&station));
    }
}

#[test]
fn the_officer_changes_the_puk() {
    for card in CARDS {
        let station = Station::new(card);
        let puk = station.provisioned.puk.as_str();
        let change = ["--login", "--login-type", "so", "--so-pin", puk, "--change-pin", "--new-pin", "11223344"];
        tool(&station, &change).succeeded().says("PIN successfully changed");
        let init = |puk| {
            tool(&station, &["--login", "--login-type", "so", "--so-pin", puk, "--init-pin", "--new-pin", "13579246"])
        };
        init("11223344").succeeded();
        init(puk).failed().says("CKR_PIN_INCORRECT");
    }
}

#[test]
fn the_flags_follow_the_counter_down_and_up_again() {
    for card in CARDS {
        let station = Station::new(card);
        let none = flags(&station);
        assert!(!none.contains("count low") && !none.contains("final") && !none.contains("locked"), "{none}");
        for (pin, flag) in
            [("111111", "user PIN count low"), ("222222", "final user PIN try"), ("333333", "user PIN locked")]
        {
            log_in(&station, pin).failed().says(if flag.contains("locked") { "CKR_PIN_" } else { "CKR_PIN_INCORRECT" });
            let seen = flags(&station);
            assert!(seen.contains(flag), "after {pin}: {seen}");
        }
        assert_eq!(station.pin_tries(), 0);
    }
}

#[test]
fn a_right_pin_restores_the_counter_and_clears_the_flags() {
    for card in CARDS {
        let station = Station::new(card);
        log_in(&station, WRONG).failed().says("CKR_PIN_INCORRECT");
        assert!(flags(&station).contains("count low"));
        log_in(&station, &station.provisioned.pin).succeeded();
        assert!(!flags(&station).contains("count low"));
        assert_eq!(station.pin_tries(), 3);
    }
}
