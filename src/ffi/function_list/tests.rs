use std::collections::BTreeSet;

use super::*;

#[test]
fn every_function_has_one_row() {
    let names: BTreeSet<_> = ROWS.iter().map(|(_, name, _)| *name).collect();
    assert_eq!(ROWS.len(), 104);
    assert_eq!(names.len(), 104);
}

#[test]
fn exactly_three_functions_are_exported() {
    let exported: Vec<_> = ROWS.iter().filter(|(kind, _, _)| *kind == "exported").map(|(_, name, _)| *name).collect();
    assert_eq!(exported, ["C_GetFunctionList", "C_GetInterfaceList", "C_GetInterface"]);
}

#[test]
fn the_lists_have_their_versions_and_every_place_filled() {
    let versions = [LIST_2_40.version, LIST_3_0.version, LIST_3_1.version, LIST_3_2.version];
    assert_eq!(versions.map(|version| (version.major, version.minor)), [(2, 40), (3, 0), (3, 1), (3, 2)]);
    let empty = "None";
    for list in [format!("{LIST_2_40:?}"), format!("{LIST_3_0:?}"), format!("{LIST_3_1:?}"), format!("{LIST_3_2:?}")] {
        assert!(!list.contains(empty), "{list}");
    }
}
