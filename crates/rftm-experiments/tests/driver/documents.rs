//! The other generated files, from a small ledger: ablation, untrained networks, readings, comparison, cost.

use std::path::Path;

use crate::common::{catalogue, cell, check_golden, failed, full_variant, plan, record, strings, with, without_keys};
use rftm_data::DatasetId;
use rftm_experiments::{
    Arm, Document, Ledger, LedgerWriter, Outcome, Record, RowClass, SHOW_SUMMARY, Scope, Selection, Variant, documents,
    tables, unplaced, with_summary,
};
use rftm_models::{Convention, ModelKind};

use ModelKind::{Ae, Rftm};

fn ledger_of(records: impl IntoIterator<Item = Record>) -> Ledger {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, _) = LedgerWriter::open(folder.path()).unwrap();
    records.into_iter().for_each(|record| writer.append(record).unwrap());
    writer.ledger().clone()
}

fn found(ledger: &Ledger) -> Vec<Document> {
    documents(&catalogue(), ledger, &Scope::Everything)
}

fn check_document(documents: &[Document], id: &str) {
    let document = documents.iter().find(|document| document.id == id).unwrap();
    check_golden(&format!("documents/{id}.md"), &document.markdown());
    check_golden(&format!("documents/{id}.tex"), &document.latex());
    check_golden(&format!("documents/{id}.csv"), &without_keys(&document.csv()));
}

/// Coat: every arm with the paper's seed, whole model and no cortex with three; Trouser: those two with one.
fn ablation() -> Vec<Record> {
    let at = |class, arm, seed| cell(DatasetId::FashionMnist, class, Rftm, seed, Variant { arm, ..full_variant() });
    let mut records: Vec<Record> = Arm::PAPER
        .into_iter()
        .zip(0..)
        .map(|(arm, place)| with(at(4, arm, 1997), [61.0 - f64::from(place), 12.0, 22.5 + f64::from(place) / 4.0]))
        .collect();
    records.extend([
        with(at(4, Arm::Full, 2015), [62.0, 12.5, 23.0]),
        with(at(4, Arm::Full, 2022), [60.0, 11.5, 22.0]),
        with(at(4, Arm::NoCortex, 2015), [55.0, 10.5, 21.0]),
        with(at(4, Arm::NoCortex, 2022), [54.0, 10.0, 21.5]),
        failed(at(4, Arm::NoConnector, 2015), "the loss became inf in epoch 2, step 7"),
        with(at(1, Arm::Full, 1997), [85.0, 31.0, 43.0]),
        with(at(1, Arm::NoCortex, 1997), [80.0, 25.0, 40.0]),
    ]);
    records
}

/// MNIST 0: RFTM under three readings, AE under two, and both untrained.
fn readings() -> Vec<Record> {
    let full = full_variant();
    let at = |kind, variant| cell(DatasetId::Mnist, 0, kind, 1997, variant);
    let text = Variant { convention: Convention::Text, ..full };
    let forgetful = Variant { forget_at_inference: true, ..full };
    let untrained = Variant { max_epochs: 0, ..full };
    vec![
        with(at(Rftm, full), [97.8, 83.67, 77.88]),
        with(at(Rftm, forgetful), [97.3, 77.84, 75.61]),
        with(at(Rftm, text), [97.44, 79.37, 76.13]),
        with(at(Ae, full), [81.44, 29.22, 38.28]),
        with(at(Ae, text), [83.11, 32.28, 39.36]),
        with(at(Ae, untrained), [60.0, 12.0, 20.0]),
        with(at(Rftm, untrained), [62.0, 13.0, 21.0]),
        with(cell(DatasetId::Mnist, 0, Rftm, 2015, untrained), [64.0, 14.0, 22.0]),
        with(cell(DatasetId::Cifar10, 3, Ae, 1997, full), [51.0, 10.5, 18.5]),
        with(cell(DatasetId::Cifar10, 3, Ae, 1997, Variant { padding: Some(0), ..full }), [52.0, 11.0, 18.75]),
    ]
}

