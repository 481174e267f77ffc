//! Logging in with Firefox.

use std::time::{Duration, Instant};

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{Holder, KeyKind, KeySlot, Layout, Usage};
use cardea_harness::reader::{Key, PinPad};
use cardea_page::{Page, Trust, Version};

use super::dialogs::{Answers, Dialog};
use super::firefox::{Choice, Firefox, Profile};
use crate::clients::station::{Card, Station};

/// The card's PIN.
const PIN: &str = cardea_harness::provision::PIN;
/// How long pcscd may take to see a card come or go, and a reader to ask.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the page says about a visitor without a certificate.
const NOBODY: &str = "Not logged in";

/// A page that lets in whoever has a certificate of the bench's authority.
fn page(station: &Station, version: Version) -> Page {
    Page::start(Trust::Authority(station.provisioned.ca_pem.clone()), version)
}

/// The standard holder's card with two certificates for TLS clients: RSA in 9A, P-256 in 9C.
fn two_certificates() -> Station {
    let authentication =
        |reference, kind| KeySlot { certificate: Some(Usage::Authentication), ..KeySlot::new(reference, kind) };
    let layout = Layout {
        holder: Holder::new("Ada Lovelace"),
        slots: vec![authentication(0x9A, KeyKind::Rsa2048('a')), authentication(0x9C, KeyKind::P256)],
        ..Layout::standard()
    };
    Station::with_layout(PivOptions::extended(), &layout)
}

/// Answers with the right PIN once, and without a choice of certificates.
const RIGHT_PIN: Answers<'static> = Answers { pins: &[PIN], certificate: None };

fn is_pin(dialog: &Dialog) -> bool {
    matches!(dialog, Dialog::Pin(text) if text.contains("PIV Card #"))
}

/// Goes to the page and expects to be let in as the holder of this key.
#[track_caller]
fn is_let_in(firefox: &mut Firefox, url: &str, reference: &str) {
    firefox.visit(url).unwrap_or_else(|error| panic!("{error}, after {:?}", firefox.dialogs()));
    let Some(subject) = firefox.text("subject") else {
        firefox.picture("nobody.png");
        panic!("nobody is logged in, after {:?}", firefox.dialogs());
    };
    assert!(subject.starts_with(&format!("SERIALNUMBER={reference},CN=")), "{subject}");
}

#[test]
fn firefox_logs_in_with_tls_1_2_and_1_3_by_rsa_and_elliptic_curves_and_asks_for_the_pin_once() {
    if !Firefox::installed() {
        return;
    }
    for (card, holder, schemes) in [
        (Card::Standard, "Ada Lovelace", "RSA_"),
        (Card::Elliptic, "Alan Turing", "ECDSA_"),
        (Card::Varied, "Grace Hopper", "ECDSA_"),
    ] {
        let station = Station::new(card);
        let pages = [("tls13", page(&station, Version::Tls13)), ("tls12", page(&station, Version::Tls12))];
        let profile = Profile::new(&station, &pages.each_ref().map(|(_, page)| page), Choice::Automatic);
        let mut firefox = Firefox::start(&station, &profile, &format!("firefox-{}", card.name()));
        firefox.answer(&RIGHT_PIN);
        for (version, page) in &pages {
            is_let_in(&mut firefox, &page.url(), "9A");
            firefox.picture(&format!("{version}.png"));
            let visit = page.visits().pop().unwrap();
            assert_eq!(visit.subject.unwrap(), format!("SERIALNUMBER=9A,CN={holder},O=Cardea Bench,C=GB"));
            assert_eq!(visit.version.to_lowercase().replace('_', ""), version.replace("tls", "tlsv"));
            assert!(visit.scheme.unwrap().starts_with(schemes), "{card:?}, {version}");
        }
        let dialogs = firefox.dialogs();
        assert!(dialogs.len() == 1 && is_pin(&dialogs[0]), "{dialogs:?}");
    }
}

