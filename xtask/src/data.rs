//! Data sets: find, fetch, say what is missing.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use rftm_data::{Dataset, DatasetId, Error, FetchEvent, SearchPath, fetch, load};

use crate::cli;
use crate::output::print;
use crate::paths::Origin;

/// Whether what is missing may be downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Download {
    Never,
    IfMissing,
}

pub(crate) fn run(command: &cli::Data) -> Result<ExitCode> {
    let origin = Origin::leave()?;
    let search = |data: &Option<PathBuf>| search_path(&origin, data.as_deref());
    match command {
        cli::Data::Fetch { names, data } => fetch_all(names, search(data).first()),
        cli::Data::Where { data } => {
            print(&located(&search(data)))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The folders to look into, the one the user named first.
pub(crate) fn search_path(origin: &Origin, data: Option<&Path>) -> SearchPath {
    SearchPath::new(data, origin.folder())
}

/// Loads a data set, after downloading it if it is not there and may be.
pub(crate) fn obtain(id: DatasetId, path: &SearchPath, download: Download) -> Result<Dataset> {
    match load(id, path) {
        Err(Error::NotFound { .. }) if download == Download::IfMissing => {
            fetch_missing(id, path)?;
            Ok(load(id, path)?)
        }
        loaded => Ok(loaded?),
    }
}

/// MNIST where it is found or can be fetched, otherwise glyphs; says why.
pub(crate) fn for_a_look(path: &SearchPath, download: Download) -> Result<DatasetId> {
    let id = DatasetId::Mnist;
    let why = match load(id, path) {
        Ok(_) => return Ok(id),
        Err(error @ Error::NotFound { .. }) if download == Download::Never => error.into(),
        Err(Error::NotFound { .. }) => match fetch_missing(id, path) {
            Ok(()) => return Ok(id),
            // Without a network, or where nothing can be written.
            Err(error) => error,
        },
        // It is there, and something is wrong with it.
        Err(error) => return Err(error.into()),
    };
    tell!("{}\nSo this is a look at the built-in glyphs instead of MNIST.\n", crate::chain(&why));
    Ok(DatasetId::Glyphs)
}

fn fetch_all(names: &[DatasetId], folder: &Path) -> Result<ExitCode> {
    let all = DatasetId::ALL.into_iter().filter(|&id| id != DatasetId::Glyphs).collect::<Vec<_>>();
    let mut code = ExitCode::SUCCESS;
    for &id in if names.is_empty() { &all[..] } else { names } {
        // One that cannot be had must not keep the others away.
        if let Err(error) = fetch_one(id, folder) {
            tell!("error: {id}: {error}");
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

fn fetch_missing(id: DatasetId, path: &SearchPath) -> Result<()> {
    tell!("{id} is not here; fetching it into {}", path.first().display());
    fetch_one(id, path.first())
}

fn fetch_one(id: DatasetId, folder: &Path) -> Result<()> {
    let bar = ProgressBar::no_length();
    // A template that does not parse leaves the default style, which shows the same with less.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left") {
        bar.set_style(style);
    }
    let say = |text: String| bar.suspend(|| tell!("{id}: {text}"));
    let files = fetch(id, folder, &mut |event| match event {
        FetchEvent::Present { path } => say(format!("{} is there", path.display())),
        FetchEvent::MovedAside { path, to, reason } => {
            say(format!("{} is wrong ({reason}); renamed to {}", path.display(), to.display()));
        }
        FetchEvent::Started { url, resumed_at: 0, .. } => say(format!("from {url}")),
        FetchEvent::Started { url, resumed_at, .. } => say(format!("from {url}, going on at byte {resumed_at}")),
        FetchEvent::Progress { received, total } => {
            total.iter().for_each(|&total| bar.set_length(total));
            bar.set_position(received);
        }
        FetchEvent::Failed { url, reason } => say(format!("{url}: {reason}")),
        FetchEvent::Verified { path } => say(format!("{} has the right content", path.display())),
        _ => {}
    });
    bar.finish_and_clear();
    if files?.is_empty() {
        tell!("{id}: built in, nothing to fetch");
    }
    Ok(())
}

fn located(path: &SearchPath) -> String {
    let one = |id| match load(id, path) {
        Ok(dataset) => {
            let (train, test) = (dataset.train.len(), dataset.test.len());
            format!("{id}: {}, {train} + {test} samples, content verified\n", dataset.origin)
        }
        Err(error) => format!("{error}\n"),
    };
    DatasetId::ALL.into_iter().map(one).collect()
}
