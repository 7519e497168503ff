use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// Writes a file that appears under its name whole or not at all: into a temporary file of the same folder, which is
/// synced and then renamed. What stood there before is untouched until then. A file that is replaced hands on its
/// permissions, and a link to a file stays one. One that is write-protected is not replaced.
///
/// A path that exists and is no regular file (a pipe, a device) cannot be replaced; it is written to directly.
///
/// # Errors
/// [`Error::Io`] with the path, whatever `write` or the file system refuses.
pub fn write_atomic(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let refuse = |source| Error::Io { action: "write", path: path.to_owned(), source };
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        let direct = || {
            let mut out = BufWriter::new(File::options().write(true).open(path)?);
            write(&mut out)?;
            out.flush()
        };
        return direct().map_err(refuse);
    }
    let replace = || {
        let (partial, target) = partial(path)?;
        let mut out = BufWriter::new(&partial);
        write(&mut out)?;
        out.flush()?;
        drop(out);
        partial.as_file().sync_all()?;
        partial.persist(&target).map_err(|error| error.error)?;
        Ok(())
    };
    replace().map_err(refuse)
}

/// Whether [`write_atomic`] could write a path now, to be asked before what is to be written takes an hour to compute.
///
/// # Errors
/// [`Error::Io`] with the path: it is a folder, it is write-protected, or no file can be made beside it.
pub fn check_writable(path: &Path) -> Result<()> {
    let tried = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        // To open a pipe is to wait for somebody who reads it.
        Ok(metadata) if !metadata.is_file() => Ok(()),
        _ => partial(path).map(drop),
    };
    tried.map_err(|source| Error::Io { action: "write", path: path.to_owned(), source })
}

/// A temporary file beside a path, with the permissions that it will have, and the path that it will replace.
fn partial(path: &Path) -> io::Result<(NamedTempFile, PathBuf)> {
    let before = fs::metadata(path).ok();
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if let Some(before) = &before {
        // To replace it only its folder has to be writable; who protected it meant the file. (Root may write to any.)
        if before.permissions().readonly() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        File::options().append(true).open(&target)?;
    }
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".rftm-").suffix(".partial");
    // A temporary file is the owner's alone; the file it becomes should follow the umask like any other.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let partial = builder.tempfile_in(folder)?;
    if let Some(before) = before {
        partial.as_file().set_permissions(before.permissions())?;
    }
    Ok((partial, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_leaves_what_was_there_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.rftm");
        write_atomic(&path, |out| out.write_all(b"first")).unwrap();
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let error = write_atomic(&path, |out| out.write_all(b"sec").and(Err(full()))).unwrap_err();
        assert!(error.to_string().starts_with("cannot write "), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no partial file is left");
        check_writable(&path).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nor is one by asking");
        assert!(check_writable(folder.path()).is_err() && check_writable(&folder.path().join("no/model")).is_err());
        write_atomic(&path, |out| out.write_all(b"third")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"third");
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("models")).unwrap();
        let (file, link) = (folder.path().join("models/1.rftm"), folder.path().join("current.rftm"));
        fs::write(&file, b"first").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        symlink("models/1.rftm", &link).unwrap();
        write_atomic(&link, |out| out.write_all(b"second")).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"second");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
        let refused = [check_writable(&link), write_atomic(&link, |out| out.write_all(b"third"))];
        for error in refused.map(Result::unwrap_err) {
            assert!(matches!(&error, Error::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied));
        }
        assert_eq!(fs::read(&file).unwrap(), b"second");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_is_not_replaced() {
        let error = write_atomic(Path::new("/dev/full"), |out| out.write_all(b"model")).unwrap_err();
        assert!(matches!(&error, Error::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull), "{error}");
        assert!(!fs::metadata("/dev/full").unwrap().is_file());
    }
}