#[test]
fn the_documents_are_the_golden_ones() {
    let ledger = ledger_of(ablation().into_iter().chain(readings()));
    let documents = found(&ledger);
    let ids: Vec<&str> = documents.iter().map(|document| document.id.as_str()).collect();
    assert_eq!(ids, ["summary", "table1", "comparison", "cost", "table2", "untrained", "evidence"]);
    ids.iter().for_each(|id| check_document(&documents, id));
}

#[test]
fn an_ablation_without_an_arm_and_readings_without_a_second_are_no_documents() {
    let full = full_variant();
    let whole = [with(cell(DatasetId::FashionMnist, 4, Rftm, 1997, full), [61.0, 12.0, 22.5])];
    let ids: Vec<String> = found(&ledger_of(whole)).into_iter().map(|document| document.id).collect();
    assert_eq!(ids, ["summary", "table1", "cost"], "no pair, no arm, no second reading");
    // An autoencoder cannot forget, so these are one cell.
    let forgetful = Variant { forget_at_inference: true, ..full };
    let ae = |variant| with(cell(DatasetId::Mnist, 0, Ae, 1997, variant), [80.0, 25.0, 36.0]);
    assert!(found(&ledger_of([ae(full), ae(forgetful)])).iter().all(|document| document.id != "evidence"));
}

#[test]
fn a_run_shows_what_belongs_to_it() {
    let ledger = ledger_of(ablation().into_iter().chain(readings()));
    let shown = |selection: &Selection| {
        let rows = plan(selection).cells.iter().map(|(_, cell)| rftm_experiments::row_of(cell)).collect();
        documents(&catalogue(), &ledger, &Scope::Cells(rows))
    };
    let cells = |selection: &Selection| shown(selection).into_iter().map(|document| document.id).collect::<Vec<_>>();
    let only = |id| Selection { definitions: strings(&[id]), ..Selection::default() };
    assert_eq!(cells(&Selection { datasets: vec![DatasetId::Mnist], ..only("table1") }), ["table1"]);
    assert_eq!(cells(&only("table2")), ["table1", "table2"], "the whole models are rows of Table 1");
    assert_eq!(cells(&only("untrained")), ["untrained"]);
    let coat = shown(&Selection { classes: strings(&["coat"]), ..only("table2") });
    let ablation = coat.iter().find(|document| document.id == "table2").unwrap().markdown();
    assert!(ablation.contains("| 4 Coat") && !ablation.contains("| 1 Trouser"), "{ablation}");
    let evidence = Selection { classes: strings(&["0"]), convention: Some(Convention::Text), ..only("evidence") };
    assert_eq!(cells(&evidence), ["table1", "evidence"]);
    let text = shown(&evidence).pop().unwrap().markdown();
    assert!(text.contains("83.11") && !text.contains("## CIFAR"), "{text}");
}

#[test]
fn the_best_is_marked_and_counted_where_all_models_have_a_number() {
    let look = Variant { max_epochs: 12, ..full_variant() };
    let at = |class, kind, percent| with(cell(DatasetId::Mnist, class, kind, 1997, look), percent);
    let ledger = ledger_of([
        at(0, Ae, [79.0, 25.0, 36.0]),
        at(0, Rftm, [97.0, 25.001, 35.0]),
        at(1, Ae, [50.0, 50.0, 50.0]),
        at(9, Rftm, [99.0, 99.0, 99.0]),
    ]);
    let catalogue = catalogue();
    let found = tables(&catalogue, catalogue.definition("look").unwrap(), &ledger, &Scope::Everything);
    let best: Vec<_> = found[0].rows.iter().map(|row| row.values.map(|value| value.best)).collect();
    assert_eq!(best[0], [[false, false], [false, true], [false, true]], "the autoencoder of class 0");
    assert_eq!(best[1], [[true, true], [true, true], [true, false]], "25.00 and 25.00, as printed, are equal");
    assert!(best[2..].iter().flatten().flatten().all(|best| !best), "one model alone, or other classes, is no contest");
    let wins: Vec<_> = found[0].wins.iter().map(|wins| (wins.model, wins.counts, wins.classes)).collect();
    assert_eq!(wins, [(Ae, [[0, 0], [0, 1], [0, 1]], 1), (Rftm, [[1, 1], [1, 1], [1, 0]], 1)]);
}

