//! The runner: parallel jobs, failures, stopping and going on.

use std::fs;
use std::sync::atomic::Ordering;

use crate::common::{Behaviour, Fake, Seen, plan, results, selection, workplace};
use rftm_experiments::{Ledger, Outcome, verify};
use rftm_models::ModelKind;

#[test]
fn one_job_and_several_give_the_same_ledger() {
    let plan = plan(&selection());
    let run = |jobs| {
        let (folder, seen) = (tempfile::tempdir().unwrap(), Seen::default());
        let summary = Fake::new(|_| Behaviour::Finish).run(&plan, folder.path(), jobs, &seen).unwrap();
        assert_eq!((summary.finished, summary.skipped, summary.not_begun), (6, 0, 0));
        assert_eq!((seen.count("Started"), seen.count("Epoch"), seen.count("Ended")), (6, 18, 6));
        let checked = verify(&workplace(folder.path()).out).unwrap();
        assert_eq!((checked.recomputed, checked.problems), (6, Vec::new()));
        assert_eq!(fs::read_dir(workplace(folder.path()).checkpoints).unwrap().count(), 0, "checkpoints are gone");
        let (ledger, _) = Ledger::read(&workplace(folder.path()).out).unwrap();
        plan.cells.iter().map(|(key, _)| ledger.finished(key).unwrap().clone()).collect::<Vec<_>>()
    };
    let one = run(1);
    assert_eq!(one[0], results(&plan.cells[0].0).0);
    assert_eq!(one, run(2));
    assert_eq!(one, run(8));
}

#[test]
fn a_second_run_does_nothing() {
    let (plan, folder, seen) = (plan(&selection()), tempfile::tempdir().unwrap(), Seen::default());
    let fake = Fake::new(|_| Behaviour::Finish);
    fake.run(&plan, folder.path(), 2, &seen).unwrap();
    let before = fs::read(workplace(folder.path()).out.join("ledger.jsonl")).unwrap();
    let summary = fake.run(&plan, folder.path(), 2, &seen).unwrap();
    assert_eq!((summary.finished, summary.skipped, fake.runs.load(Ordering::Relaxed)), (0, 6, 6));
    assert_eq!(fs::read(workplace(folder.path()).out.join("ledger.jsonl")).unwrap(), before);
}

#[test]
fn failures_are_recorded_do_not_stop_the_others_and_are_tried_again() {
    let (plan, folder, seen) = (plan(&selection()), tempfile::tempdir().unwrap(), Seen::default());
    let fake = Fake::new(|cell| match (cell.class, cell.kind()) {
        (0, ModelKind::Ae) => Behaviour::Fail,
        (1, ModelKind::Ae) => Behaviour::Panic,
        (9, ModelKind::Ae) => Behaviour::NonFinite,
        (9, ModelKind::Rftm) => Behaviour::Constant,
        _ => Behaviour::Finish,
    });
    let summary = fake.run(&plan, folder.path(), 2, &seen).unwrap();
    assert_eq!((summary.finished, summary.failed.len()), (2, 4));
    let (ledger, _) = Ledger::read(&workplace(folder.path()).out).unwrap();
    let mut errors: Vec<_> = ledger
        .records()
        .filter_map(|record| match &record.outcome {
            Outcome::Failed { error } => Some((record.cell.class, error.clone())),
            Outcome::Finished(_) => None,
        })
        .collect();
    errors.sort();
    assert_eq!(errors[0], (0, "the loss exploded".to_owned()));
    assert_eq!(errors[1], (1, "panicked: index out of range".to_owned()));
    assert_eq!(errors[2], (9, "all 40 test scores are 0.25: the model tells nothing apart".to_owned()));
    assert!(errors[3].0 == 9 && errors[3].1.starts_with("metrics are not finite"), "{errors:?}");
    assert_eq!(fs::read_dir(workplace(folder.path()).checkpoints).unwrap().count(), 0);

    let summary = Fake::new(|_| Behaviour::Finish).run(&plan, folder.path(), 1, &seen).unwrap();
    assert_eq!((summary.finished, summary.skipped), (4, 2));
    let (ledger, _) = Ledger::read(&workplace(folder.path()).out).unwrap();
    assert!(plan.cells.iter().all(|(key, _)| ledger.finished(key).is_some()));
}

