//! Where a store may lie. Processes share it by locks and by mapped memory, which a file system must
//! show to all of them at once. One that reaches another machine, or the host of a virtual one, does
//! not: there the same license would be sold on both sides, or the file be torn.

use std::io;
use std::path::Path;

/// What a store stands on.
#[derive(Debug, Default)]
pub(super) struct Ground {
    /// The kind of the file system, where no store may lie on it.
    pub(super) unfit: Option<String>,
    /// Whether nobody can write there.
    pub(super) read_only: bool,
}

/// What the file system at `path` is like.
#[cfg(target_os = "linux")]
pub(super) fn ground(path: &Path) -> io::Result<Ground> {
    let flags = rustix::fs::statvfs(path)?.f_flag;
    let read_only = flags.contains(rustix::fs::StatVfsMountFlags::RDONLY);
    Ok(Ground { unfit: unfit(path)?, read_only })
}

/// Elsewhere it is not known: whoever puts a store there sees to it that the disk is a local one.
#[cfg(not(target_os = "linux"))]
pub(super) fn ground(_path: &Path) -> io::Result<Ground> {
    Ok(Ground::default())
}

/// Names the file system at `path` where no store may lie on it.
#[cfg(target_os = "linux")]
fn unfit(path: &Path) -> io::Result<Option<String>> {
    let magic = rustix::fs::statfs(path)?.f_type;
    // Negative where the number has 32 bits and the first is set.
    #[allow(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "all have 32 bits")]
    let magic = magic as u32;
    if magic == FUSE {
        return Ok(unfit_in_user_space(mounted_as(path)?));
    }
    let known = UNFIT.iter().find(|(unfit, _)| *unfit == magic);
    Ok(known.map(|(_, name)| (*name).to_owned()))
}

/// Programs in user space serve this one: local disks, but also machines far away.
#[cfg(target_os = "linux")]
const FUSE: u32 = 0x6573_5546;

/// By what `statfs` says: those of networks, of clusters and of virtual machines' hosts. What is not
/// listed is taken for local.
#[cfg(target_os = "linux")]
const UNFIT: [(u32, &str); 21] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB"),
    (0x564C, "NCP"),
    (0x0102_1997, "9p"),
    (0x786F_4256, "vboxsf"),
    (0xBACB_ACBC, "vmhgfs"),
    (0x7C7C_6673, "prl_fs"),
    (0x00C0_FFEE, "hostfs"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x00C3_6400, "Ceph"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0x2003_0528, "OrangeFS"),
    (0x0116_1970, "GFS2"),
    (0x7461_636F, "OCFS2"),
    (0xAAD7_AAEA, "PanFS"),
];

/// Of the file systems in user space only those are known to be local that lie on a disk of this
/// machine, such as NTFS, and the layers of a container. virtiofs, sshfs and the like are not.
#[cfg(target_os = "linux")]
fn unfit_in_user_space(mounted_as: Option<String>) -> Option<String> {
    match mounted_as.as_deref() {
        Some("fuseblk" | "fuse.fuse-overlayfs") => None,
        Some(_) => mounted_as,
        None => Some("FUSE".to_owned()),
    }
}

/// The type with which the file system at `path` was mounted.
#[cfg(target_os = "linux")]
fn mounted_as(path: &Path) -> io::Result<Option<String>> {
    let device = rustix::fs::stat(path)?.st_dev;
    let device = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    // Some containers do not show it.
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    Ok(type_of(&mounts, &device).map(str::to_owned))
}

/// The type of the mount of `device`, such as `8:1`, in the words of `/proc/self/mountinfo`.
#[cfg(target_os = "linux")]
fn type_of<'a>(mounts: &'a str, device: &str) -> Option<&'a str> {
    let mut of_device =
        mounts.lines().filter(|mount| mount.split(' ').nth(2).is_some_and(|it| it == device));
    of_device.find_map(|mount| mount.split_once(" - ")?.1.split(' ').next())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_local_file_system_in_user_space_is_told_from_a_remote_one() {
        let mounts = "\
            22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
            40 22 8:17 / /media/stick rw - fuseblk /dev/sdb1 rw,user_id=0\n\
            41 22 0:51 / /home/ann/far rw,nosuid shared:9 - fuse.sshfs ann@far:/ rw,user_id=0\n\
            42 22 0:52 / /host rw - virtiofs host rw\n";
        let unfit = |device| unfit_in_user_space(type_of(mounts, device).map(str::to_owned));
        assert_eq!(unfit("8:17"), None);
        assert_eq!(unfit("0:51").as_deref(), Some("fuse.sshfs"));
        assert_eq!(unfit("0:52").as_deref(), Some("virtiofs"));
        assert_eq!(unfit("0:99").as_deref(), Some("FUSE"));
    }

    #[test]
    fn the_mount_of_a_real_path_is_found() {
        assert_eq!(mounted_as(Path::new("/proc/self")).unwrap().as_deref(), Some("proc"));
    }
}
