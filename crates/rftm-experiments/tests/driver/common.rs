//! A runner that trains nothing, and ledgers made with it.
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rftm_data::DatasetId;
use rftm_experiments::{
    Catalogue, Cell, CellError, CellOutcome, CellProgress, CellRunner, Environment, Event, Finished, Host, Key,
    Metrics, Outcome, Parallelism, Plan, Record, Reporter, Run, Scores, Selection, Summary, Variant, Workplace,
    metrics,
};
use rftm_models::{EpochReport, ModelKind};

pub(crate) fn catalogue() -> Catalogue {
    Catalogue::builtin().unwrap()
}

pub(crate) fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(|&item| item.to_owned()).collect()
}

/// Six cells: MNIST, three classes, two models, one seed.
pub(crate) fn selection() -> Selection {
    Selection {
        definitions: strings(&["table1"]),
        datasets: vec![DatasetId::Mnist],
        classes: strings(&["0", "1", "9"]),
        models: vec![ModelKind::Ae, ModelKind::Rftm],
        seeds: vec![1997],
        ..Selection::default()
    }
}

pub(crate) fn plan(selection: &Selection) -> Plan {
    Plan::new(&catalogue(), selection).unwrap()
}

pub(crate) fn cell(dataset: DatasetId, class: u8, kind: ModelKind, seed: u64, variant: Variant) -> Cell {
    let catalogue = catalogue();
    catalogue.cell(catalogue.protocol.dataset(dataset).unwrap(), class, kind, seed, variant)
}

pub(crate) fn full_variant() -> Variant {
    let catalogue = catalogue();
    catalogue.variant(catalogue.definition("table1").unwrap())
}

/// Results that depend on the key only, and scores that give them.
pub(crate) fn results(key: &Key) -> (Finished, Scores) {
    let number = |at: usize| u64::from_str_radix(&key.as_str()[at..at + 4], 16).unwrap();
    let scores = Scores {
        scores: (0..40).map(|i| ((i * (number(0) + 1) + number(4)) % 97) as f32 / 97.0).collect(),
        anomalous: (0..40).map(|i| (i + number(8)) % 4 == 0).collect(),
    };
    let finished = Finished {
        metrics: metrics(&scores).unwrap(),
        epochs: 20,
        best_epoch: 10,
        best_validation_loss: 0.1 + number(12) as f64 / 1e7,
        hit_epoch_limit: false,
        parameters: 1000,
        weights: format!("{key}{key}"),
        warnings: Vec::new(),
        seconds: 5.0,
    };
    (finished, scores)
}

pub(crate) fn environment() -> Environment {
    Environment {
        commit: "0".repeat(40),
        dirty: false,
        cpu: "a CPU".to_owned(),
        threads: 1,
        jobs: 1,
        started: "2026-01-01T00:00:00Z".to_owned(),
    }
}

pub(crate) fn record(cell: Cell) -> Record {
    let key = cell.key();
    let outcome = Outcome::Finished(results(&key).0);
    Record { key, cell, outcome, environment: environment() }
}

pub(crate) fn failed(cell: Cell, error: &str) -> Record {
    Record { outcome: Outcome::Failed { error: error.to_owned() }, ..record(cell) }
}

/// What the fake runner does with a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Finish,
    Fail,
    Panic,
    NonFinite,
    /// Gives every sample the same score.
    Constant,
    /// Sets the stop flag after its first epoch and then obeys it.
    Stop,
}

pub(crate) struct Fake<F> {
    pub(crate) behaviour: F,
    pub(crate) stop: AtomicBool,
    pub(crate) runs: AtomicUsize,
}

impl<F: Fn(&Cell) -> Behaviour + Sync> Fake<F> {
    pub(crate) fn new(behaviour: F) -> Self {
        Self { behaviour, stop: AtomicBool::new(false), runs: AtomicUsize::new(0) }
    }

