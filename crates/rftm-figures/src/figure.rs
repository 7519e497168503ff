//! The figures by name.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use rftm_models::ModelKind;

/// A figure: those of the paper by its numbers, then ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Figure {
    /// Error against the width of the bottleneck.
    Fig1,
    /// Distributions of scores.
    Fig3,
    /// ROC and precision-recall curves.
    Fig4,
    /// Reconstructions.
    Fig5,
    /// Memory slots followed through training.
    Fig6,
    /// The representation, by t-SNE.
    Fig7,
    /// AUROC of every class, the paper's beside ours.
    Auroc,
    /// Losses by epoch.
    Curves,
    /// Which slots the test set reads.
    Usage,
    /// Where the highest scores come from, pixel by pixel.
    Residuals,
}

impl Figure {
    /// All of them, as the page shows them.
    pub const ALL: [Self; 10] = [
        Self::Fig1,
        Self::Fig3,
        Self::Fig4,
        Self::Fig5,
        Self::Fig6,
        Self::Fig7,
        Self::Auroc,
        Self::Curves,
        Self::Usage,
        Self::Residuals,
    ];

    /// The name in files and on the command line.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Fig1 => "fig1",
            Self::Fig3 => "fig3",
            Self::Fig4 => "fig4",
            Self::Fig5 => "fig5",
            Self::Fig6 => "fig6",
            Self::Fig7 => "fig7",
            Self::Auroc => "auroc",
            Self::Curves => "curves",
            Self::Usage => "usage",
            Self::Residuals => "residuals",
        }
    }

    /// The figure of that name.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|figure| figure.id() == id)
    }

    /// Its heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Fig1 => "Figure 1. Overgeneralisation: error against the width of the bottleneck",
            Self::Fig3 => "Figure 3. How normal and anomalous scores are distributed",
            Self::Fig4 => "Figure 4. ROC and precision-recall curves",
            Self::Fig5 => "Figure 5. The first 50 test images and what four models make of them",
            Self::Fig6 => "Figure 6. Memory slots followed through training",
            Self::Fig7 => "Figure 7. The representation before and after each memory",
            Self::Auroc => "AUROC class by class, and the paper's",
            Self::Curves => "Training curves",
            Self::Usage => "Which slots are ever read",
            Self::Residuals => "Where the highest scores come from",
        }
    }

    /// The command that captures its data.
    #[must_use]
    pub fn command(self) -> String {
        match self {
            Self::Auroc => "cargo xtask reproduce --only table1".to_owned(),
            _ => format!("cargo xtask reproduce --only {}", self.id()),
        }
    }

    /// The file of its data in the results folder `out`. Those of Figure 1, which sum up a [folder](widths_folder), and of
    /// the AUROC bars, which come from the ledger, are written with the picture.
    #[must_use]
    pub fn data(self, out: &Path) -> PathBuf {
        out.join("figures/data").join(format!("{}.csv", self.id()))
    }

    /// The drawn file in the results folder `out`.
    #[must_use]
    pub fn image(self, out: &Path, extension: &str) -> PathBuf {
        out.join("figures").join(format!("{}.{extension}", self.id()))
    }
}

/// The models of Figure 1: the paper's, and beyond the paper the twin memory in the same bottleneck.
pub(crate) const WIDTH_MODELS: [ModelKind; 2] = [ModelKind::Ae, ModelKind::Rftm];

/// The bottlenecks of Figure 1 in the paper as powers of two: 2, 4, 8, ..., 512.
pub(crate) const WIDTH_POWERS: RangeInclusive<u32> = 1..=9;

/// The classes of Figure 1's example images: digit 5 and trousers, as in the paper.
pub(crate) const WIDTH_EXAMPLES: [u8; 2] = [5, 1];

/// The folder of Figure 1's data in the results folder `out`: one file a training.
#[must_use]
pub fn widths_folder(out: &Path) -> PathBuf {
    out.join("figures/data/fig1")
}

/// The name of a training of Figure 1, in files and folders: "ae-004".
pub(crate) fn width_id(kind: ModelKind, neurons: usize) -> String {
    format!("{kind}-{neurons:03}")
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for figure in Figure::ALL {
            assert_eq!(Figure::named(figure.id()), Some(figure));
            assert!(figure.command().starts_with("cargo xtask reproduce --only "));
        }
        assert_eq!(Figure::named("fig2"), None);
    }
}
