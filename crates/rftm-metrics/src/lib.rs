#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod bootstrap;
mod error;
mod histogram;
mod precision_recall;
mod ranking;
mod roc;
mod stats;
mod summary;

pub use bootstrap::{Interval, bootstrap_mean};
pub use error::MetricError;
pub use histogram::{Histogram, histogram, min_max};
pub use precision_recall::{BestF1, PrCurve, average_precision, best_f1, pr_auc_trapezoid, pr_curve};
pub use roc::{RocCurve, auroc, partial_auroc, roc_curve};
pub use stats::{MeanStd, mean_std, quantile};
pub use summary::Summary;

/// The result of a metric.
pub type Result<T> = std::result::Result<T, MetricError>;
