//! Merging the ledgers of shards.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{Behaviour, Fake, Seen, failed, plan, record, selection, workplace};
use rftm_experiments::{
    Catalogue, Ledger, LedgerWriter, Outcome, Plan, Record, Selection, Shard, merge, scores_path, verify, write_report,
};

fn ledger_of(out: &Path, records: impl IntoIterator<Item = Record>) {
    let (mut writer, _) = LedgerWriter::open(out).unwrap();
    records.into_iter().for_each(|record| writer.append(record).unwrap());
}

/// A run that finished: its plan, its results folder, its ledger and what stands in it.
fn run(folder: &Path) -> (Plan, PathBuf, PathBuf, String) {
    let plan = plan(&selection());
    Fake::new(|_| Behaviour::Finish).run(&plan, folder, 1, &Seen::default()).unwrap();
    let out = workplace(folder).out;
    let path = out.join("ledger.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    (plan, out, path, text)
}

#[test]
fn two_shards_merge_to_the_tables_of_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let run = |name: &str, selection: &Selection| {
        Fake::new(|_| Behaviour::Finish).run(&plan(selection), &place(name), 1, &Seen::default()).unwrap();
        workplace(&place(name)).out
    };
    let one = run("one", &selection());
    let shard = |index| Selection { shard: Shard::new(index, 2), ..selection() };
    let shards = [run("first", &shard(1)), run("second", &shard(2))];
    let merged = merge(&shards, &place("merged")).unwrap();
    assert_eq!((merged.records, merged.scores, merged.conflicts.len()), (6, 6, 0));
    let checked = verify(&place("merged")).unwrap();
    assert_eq!((checked.recomputed, checked.problems), (6, Vec::new()));
    let report = |out: &Path| {
        let catalogue = Catalogue::builtin().unwrap();
        let files = write_report(&catalogue, &Ledger::read(out).unwrap().0, out).unwrap();
        files.iter().map(|file| fs::read_to_string(file).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(report(&one), report(&place("merged")));
}

#[test]
fn finished_beats_failed_and_conflicts_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let cells: Vec<_> = plan(&selection()).cells.into_iter().map(|(_, cell)| cell).collect();
    let mut other = record(cells[1].clone());
    if let Outcome::Finished(finished) = &mut other.outcome {
        finished.metrics.auroc = 0.25;
    }
    ledger_of(&place("a"), [failed(cells[0].clone(), "no memory"), record(cells[1].clone()), record(cells[2].clone())]);
    ledger_of(
        &place("b"),
        [record(cells[0].clone()), other, record(cells[2].clone()), failed(cells[2].clone(), "later")],
    );
    let merged = merge(&[place("a"), place("b")], &place("c")).unwrap();
    let (ledger, _) = Ledger::read(&place("c")).unwrap();
    assert_eq!((merged.records, ledger.len()), (3, 3));
    assert!(cells.iter().take(3).all(|cell| ledger.finished(&cell.key()).is_some()));
    assert_eq!(ledger.get(&cells[1].key()), Some(&record(cells[1].clone())), "the first input wins");
    // A failure does not replace a failure either: the first input wins.
    let again = [failed(cells[0].clone(), "no memory"), failed(cells[1].clone(), "first")];
    ledger_of(&place("d"), again);
    ledger_of(&place("e"), [failed(cells[1].clone(), "second")]);
    merge(&[place("d"), place("e")], &place("f")).unwrap();
    let kept = Ledger::read(&place("f")).unwrap().0.get(&cells[1].key()).unwrap().clone();
    assert!(matches!(kept.outcome, Outcome::Failed { error } if error == "first"));
    assert_eq!(merged.conflicts.len(), 1);
    let text = merged.conflicts[0].to_string();
    assert!(
        text.contains(cells[1].key().as_str()) && text.contains("metrics differ") && text.contains("0.25"),
        "{text}"
    );
}

#[test]
fn scores_come_from_whichever_input_has_a_sound_file_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&selection());
    let out = |name: &str| workplace(&folder.path().join(name)).out;
    for name in ["a", "b"] {
        Fake::new(|_| Behaviour::Finish).run(&plan, &folder.path().join(name), 1, &Seen::default()).unwrap();
    }
    let file = |name: &str, cell: usize| scores_path(&out(name), &plan.cells[cell].0);
    fs::remove_file(file("a", 0)).unwrap();
    let whole = fs::read(file("a", 1)).unwrap();
    fs::write(file("a", 1), &whole[..whole.len() / 2]).unwrap();
    let merged = merge(&[out("a"), out("b")], &out("c")).unwrap();
    assert_eq!((merged.scores, merged.unscored.len()), (6, 0));
    assert_eq!(verify(&out("c")).unwrap().problems, Vec::<String>::new());
    // The damaged file may lie in the output already.
    assert_eq!(merge(&[out("a"), out("b")], &out("a")).unwrap().scores, 6);
    assert_eq!(fs::read(file("a", 1)).unwrap(), whole);
    for name in ["a", "b"] {
        fs::remove_file(file(name, 2)).unwrap();
    }
    let merged = merge(&[out("a"), out("b")], &out("d")).unwrap();
    assert_eq!((merged.records, merged.scores), (6, 5));
    assert_eq!(merged.unscored, [plan.cells[2].clone()]);
    // Scores beside a failure are not those of the result.
    let (key, cell) = plan.cells[0].clone();
    ledger_of(&out("e"), [record(cell.clone())]);
    ledger_of(&out("f"), [failed(cell, "later")]);
    fs::create_dir_all(out("f").join("scores")).unwrap();
    fs::copy(scores_path(&out("b"), &key), scores_path(&out("f"), &key)).unwrap();
    let merged = merge(&[out("e"), out("f")], &out("g")).unwrap();
    assert_eq!((merged.records, merged.scores, merged.unscored.len()), (1, 0, 1));
}

