//! Results of an input that may be endless.

use std::fs::{self, File};
use std::io::{self, Write};
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
        keep(Path::new(&grows))?;
        let file = File::create(&grows)?;
        if let Ok(before) = before {
            file.set_permissions(before.permissions())?;
        }
        Ok(Some(Self { file, grows: grows.into(), becomes }))
    }

    /// What to say if it does not become whole.
    pub(crate) fn note(&self) -> String {
        format!("rftm: the scores so far are in {}", self.grows.display())
    }

    pub(crate) fn finish(self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.grows, &self.becomes)
    }
}

/// Moves the scores of a run that did not end out of the way: a service that starts again has made them.
fn keep(grows: &Path) -> io::Result<()> {
    if !fs::metadata(grows).is_ok_and(|before| before.is_file() && before.len() > 0) {
        return Ok(());
    }
    let name = |number: u32| {
        let mut name = grows.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    let free = (1..).map(name).find(|name| fs::symlink_metadata(name).is_err());
    let free = free.ok_or_else(|| io::Error::from(io::ErrorKind::AlreadyExists))?;
    fs::rename(grows, &free)?;
    // Standard error may be closed; nothing is lost all the same.
    let (grows, free) = (grows.display(), free.display());
    let _ = writeln!(io::stderr(), "rftm: {grows} is of a run that did not end; it is now {free}");
    Ok(())
}
