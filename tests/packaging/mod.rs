//! What is installed and packaged, and that the documents which go along are complete.

mod configuration;
mod install;
