//! Reader profiles against the 692 USB descriptors of `../shared/ccid-readers`, where they lie beside the repository.

mod descriptor;
mod driver;
mod facts;
mod limits;
mod udev;
