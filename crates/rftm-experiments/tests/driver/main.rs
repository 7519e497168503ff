//! The driver around a runner that trains nothing: ledger, plans, runs, merging, tables.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod common;
mod documents;
mod estimate;
mod ledger;
mod merge;
mod plan;
mod runner;
mod tables;
