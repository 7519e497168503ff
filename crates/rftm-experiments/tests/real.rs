//! The real models on tiny glyphs, through the driver.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::path::Path;
use std::sync::atomic::AtomicBool;

use rftm_data::{Dataset, DatasetId, Split, glyphs};
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
    let look = catalogue.variant(catalogue.definition("look").unwrap());
    let variant = |convention| Variant { convention, max_epochs: 3, ..look };
    let cell = |kind, convention| {
        let cell = catalogue.cell(protocol, 3, kind, 1997, variant(convention));
        let cell = Cell { data_checksum: tiny().checksum, ..cell };
        (cell.key(), cell)
    };
    let kinds = [ModelKind::Ae, ModelKind::Rftm];
    let cells = kinds.into_iter().flat_map(|kind| [cell(kind, Convention::Release), cell(kind, Convention::Text)]);
    Plan { cells: cells.collect() }
}

struct Silent;

impl Reporter for Silent {
    fn event(&self, _: &Event<'_>) {}
}

fn run(out: &Path, jobs: usize, threads: usize) -> Vec<Finished> {
    let catalogue = Catalogue::builtin().unwrap();
    execute(&catalogue, &plan(&catalogue), tiny(), out, jobs, threads)
}

fn execute(
    catalogue: &Catalogue,
    plan: &Plan,
    dataset: Dataset,
    out: &Path,
    jobs: usize,
    threads: usize,
) -> Vec<Finished> {
    let workplace = Workplace { out: out.to_owned(), checkpoints: out.join("checkpoints") };
    let summary = Run {
        catalogue,
        plan,
        runner: &RealRunner::new([dataset], plan).unwrap(),
        workplace: &workplace,
        parallelism: Parallelism { jobs, threads },
        host: &Host::detect(out),
        stop: &AtomicBool::new(false),
        reporter: &Silent,
    }
    .execute()
    .unwrap();
    assert_eq!((summary.finished, summary.failed.len()), (plan.cells.len(), 0), "{:?}", summary.failed);
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

/// Images of CIFAR-10's shape: noise around a brightness that depends on the class.
fn photographs() -> Dataset {
    let mut stream = rftm_rng::rng(7, "photographs", 0);
    let mut split = |count: u8| {
        let labels: Vec<u8> = (0..count).map(|index| index % 10).collect();
        let pixels = labels.iter().flat_map(|label| vec![20 * label; 3072]).collect::<Vec<u8>>();
        let noisy = pixels.into_iter().map(|pixel| pixel + rftm_rng::below(60, &mut stream) as u8).collect();
        Split { pixels: noisy, labels }
    };
    let (train, test) = (split(120), split(60));
    let class_names = (0..10).map(|class| class.to_string()).collect();
    let (checksum, origin) = ("0".repeat(64), "a test".to_owned());
    Dataset { id: DatasetId::Cifar10, channels: 3, height: 32, width: 32, class_names, train, test, checksum, origin }
}

#[test]
fn the_convolutional_models_run_with_either_padding() {
    let catalogue = Catalogue::builtin().unwrap();
    let protocol = catalogue.protocol.dataset(DatasetId::Cifar10).unwrap();
    let look = catalogue.variant(catalogue.definition("look").unwrap());
    let cell = |kind, padding| {
        let variant = Variant { max_epochs: 1, padding: Some(padding), ..look };
        let cell = catalogue.cell(protocol, 3, kind, 1997, variant);
        let cell = Cell { data_checksum: photographs().checksum, ..cell };
        (cell.key(), cell)
    };
    let kinds = [ModelKind::Ae, ModelKind::Rftm];
    let cells = kinds.into_iter().flat_map(|kind| [cell(kind, 0), cell(kind, 1)]).collect();
    let out = tempfile::tempdir().unwrap();
    let plan = Plan { cells };
    let results = execute(&catalogue, &plan, photographs(), out.path(), 1, 1);
    let [flat, wide, twin, wide_twin] = [0, 1, 2, 3].map(|index| results[index].parameters);
    assert_eq!(flat, wide, "padding adds no weights to the coder");
    // Two memories of 3000 slots, each followed by batch normalisation, on latents of 512 and of 2x2x512.
    assert_eq!((twin - flat, wide_twin - wide), (2 * (3000 * 512 + 2 * 512), 2 * (3000 * 2048 + 2 * 2048)));
    assert_eq!(verify(out.path()).unwrap().recomputed, 4);
}

#[test]
fn a_checkpoint_that_cannot_be_written_ends_the_run_and_blames_no_cell() {
    let (catalogue, out) = (Catalogue::builtin().unwrap(), tempfile::tempdir().unwrap());
    let plan = plan(&catalogue);
    let workplace = Workplace { out: out.path().to_owned(), checkpoints: out.path().join("checkpoints") };
    // A folder where the file should be, as a disk refuses when it is full.
    let blocked = workplace.checkpoint(&plan.cells[0].0).join("training.safetensors");
    std::fs::create_dir_all(blocked.join("in the way")).unwrap();
    let run = Run {
        catalogue: &catalogue,
        plan: &plan,
        runner: &RealRunner::new([tiny()], &plan).unwrap(),
        workplace: &workplace,
        parallelism: Parallelism { jobs: 1, threads: 1 },
        host: &Host::detect(out.path()),
        stop: &AtomicBool::new(false),
        reporter: &Silent,
    };
    let message = run.execute().unwrap_err().to_string();
    assert!(message.contains(&blocked.display().to_string()), "{message}");
    let (ledger, _) = Ledger::read(out.path()).unwrap();
    assert!(ledger.is_empty() && blocked.is_dir(), "nothing is recorded, and what is there stays");
}

#[test]
fn other_data_under_the_same_name_are_refused() {
    let plan = plan(&Catalogue::builtin().unwrap());
    let other = glyphs::dataset(&glyphs::Config { train: 600, test: 200, seed: 8 });
    let message = RealRunner::new([other], &plan).unwrap_err().to_string();
    assert!(message.contains("built-in glyphs, seed 8") && message.contains(&tiny().checksum), "{message}");
}
