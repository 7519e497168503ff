use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// A data set by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetId {
    /// `mnist`: handwritten digits, 60,000 + 10,000 of 28x28.
    Mnist,
    /// `fashion-mnist`: articles of clothing, 60,000 + 10,000 of 28x28.
    FashionMnist,
    /// `cifar-10`: photographs, 50,000 + 10,000 of 3x32x32.
    #[serde(rename = "cifar-10")]
    Cifar10,
    /// `glyphs`: digits drawn by [`crate::glyphs`], no files needed.
    Glyphs,
}

impl DatasetId {
    /// Every data set.
    pub const ALL: [Self; 4] = [Self::Mnist, Self::FashionMnist, Self::Cifar10, Self::Glyphs];

    /// The name on the command line, in definitions and in the ledger.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::Cifar10 => "cifar-10",
            Self::Glyphs => "glyphs",
        }
    }

    pub(crate) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for DatasetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DatasetId {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|id| id.name() == name);
        found.ok_or_else(|| Error::UnknownDataset { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_everywhere() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Definition {
            dataset: DatasetId,
        }
        for id in DatasetId::ALL {
            assert_eq!(id.to_string().parse::<DatasetId>().unwrap(), id);
            let text = format!("dataset = \"{id}\"\n");
            assert_eq!(toml::from_str::<Definition>(&text).unwrap(), Definition { dataset: id });
            assert_eq!(toml::to_string(&Definition { dataset: id }).unwrap(), text);
        }
        let message = "minst".parse::<DatasetId>().unwrap_err().to_string();
        assert!(message.contains("\"minst\"") && message.contains("fashion-mnist"), "{message}");
    }
}
