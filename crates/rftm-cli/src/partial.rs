//! Results of an input that may be endless.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, Seek};
use std::path::{Path, PathBuf};

/// A file that grows as FILE.partial, where it can be followed, and becomes FILE when it is whole.
pub(crate) struct Partial {
    pub(crate) file: File,
    grows: PathBuf,
    becomes: PathBuf,
}

impl Partial {
    /// None where something stands that is no file (a pipe, a device): it cannot be replaced.
    pub(crate) fn create(path: &Path) -> io::Result<Option<Self>> {
        let before = fs::metadata(path);
        if before.as_ref().is_ok_and(|before| !before.is_file()) {
            return Ok(None);
        }
        // A link to a file stays one.
        let link = fs::read_link(path).and_then(|_| fs::canonicalize(path));
        let becomes = link.unwrap_or_else(|_| path.to_owned());
        let mut grows = becomes.clone().into_os_string();
        grows.push(".partial");
        let file = fresh(Path::new(&grows))?;
        if let Ok(before) = before {
            file.set_permissions(before.permissions())?;
        }
        Ok(Some(Self { file, grows: grows.into(), becomes }))
    }

    /// What to say if it does not become whole.
    pub(crate) fn note(&self) -> String {
        format!("the scores so far are in {}", self.grows.display())
    }

    pub(crate) fn finish(self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.grows, &self.becomes)
    }
}

/// The file to grow, empty and locked against other runs. The scores of a run that did not end are moved out of the way: a
/// service that starts again has made them.
fn fresh(grows: &Path) -> io::Result<File> {
    let open = || {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(grows)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                Err(io::Error::other(format!("another run is writing {}", grows.display())))
            }
            // Some network file systems know no locks, and each says so by another error.
            Err(TryLockError::Error(_)) => Ok(file),
        }
    };
    let mut file = open()?;
    let mut lines = BufReader::new(&file).split(b'\n').skip(1);
    if lines.next().transpose()?.is_none() {
        // Nothing, or nothing but the header.
        file.set_len(0)?;
        file.rewind()?;
        return Ok(file);
    }
    let name = |number: u32| {
        let mut name = grows.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    let free = (1..).map(name).find(|name| fs::symlink_metadata(name).is_err());
    let free = free.ok_or_else(|| io::Error::from(io::ErrorKind::AlreadyExists))?;
    fs::rename(grows, &free)?;
    tell!("{} is of a run that did not end; it is now {}", grows.display(), free.display());
    open()
}
