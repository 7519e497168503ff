//! What is measured, one JSON line each. The document is made from these lines and from nothing else.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::curves::Point;
use crate::machine::Circumstances;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// A run of `compare` begins.
    Run(Run),
    /// One process that trained or scored.
    Step(Step),
    /// One operation of a step alone.
    Op(Op),
    /// A point of a cost curve.
    Curve(Point),
    /// A matrix product, ours and two others', on one thread.
    Gemm(Gemm),
    /// How fast one thread reads memory.
    Bandwidth {
        /// 1e9 bytes a second.
        gb_per_s: f64,
    },
    /// Trainings side by side.
    Jobs(Jobs),
    /// A peer that did not run.
    Missing {
        /// Its name.
        program: String,
        /// Why.
        reason: String,
    },
}

/// A run's circumstances, and how it measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Machine, code and command.
    #[serde(flatten)]
    pub circumstances: Circumstances,
    /// The vector instructions in use.
    pub simd: String,
    /// Processes of each kind.
    pub rounds: usize,
}

/// What one process measured.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Step {
    /// `rftm`, `torch`, `torch-compiled`, `candle`, `burn`.
    pub program: String,
    /// The model.
    pub case: String,
    /// `train`, `score256` or `score1`.
    pub mode: String,
    /// Threads.
    pub threads: usize,
    /// Repetitions that were counted.
    pub n: usize,
    /// Their median.
    pub median_ms: f64,
    /// The shortest.
    pub min_ms: f64,
    /// Peak resident memory of the process in MiB, before anything but the steps was run in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_mib: Option<f64>,
    /// Part of the median step: forward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_ms: Option<f64>,
    /// Part of the median step: backward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backward_ms: Option<f64>,
    /// Part of the median step: Adam.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_ms: Option<f64>,
    /// Floating-point operations of the products of a step, in 1e9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gflop: Option<f64>,
    /// The rate of our best product in the same process, GFLOP/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gemm_peak: Option<f64>,
    /// Size of all trained numbers, MiB: what a score must read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_mib: Option<f64>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One operation alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Op {
    /// The model it belongs to.
    pub case: String,
    /// Its place in the model.
    pub index: usize,
    /// Its name.
    pub op: String,
    /// Threads.
    pub threads: usize,
    /// Median time forward.
    pub forward_ms: f64,
    /// Median time backward.
    pub backward_ms: f64,
    /// Floating-point operations of its products in a step, in 1e9.
    pub gflop: f64,
}

/// One shape of product on one thread, GFLOP/s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gemm {
    /// `m x n x k form`.
    pub shape: String,
    /// Ours.
    pub rftm: f64,
    /// The crate matrixmultiply.
    pub matrixmultiply: f64,
    /// The crate gemm.
    pub gemm: f64,
}

/// Trainings side by side, each on one thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Jobs {
    /// The model.
    pub case: String,
    /// How many.
    pub jobs: usize,
    /// Wall time of the steps.
    pub wall_ms: f64,
}

impl Record {
    /// The line; numbers are rounded to what a clock can tell.
    ///
    /// # Errors
    /// Never: every field has a form in JSON.
    pub fn line(&self) -> Result<String> {
        let mut value = serde_json::to_value(self)?;
        if let Value::Object(fields) = &mut value {
            fields.values_mut().for_each(round);
        }
        Ok(value.to_string())
    }
}

/// Six significant digits.
fn round(value: &mut Value) {
    if let Some(number) = value.as_f64().filter(|_| value.is_f64())
        && let Ok(rounded) = format!("{number:.5e}").parse::<f64>()
    {
        *value = rounded.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jsonl;

    #[test]
    fn the_peers_lines_are_records() {
        let line = r#"{"kind":"step","program":"burn","case":"fc_ae","mode":"train","threads":2,"n":5,"median_ms":2.5,
            "min_ms":2,"peak_mib":33.7}"#;
        let [Record::Step(step)] = &jsonl::parse_all(&line.replace('\n', "")).unwrap()[..] else { panic!() };
        assert_eq!((step.program.as_str(), step.threads, step.peak_mib, step.gflop), ("burn", 2, Some(33.7), None));
    }

    #[test]
    fn records_survive_their_line() {
        let records = [
            Record::Bandwidth { gb_per_s: 20.5 },
            Record::Missing { program: "torch".into(), reason: "PyTorch is missing".into() },
            Record::Step(Step { gflop: Some(1.5), ..Step::default() }),
        ];
        let text: String = records.iter().map(|record| record.line().unwrap() + "\n").collect();
        assert_eq!(jsonl::parse_all::<Record>(&text).unwrap(), records);
        assert_eq!(
            Record::Bandwidth { gb_per_s: 0.1 + 0.2 }.line().unwrap(),
            r#"{"gb_per_s":0.3,"kind":"bandwidth"}"#,
            "rounded, and integers stay integers"
        );
        let error = jsonl::parse_all::<Record>("\n{}").unwrap_err();
        assert!(error.to_string().starts_with("line 2"), "{error}");
    }
}
