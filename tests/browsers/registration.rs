//! The browsers come to know of the module as their users tell them: by `cardea register`.

use crate::clients::station::Station;
use crate::command::desk::CARDEA;
use crate::module;

/// Registers the module with `program` in the home directory of `station`.
///
/// # Panics
/// When `cardea register` has not registered it.
pub fn register(station: &Station, program: &str) {
    let arguments = ["register", "--only", &program.to_lowercase(), "--module", module::path().to_str().unwrap()];
    station.run(CARDEA, arguments).succeeded().says("registered");
}
