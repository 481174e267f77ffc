//! A foreign reader, OpenSC over the private pcscd, takes the virtual card for a MyEID card and uses it.
//!
//! Without OpenSC's programs these tests say so and end.

use std::process::{Command, Output};

fn is_installed() -> bool {
    let found = Command::new("pkcs15-tool").arg("--version").output().is_ok();
    if !found {
        eprintln!("not run: pkcs15-tool is not installed (package opensc)");
    }
    found
}

/// Runs a script beside a card; it stops at the first command that fails.
fn beside(card: &str, script: &str) -> Option<String> {
    if !is_installed() {
        return None;
    }
    let script = format!("set -e; cd \"$CARDEA_BENCH_DIR\"; exec 2>&1\n{script}");
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_with-token"))
        .args([card, "sh", "-c", &script])
        .env_remove("CARDEA_APDU_LOG")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{output}{}", String::from_utf8_lossy(&stderr));
    Some(output)
}

#[track_caller]
fn assert_tells(output: &Option<String>, expected: &[&str]) {
    for line in expected {
        if let Some(output) = output {
            assert!(output.contains(line), "no {line:?} in\n{output}");
        }
    }
}

#[test]
fn opensc_reads_the_file_system() {
    for card in ["myeid", "myeid-channels", "myeid-old"] {
        let output = beside(card, "opensc-tool -n; pkcs15-tool -D");
        assert_tells(
            &output,
            &[
                if card == "myeid-old" { "MyEID 4.0.1" } else { "MyEID 4.5.5" },
                "PKCS#15 Card [Cardea MyEID]",
                "PIN [User PIN]",
                "Private RSA Key [RSA key]",
                "FieldLength    : 384",
                "Secret Generic Key [AES key]",
                "X.509 Certificate [Cardea Bench CA]",
                "Data (23 bytes): 77686174",
            ],
        );
    }
}

#[test]
fn opensc_signs_deciphers_agrees_and_enciphers() {
    let script = r#"
        tool="pkcs11-tool -l --pin $CARDEA_PIN"
        $tool --test
        openssl rand 32 > hash; openssl rand 1008 > message
        $tool --sign -m ECDSA --id 46 -i hash -o signature --signature-format openssl
        openssl pkeyutl -verify -pubin -inkey 46.pub.pem -in hash -sigfile signature
        $tool --sign -m SHA256-RSA-PKCS --id 45 -i message -o signature
        openssl dgst -sha256 -verify 45.pub.pem -signature signature message
        openssl ecparam -name secp384r1 -genkey -noout -out own.pem
        openssl ec -in own.pem -pubout -outform DER -out own.der
        $tool --derive -m ECDH1-DERIVE --id 47 -i own.der -o secret
        openssl pkeyutl -derive -inkey own.pem -peerkey 47.pub.pem -out expected
        cmp secret expected && echo same secret
        for mechanism in AES-CBC AES-CBC-PAD AES-ECB; do
            $tool --encrypt -m $mechanism --id 48 --iv 000102030405060708090a0b0c0d0e0f -i message -o cryptogram
            $tool --decrypt -m $mechanism --id 48 --iv 000102030405060708090a0b0c0d0e0f -i cryptogram -o plain
            cmp message plain && echo same message with $mechanism
        done
    "#;
    assert_tells(
        &beside("myeid", script),
        &[
            "No errors",
            "Signature Verified Successfully",
            "Verified OK",
            "same secret",
            "same message with AES-CBC\n",
            "same message with AES-CBC-PAD",
            "same message with AES-ECB",
        ],
    );
}

#[test]
fn opensc_uses_an_old_card_and_the_rarer_keys() {
    let old = r#"
        openssl rand 32 > secret
        openssl pkeyutl -encrypt -pubin -inkey 45.pub.pem -in secret -out cryptogram
        pkcs11-tool -l --pin $CARDEA_PIN --decrypt -m RSA-PKCS --id 45 -i cryptogram -o plain
        cmp secret plain && echo same secret
        grep -c 2A80868182 "$CARDEA_APDU_LOG" || grep -c 2A8086 "$CARDEA_APDU_LOG"
    "#;
    assert_tells(&beside("myeid-old", old), &["same secret"]);
    let varied = r#"
        tool="pkcs11-tool -l --pin $CARDEA_PIN"
        openssl rand 20 > hash
        for id in 52 53 54; do
            $tool --sign -m ECDSA --id $id -i hash -o signature --signature-format openssl
            openssl pkeyutl -verify -pubin -inkey $id.pub.pem -in hash -sigfile signature && echo key $id signs
        done
        openssl rand 256 > secret
        openssl pkeyutl -encrypt -pubin -inkey 51.pub.pem -in secret -out cryptogram
        $tool --decrypt -m RSA-PKCS --id 51 -i cryptogram -o plain
        cmp secret plain && echo same secret
    "#;
    assert_tells(&beside("myeid-varied", varied), &["key 52 signs", "key 53 signs", "key 54 signs", "same secret"]);
}

#[test]
fn opensc_initialises_a_blank_card_and_fills_it() {
    let script = r#"
        pins="--pin 123456 --so-pin 87654321"
        pkcs15-init -C --so-pin 87654321 --so-puk 87654321 --pin 123456 --puk 12345678
        pkcs15-init -P -a 1 --pin 123456 --puk 12345678 --so-pin 87654321 --label 'User PIN'
        pkcs15-init -F
        pkcs15-init -G rsa/1024 -a 1 --id 45 --label 'RSA key' $pins
        pkcs15-init -G ec/secp521r1 -a 1 --id 46 --label 'Curve key' $pins
        openssl rand 32 > secret
        pkcs15-init --store-secret-key secret --secret-key-algorithm aes/256 -a 1 --id 47 --label 'AES key' $pins
        pkcs15-init -W secret --application-name bench --label 'Data' $pins
        pkcs15-tool -D
        pkcs15-tool --change-pin -a 01 --pin 123456 --new-pin 654321
        pkcs15-tool --unblock-pin -a 01 --puk 12345678 --new-pin 111111
        pkcs15-tool --verify-pin -a 01 --pin 111111
        pkcs15-init -E --so-pin 87654321 && echo erased
    "#;
    assert_tells(
        &beside("myeid-blank", script),
        &[
            "ModLength      : 1024",
            "FieldLength    : 521",
            "Secret Generic Key [AES key]",
            "Data object 'Data'",
            "erased",
        ],
    );
}

#[test]
fn opensc_creates_session_objects_in_volatile_memory_and_leaves_them_there() {
    let script = r#"
        tool="pkcs11-tool -l --pin $CARDEA_PIN"
        openssl ecparam -name secp384r1 -genkey -noout -out own.pem
        openssl ec -in own.pem -pubout -outform DER -out own.der
        $tool --derive -m ECDH1-DERIVE --id 47 -i own.der -o secret
        printf 'cd 5015\nls 4D*\nquit\n' | opensc-explorer
        grep 85020009 "$CARDEA_APDU_LOG"
    "#;
    // generic secret 4D02 with bits "session object" and "extractable"
    assert_tells(&beside("myeid", script), &["83024D0286031111FF85020009", "4D02"]);
}
