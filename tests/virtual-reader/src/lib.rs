//! Virtual reader.
