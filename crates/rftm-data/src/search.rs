use std::path::{Path, PathBuf};

use crate::error::Place;
use crate::manifest::FileSet;
use crate::{DatasetId, Error, Result};

/// The data folders to look into, in order.
#[derive(Debug, Clone)]
pub struct SearchPath {
    /// Folder and where it was named.
    folders: Vec<(PathBuf, String)>,
}

/// Where a set was found.
#[derive(Debug)]
pub(crate) enum Found {
    /// All its files.
    Files(Files),
    /// The archive that holds them.
    Archive(PathBuf),
}

/// All files of a set.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) folder: PathBuf,
    /// One path per file of the set, in its order.
    pub(crate) paths: Vec<PathBuf>,
}

impl SearchPath {
    /// The folder given with `--data` if there is one, then `$RFTM_DATA` if it is set, then `data`. What the user named is meant
    /// from the folder `origin`, which is empty for the current one.
    #[must_use]
    pub fn new(flag: Option<&Path>, origin: &Path) -> Self {
        let variable = std::env::var_os("RFTM_DATA").filter(|value| !value.is_empty());
        let flag = flag.map(|folder| origin.join(folder));
        let variable = variable.map(|folder| origin.join(folder));
        let named = [(flag, "--data"), (variable, "$RFTM_DATA"), (Some("data".into()), "default")];
        let folders = named.into_iter().filter_map(|(folder, origin)| Some((folder?, origin.to_owned()))).collect();
        Self { folders }
    }

    /// Only this folder.
    #[must_use]
    pub fn only(folder: &Path) -> Self {
        Self { folders: vec![(folder.to_owned(), "given".to_owned())] }
    }

    /// These folders, and then this one.
    #[must_use]
    pub fn then(mut self, folder: &Path) -> Self {
        self.folders.push((folder.to_owned(), "given".to_owned()));
        self
    }

    /// The first folder: where downloads belong.
    #[must_use]
    pub fn first(&self) -> &Path {
        &self.folders[0].0
    }

    /// The first folder that has `set`: all files, each plain or as `.gz`, or else the archive.
    pub(crate) fn find(&self, id: DatasetId, set: &FileSet) -> Result<Found> {
        let mut places = Vec::new();
        for (root, origin) in &self.folders {
            for folder in &set.folders {
                let folder = root.join(folder);
                let (mut paths, mut missing) = (Vec::new(), Vec::new());
                for file in &set.files {
                    match either(&folder, &file.name) {
                        Some(path) => paths.push(path),
                        None => missing.push(file.name.clone()),
                    }
                }
                if missing.is_empty() {
                    return Ok(Found::Files(Files { folder, paths }));
                }
                places.push(Place { folder, origin: origin.clone(), missing });
            }
            if let Some(name) = &set.archive {
                if let Some(archive) = archive_in(root, set) {
                    return Ok(Found::Archive(archive));
                }
                places.push(Place { folder: root.clone(), origin: origin.clone(), missing: vec![name.clone()] });
            }
        }
        let files = set.files.iter().map(|file| file.name.clone()).collect();
        Err(Error::NotFound { id, files, archive: set.archive.clone(), places })
    }
}

/// The archive of `set`, in a data folder or in one of the set's folders there.
pub(crate) fn archive_in(root: &Path, set: &FileSet) -> Option<PathBuf> {
    let name = set.archive.as_ref()?;
    let folders = std::iter::once(root.to_owned()).chain(set.folders.iter().map(|folder| root.join(folder)));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The plain file, or the one with `.gz`, whichever is there.
pub(crate) fn either(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Manifest;
    use std::fs;

    const NAMES: [&str; 4] =
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

    #[test]
    fn the_flag_comes_first_and_data_last() {
        let (here, elsewhere) = (Path::new(""), Path::new("elsewhere"));
        let path = SearchPath::new(Some(elsewhere), here);
        assert_eq!(path.first(), elsewhere);
        assert_eq!(path.folders[0].1, "--data");
        assert_eq!(path.folders.last().unwrap(), &(PathBuf::from("data"), "default".to_owned()));
        assert_ne!(SearchPath::new(None, here).first(), elsewhere);
        assert_eq!(SearchPath::new(Some(elsewhere), Path::new("there")).first(), Path::new("there/elsewhere"));
    }

    #[test]
    fn a_folder_counts_only_if_it_is_complete() {
        let root = tempfile::tempdir().unwrap();
        let manifest = Manifest::built_in().unwrap();
        let find = || SearchPath::only(root.path()).find(DatasetId::Mnist, manifest.require(DatasetId::Mnist).unwrap());

        let message = find().unwrap_err().to_string();
        assert!(message.contains("no such folder") && message.contains("cargo xtask data fetch"), "{message}");
        assert!(NAMES.iter().all(|name| message.contains(name)), "{message}");

        let (ours, torchvision) = (root.path().join("mnist"), root.path().join("MNIST/raw"));
        fs::create_dir_all(&ours).unwrap();
        NAMES[..3].iter().for_each(|name| fs::write(ours.join(name), "").unwrap());
        let Err(Error::NotFound { places, .. }) = find() else { panic!("one file is missing") };
        assert_eq!(places.iter().map(|place| &place.folder).collect::<Vec<_>>(), [&ours, &torchvision]);
        assert_eq!(places[0].missing, NAMES[3..]);
        assert!(find().unwrap_err().to_string().contains("missing t10k-labels-idx1-ubyte"));

        fs::create_dir_all(&torchvision).unwrap();
        for name in NAMES {
            fs::write(torchvision.join(format!("{name}.gz")), "").unwrap();
        }
        let found = || match find().unwrap() {
            Found::Files(files) => files,
            Found::Archive(archive) => panic!("{archive:?}"),
        };
        assert_eq!(found().folder, torchvision);
        assert_eq!(found().paths[3], torchvision.join("t10k-labels-idx1-ubyte.gz"));
        // The plain file needs no unpacking, so it wins.
        fs::write(torchvision.join(NAMES[3]), "").unwrap();
        assert_eq!(found().paths[3], torchvision.join(NAMES[3]));
    }
}