#[test]
fn a_stopped_run_saves_and_goes_on_where_it_was() {
    let (plan, folder, seen) = (plan(&selection()), tempfile::tempdir().unwrap(), Seen::default());
    let fake = Fake::new(|cell| if cell.class == 1 { Behaviour::Stop } else { Behaviour::Finish });
    let summary = fake.run(&plan, folder.path(), 1, &seen).unwrap();
    let epochs: Vec<_> = summary.interrupted.iter().map(|(cell, epoch)| (cell.class, *epoch)).collect();
    assert_eq!((summary.finished, epochs, summary.not_begun), (2, vec![(1, 2)], 3));
    assert_eq!(seen.count("Interrupted"), 1);
    let left = workplace(folder.path()).checkpoint(&plan.cells[2].0);
    assert_eq!(fs::read_to_string(left.join("epoch")).unwrap(), "1");

    let seen = Seen::default();
    let summary = Fake::new(|_| Behaviour::Finish).run(&plan, folder.path(), 1, &seen).unwrap();
    assert_eq!((summary.finished, summary.skipped), (4, 2));
    assert_eq!(seen.count("Epoch"), 3 * 3 + 2, "the first epoch of the stopped cell is not run again");
}

#[test]
fn a_stop_before_the_start_runs_nothing() {
    let (plan, folder, seen) = (plan(&selection()), tempfile::tempdir().unwrap(), Seen::default());
    let fake = Fake::new(|_| Behaviour::Finish);
    fake.stop.store(true, Ordering::Relaxed);
    let summary = fake.run(&plan, folder.path(), 2, &seen).unwrap();
    assert_eq!((summary.not_begun, fake.runs.load(Ordering::Relaxed)), (6, 0));
}

#[test]
fn folders_that_cannot_be_written_stop_the_run_before_any_training() {
    let plan = plan(&selection());
    for blocked in ["out", "out/scores", "out/ledger.jsonl", "checkpoints"] {
        let (folder, seen) = (tempfile::tempdir().unwrap(), Seen::default());
        let path = folder.path().join(blocked);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if blocked.ends_with("jsonl") {
            fs::create_dir(&path).unwrap()
        } else {
            fs::write(&path, "in the way").unwrap()
        }
        let fake = Fake::new(|_| Behaviour::Finish);
        let message = fake.run(&plan, folder.path(), 1, &seen).unwrap_err().to_string();
        assert!(message.contains(&path.display().to_string()), "{message}");
        assert_eq!(fake.runs.load(Ordering::Relaxed), 0, "{blocked}");
    }
}

#[test]
fn a_result_that_cannot_be_written_ends_the_run_and_keeps_the_checkpoint() {
    let (plan, folder, seen) = (plan(&selection()), tempfile::tempdir().unwrap(), Seen::default());
    let place = workplace(folder.path());
    let scores = rftm_experiments::scores_path(&place.out, &plan.cells[1].0);
    let fake = Fake::new(|cell| {
        // Comes in the way while the cell runs, as a full disk does.
        if cell.class == 0 && cell.kind() == ModelKind::Rftm {
            fs::create_dir_all(scores.join("in the way")).unwrap();
        }
        Behaviour::Finish
    });
    let message = fake.run(&plan, folder.path(), 1, &seen).unwrap_err().to_string();
    assert!(message.contains(&scores.display().to_string()), "{message}");
    assert_eq!(fake.runs.load(Ordering::Relaxed), 2);
    assert!(place.checkpoint(&plan.cells[1].0).join("epoch").is_file());
    assert_eq!(Ledger::read(&place.out).unwrap().0.len(), 1);
    fs::remove_dir_all(&scores).unwrap();
    let summary = Fake::new(|_| Behaviour::Finish).run(&plan, folder.path(), 1, &seen).unwrap();
    assert_eq!((summary.finished, summary.skipped), (5, 1));
}
