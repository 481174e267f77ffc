//! git: commits signed by a card's key through ssh-agent.

use super::keys;
use super::openssh::{Agent, expected};
use super::program::{Run, installed, run};
use super::station::{Card, Station};
use crate::module;

#[test]
fn git_signs_commits_with_the_card_and_verifies_them() {
    if !installed("git", "git") || !installed("ssh-agent", "openssh-client") {
        return;
    }
    let station = Station::new(Card::Standard);
    let agent = Agent::start(&station);
    agent.add(&station, &["-s", module::path().to_str().unwrap()]).succeeded();
    let key = expected(&station, &keys::on(Card::Standard)[0]);
    let identity = station.file("git.pub", &key);
    let signers = station.file("signers", format!("ada@example.org {key}\n"));
    let git = |arguments: &[&str]| -> Run {
        let mut command = station.command("git");
        for setting in [
            "user.name=Ada Lovelace",
            "user.email=ada@example.org",
            "gpg.format=ssh",
            &format!("user.signingKey={}", identity.display()),
            &format!("gpg.ssh.allowedSignersFile={}", signers.display()),
        ] {
            command.args(["-c", setting]);
        }
        command.args(["-C", "repository"]).args(arguments);
        command.env("SSH_AUTH_SOCK", agent.socket());
        run(command)
    };
    std::fs::create_dir(station.directory().join("repository")).unwrap();
    git(&["init", "--quiet"]).succeeded();
    git(&["commit", "--quiet", "--allow-empty", "--gpg-sign", "--message", "signed by a card"]).succeeded();
    git(&["verify-commit", "HEAD"]).succeeded().says("Good \"git\" signature for ada@example.org");
    station.file(
        "signers",
        "ada@example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPFkKIcGBSdBxGhHpvdoHdwHDs60WXGUUGxYFFbTxxwP\n",
    );
    git(&["verify-commit", "HEAD"]).failed();
}