#[test]
fn a_number_agrees_within_two_deviations_and_a_point() {
    // The paper's RFTM on digit 0 has 96.98 ± 0.08 in AUROC.
    for (auroc, within) in [(98.13, true), (98.15, false), (95.83, true), (95.81, false)] {
        let ledger = ledger_of([with(cell(DatasetId::Mnist, 0, Rftm, 1997, full_variant()), [auroc, 50.0, 50.0])]);
        let catalogue = catalogue();
        let found = tables(&catalogue, catalogue.definition("table1").unwrap(), &ledger, &Scope::Everything);
        let row = found[0].rows.iter().find(|row| row.model == Rftm && row.seeds.len() == 1).unwrap();
        assert_eq!(row.values[0].is_within(), Some(within), "{auroc}");
    }
}

#[test]
fn every_cell_of_every_definition_enters_a_table() {
    for definition in &catalogue().definitions {
        let cells = plan(&Selection { definitions: vec![definition.id.clone()], ..Selection::default() }).cells;
        let ledger = ledger_of(cells.into_iter().map(|(_, cell)| record(cell)));
        assert!(unplaced(&catalogue(), &ledger).is_empty(), "{}", definition.id);
    }
}

#[test]
fn the_committed_tables_are_those_of_the_committed_ledger() {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/results");
    let (ledger, torn) = Ledger::read_existing(&results).unwrap();
    assert!(torn.is_none());
    let mut expected = std::collections::BTreeMap::new();
    for document in found(&ledger) {
        let texts = [("md", document.markdown()), ("csv", document.csv()), ("tex", document.latex())];
        expected.extend(texts.map(|(extension, text)| (format!("{}.{extension}", document.id), text)));
    }
    let mut committed = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(&results).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| ["md", "csv", "tex"].iter().any(|known| extension == *known)) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            committed.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    let names = |files: &std::collections::BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&committed), names(&expected), "run `cargo xtask report`");
    for (name, text) in &expected {
        assert!(committed[name] == *text, "{name} is not what the ledger gives; run `cargo xtask report`");
    }
    assert!(unplaced(&catalogue(), &ledger).is_empty(), "every committed record is in a table");
    let documents = found(&ledger);
    let summary = documents.iter().find(|document| document.id == "summary").unwrap();
    for name in SHOW_SUMMARY {
        let text = std::fs::read_to_string(results.join("../..").join(name)).unwrap();
        assert_eq!(with_summary(&text, summary), Some(text), "{name}: run `cargo xtask report`");
    }
}

#[test]
fn what_a_result_warns_of_stands_below_its_table() {
    let full = full_variant();
    let at = |class, kind| with(cell(DatasetId::Mnist, class, kind, 1997, full), [80.0, 30.0, 40.0]);
    let (mut pruned, mut endless) = (at(0, ModelKind::MemAe), at(1, Rftm));
    if let Outcome::Finished(finished) = &mut pruned.outcome {
        finished.warnings.push("memory.empty_reads: 7 latents found no slot and read the zero vector".to_owned());
    }
    if let Outcome::Finished(finished) = &mut endless.outcome {
        // As the trainer says it.
        finished.hit_epoch_limit = true;
        finished.warnings.push("stopped by the limit of 300 epochs, not by early stopping".to_owned());
    }
    let documents = found(&ledger_of([pruned, endless, at(2, Rftm)]));
    let table = documents.iter().find(|document| document.id == "table1").unwrap().markdown();
    let expected = "Warnings:\n\n- mnist class 0, memae, seed 1997: memory.empty_reads: 7 latents found no slot and read the \
                    zero vector\n- mnist class 1, rftm, seed 1997: stopped by the limit of 300 epochs, not by early stopping\n";
    assert!(table.contains(expected), "{table}");
    assert_eq!(table.matches("seed 1997: ").count(), 2, "nothing twice: {table}");
}

