//! Drawing: figure data in, SVG and PNG out. Needs no data set, no model and no clock; the same data give the same bytes.

mod auroc;
mod canvas;
mod charts;
mod grids;
mod usage;
mod widths;

use std::path::{Path, PathBuf};

use rftm_experiments::{Catalogue, Ledger};

use crate::error::Result;
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

/// What a drawing function makes.
pub(crate) struct Parts {
    pub(crate) svg: String,
    pub(crate) caption: String,
    pub(crate) alt: String,
    pub(crate) data: Option<Sheet>,
}

/// Draws the figures that the results folder `out` has data for, in the order of [`Figure::ALL`].
///
/// # Errors
/// Data that are damaged, with file and line.
pub fn drawings(catalogue: &Catalogue, ledger: &Ledger, out: &Path) -> Result<Vec<Drawing>> {
    let mut all = Vec::new();
    for figure in Figure::ALL {
        let drawn = match figure {
            Figure::Fig1 => widths::draw(catalogue, out)?.map(|parts| (parts, Vec::new())),
            Figure::Auroc => auroc::draw(catalogue, ledger)?.map(|parts| (parts, Vec::new())),
            _ => match Source::read(&figure.data(out))? {
                Some(source) => Some((one(figure, &source)?, cells(&source))),
                None => None,
            },
        };
        if let Some((Parts { svg, caption, alt, data }, cells)) = drawn {
            all.push(Drawing { figure, svg, caption, alt, data, cells });
        }
    }
    Ok(all)
}

fn one(figure: Figure, source: &Source) -> Result<Parts> {
    let mut parts = match figure {
        Figure::Fig3 => charts::distributions(source),
        Figure::Fig4 => charts::curves(source),
        Figure::Fig7 => charts::embedding(source),
        Figure::Curves => charts::histories(source),
        Figure::Fig5 => grids::reconstructions(source),
        Figure::Fig6 => grids::slots(source),
        Figure::Residuals => grids::residuals(source),
        Figure::Usage | Figure::Fig1 | Figure::Auroc => usage::draw(source),
    }?;
    if let Some(trial) = source.note("trial") {
        parts.caption = format!("**A trial, {trial}.** {}", parts.caption);
    }
    Ok(parts)
}

fn cells(source: &Source) -> Vec<(String, String)> {
    let split = |cell: &str| cell.rsplit_once(": ").map(|(name, key)| (name.to_owned(), key.to_owned()));
    source.notes("cell").filter_map(split).collect()
}

/// Writes each drawing as SVG and PNG into `out/figures`, and its data where they are not there already; the files written.
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