#[test]
fn firefox_lets_its_user_choose_between_two_certificates_or_none() {
    if !Firefox::installed() {
        return;
    }
    let station = two_certificates();
    let page = page(&station, Version::Tls13);
    let profile = Profile::new(&station, &[&page], Choice::Ask);
    let mut firefox = Firefox::start(&station, &profile, "firefox-chooser");
    firefox.answer(&Answers { pins: &[PIN], certificate: Some("serialNumber=9A") });
    is_let_in(&mut firefox, &page.url(), "9A");
    firefox.picture("page.png");
    let dialogs = firefox.dialogs();
    assert!(
        dialogs.iter().any(|dialog| matches!(dialog, Dialog::Certificate(subjects) if subjects.len() == 2)),
        "{dialogs:?}"
    );
    firefox.answer(&Answers { pins: &[], certificate: None });
    firefox.visit(&page.url()).unwrap();
    assert_eq!(firefox.title(), NOBODY);
}

#[test]
fn firefox_asks_again_after_a_wrong_pin_and_a_cancelled_pin_costs_no_try() {
    if !Firefox::installed() {
        return;
    }
    let station = Station::new(Card::Elliptic);
    let page = page(&station, Version::Tls13);
    let profile = Profile::new(&station, &[&page], Choice::Automatic);
    let mut firefox = Firefox::start(&station, &profile, "firefox-wrong-pin");
    firefox.answer(&Answers { pins: &["000000", PIN], certificate: None });
    is_let_in(&mut firefox, &page.url(), "9A");
    let dialogs = firefox.dialogs();
    assert!(dialogs.len() == 2 && dialogs.iter().all(is_pin), "{dialogs:?}");
    drop(firefox);
    assert_eq!(verifications(&station), 2);
    assert_eq!(station.pin_tries(), 3);

    let mut firefox = Firefox::start(&station, &profile, "firefox-cancelled-pin");
    firefox.answer(&Answers::default());
    firefox.visit(&page.url()).unwrap();
    assert_eq!(firefox.title(), NOBODY);
    firefox.picture("page.png");
    assert!(firefox.dialogs().iter().all(is_pin));
    drop(firefox);
    assert_eq!(verifications(&station), 2);
}

/// How often a PIN has been sent to the card.
fn verifications(station: &Station) -> usize {
    station.reader.commands().iter().filter(|command| command.len() > 5 && command[1] == 0x20).count()
}

#[test]
fn firefox_forgets_the_login_with_the_card_and_asks_for_the_pin_when_it_is_back() {
    if !Firefox::installed() {
        return;
    }
    let station = Station::new(Card::Elliptic);
    let page = page(&station, Version::Tls13);
    let profile = Profile::new(&station, &[&page], Choice::Automatic);
    let mut firefox = Firefox::start(&station, &profile, "firefox-card-removed");
    firefox.answer(&RIGHT_PIN);
    is_let_in(&mut firefox, &page.url(), "9A");
    station.reader.remove();
    assert!(station.bench.await_log("Card Removed", PATIENCE));
    firefox.answer(&RIGHT_PIN);
    firefox.visit(&page.url()).unwrap();
    assert_eq!(firefox.title(), NOBODY);
    firefox.picture("without-card.png");
    assert_eq!(firefox.dialogs(), []);
    assert!(station.reader.reinsert());
    assert!(station.bench.await_log("Card inserted into", PATIENCE));
    firefox.answer(&RIGHT_PIN);
    // NSS looks at a slot once in a second.
    let deadline = Instant::now() + PATIENCE;
    while firefox.visit(&page.url()).is_err() || firefox.title() == NOBODY {
        assert!(Instant::now() < deadline, "Firefox does not see the card again");
    }
    is_let_in(&mut firefox, &page.url(), "9A");
    firefox.picture("card-back.png");
    let dialogs = firefox.dialogs();
    assert!(dialogs.len() == 1 && is_pin(&dialogs[0]), "{dialogs:?}");
}

#[test]
fn firefox_logs_in_from_two_tabs_at_once() {
    if !Firefox::installed() {
        return;
    }
    let station = Station::new(Card::Standard);
    let pages = [page(&station, Version::Tls13), page(&station, Version::Tls12)];
    let profile = Profile::new(&station, &pages.each_ref(), Choice::Automatic);
    let mut firefox = Firefox::start(&station, &profile, "firefox-two-tabs");
    firefox.answer(&RIGHT_PIN);
    let urls = pages.each_ref().map(Page::url);
    let urls = urls.each_ref().map(String::as_str);
    // While its user types the PIN for one tab, Firefox lets the other go on without a certificate.
    assert_eq!(firefox.visit_together(&urls), [Ok(()), Ok(())]);
    assert!(pages.iter().flat_map(Page::visits).any(|visit| visit.subject.is_some()));
    assert_eq!(firefox.visit_together(&urls), [Ok(()), Ok(())]);
    for page in &pages {
        assert!(page.visits().pop().unwrap().subject.unwrap().contains("CN=Ada Lovelace"));
    }
    firefox.picture("tab.png");
    let dialogs = firefox.dialogs();
    assert!(dialogs.len() == 1 && is_pin(&dialogs[0]), "{dialogs:?}");
}