#[test]
fn models_over_different_seeds_do_not_compete() {
    let full = full_variant();
    let at = |kind, seed, auroc| with(cell(DatasetId::Mnist, 0, kind, seed, full), [auroc, 30.0, 40.0]);
    let others = [Ae, ModelKind::MemAe, ModelKind::Mnad].map(|kind| at(kind, 1997, 80.0));
    let wins = |records: Vec<Record>| {
        let (catalogue, ledger) = (catalogue(), ledger_of(records));
        let found = tables(&catalogue, catalogue.definition("table1").unwrap(), &ledger, &Scope::Everything);
        let won: usize = found[0].wins.iter().flat_map(|wins| wins.counts).flatten().sum();
        (won > 0, found[0].rows.iter().any(|row| row.values.iter().any(|value| value.best[1])))
    };
    let mut records = others.to_vec();
    records.push(at(Rftm, 1997, 90.0));
    assert_eq!(wins(records.clone()), (true, true));
    records.push(at(Rftm, 2015, 91.0));
    assert_eq!(wins(records), (false, false));
}

#[test]
fn a_reading_has_the_classes_that_were_run_under_it() {
    let full = full_variant();
    let forgetful = Variant { forget_at_inference: true, ..full };
    let at = |class, kind, variant| with(cell(DatasetId::Mnist, class, kind, 1997, variant), [80.0, 30.0, 40.0]);
    let ledger = ledger_of([at(0, Ae, full), at(1, Ae, full), at(0, Rftm, full), at(0, Rftm, forgetful)]);
    let catalogue = catalogue();
    let found = tables(&catalogue, catalogue.definition("table1").unwrap(), &ledger, &Scope::Everything);
    let table = found.iter().find(|table| table.variant.forget_at_inference).unwrap();
    let classes: Vec<_> =
        table.rows.iter().filter(|row| matches!(row.class, RowClass::Class { label: 1, .. })).collect();
    assert!(classes.is_empty(), "an autoencoder, which cannot forget, is no reason for a row: {classes:?}");
    assert!(table.rows.iter().any(|row| row.model == Ae), "beside RFTM it stands");
}

#[test]
fn untrained_and_trained_are_compared_seed_by_seed() {
    let full = full_variant();
    let untrained = Variant { max_epochs: 0, ..full };
    let at = |seed, variant, auroc| with(cell(DatasetId::Mnist, 0, Ae, seed, variant), [auroc, 30.0, 40.0]);
    let ledger = ledger_of([at(1997, untrained, 50.0), at(2015, untrained, 60.0), at(2015, full, 75.0)]);
    let catalogue = catalogue();
    let found = tables(&catalogue, catalogue.definition("untrained").unwrap(), &ledger, &Scope::Everything);
    let row = &found[0].rows[0];
    assert_eq!(row.values[0].reference.map(|side| side.mean), Some(55.0));
    assert_eq!(
        (row.values[0].difference, row.seeds.len(), row.trained_seeds.clone()),
        (Some(15.0), 2, Some(vec![2015]))
    );
}

