//! Digests, compared with those of `openssl`.

use super::super::station::Card;
use super::mechanism::HASHES;
use super::with_token;

#[test]
fn every_digest_is_that_of_openssl_at_once_and_in_parts() {
    with_token(every_digest_is_that_of_openssl_at_once_and_in_parts, Card::Elliptic, |token| {
        let session = token.pkcs11.open_ro_session(token.slot).unwrap();
        for hash in &HASHES {
            for length in [0, 1, 55, 56, 64, 111, 112, 128, 1000] {
                let data = vec![0x61; length];
                let expected = token.openssl.digest(hash.name, &data);
                assert_eq!(session.digest(&hash.digest, &data).unwrap(), expected, "{} of {length}", hash.name);
                session.digest_init(&hash.digest).unwrap();
                for part in data.chunks(33) {
                    session.digest_update(part).unwrap();
                }
                assert_eq!(session.digest_final().unwrap(), expected, "{} of {length} in parts", hash.name);
            }
        }
    });
}
