//! Smartcard devices on USB, and who holds them: pcscd should, and cannot where the kernel or another program does.

use std::fs;
use std::path::{Path, PathBuf};

use super::Finding;
use super::programs;

/// bInterfaceClass of smartcard devices (CCID 1.1 4.6).
const SMART_CARD: &str = "0b";
/// The driver through which programs have a device.
const USBFS: &str = "usbfs";

/// A smartcard device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Device {
    name: String,
    /// Kernel driver of its smartcard interface.
    driver: Option<String>,
    /// Its file under `/dev/bus/usb`.
    node: PathBuf,
}

/// All of them, from the tree of `sysfs`.
pub(super) fn devices(system: &Path, nodes: &Path) -> Vec<Device> {
    let interfaces = fs::read_dir(system.join("bus/usb/devices")).into_iter().flatten().flatten();
    let mut devices: Vec<Device> =
        interfaces.filter_map(|entry| device(&fs::canonicalize(entry.path()).ok()?, nodes)).collect();
    devices.sort_by(|one, other| one.node.cmp(&other.node));
    devices.dedup();
    devices
}

fn device(interface: &Path, nodes: &Path) -> Option<Device> {
    let value = |folder: &Path, name: &str| Some(fs::read_to_string(folder.join(name)).ok()?.trim().to_owned());
    value(interface, "bInterfaceClass").filter(|class| class == SMART_CARD)?;
    let parent = interface.parent()?;
    let number = |name: &str| value(parent, name)?.parse::<u32>().ok();
    let (vendor, product) = (value(parent, "idVendor")?, value(parent, "idProduct")?);
    let title = value(parent, "product").unwrap_or_default();
    let driver = fs::read_link(interface.join("driver")).ok();
    let driver = driver.and_then(|link| Some(link.file_name()?.to_string_lossy().into_owned()));
    let node = nodes.join(format!("bus/usb/{:03}/{:03}", number("busnum")?, number("devnum")?));
    Some(Device { name: format!("{vendor}:{product} {title}").trim_end().to_owned(), driver, node })
}

/// What there is to say of them.
pub(super) fn findings(devices: &[Device], processes: &Path) -> Vec<Finding> {
    let mut findings: Vec<Finding> = devices.iter().map(|device| judged(device, processes)).collect();
    if devices.is_empty() {
        return findings;
    }
    // GnuPG brings a driver of its own, which takes the whole device where it is first.
    let daemons = programs::named(processes, "scdaemon");
    if !daemons.is_empty() {
        findings.push(Finding::note(
            "scdaemon",
            format!("GnuPG is at the cards too: {}", programs::list(&daemons)),
            "put the lines `disable-ccid` and `pcsc-shared` into ~/.gnupg/scdaemon.conf, then: gpgconf --kill scdaemon",
        ));
    }
    findings
}

fn judged(device: &Device, processes: &Path) -> Finding {
    let name = &device.name;
    if let Some(driver) = device.driver.as_ref().filter(|driver| *driver != USBFS) {
        return Finding::problem(
            "kernel-driver",
            format!("the kernel's driver {driver} holds the smartcard device {name}"),
            format!("keep it away: echo 'blacklist {driver}' | sudo tee /etc/modprobe.d/{driver}.conf, then restart"),
        );
    }
    let mut holders = programs::holders(processes, &device.node);
    holders.retain(|program| program.name != "pcscd");
    if holders.is_empty() {
        return Finding::ok("usb-device", format!("smartcard device {name}"));
    }
    Finding::problem(
        "device-held",
        format!("another program than pcscd holds the smartcard device {name}: {}", programs::list(&holders)),
        "end it, or have it use PC/SC",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A `sysfs` with one device whose interface has this driver.
    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str, class: &str, driver: Option<&str>) -> Self {
            let root = std::env::temp_dir().join(format!("cardea-usb-{name}-{}", std::process::id()));
            let interface = root.join("devices/1-2/1-2:1.0");
            fs::create_dir_all(&interface).unwrap();
            fs::create_dir_all(root.join("bus/usb/devices")).unwrap();
            for (file, value) in
                [("idVendor", "08e6"), ("idProduct", "3437"), ("product", "Reader"), ("busnum", "1"), ("devnum", "7")]
            {
                fs::write(root.join("devices/1-2").join(file), format!("{value}\n")).unwrap();
            }
            fs::write(interface.join("bInterfaceClass"), format!("{class}\n")).unwrap();
            symlink("../../../devices/1-2/1-2:1.0", root.join("bus/usb/devices/1-2:1.0")).unwrap();
            if let Some(driver) = driver {
                symlink(format!("../../../bus/usb/drivers/{driver}"), interface.join("driver")).unwrap();
            }
            Self(root)
        }

        /// A process that has a file open.
        fn process(&self, id: u32, name: &str, open: &Path) {
            let folder = self.0.join(format!("proc/{id}"));
            fs::create_dir_all(folder.join("fd")).unwrap();
            fs::write(folder.join("comm"), format!("{name}\n")).unwrap();
            symlink(open, folder.join("fd/5")).unwrap();
        }

        fn ids(&self) -> Vec<&'static str> {
            let devices = devices(&self.0, Path::new("/dev"));
            findings(&devices, &self.0.join("proc")).iter().map(|finding| finding.id).collect()
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_device_that_pcscd_or_nobody_holds_is_well() {
        let tree = Tree::new("free", "0b", Some("usbfs"));
        tree.process(41, "pcscd", Path::new("/dev/bus/usb/001/007"));
        tree.process(42, "firefox", Path::new("/dev/bus/usb/001/008"));
        assert_eq!(tree.ids(), ["usb-device"]);
    }

    #[test]
    fn a_driver_of_the_kernel_is_found() {
        assert_eq!(Tree::new("kernel", "0b", Some("pn533_usb")).ids(), ["kernel-driver"]);
    }

    #[test]
    fn another_program_at_the_device_is_found() {
        let tree = Tree::new("held", "0b", None);
        tree.process(43, "scdaemon", Path::new("/dev/bus/usb/001/007"));
        assert_eq!(tree.ids(), ["device-held", "scdaemon"]);
    }

    #[test]
    fn other_devices_are_none_of_ours() {
        assert!(Tree::new("other", "08", Some("usb-storage")).ids().is_empty());
    }
}