#[test]
fn trained_networks_over_different_seeds_do_not_compete_beside_the_untrained() {
    let full = full_variant();
    let at = |kind, seed, max_epochs, auroc| {
        with(cell(DatasetId::Mnist, 0, kind, seed, Variant { max_epochs, ..full }), [auroc, 30.0, 40.0])
    };
    let best = |records: Vec<Record>| {
        let (catalogue, ledger) = (catalogue(), ledger_of(records));
        let found = tables(&catalogue, catalogue.definition("untrained").unwrap(), &ledger, &Scope::Everything);
        let any = |side: usize| found[0].rows.iter().any(|row| row.values.iter().any(|value| value.best[side]));
        [any(0), any(1)]
    };
    let epochs = full.max_epochs;
    let mut records = vec![at(Ae, 1997, 0, 50.0), at(Rftm, 1997, 0, 55.0)];
    records.extend([at(Ae, 1997, epochs, 70.0), at(Rftm, 1997, epochs, 90.0)]);
    assert_eq!(best(records.clone()), [true, true]);
    records.push(at(Ae, 2015, epochs, 71.0));
    assert_eq!(best(records), [true, false], "the untrained ones still have the same seeds");
}

#[test]
fn other_settings_stand_beside_the_usual_ones() {
    let run = |kind, arm, auroc| {
        let variant = Variant { arm, ..full_variant() };
        with(cell(DatasetId::Mnist, 0, kind, 1997, variant), [auroc, 20.0, 30.0])
    };
    let mut warned = run(ModelKind::Mnad, Arm::NoPenalties, 82.58);
    let Outcome::Finished(finished) = &mut warned.outcome else { panic!() };
    finished.warnings = vec!["items: something".to_owned()];
    let found =
        found(&ledger_of([run(ModelKind::Mnad, Arm::Full, 87.51), warned, run(ModelKind::MemAe, Arm::Full, 90.61)]));
    let has = |id: &str| found.iter().find(|document| document.id == id);
    let text = has("mnad-settings").unwrap().markdown();
    assert!(text.contains("`release` | without loss terms of its own |"), "{text}");
    // The paper has 79.88.
    assert!(text.contains("87.51 (+7.63)") && text.contains("**82.58 (+2.70)**"), "{text}");
    assert!(!text.contains("90.61"), "one reading alone is no comparison: {text}");
    assert!(
        text.contains("- mnist class 0, mnad without loss terms of its own, seed 1997: items: something"),
        "{text}"
    );
    assert!(has("evidence").is_none() && has("memae-settings").is_none() && has("table1").is_some());
}

#[test]
fn a_setting_that_failed_is_said_to_have_failed() {
    let at = |arm| cell(DatasetId::Mnist, 0, ModelKind::MemAe, 1997, Variant { arm, ..full_variant() });
    let whole = with(at(Arm::Full), [90.61, 20.0, 30.0]);
    let ledger = ledger_of([whole.clone(), failed(at(Arm::Inner2000), "the loss became inf in epoch 2, step 7")]);
    let text = found(&ledger).into_iter().find(|document| document.id == "memae-settings").unwrap().markdown();
    assert!(text.contains(" failed |") && !text.contains("mean distance"), "{text}");
    assert!(text.contains("Failed:\n\n- mnist class 0, memae") && text.contains("the loss became inf"), "{text}");
    assert!(found(&ledger_of([whole])).iter().all(|document| document.id != "memae-settings"));
}

#[test]
fn readings_and_settings_are_kept_apart() {
    let at = |kind, variant| with(cell(DatasetId::Mnist, 0, kind, 1997, variant), [90.0, 20.0, 30.0]);
    let text = Variant { convention: Convention::Text, ..full_variant() };
    let found = found(&ledger_of([at(ModelKind::MemAe, full_variant()), at(ModelKind::MemAe, text)]));
    let ids: Vec<&str> = found.iter().map(|document| document.id.as_str()).collect();
    assert!(ids.contains(&"evidence") && !ids.contains(&"memae-settings"), "{ids:?}");
    // A setting under another reading is a setting.
    let unpruned = Variant { arm: Arm::NoPruning, ..text };
    let found = self::found(&ledger_of([at(ModelKind::MemAe, full_variant()), at(ModelKind::MemAe, unpruned)]));
    let text = found.iter().find(|document| document.id == "memae-settings").unwrap().markdown();
    assert!(text.contains("`text`, without pruning"), "{text}");
}
