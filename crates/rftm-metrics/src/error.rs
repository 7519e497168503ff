use thiserror::Error;

/// Why a metric has no value.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum MetricError {
    /// There is nothing to measure.
    #[error("no values: a metric needs at least one")]
    Empty,
    /// Every score needs a label and the other way round.
    #[error("{labels} labels but {scores} scores: give one label per score")]
    LengthMismatch {
        /// Labels given.
        labels: usize,
        /// Scores given.
        scores: usize,
    },
    /// A NaN or an infinity among the values.
    #[error("value {value} at index {index}: only finite values can be ranked or averaged; did the model diverge?")]
    NonFinite {
        /// Index of the first such value.
        index: usize,
        /// The value.
        value: f64,
    },
    /// The ROC curve needs both classes.
    #[error(
        "{positives} anomalous and {negatives} normal samples: the ROC curve is undefined unless both classes are there"
    )]
    OneClass {
        /// Samples with label `true`.
        positives: u64,
        /// Samples with label `false`.
        negatives: u64,
    },
    /// `ddof` takes away every degree of freedom.
    #[error("a standard deviation with ddof {ddof} needs more than {ddof} values, got {values}")]
    TooFew {
        /// Values given.
        values: usize,
        /// Delta degrees of freedom asked for.
        ddof: usize,
    },
    /// The result is no `f64`.
    #[error("the result is beyond the largest f64: scale the values down")]
    Overflow,
    /// An argument outside its range.
    #[error("{name} is {value}: it must lie in {range}")]
    Argument {
        /// Name of the parameter.
        name: &'static str,
        /// What was given.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
}

/// Refuses empty and non-finite input.
pub(crate) fn check_finite(values: &[f64]) -> Result<(), MetricError> {
    if values.is_empty() {
        return Err(MetricError::Empty);
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(MetricError::NonFinite { index, value: values[index] }),
        None => Ok(()),
    }
}
