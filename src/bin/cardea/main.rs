//! `cardea`: the command for people who use and look after smartcards.
//!
//! It is built on the same Library as the module, in the same process: what it shows is what programs see. One file
//! per subcommand; the rest is what they share.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "this process is the command's own")]

mod arguments;
mod ber;
mod cards;
mod certificate;
mod choice;
mod decrypt;
mod doctor;
mod documents;
mod encryption;
mod failure;
mod files;
mod generate;
mod import;
mod info;
mod key_use;
mod list;
mod mechanisms;
mod output;
mod pin;
mod pin_entry;
mod pkcs12;
mod private_key;
mod readers;
mod register;
mod request;
mod reset;
mod scheme;
mod sign;
mod trace;
mod uri;
mod verify;
mod watch;
mod writer;

use std::process::ExitCode;

use cardea_pkcs11::configuration::Configuration;
use clap::{CommandFactory, FromArgMatches};

use arguments::{Arguments, Subcommand};
use failure::{Failure, exit_codes};
use output::{Output, printable};

fn main() -> ExitCode {
    let mut command = command();
    let parsed = Arguments::from_arg_matches(&command.get_matches_mut());
    let arguments = parsed.unwrap_or_else(|error| error.format(&mut command).exit());
    let output = Output::new(arguments.json);
    remark_on_configuration(&arguments, &output);
    match run(&arguments, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit.into()
        }
    }
}

/// The command line as it is parsed and documented.
fn command() -> clap::Command {
    Arguments::command().after_long_help(exit_codes())
}

/// Says what the configuration cannot mean; the doctor does so by itself.
fn remark_on_configuration(arguments: &Arguments, output: &Output) {
    if !matches!(arguments.subcommand, Subcommand::Doctor | Subcommand::Documents(_)) {
        let (_, ignored) = Configuration::read();
        ignored.iter().for_each(|ignored| output.remark(printable(&format!("configuration ignored: {ignored}"))));
    }
}

fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    match &arguments.subcommand {
        Subcommand::List(list) => list::run(list, arguments, output),
        Subcommand::Info(info) => info::run(info, arguments, output),
        Subcommand::Readers => readers::run(arguments, output),
        Subcommand::Doctor => doctor::run(arguments, output),
        Subcommand::Pin(pin) => pin::run(pin, arguments, output),
        Subcommand::Generate(generate) => generate::run(generate, arguments, output),
        Subcommand::Import(import) => import::run(import, arguments, output),
        Subcommand::Certificate(certificate) => certificate::run(certificate, arguments, output),
        Subcommand::Sign(sign) => sign::run(sign, arguments, output),
        Subcommand::Verify(verify) => verify::run(verify, arguments, output),
        Subcommand::Decrypt(decrypt) => decrypt::run(decrypt, arguments, output),
        Subcommand::Register(register) => register::run(register, output),
        Subcommand::Unregister(undo) => register::undo(undo, output),
        Subcommand::Reset(reset) => reset::run(reset, arguments, output),
        Subcommand::Trace(trace) => trace::run(trace, arguments, output),
        Subcommand::Documents(documents) => documents::run(documents),
        Subcommand::Watch(watch) => watch::run(watch, arguments, output),
    }
}
