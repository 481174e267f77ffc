//! `cardea documents`: the manual pages and the completions for shells, made from the definition of the command line.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::arguments::Arguments as Line;
use crate::failure::{EXITS, Failure};

/// Where to write them.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A directory; `man1` and `completions` are made in it
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

/// Writes them.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let manual = arguments.directory.join("man1");
    let completions = arguments.directory.join("completions");
    fs::create_dir_all(&manual)?;
    fs::create_dir_all(&completions)?;
    let mut command = Line::command();
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        clap_complete::generate_to(shell, &mut command, "cardea", &completions)?;
    }
    command = command.disable_help_subcommand(true);
    command.build();
    page(&command, &manual, true)?;
    Ok(())
}

/// The page of a command, and those of its subcommands.
fn page(command: &clap::Command, folder: &Path, is_first: bool) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let man = Man::new(command.clone()).manual("User Commands");
    let mut text = Vec::new();
    man.render(&mut text)?;
    text.extend_from_slice(if is_first { more() } else { see_also() }.as_bytes());
    fs::write(folder.join(format!("{name}.1")), text)?;
    for subcommand in command.get_subcommands().filter(|own| !own.is_hide_set() && own.get_name() != "help") {
        page(subcommand, folder, false)?;
    }
    Ok(())
}

/// What the first page has beyond options and subcommands.
fn more() -> String {
    let mut text = ".SH \"EXIT STATUS\"\n.TP\n0\nsuccess\n".to_owned();
    for (exit, meaning) in EXITS {
        let _ = writeln!(text, ".TP\n{}\n{}", *exit as u8, meaning.replace('`', ""));
    }
    text.push_str(concat!(
        ".SH ENVIRONMENT\n",
        ".TP\nCARDEA_LOG, CARDEA_LOG_FILE\n`calls' or `trace': a log without secrets, and where it goes\n",
        ".TP\nCARDEA_TRANSCRIPT\nthe module in any program records a transcript into this new file\n",
        ".TP\nPCSCLITE_CSOCK_NAME\nthe socket of another pcscd\n",
        ".TP\nNO_COLOR\nno colours on terminals either\n",
        ".SH FILES\n",
        ".TP\n/etc/cardea/cardea.toml, ~/.config/cardea/cardea.toml\nthe configuration, see\n.BR cardea.toml (5)\n",
        ".TP\n/etc/cardea/reader\\-profiles, ~/.config/cardea/reader\\-profiles\nwhat is known of readers beyond what is built in\n",
        ".SH EXAMPLES\n",
        ".nf\ncardea doctor\ncardea list\ncardea sign \\-\\-id 01 \\-\\-output letter.sig letter.pdf\n",
        "cardea certificate request \\-\\-id 02 \\-\\-subject 'CN=Ada Lovelace,C=GB'\n.fi\n",
        ".SH \"SEE ALSO\"\n.BR cardea.toml (5),\n.BR pcscd (8),\n.BR p11\\-kit (8),\n.BR pkcs11.conf (5)\n",
    ));
    text
}

fn see_also() -> String {
    ".SH \"SEE ALSO\"\n.BR cardea (1)\n".to_owned()
}
