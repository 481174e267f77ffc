//! Level 2: programs that others wrote, with the built module.
