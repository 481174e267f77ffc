//! Filling a card.
