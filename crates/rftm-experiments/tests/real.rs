//! The real models on tiny glyphs, through the driver.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::path::Path;
use std::sync::atomic::AtomicBool;

use rftm_data::{Dataset, DatasetId, glyphs};
use rftm_experiments::{
    Catalogue, Cell, Event, Finished, Host, Ledger, Parallelism, Plan, RealRunner, Reporter, Run, Variant, Workplace,
    verify,
};
use rftm_models::{Convention, ModelKind};

fn tiny() -> Dataset {
    glyphs::dataset(&glyphs::Config { train: 600, test: 200, seed: 7 })
}

/// AE and RFTM under both conventions, three epochs each, on [`tiny`] data.
fn plan(catalogue: &Catalogue) -> Plan {
    let protocol = catalogue.protocol.dataset(DatasetId::Glyphs).unwrap();
    let variant = |convention| Variant { convention, forget_at_inference: false, max_epochs: 3 };
    let cell = |kind, convention| {
        let cell = catalogue.cell(protocol, 3, kind, 1997, variant(convention)).unwrap();
        let cell = Cell { data_checksum: tiny().checksum, ..cell };
        (cell.key(), cell)
    };
    let kinds = [ModelKind::Ae, ModelKind::Rftm];
    let cells = kinds.into_iter().flat_map(|kind| [cell(kind, Convention::Release), cell(kind, Convention::Text)]);
    Plan { cells: cells.collect(), notes: Vec::new() }
}

struct Silent;

impl Reporter for Silent {
    fn event(&self, _: &Event<'_>) {}
}

fn run(out: &Path, jobs: usize, threads: usize) -> Vec<Finished> {
    let catalogue = Catalogue::builtin().unwrap();
    let plan = plan(&catalogue);
    let workplace = Workplace { out: out.to_owned(), checkpoints: out.join("checkpoints") };
    let summary = Run {
        catalogue: &catalogue,
        plan: &plan,
        runner: &RealRunner::new([tiny()], &plan).unwrap(),
        workplace: &workplace,
        parallelism: Parallelism { jobs, threads },
        host: &Host::detect(out),
        stop: &AtomicBool::new(false),
        reporter: &Silent,
    }
    .execute()
    .unwrap();
    assert_eq!((summary.finished, summary.failed.len()), (4, 0), "{:?}", summary.failed);
    let (ledger, _) = Ledger::read(out).unwrap();
    plan.cells.iter().map(|(key, _)| ledger.finished(key).unwrap().clone()).collect()
}

#[test]
fn jobs_and_threads_change_no_bit() {
    let results = |jobs, threads| {
        let out = tempfile::tempdir().unwrap();
        let results = run(out.path(), jobs, threads);
        let checked = verify(out.path()).unwrap();
        assert_eq!((checked.recomputed, checked.problems), (4, Vec::new()));
        results.into_iter().map(|finished| Finished { seconds: 0.0, ..finished }).collect::<Vec<_>>()
    };
    let one = results(1, 1);
    assert_eq!(one, results(1, 2), "one thread and two");
    assert_eq!(one, results(2, 1), "one job and two");
    let mut weights: Vec<_> = one.iter().map(|finished| &finished.weights).collect();
    weights.sort();
    weights.dedup();
    assert_eq!(weights.len(), 4, "every cell is another model");
    for finished in &one {
        assert!((0.0..=1.0).contains(&finished.metrics.auroc) && finished.best_validation_loss > 0.0, "{finished:?}");
        assert!(finished.hit_epoch_limit && finished.epochs == 3 && (1..=3).contains(&finished.best_epoch));
    }
}

#[test]
fn other_data_under_the_same_name_are_refused() {
    let plan = plan(&Catalogue::builtin().unwrap());
    let other = glyphs::dataset(&glyphs::Config { train: 600, test: 200, seed: 8 });
    let message = RealRunner::new([other], &plan).unwrap_err().to_string();
    assert!(message.contains("built-in glyphs, seed 8") && message.contains(&tiny().checksum), "{message}");
}
