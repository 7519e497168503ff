//! Estimates: from this machine's past where there is one.

use crate::common::{catalogue, cell, environment, full_variant, record};
use rftm_data::DatasetId;
use rftm_experiments::{Arm, Environment, Estimator, LedgerWriter, Outcome, Parallelism, Record, Variant};
use rftm_models::ModelKind;

/// A record of 40 epochs in 120 seconds.
fn slow(class: u8, stopped_early: bool, environment: Environment) -> Record {
    let mut record = record(cell(DatasetId::Mnist, class, ModelKind::Ae, 1997, full_variant()));
    if let Outcome::Finished(finished) = &mut record.outcome {
        (finished.epochs, finished.seconds, finished.hit_epoch_limit) = (40, 120.0, !stopped_early);
    }
    Record { environment, ..record }
}

#[test]
fn history_counts_only_from_this_machine_with_as_many_threads() {
    let (catalogue, folder) = (catalogue(), tempfile::tempdir().unwrap());
    let (mut writer, _) = LedgerWriter::open(folder.path()).unwrap();
    writer.append(slow(0, true, environment())).unwrap();
    writer.append(slow(1, true, Environment { cpu: "another".to_owned(), ..environment() })).unwrap();
    writer.append(slow(2, true, Environment { threads: 8, ..environment() })).unwrap();
    let wanted = cell(DatasetId::Mnist, 5, ModelKind::Ae, 2015, full_variant());
    let estimator = |cpu, threads| Estimator::new(&catalogue.protocol, writer.ledger(), cpu, threads);
    let known = estimator("a CPU", 1);
    assert_eq!(
        (known.seconds_per_epoch(&wanted), known.epochs(&wanted), known.seconds(&wanted)),
        ((3.0, true), 40, 120.0)
    );
    let (guessed, measured) = estimator("a CPU", 2).seconds_per_epoch(&wanted);
    assert!(!measured && guessed > 0.0);
    assert_eq!(estimator("a CPU", 4).seconds_per_epoch(&wanted).0, guessed / 2.0, "threads share an epoch");
    let other = cell(DatasetId::Mnist, 5, ModelKind::Rftm, 2015, full_variant());
    assert!(!known.seconds_per_epoch(&other).1, "another model tells nothing");
    let arm = |arm| cell(DatasetId::FashionMnist, 4, ModelKind::Rftm, 1997, Variant { arm, ..full_variant() });
    let [whole, dense] = [Arm::Full, Arm::NoSparsification].map(|one| known.seconds_per_epoch(&arm(one)).0);
    assert!((dense / whole - 2.5).abs() < 1e-9, "reading every slot takes its time");
    let (seconds, basis) = known.total([&wanted, &other].into_iter(), 1);
    assert_eq!(seconds, 120.0 + known.seconds(&other));
    assert_eq!(known.total([&wanted; 5].into_iter(), 2).0, 300.0, "shared evenly");
    assert_eq!((basis.measured, basis.assumed), (1, 1));
    let longest = known.seconds(&other).max(120.0);
    assert_eq!(
        known.total([&wanted, &other].into_iter(), 8).0,
        longest,
        "more jobs than cells do not make a cell shorter"
    );
    assert!(basis.to_string().contains("1 cells from measurements"), "{basis}");
}

#[test]
fn a_run_that_hit_its_limit_says_nothing_about_early_stopping() {
    let (catalogue, folder) = (catalogue(), tempfile::tempdir().unwrap());
    let (mut writer, _) = LedgerWriter::open(folder.path()).unwrap();
    writer.append(slow(0, false, environment())).unwrap();
    let estimator = Estimator::new(&catalogue.protocol, writer.ledger(), "a CPU", 1);
    let wanted = cell(DatasetId::Mnist, 5, ModelKind::Ae, 2015, full_variant());
    assert_eq!(estimator.epochs(&wanted), catalogue.protocol.estimate.epochs);
    let short = cell(DatasetId::Mnist, 5, ModelKind::Ae, 2015, Variant { max_epochs: 8, ..full_variant() });
    assert_eq!((estimator.epochs(&short), estimator.seconds(&short)), (8, 24.0), "never more than the limit");
}

#[test]
fn an_untrained_network_takes_no_epoch_and_says_nothing_about_others() {
    let (catalogue, folder) = (catalogue(), tempfile::tempdir().unwrap());
    let (mut writer, _) = LedgerWriter::open(folder.path()).unwrap();
    let untrained = cell(DatasetId::Mnist, 5, ModelKind::Ae, 1997, Variant { max_epochs: 0, ..full_variant() });
    let mut scored = record(untrained.clone());
    if let Outcome::Finished(finished) = &mut scored.outcome {
        (finished.epochs, finished.seconds) = (0, 3.0);
    }
    writer.append(scored).unwrap();
    let estimator = Estimator::new(&catalogue.protocol, writer.ledger(), "a CPU", 1);
    assert_eq!(estimator.seconds(&untrained), 0.0);
    let trained = cell(DatasetId::Mnist, 5, ModelKind::Ae, 1997, full_variant());
    assert_eq!(estimator.epochs(&trained), catalogue.protocol.estimate.epochs);
    assert!(!estimator.seconds_per_epoch(&trained).1);
}

#[test]
fn one_job_has_all_cores_and_several_have_one_thread_each() {
    let threads = |jobs, threads| Parallelism::new(jobs, threads, 8).threads;
    assert_eq!((threads(1, None), threads(2, None), threads(2, Some(4)), threads(1, Some(3))), (8, 1, 4, 3));
}
