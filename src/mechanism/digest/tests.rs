#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

/// FIPS 180-4 examples for "abc".
const ABC: [&str; 5] = [
    "a9993e364706816aba3e25717850c26c9cd0d89d",
    "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
];

#[test]
fn each_hash_gives_the_published_digest_however_the_message_is_cut() {
    for (hash, expected) in Hash::ALL.into_iter().zip(ABC) {
        assert_eq!(hex::encode(hash.digest(&[b"abc"])), expected);
        assert_eq!(hex::encode(hash.digest(&[b"", b"a", b"", b"bc"])), expected);
        assert_eq!(expected.len(), 2 * hash.output_len());
    }
}

#[test]
fn a_copied_digest_goes_on_by_itself() {
    let mut one = Digester::new(Hash::Sha256);
    one.update(b"a");
    let mut other = one.clone();
    one.update(b"bc");
    other.update(b"x");
    assert_eq!(hex::encode(one.finish()), ABC[2]);
    assert_eq!(other.finish(), Hash::Sha256.digest(&[b"ax"]));
}

#[test]
fn digest_info_lengths_agree_with_the_digest() {
    for hash in Hash::ALL {
        let prefix = hash.digest_info_prefix();
        assert_eq!(usize::from(prefix[1]) + 2, prefix.len() + hash.output_len());
        assert_eq!(usize::from(*prefix.last().unwrap()), hash.output_len());
        assert_eq!(hash.oid_der()[0], 0x06);
        assert_eq!(usize::from(hash.oid_der()[1]) + 2, hash.oid_der().len());
    }
    assert_eq!(Hash::Sha1.oid_der(), [0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A]);
}

#[test]
fn a_saved_digest_goes_on_where_it_was() {
    let data: Vec<u8> = (0..=255).collect();
    for hash in Hash::ALL {
        for length in [0, 1, 63, 64, 65, 128, 200] {
            let mut digester = Digester::new(hash);
            digester.update(&data[..length]);
            let mut restored = Digester::restore(hash, &digester.save()).unwrap();
            restored.update(&data[length..]);
            assert_eq!(restored.finish(), hash.digest(&[&data]), "{hash:?} after {length}");
        }
        let state = Digester::new(hash).save();
        assert!(Digester::restore(hash, &state[1..]).is_none());
        assert!(Digester::restore(hash, &[&state[..], &[0]].concat()).is_none());
    }
}
