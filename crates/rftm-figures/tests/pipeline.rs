//! All three stages on built-in glyphs: capture with real, short trainings, drawing, page.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rftm_data::{DatasetId, SearchPath, load};
use rftm_experiments::{Catalogue, Ledger, Parallelism};
use rftm_figures::{Capture, Datasets, Error, Figure, Subject, Watch, drawings, page};

struct Quiet;

impl Watch for Quiet {
    fn progress(&self, _: &str) {}
    fn say(&self, _: &str) {}
}

fn glyphs() -> Datasets {
    let dataset = load(DatasetId::Glyphs, &SearchPath::only(Path::new("."))).unwrap();
    BTreeMap::from([(DatasetId::Glyphs, Arc::new(dataset))])
}

fn capture<'a>(
    catalogue: &'a Catalogue,
    ledger: &'a Ledger,
    folder: &'a [std::path::PathBuf; 2],
    stop: &'a AtomicBool,
) -> Capture<'a> {
    let glyphs = DatasetId::Glyphs;
    Capture {
        catalogue,
        ledger,
        subject: Subject { dataset: glyphs, other: glyphs, class: 2, seed: 1997, embedded: 200 },
        max_epochs: Some(2),
        out: &folder[0],
        weights: &folder[1],
        parallelism: Parallelism { jobs: 2, threads: 1 },
        stop,
        watch: &Quiet,
    }
}

/// The figures of one cell; Figure 1 would be eighteen more trainings.
const CELL: [Figure; 8] = [
    Figure::Fig3,
    Figure::Fig4,
    Figure::Fig5,
    Figure::Fig6,
    Figure::Fig7,
    Figure::Curves,
    Figure::Usage,
    Figure::Residuals,
];

#[test]
fn what_is_captured_can_be_drawn_and_is_the_same_each_time() {
    let (catalogue, ledger, stop) = (Catalogue::builtin().unwrap(), Ledger::default(), AtomicBool::new(false));
    let folder = tempfile::tempdir().unwrap();
    let paths = |name: &str| [folder.path().join(name), folder.path().join("weights")];
    let (first, again) = (paths("first"), paths("again"));
    let datasets = glyphs();

    let one = capture(&catalogue, &ledger, &first, &stop);
    assert_eq!(one.work(&CELL).unwrap().names().len(), 4, "figures share trainings");
    let written = one.run(&CELL, &datasets).unwrap();
    assert_eq!(written.len(), CELL.len());
    // From the weights that are there now.
    capture(&catalogue, &ledger, &again, &stop).run(&CELL, &datasets).unwrap();
    for figure in CELL {
        let [a, b] = [&first[0], &again[0]].map(|out| fs::read_to_string(figure.data(out)).unwrap());
        assert!(a == b, "{figure} differs from one capture to the next");
        assert!(a.contains("# trial: at most 2 epochs"), "{figure}");
    }

    let drawn = drawings(&catalogue, &ledger, &first[0]).unwrap();
    assert_eq!(drawn.iter().map(|drawing| drawing.figure).collect::<Vec<_>>().len(), CELL.len());
    assert!(drawn.iter().all(|drawing| drawing.caption.starts_with("**A trial")));
    let page = page(&catalogue, &ledger, &drawn).unwrap();
    assert_eq!(page.matches("<figure ").count(), CELL.len());
    assert!(page.contains("Not recorded yet: Figure 1."));

    // A damaged file is an error with its name and line, not an empty picture.
    let path = Figure::Fig5.data(&first[0]);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    let message = drawings(&catalogue, &ledger, &first[0]).unwrap_err().to_string();
    assert!(message.contains("fig5.csv, line "), "{message}");
}

#[test]
fn a_capture_that_is_stopped_says_so_and_writes_nothing() {
    let (catalogue, ledger, stop) = (Catalogue::builtin().unwrap(), Ledger::default(), AtomicBool::new(false));
    let folder = tempfile::tempdir().unwrap();
    let paths = [folder.path().join("out"), folder.path().join("weights")];
    let capture = capture(&catalogue, &ledger, &paths, &stop);
    stop.store(true, Ordering::Relaxed);
    assert!(matches!(capture.run(&[Figure::Fig5], &glyphs()), Err(Error::Stopped)));
    assert!(!paths[0].exists());
    assert_eq!(capture.work(&[Figure::Fig1]).unwrap().names().len(), 18);
}
