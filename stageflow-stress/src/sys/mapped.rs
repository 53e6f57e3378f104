//! Memory that is a file: what is stored in it survives the death of the process without a system call.

use std::io;
use std::path::Path;
use std::sync::atomic::AtomicU64;

/// Makes a file of `words` words of eight bytes and maps it for the rest of the process's life.
///
/// The blocks of the file are allocated first: a store into a mapped page that the disk has no room for would end the
/// process with SIGBUS, an error of this call does not.
///
/// # Errors
/// If the file exists, its blocks cannot be had, or the system has no such mappings.
#[cfg(target_os = "linux")]
pub fn map_new(path: &Path, words: usize) -> io::Result<&'static [AtomicU64]> {
    use std::fs::OpenOptions;
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::mm::{MapFlags, ProtFlags, mmap};

    let bytes =
        words.checked_mul(8).ok_or_else(|| io::Error::other("a mapping that large is not possible"))?;
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    let mapped = in_place(&file)
        .and_then(|()| fallocate(&file, FallocateFlags::empty(), 0, bytes as u64).map_err(io::Error::from))
        .and_then(|()| {
            // SAFETY: a null hint lets the kernel choose an address where nothing of ours lies; the length is not zero
            // for any caller, and an error is returned otherwise.
            let start = unsafe {
                mmap(
                    std::ptr::null_mut(),
                    bytes,
                    ProtFlags::READ | ProtFlags::WRITE,
                    MapFlags::SHARED,
                    &file,
                    0,
                )
            }?;
            // SAFETY: the kernel gave `bytes` bytes at a page boundary, which suits words of eight bytes; any bits are a
            // valid word; the mapping is never undone, so it lives as long as the program. The words are atomic, so that
            // somebody who writes to the file meanwhile changes values and breaks nothing else.
            Ok(unsafe { std::slice::from_raw_parts(start.cast::<AtomicU64>().cast_const(), words) })
        });
    if mapped.is_err() {
        let _ = std::fs::remove_file(path);
    }
    mapped
}

/// Sees to it that stores go into the blocks that are allocated, and not into copies of them for which there may be no room.
#[cfg(target_os = "linux")]
fn in_place(file: &std::fs::File) -> io::Result<()> {
    use rustix::fs::{IFlags, fstatfs, ioctl_getflags, ioctl_setflags};

    const BTRFS: u64 = 0x9123_683e;
    const ZFS: u64 = 0x2fc1_2fc1;
    const BCACHEFS: u64 = 0xca45_1a4e;
    match fstatfs(file)?.f_type as u64 & 0xffff_ffff {
        // The mark has to come before the first block.
        BTRFS => Ok(ioctl_setflags(file, ioctl_getflags(file)? | IFlags::NOCOW)?),
        ZFS | BCACHEFS => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "its file system copies on write and cannot promise room",
        )),
        _ => Ok(()),
    }
}

/// No such mappings here.
#[cfg(not(target_os = "linux"))]
pub fn map_new(_: &Path, _: usize) -> io::Result<&'static [AtomicU64]> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "mapped files are used on Linux only"))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    #[test]
    fn what_is_stored_is_in_the_file_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.seg");
        let words = map_new(&path, 1024).unwrap();
        words[1000].store(0x1122_3344_5566_7788, Ordering::Release);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 8192);
        assert_eq!(bytes[8000..8008], 0x1122_3344_5566_7788_u64.to_ne_bytes());
        assert!(map_new(&path, 1024).is_err(), "a file that exists is somebody else's");
    }

    #[test]
    fn a_disk_without_room_is_an_error_and_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.seg");
        assert!(map_new(&path, 1 << 50).is_err());
        assert!(!path.exists());
        assert!(map_new(&directory.path().join("missing/x.seg"), 8).is_err());
    }
}
