//! Files that are never seen half written, and locks that vanish with their process.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A path as files show it: with `/`, and relative to `base` where it lies below it.
pub fn shown_below(base: &Path, path: &Path) -> String {
    path.strip_prefix(base).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// Replaces a file as a whole: readers see the old content or the new, whatever happens in between, a power cut
/// included.
pub fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    replace(path, content, File::sync_all)
}

/// As [`write_atomically`], but a power cut may leave the old content or none: for what is written once a test and can be
/// computed again, since waiting for the disk is most of what an empty test costs.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    replace(path, content, |_| Ok(()))
}

/// Replaces a file by what `write` writes, as a whole. It is not waited for: what can be computed again may be lost to a power cut.
pub fn write_through(path: &Path, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let path = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => &Path::new(".").join(path),
        _ => path,
    };
    put(path, write)
}

fn replace(path: &Path, content: &[u8], settle: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    // A reader that watches modification times need not wake for the same bytes.
    if fs::read(path).is_ok_and(|existing| existing == content) {
        return Ok(());
    }
    put(path, |mut file| {
        file.write_all(content)?;
        settle(file)
    })
}

/// Writes beside the file, and puts it in its place.
fn put(path: &Path, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let directory = path.parent().ok_or_else(|| io::Error::other("a file needs a directory"))?;
    fs::create_dir_all(directory)?;
    let temporary = directory.join(format!(".tmp-{}", uuid::Uuid::now_v7()));
    let written = File::create(&temporary).and_then(|file| write(&file));
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    Ok(())
}

/// Runs `action` while holding the lock of the file at `path`, which is created if need be and never removed: a lock
/// file that is replaced would let two processes in.
pub fn locked<T>(path: &Path, action: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    file.lock()?;
    let result = action();
    let _ = file.unlock();
    result
}

/// Creates a file that did not exist: `stem.extension`, or `stem-2.extension` and so on.
pub fn create_unique(directory: &Path, stem: &str, extension: &str) -> io::Result<(PathBuf, File)> {
    fs::create_dir_all(directory)?;
    for n in 1_u32.. {
        let name = if n == 1 { format!("{stem}.{extension}") } else { format!("{stem}-{n}.{extension}") };
        let path = directory.join(name);
        match OpenOptions::new().append(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("every name is taken"))
}
