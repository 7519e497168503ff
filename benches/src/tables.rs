//! Detectors on ten public tables: ours and PyOD's, the same rows, their defaults.
//!
//! The tables are those of ADBench (Han et al., 2022). Half of the normal rows of a table, drawn anew for each seed, are
//! what a detector is fitted on; the other half and all anomalies are what it scores. No label is seen in fitting, no
//! setting is chosen by table.

pub mod data;
pub mod ours;
pub mod peers;
pub mod record;
pub mod report;

/// What is compared, in the order of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detector {
    /// `rftm fit` as it comes.
    Rftm,
    /// The same with a plain autoencoder.
    Ae,
    /// The same with MemAE's memory.
    MemAe,
    /// The same with MNAD's memory.
    Mnad,
    /// PyOD's AutoEncoder.
    AutoEncoder,
    /// PyOD's isolation forest.
    IForest,
    /// PyOD's ECOD.
    Ecod,
    /// PyOD's KNN on the columns as they are.
    Knn,
    /// PyOD's KNN on columns of mean 0 and deviation 1.
    KnnZscore,
}

impl Detector {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Rftm,
        Self::Ae,
        Self::MemAe,
        Self::Mnad,
        Self::AutoEncoder,
        Self::IForest,
        Self::Ecod,
        Self::Knn,
        Self::KnnZscore,
    ];

    /// The name on the command line and in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rftm => "rftm",
            Self::Ae => "ae",
            Self::MemAe => "memae",
            Self::Mnad => "mnad",
            Self::AutoEncoder => "autoencoder",
            Self::IForest => "iforest",
            Self::Ecod => "ecod",
            Self::Knn => "knn",
            Self::KnnZscore => "knn-zscore",
        }
    }

    /// The name in the document.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Rftm => "rftm",
            Self::Ae => "rftm, AE",
            Self::MemAe => "rftm, MemAE",
            Self::Mnad => "rftm, MNAD",
            Self::AutoEncoder => "PyOD AutoEncoder",
            Self::IForest => "PyOD IForest",
            Self::Ecod => "PyOD ECOD",
            Self::Knn => "PyOD KNN",
            Self::KnnZscore => "PyOD KNN, z-scored",
        }
    }

    /// The model of ours that it is, if it is one.
    #[must_use]
    pub fn kind(self) -> Option<rftm::ModelKind> {
        match self {
            Self::Rftm => Some(rftm::ModelKind::Rftm),
            Self::Ae => Some(rftm::ModelKind::Ae),
            Self::MemAe => Some(rftm::ModelKind::MemAe),
            Self::Mnad => Some(rftm::ModelKind::Mnad),
            _ => None,
        }
    }
}

impl std::str::FromStr for Detector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|detector| detector.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("unknown detector {text:?}; they are {names}")
        })
    }
}
