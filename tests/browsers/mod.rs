//! Level 2: browsers that log in to a web page with the card.

mod chromium;
mod dialogs;
mod firefox;
mod firefox_cases;
mod marionette;
mod registration;
mod screenshots;
