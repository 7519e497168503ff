//! The committed figures and the committed page are what the committed data give, byte for byte.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use rftm_experiments::{Catalogue, Ledger};
use rftm_figures::{Figure, Source, drawings, page, write_drawings};

fn results() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/results")
}

#[test]
fn figures_and_page_follow_from_the_data() {
    let (out, catalogue) = (results(), Catalogue::builtin().unwrap());
    let (ledger, _) = Ledger::read_existing(&out).unwrap();
    let drawings = drawings(&catalogue, &ledger, &out).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let written = write_drawings(&drawings, scratch.path()).unwrap();
    let derived = drawings.iter().filter(|drawing| drawing.data.is_some()).count();
    assert_eq!(written.len(), 2 * drawings.len() + derived);
    for path in written {
        let committed = out.join(path.strip_prefix(scratch.path()).unwrap());
        let same = fs::read(&committed).is_ok_and(|bytes| bytes == fs::read(&path).unwrap());
        assert!(same, "{} is not what the data give; run cargo xtask report and commit it", committed.display());
    }
    let page = page(&catalogue, &ledger, &drawings).unwrap();
    let committed = fs::read_to_string(out.join("report.html")).unwrap_or_default();
    assert!(page == committed, "report.html is not what the data give; run cargo xtask report and commit it");
    assert!(page.len() < 5_000_000, "the page has {} bytes", page.len());
}

/// Nothing that no data stand behind: a figure whose data went away must not stay behind as a picture.
#[test]
fn every_committed_picture_is_drawn_from_data_beside_it() {
    let (out, catalogue) = (results(), Catalogue::builtin().unwrap());
    let (ledger, _) = Ledger::read_existing(&out).unwrap();
    let drawn: Vec<Figure> = drawings(&catalogue, &ledger, &out).unwrap().iter().map(|one| one.figure).collect();
    for figure in Figure::ALL {
        let is_drawn = drawn.contains(&figure);
        let files = [figure.image(&out, "svg"), figure.image(&out, "png"), figure.data(&out)];
        assert_eq!(files.map(|file| file.exists()), [is_drawn; 3], "{figure}: picture and data belong together");
        // What is called data is a table that this crate reads.
        assert_eq!(Source::read(&figure.data(&out)).unwrap().is_some_and(|data| data.rows().len() > 0), is_drawn);
    }
}

#[test]
fn captions_name_cell_key_and_command() {
    let (out, catalogue) = (results(), Catalogue::builtin().unwrap());
    let (ledger, _) = Ledger::read_existing(&out).unwrap();
    let drawings = drawings(&catalogue, &ledger, &out).unwrap();
    let page = page(&catalogue, &ledger, &drawings).unwrap();
    for drawing in &drawings {
        let of_cells = !matches!(drawing.figure, Figure::Fig1 | Figure::Auroc);
        assert_eq!(drawing.cells.is_empty(), !of_cells, "{}", drawing.figure);
        for (name, key) in &drawing.cells {
            assert!(name.contains("seed 1997") && key.len() == 16, "{name}: {key}");
            assert!(page.contains(key.as_str()));
        }
        assert!(!drawing.alt.is_empty() && !drawing.caption.is_empty());
        assert!(page.contains(&drawing.figure.command()));
    }
    for figure in Figure::ALL.into_iter().filter(|figure| drawings.iter().all(|drawing| drawing.figure != *figure)) {
        let line = format!("Not recorded yet: {}. Its data: <code>{}</code>.", figure.title(), figure.command());
        assert!(page.contains(&line), "{line}");
    }
}
