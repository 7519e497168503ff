//! Which rows of a file are anomalies, for `eval`.

use anyhow::{Result, bail};

/// Labels that need no explanation, in lower case.
const ANOMALOUS: [&str; 6] = ["1", "true", "yes", "anomaly", "anomalous", "1.0"];
const NORMAL: [&str; 5] = ["0", "false", "no", "normal", "0.0"];

/// What stands for a missing label, in lower case. ("None" may well be the name of what is no attack.)
const MISSING: [&str; 5] = ["nan", "na", "n/a", "null", "?"];

/// Where the labels are.
#[derive(Debug, Clone, Default)]
pub(crate) enum Labels {
    /// Nobody asked.
    #[default]
    None,
    /// In a column of the CSV.
    Column(String, Values),
    /// By folder: all images but those in folders of this name.
    Folder(String),
    /// In a file of their own.
    List(Vec<bool>),
}

/// What the values in a column of labels mean.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    /// What those need no explanation for who write 0 and 1, or false and true.
    Usual,
    /// These, separated by commas, are of anomalies; all others are normal.
    Anomalous(String),
    /// These are normal; all others are of anomalies.
    Normal(String),
}

impl Values {
    pub(crate) fn is_anomaly(&self, cell: &str) -> Result<bool> {
        let among = |values: &str| values == cell || values.split(',').any(|value| value.trim() == cell);
        let lower = cell.to_lowercase();
        match self {
            Self::Anomalous(values) if among(values) => Ok(true),
            Self::Normal(values) if among(values) => Ok(false),
            _ if cell.is_empty() => bail!("the label is empty: neither normal nor anomalous"),
            _ if MISSING.contains(&lower.as_str()) => {
                bail!(
                    "the label is missing ({cell:?}): neither normal nor anomalous; --anomaly or --normal may name it"
                )
            }
            Self::Anomalous(_) => Ok(false),
            Self::Normal(_) => Ok(true),
            Self::Usual if ANOMALOUS.contains(&lower.as_str()) => Ok(true),
            Self::Usual if NORMAL.contains(&lower.as_str()) => Ok(false),
            Self::Usual => bail!(
                "label {:?}: neither 0 nor 1; say which labels are those of anomalies with --anomaly, or which are \
                 normal with --normal",
                super::cut(cell)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_people_write_them() {
        let (anomalous, normal) =
            (|text: &str| Values::Anomalous(text.into()), |text: &str| Values::Normal(text.into()));
        for (cell, values, expected) in [
            ("1", Values::Usual, Some(true)),
            ("0.0", Values::Usual, Some(false)),
            ("TRUE", Values::Usual, Some(true)),
            ("Normal", Values::Usual, Some(false)),
            ("2", Values::Usual, None),
            ("", Values::Usual, None),
            ("attack", anomalous("attack"), Some(true)),
            ("1", anomalous("attack"), Some(false)),
            ("probe", anomalous("dos, probe"), Some(true)),
            ("dos, probe", anomalous("dos, probe"), Some(true)),
            ("", anomalous("dos"), None),
            ("dos", normal("normal"), Some(true)),
            ("normal", normal("normal"), Some(false)),
            ("", normal("normal"), None),
            ("", normal(""), Some(false)),
            ("NA", anomalous("1"), None),
            ("nan", normal("0"), None),
            ("NULL", Values::Usual, None),
            ("NA", anomalous("NA"), Some(true)),
            ("none", anomalous("dos"), Some(false)),
        ] {
            assert_eq!(values.is_anomaly(cell).ok(), expected, "{cell:?} of {values:?}");
        }
    }
}
