//! Cardea.
