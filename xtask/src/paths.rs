//! Where things lie in the repository.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The committed results.
pub(crate) const RESULTS: &str = "docs/results";
/// Results of quick looks and of runs that do not follow the protocol.
pub(crate) const LOOK: &str = "runs/look";
/// Results of smoke runs.
pub(crate) const QUICK: &str = "runs/quick";
/// Checkpoints of runs into [`RESULTS`], which is under version control and must not hold them.
const CHECKPOINTS: &str = "runs/checkpoints";

/// The folder in which the command was given.
pub(crate) struct Origin {
    /// None where that is the repository's root.
    folder: Option<PathBuf>,
}

impl Origin {
    /// Makes the repository's root the current folder, so that messages and default folders are the same wherever the
    /// command was given.
    pub(crate) fn leave() -> Result<Self> {
        let here = std::env::current_dir().context("cannot find the current folder")?;
        let root = root(&here);
        if root == here {
            return Ok(Self { folder: None });
        }
        std::env::set_current_dir(&root).with_context(|| format!("cannot enter {}", root.display()))?;
        Ok(Self { folder: Some(here) })
    }

    /// That folder; empty where it is the current one.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_deref().unwrap_or(Path::new(""))
    }

    /// A folder as the user named it.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        self.folder().join(path)
    }

    /// A folder that the user may have named, or the default, which is relative to the root.
    pub(crate) fn or_default(&self, path: Option<&PathBuf>, default: &str) -> PathBuf {
        path.map_or_else(|| PathBuf::from(default), |path| self.resolve(path))
    }
}

/// The nearest folder above `here` that is this workspace; `here` itself where there is none (a copied binary).
fn root(here: &Path) -> PathBuf {
    let is_root = |folder: &&Path| folder.join("crates/rftm-experiments/Cargo.toml").is_file();
    here.ancestors().find(is_root).unwrap_or(here).to_owned()
}

/// The folder of unfinished cells for results in `out`.
pub(crate) fn checkpoints(out: &Path) -> PathBuf {
    if is_committed(out) { PathBuf::from(CHECKPOINTS) } else { out.join("checkpoints") }
}

/// Whether a folder is [`RESULTS`], however it was spelled.
pub(crate) fn is_committed(out: &Path) -> bool {
    let results = Path::new(RESULTS);
    out == results || matches!((out.canonicalize(), results.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