    pub(crate) fn run(
        &self,
        plan: &Plan,
        folder: &Path,
        jobs: usize,
        seen: &Seen,
    ) -> rftm_experiments::Result<Summary> {
        Run {
            catalogue: &catalogue(),
            plan,
            runner: self,
            workplace: &workplace(folder),
            parallelism: Parallelism::new(jobs, Some(1), 1),
            host: &Host { commit: "c".to_owned(), dirty: true, cpu: "a CPU".to_owned(), cores: 1 },
            stop: &self.stop,
            reporter: seen,
        }
        .execute()
    }
}

pub(crate) fn workplace(folder: &Path) -> Workplace {
    Workplace { out: folder.join("out"), checkpoints: folder.join("checkpoints") }
}

impl<F: Fn(&Cell) -> Behaviour + Sync> CellRunner for Fake<F> {
    fn run(&self, cell: &Cell, checkpoint: &Path, progress: &dyn CellProgress) -> Result<CellOutcome, CellError> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        assert_eq!(rayon::current_num_threads(), 1, "a cell runs on the pool of its job");
        assert!(checkpoint.is_dir(), "the checkpoint folder is there before the cell runs");
        let file = checkpoint.join("epoch");
        let done: usize = std::fs::read_to_string(&file).map_or(0, |text| text.parse().unwrap());
        let behaviour = (self.behaviour)(cell);
        for epoch in done + 1..=3 {
            let (train_loss, validation_loss) = (0.2, 0.3);
            progress.epoch(&EpochReport {
                epoch,
                train_loss,
                validation_loss,
                best_validation_loss: validation_loss,
                best_epoch: epoch,
                seconds: 2.0,
            });
            std::fs::write(&file, epoch.to_string()).unwrap();
            if behaviour == Behaviour::Stop {
                self.stop.store(true, Ordering::Relaxed);
            }
            if progress.should_stop() {
                return Ok(CellOutcome::Interrupted { epoch: epoch + 1 });
            }
        }
        let (mut finished, mut scores) = results(&cell.key());
        match behaviour {
            Behaviour::Finish | Behaviour::Stop => {}
            Behaviour::Fail => return Err(CellError::Failed("the loss exploded".to_owned())),
            Behaviour::Panic => panic!("index out of range"),
            Behaviour::NonFinite => finished.metrics.auroc = f64::NAN,
            Behaviour::Constant => scores.scores.fill(0.25),
        }
        Ok(CellOutcome::Finished(Box::new(finished), scores))
    }
}

/// Keeps the debug text of every event.
#[derive(Default)]
pub(crate) struct Seen(pub(crate) Mutex<Vec<String>>);

impl Seen {
    pub(crate) fn count(&self, start: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|text| text.starts_with(start)).count()
    }
}

impl Reporter for Seen {
    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

/// A record with these metrics in percent.
pub(crate) fn with(cell: Cell, percent: [f64; 3]) -> Record {
    let [auroc, auprc, f1] = percent.map(|value| value / 100.0);
    let finished = Finished {
        metrics: Metrics { auroc, auprc, f1, threshold: 0.5 },
        epochs: 100,
        best_epoch: 90,
        best_validation_loss: 0.01,
        hit_epoch_limit: false,
        parameters: 1000,
        weights: "0".repeat(64),
        warnings: Vec::new(),
        seconds: 300.0,
    };
    Record { key: cell.key(), cell, outcome: Outcome::Finished(finished), environment: environment() }
}

pub(crate) fn check_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, expected, "{name} differs; if that is meant, run with UPDATE_GOLDEN=1");
}

/// Keys follow the configuration, and a change there must not touch the golden tables.
pub(crate) fn without_keys(csv: &str) -> String {
    let has_keys = csv.lines().any(|line| line.ends_with(",key") || line.ends_with(",keys"));
    let cut = |line: &str| match line.rsplit_once(',') {
        Some((rest, _)) if has_keys && !line.starts_with('#') => rest.to_owned(),
        _ => line.to_owned(),
    };
    csv.lines().map(|line| cut(line) + "\n").collect()
}
