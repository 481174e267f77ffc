//! Level 2: the C boundary of the built module, called through raw pointers.
