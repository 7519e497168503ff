//! Drawing: figure data in, SVG and PNG out. Needs no data set, no model and no clock; the same data give the same bytes.

mod auroc;
mod canvas;
mod charts;
mod grids;
mod usage;
mod widths;

use std::path::{Path, PathBuf};

use rftm_experiments::{Catalogue, Key, Ledger};

use crate::error::{Error, Result};
use crate::figure::Figure;
use crate::sheet::{Sheet, Source, write_whole};

/// A drawn figure and what is to be said about it.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// Which one.
    pub figure: Figure,
    /// The SVG.
    pub svg: String,
    /// What it shows, in Markdown.
    pub caption: String,
    /// What it shows, for those who do not see it.
    pub alt: String,
    /// Its data, where they are not captured but follow from other files.
    pub data: Option<Sheet>,
    /// The cells behind it, as "mnist class 2, ae, seed 1997" and ledger key.
    pub cells: Vec<(String, String)>,
}

/// What could be drawn, and why the rest could not.
#[derive(Debug, Default)]
pub struct Drawings {
    /// In the order of [`Figure::ALL`].
    pub drawn: Vec<Drawing>,
    /// Figures that there are data for, but damaged ones.
    pub failures: Vec<(Figure, Error)>,
}

/// What a drawing function makes.
pub(crate) struct Parts {
    pub(crate) svg: String,
    pub(crate) caption: String,
    pub(crate) alt: String,
    pub(crate) data: Option<Sheet>,
}

/// A cell by name and key.
type Cells = Vec<(String, String)>;

/// Draws the figures that the results folder `out` has data for. A figure whose data are damaged stops none of the others.
#[must_use]
pub fn drawings(catalogue: &Catalogue, ledger: &Ledger, out: &Path) -> Drawings {
    let mut all = Drawings::default();
    for figure in Figure::ALL {
        match draw(figure, catalogue, ledger, out) {
            Ok(Some((Parts { svg, caption, alt, data }, cells))) => {
                all.drawn.push(Drawing { figure, svg, caption, alt, data, cells });
            }
            Ok(None) => {}
            Err(error) => all.failures.push((figure, error)),
        }
    }
    all
}

/// None if there are no data.
fn draw(figure: Figure, catalogue: &Catalogue, ledger: &Ledger, out: &Path) -> Result<Option<(Parts, Cells)>> {
    let captured: fn(&Source) -> Result<Parts> = match figure {
        Figure::Fig1 => return Ok(widths::draw(catalogue, out)?.map(|parts| (parts, Cells::new()))),
        Figure::Auroc => return auroc::draw(catalogue, ledger),
        Figure::Fig3 => charts::distributions,
        Figure::Fig4 => charts::curves,
        Figure::Fig7 => charts::embedding,
        Figure::Curves => charts::histories,
        Figure::Fig5 => grids::reconstructions,
        Figure::Fig6 => grids::slots,
        Figure::Residuals => grids::residuals,
        Figure::Usage => usage::draw,
    };
    // The others have a file of their own.
    let Some(source) = Source::of(figure, &figure.data(out))? else { return Ok(None) };
    let mut parts = captured(&source)?;
    if let Some(trial) = source.note("trial") {
        parts.caption = format!("**A trial, {trial}.** {}", parts.caption);
    }
    Ok(Some((parts, cells(&source)?)))
}

fn cells(source: &Source) -> Result<Cells> {
    let cell = |note: crate::sheet::Field<'_>| {
        let parts = note.text().rsplit_once(": ").and_then(|(name, key)| Some((name, key.parse::<Key>().ok()?)));
        let (name, key) = parts.ok_or_else(|| note.wrong(format!("{:?} is no cell with its key", note.text())))?;
        Ok((name.to_owned(), key.to_string()))
    };
    source.notes("cell").map(cell).collect()
}

