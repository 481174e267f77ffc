//! Which channel of the card each of its applications works on, and what is believed to be selected there.
//!
//! All share the basic channel, but for those that have one of their own; there another program's SELECT does not reach
//! them. Kept for one connection, and forgotten when the card starts afresh.

use std::collections::BTreeMap;

use crate::channel::logical::BASIC;

/// The channels of one card, by number of the application.
#[derive(Default)]
pub struct Channels {
    /// The application that our last command found selected on the basic channel.
    basic: Option<usize>,
    own: BTreeMap<usize, Own>,
    stray: bool,
}

/// What came of asking for a channel.
enum Own {
    Open { number: u8, selected: bool },
    Refused,
}

impl Channels {
    /// An application was found on the basic channel, or none.
    pub fn found_on_basic(&mut self, index: Option<usize>) {
        self.basic = index;
    }

    /// Whether a channel was asked for.
    pub fn is_settled(&self, index: usize) -> bool {
        self.own.contains_key(&index)
    }

    /// The number of the application's channel.
    pub fn number(&self, index: usize) -> u8 {
        match self.own.get(&index) {
            Some(Own::Open { number, .. }) => *number,
            Some(Own::Refused) | None => BASIC,
        }
    }

    /// Whether the application is believed to be selected on its channel.
    pub fn is_selected(&self, index: usize) -> bool {
        match self.own.get(&index) {
            Some(Own::Open { selected, .. }) => *selected,
            Some(Own::Refused) | None => self.basic == Some(index),
        }
    }

    /// The application was selected on its channel, or is not to be relied on there.
    pub fn set_selected(&mut self, index: usize, now: bool) {
        match self.own.get_mut(&index) {
            Some(Own::Open { selected, .. }) => *selected = now,
            Some(Own::Refused) | None => self.basic = now.then_some(index),
        }
    }

    /// The card gave the application a channel; nothing is selected there.
    pub fn opened(&mut self, index: usize, number: u8) {
        self.own.insert(index, Own::Open { number, selected: false });
    }

    /// The application stays on the basic channel.
    pub fn refused(&mut self, index: usize) {
        self.own.insert(index, Own::Refused);
    }

    /// Gives up the channel of one application, if it has one; its number, for closing.
    pub fn give_up(&mut self, index: usize) -> Option<u8> {
        match self.own.remove(&index) {
            Some(Own::Open { number, .. }) => Some(number),
            Some(Own::Refused) | None => None,
        }
    }

    /// Gives up every channel but the basic one; their numbers, for closing.
    pub fn give_up_all(&mut self) -> Vec<u8> {
        let own = std::mem::take(&mut self.own);
        own.into_values()
            .filter_map(|own| match own {
                Own::Open { number, .. } => Some(number),
                Own::Refused => None,
            })
            .collect()
    }

    /// The card may have a channel open that nobody can close: the answer that told its number was lost, or it refused.
    pub fn left_stray(&mut self) {
        self.stray = true;
    }

    /// Whether only a reset closes all channels.
    pub fn has_stray(&self) -> bool {
        self.stray
    }

    /// The card started afresh: every channel is closed, nothing is selected.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}
