//! The shared object: what it exports, what it needs, what it runs when it is loaded.

use std::collections::BTreeSet;
use std::process::Command;

use crate::module;

/// Libraries that the module may need: the C library and its loader, the unwinder, PC/SC.
const NEEDED: [&str; 4] = ["libc.so.6", "libgcc_s.so.1", "libpcsclite.so.1", "ld-linux-x86-64.so.2"];

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).arg(module::path()).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn exactly_the_three_functions_that_clients_look_up_are_exported() {
    let symbols = output("nm", &["--dynamic", "--defined-only"]);
    let names: BTreeSet<&str> = symbols.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(names, BTreeSet::from(["C_GetFunctionList", "C_GetInterface", "C_GetInterfaceList"]));
}

#[test]
fn nothing_is_needed_but_the_c_library_the_unwinder_and_pcsc() {
    let dynamic = output("readelf", &["--dynamic", "--wide"]);
    let entries = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
    let needed: Vec<&str> = entries.map(|line| line.split(['[', ']']).nth(1).unwrap()).collect();
    assert!(needed.contains(&"libpcsclite.so.1"), "{needed:?}");
    for library in needed {
        assert!(NEEDED.contains(&library), "{library} is needed");
    }
    assert!(!dynamic.contains("(TEXTREL)") && !dynamic.contains("RPATH") && !dynamic.contains("RUNPATH"), "{dynamic}");
}

/// Two entries: the compiler's `frame_dummy`, and the one by which Rust's standard library learns the arguments of
/// the program.
#[test]
fn loading_runs_no_constructor_of_ours() {
    let sections = output("readelf", &["--sections", "--wide"]);
    let size = |section: &str| {
        let line = sections.lines().find(|line| line.split_whitespace().any(|word| word == section))?;
        let after = line.split_once(section)?.1;
        usize::from_str_radix(after.split_whitespace().nth(3)?, 16).ok()
    };
    assert!(size(".init_array").unwrap_or(0) <= 2 * size_of::<usize>(), "{sections}");
    assert!(size(".fini_array").unwrap_or(0) <= size_of::<usize>(), "{sections}");
    assert_eq!(size(".ctors"), None);
}
