//! Plans: every cell once, every shard its part, every wrong value named.

use std::collections::BTreeSet;

use crate::common::{catalogue, cell, full_variant, plan, selection, strings};
use rftm_data::DatasetId;
use rftm_experiments::{Error, Key, Plan, Selection, Shard};
use rftm_models::{Convention, ModelKind};

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
    assert_eq!(full.len(), 2 * 10 * 3 * ModelKind::available().len());
    assert_eq!(full.iter().collect::<BTreeSet<_>>().len(), full.len());
    let twice = Selection {
        definitions: strings(&["table1", "table1"]),
        classes: strings(&["0", "0", "coat", "COAT"]),
        ..all()
    };
    assert_eq!(keys(&twice).len(), 3 * 3 * ModelKind::available().len(), "MNIST 0, Fashion 0, Fashion Coat");
}

#[test]
fn the_glyphs_are_those_of_the_definition() {
    let glyphs = rftm_data::load(DatasetId::Glyphs, &rftm_data::SearchPath::new(None)).unwrap();
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
}

#[test]
fn a_cell_of_two_definitions_has_one_key() {
    let max_epochs = full_variant().max_epochs;
    let look = Selection { definitions: strings(&["look"]), max_epochs: Some(max_epochs), ..selection() };
    assert_eq!(keys(&look), keys(&selection()));
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
    rejected(&Selection { definitions: strings(&["tabel1"]), ..base.clone() }, &["--only tabel1", "table1, look"]);
    rejected(
        &Selection { datasets: vec![DatasetId::Glyphs], ..base.clone() },
        &["--dataset glyphs", "mnist, fashion-mnist"],
    );
    rejected(&Selection { classes: strings(&["10"]), ..base.clone() }, &["--class 10", "mnist: 0, 1, 2"]);
    rejected(&Selection { classes: strings(&["0", "coat"]), ..base.clone() }, &["--class coat", "a number or a name"]);
    rejected(&Selection { seeds: vec![1997, 5], ..base.clone() }, &["--seed 5", "1997, 2015, 2022"]);
    for text in ["0/2", "3/2", "1/0", "1", "a/b", "1/2/3", "-1/2"] {
        let error = text.parse::<Shard>().unwrap_err();
        assert!(error.contains("I/N"), "{text}: {error}");
    }
    assert_eq!("2/8".parse::<Shard>().unwrap().to_string(), "2/8");
}
