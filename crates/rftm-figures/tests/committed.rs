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
    let drawings = drawings(&catalogue, &ledger, &out);
    assert!(drawings.failures.is_empty(), "{:?}", drawings.failures);
    let scratch = tempfile::tempdir().unwrap();
    let written = write_drawings(&drawings.drawn, scratch.path()).unwrap();
    let derived = drawings.drawn.iter().filter(|drawing| drawing.data.is_some()).count();
    assert_eq!(written.len(), 2 * drawings.drawn.len() + derived);
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
    let drawn: Vec<Figure> = drawings(&catalogue, &ledger, &out).drawn.iter().map(|one| one.figure).collect();
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
    let drawings = drawings(&catalogue, &ledger, &out);
    let page = page(&catalogue, &ledger, &drawings).unwrap();
    let drawings = drawings.drawn;
    for drawing in &drawings {
        // The trainings of Figure 1 hold no class out, so the ledger has none of them.
        assert_eq!(drawing.cells.is_empty(), drawing.figure == Figure::Fig1, "{}", drawing.figure);
        for (name, key) in &drawing.cells {
            assert!(name.contains(", seed ") && key.len() == 16, "{name}: {key}");
            assert!(drawing.figure == Figure::Auroc || name.contains("seed 1997"), "{name}");
            assert!(page.contains(&format!("<a href=\"#k{key}\"><code>{key}</code></a>")), "{key}");
        }
        assert!(!drawing.alt.is_empty() && !drawing.caption.is_empty());
        assert!(page.contains(&drawing.figure.command()));
    }
    for figure in Figure::ALL.into_iter().filter(|figure| drawings.iter().all(|drawing| drawing.figure != *figure)) {
        let line = format!("Not recorded yet: {}. Its data: <code>{}</code>.", figure.title(), figure.command());
        assert!(page.contains(&line), "{line}");
    }
}

/// A figure that would be too wide for a phone is scrolled, not shrunk until its text is gone.
#[test]
fn no_text_of_a_figure_is_too_small_to_read() {
    let (out, catalogue) = (results(), Catalogue::builtin().unwrap());
    let (ledger, _) = Ledger::read_existing(&out).unwrap();
    let drawings = drawings(&catalogue, &ledger, &out);
    let page = page(&catalogue, &ledger, &drawings).unwrap();
    let narrowest = |start: &str| -> f64 {
        let rest = page.split(start).nth(1).unwrap().split("min-width: ").nth(1).unwrap();
        16.0 * rest.split("rem").next().unwrap().parse::<f64>().unwrap()
    };
    for drawing in &drawings.drawn {
        let start = if drawing.figure == Figure::Fig6 { "\n#fig6 .sheet img {" } else { "\n.sheet img {" };
        let number = |text: &str| text.split('"').nth(1).unwrap().parse::<f64>().unwrap();
        let width = number(drawing.svg.split(" width=").nth(1).unwrap());
        let sizes = drawing.svg.split("font-size=").skip(1).map(number);
        let least = sizes.fold(f64::INFINITY, f64::min) * narrowest(start) / width;
        assert!(least >= 11.0, "{}: {least} px", drawing.figure);
    }
}

/// Every link leads somewhere, and from number to picture and ledger, and back.
#[test]
fn tables_figures_and_ledger_lead_to_each_other() {
    let (out, catalogue) = (results(), Catalogue::builtin().unwrap());
    let (ledger, _) = Ledger::read_existing(&out).unwrap();
    let drawings = drawings(&catalogue, &ledger, &out);
    let page = page(&catalogue, &ledger, &drawings).unwrap();
    let anchors = |start: &str| -> Vec<String> {
        let rest = page.split(start).skip(1);
        rest.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    let ids = anchors(" id=\"");
    let known: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(known.len(), ids.len(), "an id is there twice");
    for link in anchors("href=\"#") {
        assert!(known.contains(&link), "#{link} leads nowhere");
    }
    // A row of Table 1: to both its figures, to its seed, and back from all of them.
    let line = |start: &str| page.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}"));
    let id = "table1-mnist-convention-release-at-most-300-epochs-2-rftm";
    let row = line(&format!("<tr id=\"{id}\""));
    let key = "5942023a0246428b";
    for link in ["#fig3", "#auroc", &format!("#k{key}")] {
        assert!(row.contains(&format!("<a href=\"{link}\"")), "{link} is not in {row}");
    }
    let back = format!("<a href=\"#{id}\">mnist class 2, rftm, seed 1997</a>");
    assert!(line(&format!("<tr id=\"k{key}\"")).contains(&back));
    assert_eq!(page.matches(&format!("{back}: <a href=\"#k{key}\">")).count(), 9, "all figures of the cell");
    // Keys stand at our numbers and not at the paper's: three metrics, ours and the difference.
    // (With more seeds the key stands before theirs.)
    assert_eq!(row.matches(&format!("<td title=\"{key}")).count(), 6, "{row}");
    // Those of untrained networks at their own numbers and the difference, and not at those of the trained.
    let untrained = line("<tr id=\"untrained-mnist-convention-release-untrained-0-ae\"");
    let fields: Vec<bool> = untrained.split("<td").skip(1).map(|field| field.starts_with(" title=")).collect();
    assert_eq!(fields, [true, false, true, true, false, true, true, false, true, false], "{untrained}");
    // Of Table 2 at what a part's loss changes, and not at what it does in the paper.
    let ablation = line(
        "<tr id=\"table2-fashion-mnist-seeds-1997-2015-2022-convention-release-at-most-300-epochs-4-coat-without-cortex\"",
    );
    let fields: Vec<bool> = ablation.split("<td").skip(1).map(|field| field.starts_with(" title=")).collect();
    assert_eq!(fields, [true, true, false, true, true, false, true, true, false, false], "{ablation}");
    // Averages, wins and totals stay below the rows they are about.
    let rows =
        page.lines().filter(|line| line.starts_with("<tr id=\"table1-") || line.starts_with("<tr id=\"comparison-"));
    let mut summaries = 0;
    for row in rows {
        let sums_up = ["-avg-", "-wins-of-", "-epochs-all-"].iter().any(|part| row.contains(part));
        assert_eq!(row.contains("class=\"summary\""), sums_up, "{row}");
        summaries += usize::from(sums_up);
    }
    assert!(summaries >= 30, "averages, wins and totals of at least three tables: {summaries}");
    let rows = page
        .lines()
        .filter(|line| line.starts_with("<tr id=\"table1-mnist-convention-release-at-most") && line.contains("#k"));
    assert!(rows.map(|row| assert!(row.contains("#auroc"), "{row}")).count() >= 40);
}
