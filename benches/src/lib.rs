//! What the criterion benches and the two programs share: the cases, their layers and flops, the clock, the records.
//!
//! - `step` times one thing in a process of its own and prints JSON lines.
//! - `compare` runs it and the peers in turn and writes `docs/performance.md`.
//! - `tables` fits detectors, ours and PyOD's, on ten public tables and writes `docs/comparison.md`.
//! - `tool` runs the command `rftm` as a user does, beside PyOD, and adds to `docs/performance.md`.
#![deny(missing_docs)]

pub mod case;
pub mod clock;
pub mod curves;
pub mod foreign;
pub mod jsonl;
pub mod layers;
pub mod machine;
pub mod ops;
pub mod programs;
pub mod record;
pub mod report;
pub mod tables;
pub mod tool;
pub mod work;
