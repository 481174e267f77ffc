//! The command line: what is common to all subcommands, and their list.

use std::path::PathBuf;

use clap::Parser;

use crate::{
    certificate, decrypt, documents, generate, import, info, list, pin, register, reset, sign, trace, verify, watch,
};

/// Use and look after smartcards and USB tokens.
///
/// Cardea reaches cards through PC/SC (pcscd). Objects on cards are named by URIs (RFC 7512), which `cardea list`
/// prints and every subcommand takes by --uri. PINs are asked for on the terminal, entered on the keys of a reader
/// that has them, or read from a file descriptor; never from the command line.
#[derive(Debug, Parser)]
#[command(name = "cardea", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Answer from a transcript of `cardea trace` instead of readers and cards
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) subcommand: Subcommand,
}

/// What is to be done.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Subcommand {
    /// List readers, tokens and the objects on them
    List(list::Arguments),
    /// Say what a token is, what it can do and how many tries its PINs have left
    Info(info::Arguments),
    /// Say what each reader is and can do, and which card is in it
    Readers,
    /// Look for what is in the way, and say what to do about it
    Doctor,
    /// See, change and unblock PINs
    #[command(subcommand)]
    Pin(pin::Arguments),
    /// Have the card make a key pair
    Generate(generate::Arguments),
    /// Bring a private key from a file to a token
    Import(import::Arguments),
    /// Read and write certificates, and ask an authority for one
    #[command(subcommand)]
    Certificate(certificate::Arguments),
    /// Sign a file with a key on a token
    Sign(sign::Arguments),
    /// Verify a signature with a public key on a token
    Verify(verify::Arguments),
    /// Decrypt a file with an RSA key on a token
    Decrypt(decrypt::Arguments),
    /// Tell Firefox, Thunderbird, Chromium and p11-kit of the module
    Register(register::Arguments),
    /// Take away what `register` has written, and nothing else
    Unregister(register::Undo),
    /// Make a token empty: all that is on it is lost
    Reset(reset::Arguments),
    /// Record what goes between host and card, without secrets
    Trace(trace::Arguments),
    /// Print a line whenever a card or a reader comes or goes
    Watch(watch::Arguments),
    /// Write the manual pages and the completions for shells
    #[command(hide = true)]
    Documents(documents::Arguments),
}
