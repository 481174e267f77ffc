//! Golden files: expected text under `tests/golden`, rewritten by `UPDATE_GOLDEN=1`.

use std::path::Path;

/// The text is that of the golden file `name`.
///
/// # Panics
/// With the first line that differs.
#[track_caller]
pub fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected =
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}; UPDATE_GOLDEN=1 makes it"));
    let mut lines = expected.lines().zip(text.lines()).enumerate();
    if let Some((number, (old, new))) = lines.find(|(_, (old, new))| old != new) {
        panic!("{name}, line {}: {old:?} became {new:?}; the whole text:\n{text}", number + 1);
    }
    assert_eq!(expected, text, "{name}: one text is the beginning of the other");
}
