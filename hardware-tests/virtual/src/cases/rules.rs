//! udev/70-cardea.rules in the real udev.

use cardea_virtual_hardware::ccid::ReaderDescription;

use super::{EXTENDED, SHORT};
use crate::bed::{Bed, Outcome, ensure, eventually};

/// Finds the reader's directory in sysfs and leaves its path in `$device`.
fn find(description: &ReaderDescription) -> String {
    format!(
        "device=$(dirname $(grep -l {:04x} $(grep -l {:04x} /sys/bus/usb/devices/*/idVendor | sed s/idVendor/idProduct/)))\n",
        description.product, description.vendor
    )
}

/// What udev knows of the reader.
fn properties(bed: &mut Bed, description: &ReaderDescription) -> Outcome<String> {
    bed.guest().run(&format!("{}udevadm settle; udevadm info --query=all --path=$device", find(description)))
}

/// Class rule, tag for the seat, link.
pub(super) fn describes(bed: &mut Bed, description: ReaderDescription) -> Outcome {
    bed.plug(description.clone())?;
    let mut output = String::new();
    eventually("udev has processed the reader", || {
        output = properties(bed, &description).unwrap_or_default();
        output.contains("E: ID_SERIAL=")
    })?;
    for expected in ["E: ID_SMARTCARD_READER=1", "uaccess", "S: smartcard/by-id/"] {
        ensure(output.contains(expected), || format!("no {expected} in\n{output}"))?;
    }
    let link = "test -c \"$(readlink -f /dev/smartcard/by-id/*)\"";
    bed.guest().run(link).map(drop)
}

pub(super) fn known(bed: &mut Bed, _: Option<ReaderDescription>) -> Outcome {
    let description = ReaderDescription::parse(EXTENDED)?;
    describes(bed, description.clone())?;
    bed.settle()?;
    let output = properties(bed, &description)?;
    ensure(output.contains("E: CARDEA_READER=Alcor Micro AU9540"), || output.clone())
}

/// The profile of this reader says that autosuspend mutes it; the rule undoes what others have set.
pub(super) fn awake(bed: &mut Bed, _: Option<ReaderDescription>) -> Outcome {
    let description = ReaderDescription::parse(SHORT)?;
    describes(bed, description.clone())?;
    bed.settle()?;
    let control = bed.guest().run(&format!(
        "{}echo auto >$device/power/control
        udevadm trigger --settle --action=add $device
        cat $device/power/control",
        find(&description)
    ))?;
    ensure(control.trim() == "on", || format!("power/control is {control}"))
}