/// Writes each drawing as SVG and PNG into `out/figures`, and its data where it brings them; the files written.
///
/// # Errors
/// A file that cannot be written.
pub fn write_drawings(drawings: &[Drawing], out: &Path) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for drawing in drawings {
        let png = canvas::png(drawing.figure.id(), &drawing.svg)?;
        for (extension, content) in [("svg", drawing.svg.as_bytes()), ("png", &png)] {
            let path = drawing.figure.image(out, extension);
            write_whole(&path, content)?;
            written.push(path);
        }
        if let Some(data) = &drawing.data {
            let path = drawing.figure.data(out);
            data.write(&path)?;
            written.push(path);
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small file of each figure that is made of numbers.
    const FILES: [(Figure, &str); 5] = [
        (Figure::Fig3, "# figure: fig3\n# rows: 2\nmodel,low,high,normal,anomalous\nae,0,0.5,3,1\nae,0.5,1,2,4\n"),
        (
            Figure::Fig4,
            "# figure: fig4\n# cell: mnist class 2, ae, seed 1997: 0123456789abcdef\n# area: roc ae 0.5\n\
             # area: pr ae 0.25\n# rows: 4\ncurve,model,x,y\nroc,ae,0,0\nroc,ae,1,1\npr,ae,0,1\npr,ae,1,0.1\n",
        ),
        (
            Figure::Fig7,
            "# figure: fig7\n# t-sne: two images\n# rows: 2\nstage,anomalous,x,y\nencoder,0,1.5,2\nencoder,1,-3,4\n",
        ),
        (
            Figure::Curves,
            "# figure: curves\n# best: ae 2\n# rows: 2\nmodel,epoch,training,validation\nae,1,0.5,0.4\nae,2,0.3,0.2\n",
        ),
        (
            Figure::Usage,
            "# figure: usage\n# samples: 4\n# rows: 2\nunit,slot,normal,anomalous,weight\nunit,0,3,1,0.5\nunit,1,0,2,0.25\n",
        ),
    ];

    fn drawn(figure: Figure, text: &str) -> Result<Cells> {
        let folder = tempfile::tempdir().unwrap();
        let path = figure.data(folder.path());
        write_whole(&path, text.as_bytes()).unwrap();
        let (catalogue, ledger) = (Catalogue::builtin().unwrap(), Ledger::default());
        draw(figure, &catalogue, &ledger, folder.path()).map(|parts| parts.unwrap().1)
    }

    fn file(figure: Figure) -> &'static str {
        FILES.into_iter().find(|(one, _)| *one == figure).map(|(_, text)| text).unwrap()
    }

    #[test]
    fn whole_files_are_drawn() {
        for (figure, text) in FILES {
            let cells = drawn(figure, text).unwrap();
            assert_eq!(cells.len(), text.matches("# cell").count(), "{figure}");
        }
    }

    #[test]
    fn numbers_that_cannot_be_and_notes_that_say_nothing_are_named_by_file_and_line() {
        let check = |figure: Figure, from: &str, to: &str, expected: &str| {
            let text = file(figure);
            assert!(text.contains(from), "{figure}: {from}");
            let message = drawn(figure, &text.replacen(from, to, 1)).map(drop).unwrap_err().to_string();
            assert!(message.contains(&format!("{figure}.csv, line {expected}")), "{expected} is not in {message}");
        };
        check(Figure::Fig3, "ae,0,0.5,3,1", "ae,0,0.5,-1e12,1", "4: normal is -1000000000000, not between 0 and");
        check(Figure::Fig3, "0.5,1,2,4", "0.5,7,2,4", "5: high is 7, not between 0 and 1");
        check(Figure::Fig3, "figure: fig3", "figure: fig4", "1: data of fig4, not of fig3");
        check(Figure::Fig4, "roc,ae,1,1", "roc,ae,1,1.5", "8: y is 1.5, not between 0 and 1");
        check(Figure::Fig4, "pr,ae,0,1", "pr,ae,-0.1,1", "9: x is -0.1");
        check(Figure::Fig4, "pr ae 0.25", "pr ae 25", "4: \"pr ae 25\" is no curve, model and area between 0 and 1");
        check(Figure::Fig4, "roc ae 0.5", "roc ae", "3: \"roc ae\" is no curve, model and area");
        check(Figure::Fig4, "# area: pr", "# areas: pr", "10: there is no area of pr and ae");
        check(Figure::Fig4, "0123456789abcdef", "0123", "2: \"mnist class 2, ae, seed 1997: 0123\" is no cell");
        check(Figure::Fig7, "1.5,2", "1e30,2", "5: x is 1000000000000000000000000000000, not between");
        check(Figure::Curves, "best: ae 2", "best: ae last", "2: \"ae last\" is no model and epoch");
        check(Figure::Curves, "best: ae 2", "best: ae 3", "2: ae has no epoch 3");
        check(Figure::Curves, "# best: ae 2", "# best: rftm 2", "6: there is no best of ae");
        check(Figure::Curves, "0.3,0.2", "0.3,0", "6: a loss is not positive");
        check(Figure::Curves, "0.3,0.2", "0.3,-1", "6: validation is -1, not between");
        check(Figure::Usage, "samples: 4", "samples: four", "2: samples is \"four\"");
        check(Figure::Usage, "unit,1,0,2", "unit,1,0,-2", "6: anomalous is -2");
        for (figure, text) in FILES {
            let head: String = text.lines().filter(|line| line.starts_with("# figure")).collect();
            let columns = text.lines().find(|line| !line.starts_with('#')).unwrap();
            let message = drawn(figure, &format!("{head}\n# rows: 0\n{columns}\n")).map(drop).unwrap_err().to_string();
            assert!(message.contains(&format!("{figure}.csv, line 3: there is no row")), "{message}");
        }
    }
}
