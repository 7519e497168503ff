use crate::ranking::Ranking;
use crate::{Result, precision_recall, roc};

/// The three metrics of a table cell, from one sort.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// [`auroc`](crate::auroc).
    pub auroc: f64,
    /// [`average_precision`](crate::average_precision).
    pub auprc: f64,
    /// [`best_f1`](crate::best_f1).
    pub f1: f64,
    /// The threshold that reaches `f1`.
    pub threshold: f64,
}

impl Summary {
    /// Measures how well `scores` rank the samples whose label is `true` above the others.
    ///
    /// # Errors
    /// Empty, non-finite or one-class input, or lengths that differ.
    pub fn new(labels: &[bool], scores: &[f64]) -> Result<Self> {
        let ranking = Ranking::new(labels, scores)?;
        let best = precision_recall::best(&ranking);
        Ok(Self {
            auroc: roc::area(&ranking)?,
            auprc: precision_recall::average(&ranking),
            f1: best.f1,
            threshold: best.threshold,
        })
    }
}