#[test]
fn firefox_asks_for_the_pin_again_when_it_was_closed_and_leaves_a_card_without_login() {
    if !Firefox::installed() {
        return;
    }
    let station = Station::new(Card::Elliptic);
    let page = page(&station, Version::Tls13);
    let profile = Profile::new(&station, &[&page], Choice::Automatic);
    for start in 0..2 {
        let mut firefox = Firefox::start(&station, &profile, "firefox-reopened");
        firefox.answer(&RIGHT_PIN);
        is_let_in(&mut firefox, &page.url(), "9A");
        let dialogs = firefox.dialogs();
        assert!(dialogs.len() == 1 && is_pin(&dialogs[0]), "start {start}: {dialogs:?}");
        assert!(station.is_verified());
        firefox.quit();
        // Firefox ends without a word to its modules: pcscd notices, and switches the card off.
        let deadline = Instant::now() + PATIENCE;
        while station.is_verified() {
            assert!(Instant::now() < deadline, "start {start}: the card keeps the login");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    assert_eq!(page.visits().len(), 2);
}

/// NSS does not log in for an operation: the PIN of the login stands for the first signature, and for no second one.
#[test]
fn firefox_uses_a_key_that_wants_the_pin_for_each_signature_once_for_each_login() {
    if !Firefox::installed() {
        return;
    }
    let station = two_certificates();
    let page = page(&station, Version::Tls13);
    let profile = Profile::new(&station, &[&page], Choice::Ask);
    let mut firefox = Firefox::start(&station, &profile, "firefox-pin-each-time");
    firefox.answer(&Answers { pins: &[PIN], certificate: Some("serialNumber=9C") });
    is_let_in(&mut firefox, &page.url(), "9C");
    assert!(firefox.visit(&page.url()).is_err());
    assert_eq!(firefox.dialogs().into_iter().filter(is_pin).count(), 1);
    assert_eq!(page.visits().len(), 1);
}

/// Firefox opens a window for the time of the entry, and closes it when C_Login returns: not if that is before the window
/// has loaded (ESR 153), which takes a reader that does not wait for a person.
#[test]
fn firefox_asks_for_no_pin_where_the_reader_does_and_goes_on_when_it_is_typed_or_cancelled_there() {
    if !Firefox::installed() {
        return;
    }
    let station = Station::new(Card::Elliptic);
    let user = [Key::Cancel, Key::Digits(PIN.to_owned())];
    station.reader.set_pin_pad(Some(PinPad { delay: 4 * PATIENCE, ..PinPad::typing(&[]).with_user(user) }));
    let page = page(&station, Version::Tls13);
    let profile = Profile::new(&station, &[&page], Choice::Automatic);
    let mut firefox = Firefox::start(&station, &profile, "firefox-pin-pad");
    firefox.answer(&Answers::default());
    for (prompts, title) in [(1, NOBODY), (2, "Logged in")] {
        firefox.set_out(&[&page.url()]);
        let text = firefox.await_pin_pad();
        assert!(text.contains("PIV Card #"), "{text}");
        await_prompts(&station, prompts);
        station.reader.hurry();
        assert_eq!(firefox.arrive(&[&page.url()]), [Ok(())]);
        assert_eq!(firefox.title(), title);
        firefox.picture(&format!("page-{prompts}.png"));
    }
    is_let_in(&mut firefox, &page.url(), "9A");
    assert_eq!(firefox.dialogs(), []);
    assert_eq!(prompts(&station), 2);
}

/// How often the reader has asked for a PIN.
fn prompts(station: &Station) -> u32 {
    station.reader.pin_pad().unwrap().prompts
}

/// Waits until the reader asks for the PIN for this time.
fn await_prompts(station: &Station, wanted: u32) {
    let deadline = Instant::now() + PATIENCE;
    while prompts(station) < wanted {
        assert!(Instant::now() < deadline, "the reader does not ask");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(prompts(station), wanted);
}
