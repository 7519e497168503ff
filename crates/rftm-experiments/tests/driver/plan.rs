//! Plans: every cell once, every shard its part, every wrong value named.

use std::collections::BTreeSet;
use std::path::Path;

use crate::common::{catalogue, cell, full_variant, plan, selection, strings};
use rftm_data::DatasetId;
use rftm_experiments::{Arm, Error, Key, Plan, Selection, Shard};
use rftm_models::{Convention, MemorySpec, ModelKind, ModelSpec};

fn keys(selection: &Selection) -> Vec<Key> {
    plan(selection).cells.into_iter().map(|(key, _)| key).collect()
}

fn all() -> Selection {
    Selection {
        definitions: strings(&["table1"]),
        datasets: vec![DatasetId::Mnist, DatasetId::FashionMnist],
        ..Selection::default()
    }
}

#[test]
fn a_plan_has_every_cell_once() {
    assert_eq!(keys(&selection()).len(), 3 * 2);
    let full = keys(&all());
    assert_eq!(full.len(), 2 * 10 * 3 * ModelKind::ALL.len());
    assert_eq!(full.iter().collect::<BTreeSet<_>>().len(), full.len());
    let twice = Selection {
        definitions: strings(&["table1", "table1"]),
        classes: strings(&["0", "0", "coat", "COAT"]),
        ..all()
    };
    assert_eq!(keys(&twice).len(), 3 * 3 * ModelKind::ALL.len(), "MNIST 0, Fashion 0, Fashion Coat");
}

#[test]
fn the_glyphs_are_those_of_the_definition() {
    let glyphs = rftm_data::load(DatasetId::Glyphs, &rftm_data::SearchPath::new(None, Path::new(""))).unwrap();
    let catalogue = catalogue();
    let protocol = catalogue.protocol.dataset(DatasetId::Glyphs).unwrap();
    assert_eq!((&glyphs.checksum, &glyphs.class_names), (&protocol.checksum, &protocol.classes));
    assert_eq!(glyphs.train.len(), protocol.train_samples);
}

#[test]
fn shards_partition_the_plan_whatever_its_order() {
    for count in [1, 2, 3, 7, 200] {
        let shards: Vec<Vec<Key>> =
            (1..=count).map(|index| keys(&Selection { shard: Shard::new(index, count), ..all() })).collect();
        let mut union: Vec<Key> = shards.concat();
        union.sort();
        let mut whole = keys(&all());
        whole.sort();
        assert_eq!(union, whole, "{count} shards");
        let sizes = || shards.iter().map(Vec::len);
        assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1, "{count} shards are even");
    }
    // The same cells in another order fall into the same shards.
    let reversed = Selection {
        datasets: vec![DatasetId::FashionMnist, DatasetId::Mnist],
        classes: strings(&["9", "8", "7", "6", "5", "4", "3", "2", "1", "0"]),
        ..all()
    };
    let part = |selection: &Selection| {
        keys(&Selection { shard: Shard::new(2, 5), ..selection.clone() }).into_iter().collect::<BTreeSet<_>>()
    };
    assert_eq!(part(&all()), part(&reversed));
}

#[test]
fn every_choice_changes_the_key_unless_it_cannot_change_the_result() {
    let key = |dataset, class, kind, seed, variant| cell(dataset, class, kind, seed, variant).key();
    let full = full_variant();
    let base = key(DatasetId::Mnist, 0, ModelKind::Rftm, 1997, full);
    let other = rftm_experiments::Variant { convention: Convention::Text, ..full };
    let forgetful = rftm_experiments::Variant { forget_at_inference: true, ..full };
    let short = rftm_experiments::Variant { max_epochs: 8, ..full };
    let others = [
        key(DatasetId::FashionMnist, 0, ModelKind::Rftm, 1997, full),
        key(DatasetId::Mnist, 1, ModelKind::Rftm, 1997, full),
        key(DatasetId::Mnist, 0, ModelKind::Ae, 1997, full),
        key(DatasetId::Mnist, 0, ModelKind::Rftm, 2015, full),
        key(DatasetId::Mnist, 0, ModelKind::Rftm, 1997, other),
        key(DatasetId::Mnist, 0, ModelKind::Rftm, 1997, forgetful),
        key(DatasetId::Mnist, 0, ModelKind::Rftm, 1997, short),
    ];
    assert_eq!(BTreeSet::from([base]).union(&BTreeSet::from(others)).count(), 8);
    let ae = |variant| key(DatasetId::Mnist, 0, ModelKind::Ae, 1997, variant);
    assert_eq!(ae(full), ae(forgetful), "an autoencoder has no memory that could forget");
}

