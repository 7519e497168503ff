//! Tables from a small ledger, as whole files. `UPDATE_GOLDEN=1 cargo test -p rftm-experiments --test driver` writes the
//! files in `golden/` again.

use std::fs;
use std::path::Path;

use crate::common::{catalogue, cell, check_golden, failed, full_variant, with, without_keys};
use rftm_data::DatasetId;
use rftm_experiments::{
    Ledger, LedgerWriter, RowClass, Scope, Variant, row_of, tables, terminal_text, unplaced, write_report,
};
use rftm_models::ModelKind;

/// MNIST: class 0 with all seeds of RFTM and two of AE, class 1 with one AE, a failed RFTM; Fashion Coat; a look on
/// MNIST and one on glyphs; and a cell whose hyper-parameters no definition has.
fn ledger(out: &Path) -> Ledger {
    use ModelKind::{Ae, Rftm};
    let full = full_variant();
    let mnist = |class, kind, seed| cell(DatasetId::Mnist, class, kind, seed, full);
    let look = Variant { max_epochs: 12, ..full };
    let mut strange = mnist(2, Ae, 1997);
    strange.train.patience = 11;
    let (mut writer, _) = LedgerWriter::open(out).unwrap();
    for record in [
        with(mnist(0, Rftm, 2015), [97.5, 80.0, 75.0]),
        with(mnist(0, Rftm, 1997), [97.0, 79.0, 74.0]),
        with(mnist(0, Rftm, 2022), [98.0, 81.0, 76.0]),
        with(mnist(0, Ae, 1997), [79.0, 25.0, 36.0]),
        with(mnist(0, Ae, 2022), [81.0, 27.0, 38.0]),
        with(mnist(1, Ae, 1997), [12.0, 6.25, 20.39]),
        failed(mnist(1, Rftm, 1997), "the loss is NaN in epoch 3\nmore lines"),
        with(cell(DatasetId::FashionMnist, 4, Rftm, 1997, full), [60.0, 12.0, 22.5]),
        with(cell(DatasetId::Mnist, 9, Rftm, 1997, look), [65.0, 15.0, 25.0]),
        with(cell(DatasetId::Glyphs, 0, Ae, 1997, look), [55.0, 11.0, 20.0]),
        with(strange, [50.0, 10.0, 18.18]),
    ] {
        writer.append(record).unwrap();
    }
    writer.ledger().clone()
}

#[test]
fn the_written_files_are_the_golden_ones_and_come_out_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let files = write_report(&catalogue(), &ledger, folder.path()).unwrap();
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    let ids = ["summary", "table1", "comparison", "cost", "look"];
    let expected = ids.iter().flat_map(|id| ["md", "csv", "tex"].map(|extension| format!("{id}.{extension}")));
    assert_eq!(names, expected.collect::<Vec<_>>());
    let texts: Vec<String> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    for (name, text) in names.iter().zip(&texts) {
        if name.ends_with("csv") { check_golden(name, &without_keys(text)) } else { check_golden(name, text) }
    }
    // From the file instead of from memory, and with its lines in another order.
    let path = folder.path().join("ledger.jsonl");
    let mut lines: Vec<String> = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    lines.reverse();
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    write_report(&catalogue(), &Ledger::read(folder.path()).unwrap().0, folder.path()).unwrap();
    for (file, text) in files.iter().zip(&texts) {
        assert_eq!(fs::read_to_string(file).unwrap(), *text);
    }
}

#[test]
fn numbers_are_those_of_the_ledger_and_the_paper() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let catalogue = catalogue();
    let tables = tables(&catalogue, catalogue.definition("table1").unwrap(), &ledger, &Scope::Everything);
    assert_eq!(
        tables.iter().map(|table| table.dataset).collect::<Vec<_>>(),
        [DatasetId::Mnist, DatasetId::FashionMnist]
    );
    let mnist = &tables[0];
    let row = |class, kind| {
        let is = |row: &&rftm_experiments::Row| matches!(&row.class, RowClass::Class { label, .. } if *label == class);
        mnist.rows.iter().filter(is).find(|row| row.model == kind).unwrap()
    };
    let rftm = row(0, ModelKind::Rftm);
    let ours = rftm.values[0].ours.unwrap();
    assert!((ours.mean - 97.5).abs() < 1e-12 && (ours.std.unwrap() - 0.5).abs() < 1e-12, "{ours:?}");
    assert!((rftm.values[0].difference.unwrap() - 0.52).abs() < 1e-12);
    assert_eq!((rftm.seeds.len(), rftm.seeds_asked, rftm.keys.len()), (3, 3, 3));
    let ae = row(0, ModelKind::Ae);
    assert!((ae.values[0].ours.unwrap().std.unwrap() - std::f64::consts::SQRT_2).abs() < 1e-12, "ddof is 1");
    assert_eq!((ae.seeds.as_slice(), ae.seeds_asked), (&[1997, 2022][..], 3));
    let single = row(1, ModelKind::Ae).values[0].ours.unwrap();
    assert_eq!(single.std, None, "one seed has no spread");
    // AE has results for classes 0 and 1 only: both sides are averaged over those.
    let average = mnist
        .rows
        .iter()
        .find(|row| row.model == ModelKind::Ae && matches!(row.class, RowClass::Average { .. }))
        .unwrap();
    assert_eq!(average.class, RowClass::Average { done: 2, asked: 10 });
    let auroc = average.values[0];
    assert!((auroc.reference.unwrap().mean - (79.16 + 12.45) / 2.0).abs() < 1e-12);
    assert!((auroc.reference.unwrap().std.unwrap() - (0.30 + 0.94) / 2.0).abs() < 1e-12);
    assert!((auroc.ours.unwrap().mean - 46.0).abs() < 1e-12 && auroc.ours.unwrap().std.is_none());
}

#[test]
fn a_look_is_no_comparison_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let catalogue = catalogue();
    let look = tables(&catalogue, catalogue.definition("look").unwrap(), &ledger, &Scope::Everything);
    let cautions: Vec<_> = look.iter().map(|table| table.caution.clone().unwrap()).collect();
    assert!(cautions[0].starts_with("Do not compare") && cautions[0].contains("at most 12 epochs"), "{cautions:?}");
    assert!(cautions[1].contains("glyphs drawn by this program"), "{cautions:?}");
    let full = tables(&catalogue, catalogue.definition("table1").unwrap(), &ledger, &Scope::Everything);
    assert!(full.iter().all(|table| table.caution.is_none()));
}

#[test]
fn cells_of_other_hyper_parameters_enter_no_table() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let catalogue = catalogue();
    let strangers: Vec<_> = unplaced(&catalogue, &ledger).iter().map(|record| record.cell.train.patience).collect();
    assert_eq!(strangers, [11]);
}

#[test]
fn a_terminal_shows_the_rows_of_the_run_only() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let full = full_variant();
    let shown =
        [cell(DatasetId::Mnist, 0, ModelKind::Ae, 1997, full), cell(DatasetId::Mnist, 5, ModelKind::Ae, 1997, full)];
    let scope = Scope::Cells(shown.iter().map(row_of).collect());
    check_golden("terminal.txt", &terminal_text(&catalogue(), &ledger, &scope));
}