#[test]
fn two_results_of_a_cell_in_one_ledger_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (_, out, path, text) = run(folder.path());
    let first = text.lines().next().unwrap();
    let changed = first.replacen(r#""f1":0."#, r#""f1":0.0"#, 1);
    fs::write(&path, format!("{text}{changed}\n{first}\n")).unwrap();
    let found = verify(&out).unwrap();
    assert!(found.recomputed == 6 && found.problems.len() == 1, "{found:?}");
    assert!(found.problems[0].contains("two results, the first counts; metrics differ"), "{found:?}");
    let merged = merge(&[out], &folder.path().join("merged")).unwrap();
    let told: Vec<_> = merged.conflicts.iter().map(ToString::to_string).collect();
    assert!(told.len() == 1 && told[0].contains("kept the first of both in"), "{told:?}");
    assert_eq!(verify(&folder.path().join("merged")).unwrap().problems, Vec::<String>::new());
}

#[test]
fn the_output_must_be_new_or_an_input() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let cells: Vec<_> = plan(&selection()).cells.into_iter().map(|(_, cell)| cell).collect();
    ledger_of(&place("a"), [record(cells[0].clone())]);
    ledger_of(&place("b"), [record(cells[1].clone())]);
    ledger_of(&place("c"), [record(cells[2].clone())]);
    let message = merge(&[place("a"), place("b")], &place("c")).unwrap_err().to_string();
    assert!(message.contains("would be overwritten") && message.contains('c'), "{message}");
    let into: Vec<PathBuf> = vec![place("c"), place("a").join("ledger.jsonl")];
    assert_eq!(merge(&into, &place("c")).unwrap().records, 2);
    assert_eq!(Ledger::read(&place("c")).unwrap().0.len(), 2);
    let message = merge(&[place("a"), place("nowhere")], &place("d")).unwrap_err().to_string();
    assert!(message.contains("there is no ledger at") && message.contains("nowhere"), "{message}");
}

#[test]
fn verification_finds_changed_numbers_scores_and_configurations() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, out, path, text) = run(folder.path());
    let problems = |changed: &str| {
        fs::write(&path, changed).unwrap();
        verify(&out).unwrap().problems
    };
    assert_eq!(problems(&text), Vec::<String>::new());
    assert_eq!(verify(&path).unwrap().problems, Vec::<String>::new(), "the ledger may be named for its folder");
    let found = problems(&text.replacen(r#""seed":1997"#, r#""seed":1998"#, 1));
    assert!(found.len() == 1 && found[0].contains("its configuration has the key"), "{found:?}");
    let found = problems(&text.replacen(r#""f1":0."#, r#""f1":0.0"#, 1));
    assert!(found.len() == 1 && found[0].contains("the ledger says"), "{found:?}");
    fs::remove_file(scores_path(&out, &plan.cells[0].0)).unwrap();
    let found = problems(&text);
    assert!(found.len() == 1 && found[0].contains("there are no scores"), "{found:?}");
}