#[test]
fn what_is_chosen_apart_and_not_together_is_refused() {
    // The one has this data set, the other this seed.
    let none = Selection {
        definitions: strings(&["evidence", "table2"]),
        datasets: vec![DatasetId::Mnist],
        seeds: vec![2015],
        ..Selection::default()
    };
    let error = Plan::new(&catalogue(), &none).unwrap_err().to_string();
    assert!(error.starts_with("--only evidence, table2: none of these has all"), "{error}");
}

#[test]
fn keys_are_pinned() {
    // A change here orphans every recorded result: it must be deliberate, and REVISION says why.
    let full = full_variant();
    let text = rftm_experiments::Variant { convention: Convention::Text, ..full };
    let key = |dataset, kind, variant| cell(dataset, 0, kind, 1997, variant).key().to_string();
    let keys = [
        key(DatasetId::Mnist, ModelKind::Ae, full),
        key(DatasetId::Mnist, ModelKind::Rftm, full),
        key(DatasetId::Mnist, ModelKind::Rftm, text),
        key(DatasetId::FashionMnist, ModelKind::Rftm, full),
    ];
    assert_eq!(keys, ["36b079e6c25ad85d", "c07d78e4621f36d2", "61b8cbe1bfd5c814", "d52f7575865c1f8e"]);
    // Other readings, arms, and networks before the first step.
    let forgetful = rftm_experiments::Variant { forget_at_inference: true, ..full };
    let narrow = rftm_experiments::Variant { padding: Some(0), ..full };
    let arm = |arm| rftm_experiments::Variant { arm, ..full };
    let untrained = rftm_experiments::Variant { max_epochs: 0, ..full };
    let keys = [
        key(DatasetId::Mnist, ModelKind::Rftm, forgetful),
        key(DatasetId::Cifar10, ModelKind::Ae, narrow),
        key(DatasetId::Cifar10, ModelKind::Rftm, full),
        key(DatasetId::FashionMnist, ModelKind::Rftm, arm(Arm::NoForgetting)),
        key(DatasetId::FashionMnist, ModelKind::Rftm, arm(Arm::NoSparsification)),
        key(DatasetId::FashionMnist, ModelKind::Rftm, arm(Arm::NoCortex)),
        key(DatasetId::Mnist, ModelKind::Ae, untrained),
    ];
    let expected = [
        "4a8d9cef954d6a14",
        "ab381c1b762bb7d1",
        "122f7141626e7bff",
        "f24d1414131281f7",
        "984d400d8b3a9a6c",
        "fe3871aa1381590a",
        "5180fe438a6453a5",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn a_cell_of_two_definitions_has_one_key() {
    let max_epochs = full_variant().max_epochs;
    let look = Selection { definitions: strings(&["look"]), max_epochs: Some(max_epochs), ..selection() };
    assert_eq!(keys(&look), keys(&selection()));
}

/// Only the definition `id`.
fn only(id: &str) -> Selection {
    Selection { definitions: strings(&[id]), ..Selection::default() }
}

#[test]
fn an_ablation_shares_its_whole_models_with_table_1() {
    let arms = keys(&only("table2"));
    assert_eq!(arms.iter().collect::<BTreeSet<_>>().len(), 3 * 6 * 3, "classes, arms, seeds");
    let table1: BTreeSet<Key> = keys(&only("table1")).into_iter().collect();
    assert_eq!(arms.iter().filter(|key| table1.contains(key)).count(), 3 * 3);
    let both = keys(&Selection { definitions: strings(&["table1", "table2"]), ..Selection::default() });
    assert_eq!(both.len(), table1.len() + 3 * 5 * 3, "computed once, used in both");

    let coat = Selection { classes: strings(&["coat"]), seeds: vec![1997], ..only("table2") };
    let cells = plan(&coat).cells;
    let told: Vec<String> = cells.iter().map(|(_, cell)| cell.to_string()).collect();
    assert_eq!(told.len(), 6);
    assert_eq!(told[4], "fashion-mnist class 4, rftm without cortex, seed 1997");
    assert_eq!(told[5], "fashion-mnist class 4, rftm, seed 1997");
    let text = Selection { convention: Some(Convention::Text), ..coat };
    assert!(keys(&text).iter().all(|key| !arms.contains(key)));
    // All tables of the paper together: what a class or model picks of one it need not pick of the other.
    let both = Selection { definitions: strings(&["table1", "table2"]), classes: strings(&["0", "coat"]), ..all() };
    let kinds = Selection { models: vec![ModelKind::Ae], ..both.clone() };
    assert_eq!((keys(&both).len(), keys(&kinds).len()), (3 * 3 * ModelKind::ALL.len() + 3 * 5, 3 * 3));
}

#[test]
fn untrained_networks_stay_untrained_and_readings_are_run_once() {
    let untrained = plan(&Selection { max_epochs: Some(7), ..only("untrained") });
    assert_eq!(untrained.cells.len(), 3 * 10 * 2 * 3);
    assert!(untrained.cells.iter().all(|(_, cell)| cell.train.max_epochs == 0));
    assert_eq!(untrained.cells[0].1.to_string(), "mnist class 0, untrained ae, seed 1997");

    // Three digits and Coat: four readings of RFTM, two of the autoencoder, which cannot forget.
    let evidence = only("evidence");
    assert_eq!(keys(&evidence).len(), 4 * (4 + 2));
    assert_eq!(keys(&Selection { convention: Some(Convention::Text), ..evidence.clone() }).len(), 4 * (2 + 1));
    assert_eq!(keys(&Selection { classes: strings(&["coat"]), ..evidence.clone() }).len(), 4 + 2);
    let readings: BTreeSet<String> = plan(&evidence).cells.iter().map(|(_, cell)| cell.reading()).collect();
    let expected = ["`release`", "`release`, forgetting at inference", "`text`", "`text`, forgetting at inference"];
    assert_eq!(readings.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn cifar_10_is_the_convolutional_model_with_a_padding_of_choice() {
    let chosen = |padding| Selection {
        datasets: vec![DatasetId::Cifar10],
        models: vec![ModelKind::Ae, ModelKind::Rftm],
        seeds: vec![1997],
        padding,
        ..only("table1")
    };
    assert_eq!(keys(&chosen(None)), keys(&chosen(Some(1))), "the protocol's");
    for padding in [0, 1] {
        for (_, cell) in plan(&chosen(Some(padding))).cells {
            let mut memory = MemorySpec::None;
            if cell.kind() == ModelKind::Rftm {
                memory = MemorySpec::twin(Convention::Release);
                let MemorySpec::Twin { hippocampus: Some(first), cortex: Some(second), .. } = &mut memory else {
                    panic!()
                };
                (first.capacity, second.capacity) = (3000, 3000);
            }
            assert_eq!(cell.model, ModelSpec::cifar10(padding, memory, Convention::Release));
            assert_eq!(cell.reading(), format!("`release`, padding {padding}"));
        }
    }
    let both: BTreeSet<Key> = [0, 1].into_iter().flat_map(|padding| keys(&chosen(Some(padding)))).collect();
    assert_eq!(both.len(), 2 * 10 * 2);
    let flat = |padding| Selection { padding, datasets: vec![DatasetId::Mnist, DatasetId::Cifar10], ..chosen(None) };
    let mnist = |padding| keys(&flat(padding)).into_iter().take(20).collect::<Vec<_>>();
    assert_eq!(mnist(Some(0)), mnist(None), "other models have no padding");
}

fn rejected(selection: &Selection, expected: &[&str]) {
    let error = Plan::new(&catalogue(), selection).unwrap_err();
    assert!(matches!(error, Error::Selection { .. }), "{error:?}");
    let text = error.to_string();
    assert!(expected.iter().all(|part| text.contains(part)), "{text}");
}

#[test]
fn wrong_values_name_the_flag_and_what_is_allowed() {
    let base = selection();
    rejected(
        &Selection { definitions: strings(&["tabel1"]), ..base.clone() },
        &["--only tabel1", "table1, table2, untrained, evidence, memae-settings, mnad-settings, look"],
    );
    rejected(
        &Selection { datasets: vec![DatasetId::Glyphs], ..base.clone() },
        &["--dataset glyphs", "mnist, fashion-mnist"],
    );
    rejected(&Selection { classes: strings(&["10"]), ..base.clone() }, &["--class 10", "mnist: 0, 1, 2"]);
    rejected(&Selection { classes: strings(&["0", "coat"]), ..base.clone() }, &["--class coat", "a number or a name"]);
    rejected(&Selection { seeds: vec![1997, 5], ..base.clone() }, &["--seed 5", "1997, 2015, 2022"]);
    let table2 = only("table2");
    rejected(
        &Selection { classes: strings(&["coat", "bag"]), ..table2.clone() },
        &["--class bag", "1 Trouser, 4 Coat"],
    );
    rejected(&Selection { models: vec![ModelKind::Ae], ..table2 }, &["--model ae", "table2 has rftm"]);
    rejected(&Selection { seeds: vec![2015], ..only("evidence") }, &["--seed 2015", "evidence has 1997"]);
    rejected(&Selection { padding: Some(1), ..base.clone() }, &["--padding 1", "cifar-10"]);
    for text in ["0/2", "3/2", "1/0", "1", "a/b", "1/2/3", "-1/2"] {
        let error = text.parse::<Shard>().unwrap_err();
        assert!(error.contains("I/N"), "{text}: {error}");
    }
    assert_eq!("2/8".parse::<Shard>().unwrap().to_string(), "2/8");
}
