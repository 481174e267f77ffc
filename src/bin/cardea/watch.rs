//! `cardea watch`: a line for each card and reader that comes or goes.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::arguments::Arguments as Common;
use crate::cards::Cards;
use crate::choice::{Token, TokenChoice};
use crate::failure::Failure;
use crate::output::{Output, printable};

/// For how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    token: TokenChoice,

    /// End after so many events
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

/// One event, as JSON has it.
#[derive(Serialize)]
struct Event {
    /// Seconds since 1970.
    time: u64,
    event: &'static str,
    reader: String,
    token: Option<String>,
    uri: Option<String>,
    problem: Option<String>,
}

/// Watches until it is interrupted.
pub(crate) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<(), Failure> {
    let cards = Cards::open(common)?;
    // The Library reports what changes after this first look.
    cards.slots()?;
    let mut seen = 0;
    output.remark("watching; Ctrl-C ends it");
    while arguments.count.is_none_or(|count| seen < count) {
        let id = cards.library().wait_for_slot_event(true)?;
        let slot = cards.library().slot(id)?;
        if !arguments.token.admits(&slot) {
            continue;
        }
        seen += 1;
        let (state, _) = slot.reader().look();
        let token = if state.card_present { Some(Token::in_slot(&cards, &slot)) } else { None };
        let problem =
            token.as_ref().and_then(|token| token.as_ref().err()).map(|error| cards.explain(&slot, *error).what);
        let token = token.and_then(Result::ok);
        show(
            &Event {
                time: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
                event: match state.card_present {
                    _ if !state.available => "reader gone",
                    true => "card in",
                    false => "card out",
                },
                reader: slot.reader().name().to_owned(),
                uri: token.as_ref().map(|token| token.uri().to_string()),
                token: token.map(|token| token.info().label.clone()),
                problem,
            },
            output,
        )?;
    }
    Ok(())
}

fn show(event: &Event, output: &Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.value_line(event);
    }
    let Event { event: what, reader, token, problem, .. } = event;
    let detail = token.as_ref().or(problem.as_ref()).map(|text| format!(": {}", printable(text))).unwrap_or_default();
    output.line(format!("{what:<11} {}{detail}", printable(reader)))
}
