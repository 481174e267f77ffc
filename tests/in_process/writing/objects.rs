//! Certificates and data objects on the card: written, read by the next program, changed, copied, destroyed.

use cardea_pkcs11::error::Error;
use cardea_pkcs11::session::{Session, objects};
use cryptoki_sys::*;

use super::{FALSE, ID, Setting, TRUE, elliptic_pair};
use crate::in_process::keys::{attribute, find_all, template};
use crate::in_process::setting::{USER, pin};

const DATA: &[u8] = &CKO_DATA.to_ne_bytes();
const CERTIFICATE: &[u8] = &CKO_CERTIFICATE.to_ne_bytes();
const X509: &[u8] = &CKC_X_509.to_ne_bytes();
/// DER Name: CN=A.
const NAME: &[u8] = b"\x30\x0C\x31\x0A\x30\x08\x06\x03\x55\x04\x03\x0C\x01A";

fn data(session: &Session, private: &[u8], value: &[u8]) -> Result<u64, Error> {
    objects::create(
        session,
        template(&[
            (CKA_CLASS, DATA),
            (CKA_TOKEN, TRUE),
            (CKA_PRIVATE, private),
            (CKA_LABEL, b"note"),
            (CKA_APPLICATION, b"tests"),
            (CKA_OBJECT_ID, b"\x06\x03\x2A\x03\x04"),
            (CKA_VALUE, value),
        ]),
    )
}

fn some_certificate(session: &Session) -> Vec<u8> {
    let found = find_all(session, &[(CKA_CLASS, CERTIFICATE)]).unwrap();
    attribute(session, found[0], CKA_VALUE)
}

fn certificate(session: &Session, der: &[u8]) -> Result<u64, Error> {
    let attributes: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[
        (CKA_CLASS, CERTIFICATE),
        (CKA_CERTIFICATE_TYPE, X509),
        (CKA_TOKEN, TRUE),
        (CKA_ID, &[ID]),
        (CKA_LABEL, b"brought"),
        (CKA_VALUE, der),
    ];
    objects::create(session, template(attributes))
}

