use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::{Error, Result};

/// Writes a file that appears under its name whole or not at all: into a temporary file of the same folder, which is
/// synced and then renamed. What stood there before is untouched until then. A file that is replaced hands on its
/// permissions, and a link to a file stays one.
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
    let before = fs::metadata(path).ok();
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let replace = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".rftm-").suffix(".partial");
        // A temporary file is the owner's alone; the file it becomes should follow the umask like any other.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let partial = builder.tempfile_in(folder)?;
        if let Some(before) = &before {
            partial.as_file().set_permissions(before.permissions())?;
        }
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
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_is_not_replaced() {
        let error = write_atomic(Path::new("/dev/full"), |out| out.write_all(b"model")).unwrap_err();
        assert!(matches!(&error, Error::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull), "{error}");
        assert!(!fs::metadata("/dev/full").unwrap().is_file());
    }
}