fn set(session: &Session, object: u64, attributes: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Result<(), Error> {
    objects::set_attributes(session, object, template(attributes))
}

#[test]
fn a_data_object_is_there_for_the_next_program_and_private_only_after_login() {
    let setting = Setting::new("data");
    let session = setting.logged_in();
    let content = vec![0xA5; 700];
    for private in [FALSE, TRUE] {
        let made = data(&session, private, &content).unwrap();
        assert_eq!(attribute(&session, made, CKA_VALUE), content);
        let next = setting.afresh();
        let theirs = next.session(next.open_session(0, true).unwrap()).unwrap();
        let find = || find_all(&theirs, &[(CKA_CLASS, DATA), (CKA_LABEL, b"note")]).unwrap();
        assert_eq!(find().len(), usize::from(private == FALSE));
        theirs.login(USER, pin(cardea_harness::myeid::PIN)).unwrap();
        let found = find()[0];
        assert_eq!(attribute(&theirs, found, CKA_VALUE), content);
        assert_eq!(attribute(&theirs, found, CKA_APPLICATION), b"tests");
        assert_eq!(attribute(&theirs, found, CKA_OBJECT_ID), b"\x06\x03\x2A\x03\x04");
        objects::destroy(&theirs, found).unwrap();
        assert!(find().is_empty());
    }
}

#[test]
fn a_certificate_is_written_renamed_and_destroyed_without_a_trace() {
    let setting = Setting::new("certificate");
    let session = setting.logged_in();
    let der = some_certificate(&session);
    let before = find_all(&session, &[]).unwrap();
    let made = certificate(&session, &der).unwrap();
    set(&session, made, &[(CKA_LABEL, b"renamed"), (CKA_ID, b"other")]).unwrap();
    assert_eq!(attribute(&session, made, CKA_LABEL), b"renamed");
    let next = setting.afresh();
    let theirs = next.session(next.open_session(0, true).unwrap()).unwrap();
    let found = find_all(&theirs, &[(CKA_CLASS, CERTIFICATE), (CKA_ID, b"other")]).unwrap();
    assert_eq!(attribute(&theirs, found[0], CKA_LABEL), b"renamed");
    assert_eq!(attribute(&theirs, found[0], CKA_VALUE), der);
    assert_eq!(set(&session, made, &[(CKA_VALUE, &der[1..])]), Err(Error::AttributeReadOnly));
    objects::destroy(&session, made).unwrap();
    assert_eq!(find_all(&session, &[]).unwrap(), before);
    assert_eq!(attribute(&session, before[0], CKA_LABEL), attribute(&session, before[0], CKA_LABEL));
}

#[test]
fn a_certificate_without_an_identifier_gets_that_of_its_key() {
    let setting = Setting::new("identifier");
    let session = setting.logged_in();
    let der = some_certificate(&session);
    let known = find_all(&session, &[(CKA_CLASS, CERTIFICATE), (CKA_VALUE, &der)]).unwrap()[0];
    let id = attribute(&session, known, CKA_ID);
    objects::destroy(&session, known).unwrap();
    let attributes: &[(CK_ATTRIBUTE_TYPE, &[u8])] =
        &[(CKA_CLASS, CERTIFICATE), (CKA_CERTIFICATE_TYPE, X509), (CKA_TOKEN, TRUE), (CKA_VALUE, &der)];
    let made = objects::create(&session, template(attributes)).unwrap();
    assert_eq!(attribute(&session, made, CKA_ID), id);
}

#[test]
fn a_key_is_renamed_with_its_public_half() {
    let setting = Setting::new("rename");
    let session = setting.logged_in();
    let (public, private) = elliptic_pair(&session, &[(CKA_TOKEN, TRUE), (CKA_ID, &[ID])]).unwrap();
    set(&session, private, &[(CKA_LABEL, b"mine"), (CKA_ID, b"\x99")]).unwrap();
    for key in [public, private] {
        assert_eq!(
            (attribute(&session, key, CKA_LABEL), attribute(&session, key, CKA_ID)),
            (b"mine".to_vec(), vec![0x99])
        );
    }
    set(&session, private, &[(CKA_SUBJECT, NAME)]).unwrap();
    assert_eq!(attribute(&session, private, CKA_SUBJECT), NAME);
    assert_eq!(set(&session, private, &[(CKA_SUBJECT, &NAME[1..])]), Err(Error::AttributeValueInvalid));
    assert_eq!(set(&session, private, &[(CKA_SIGN, FALSE)]), Err(Error::AttributeReadOnly));
    assert_eq!(set(&session, private, &[(CKA_MODULUS, b"x")]), Err(Error::AttributeTypeInvalid));
    let read_only = setting.library.session(setting.library.open_session(0, false).unwrap()).unwrap();
    assert_eq!(set(&read_only, private, &[(CKA_LABEL, b"x")]), Err(Error::SessionReadOnly));
    let next = setting.afresh();
    let theirs = next.session(next.open_session(0, true).unwrap()).unwrap();
    theirs.login(USER, pin(cardea_harness::myeid::PIN)).unwrap();
    assert_eq!(find_all(&theirs, &[(CKA_ID, b"\x99"), (CKA_LABEL, b"mine"), (CKA_SUBJECT, NAME)]).unwrap().len(), 2);
}

#[test]
fn a_key_of_the_session_is_renamed_too() {
    let setting = Setting::new("rename-session");
    let session = setting.logged_in();
    let (_, private) = elliptic_pair(&session, &[(CKA_ID, &[ID])]).unwrap();
    let new: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[(CKA_LABEL, b"mine"), (CKA_ID, b"\x99"), (CKA_SUBJECT, NAME)];
    set(&session, private, new).unwrap();
    assert!(new.iter().all(|(name, value)| attribute(&session, private, *name) == *value));
    assert_eq!(set(&session, private, &[(CKA_SENSITIVE, FALSE)]), Err(Error::AttributeReadOnly));
}

#[test]
fn a_certificates_serial_number_may_be_given_without_its_header_as_java_does() {
    let setting = Setting::new("serial");
    let session = setting.logged_in();
    let known = find_all(&session, &[(CKA_CLASS, CERTIFICATE)]).unwrap()[0];
    let [der, serial] = [CKA_VALUE, CKA_SERIAL_NUMBER].map(|name| attribute(&session, known, name));
    let create = |serial: &[u8]| {
        let attributes: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[
            (CKA_CLASS, CERTIFICATE),
            (CKA_CERTIFICATE_TYPE, X509),
            (CKA_TOKEN, TRUE),
            (CKA_ID, b"another"),
            (CKA_SERIAL_NUMBER, serial),
            (CKA_VALUE, &der),
        ];
        objects::create(&session, template(attributes))
    };
    assert_eq!(create(&serial[3..]), Err(Error::TemplateInconsistent));
    let made = create(&serial[2..]).unwrap();
    assert_eq!(attribute(&session, made, CKA_SERIAL_NUMBER), serial);
}

#[test]
fn the_content_of_a_data_object_is_replaced() {
    let setting = Setting::new("content");
    let session = setting.logged_in();
    let made = data(&session, FALSE, b"short").unwrap();
    let longer = vec![7; 300];
    set(&session, made, &[(CKA_VALUE, &longer)]).unwrap();
    assert_eq!(attribute(&session, made, CKA_VALUE), longer);
    let next = setting.afresh();
    let theirs = next.session(next.open_session(0, true).unwrap()).unwrap();
    let found = find_all(&theirs, &[(CKA_CLASS, DATA), (CKA_LABEL, b"note")]).unwrap();
    assert_eq!(attribute(&theirs, found[0], CKA_VALUE), longer);
}

#[test]
fn objects_are_copied_from_the_token_and_to_it() {
    let setting = Setting::new("copy");
    let session = setting.logged_in();
    let made = data(&session, FALSE, b"content").unwrap();
    let on_host = objects::copy(&session, made, template(&[(CKA_TOKEN, FALSE), (CKA_LABEL, b"copy")])).unwrap();
    assert_eq!(attribute(&session, on_host, CKA_VALUE), b"content");
    objects::destroy(&session, made).unwrap();
    let again = objects::copy(&session, on_host, template(&[(CKA_TOKEN, TRUE)])).unwrap();
    assert_eq!(attribute(&session, again, CKA_LABEL), b"copy");
    assert_eq!(attribute(&session, again, CKA_TOKEN), TRUE);
    objects::destroy(&session, on_host).unwrap();
    objects::destroy(&session, again).unwrap();
}

#[test]
fn what_a_token_has_no_place_for_is_refused() {
    let setting = Setting::new("no-place");
    let session = setting.logged_in();
    let der = some_certificate(&session);
    let base: &[(CK_ATTRIBUTE_TYPE, &[u8])] =
        &[(CKA_CLASS, CERTIFICATE), (CKA_CERTIFICATE_TYPE, X509), (CKA_TOKEN, TRUE), (CKA_VALUE, &der)];
    for more in [(CKA_PRIVATE, TRUE), (CKA_MODIFIABLE, FALSE), (CKA_DESTROYABLE, FALSE)] {
        let attributes = [base, &[more]].concat();
        assert_eq!(objects::create(&session, template(&attributes)), Err(Error::TemplateInconsistent));
    }
    assert_eq!(data(&session, FALSE, &vec![0; 40_000]), Err(Error::DeviceMemory));
}
