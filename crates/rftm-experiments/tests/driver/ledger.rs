//! The ledger survives crashes, and says where it is damaged.

use std::fs;
use std::path::Path;

use crate::common::{failed, plan, record, selection};
use rftm_experiments::{Cell, Ledger, LedgerWriter, Outcome, ledger_path};

fn cells() -> Vec<Cell> {
    plan(&selection()).cells.into_iter().map(|(_, cell)| cell).collect()
}

/// A ledger of three cells; its bytes.
fn three(out: &Path) -> Vec<u8> {
    let (mut writer, torn) = LedgerWriter::open(out).unwrap();
    assert!(torn.is_none());
    cells().into_iter().take(3).for_each(|cell| writer.append(record(cell)).unwrap());
    fs::read(ledger_path(out)).unwrap()
}

#[test]
fn records_come_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    three(folder.path());
    let (ledger, torn) = Ledger::read(folder.path()).unwrap();
    assert!(torn.is_none());
    let expected: Vec<_> = cells().into_iter().take(3).map(record).collect();
    assert_eq!(ledger.records().cloned().collect::<Vec<_>>(), expected);
    assert_eq!(ledger.finished(&expected[1].key), expected[1].finished());
    assert_eq!(Ledger::read(&ledger_path(folder.path())).unwrap().0.len(), 3, "the file itself may be named, too");
}

#[test]
fn a_line_torn_at_any_byte_is_dropped_and_the_file_goes_on_valid() {
    let folder = tempfile::tempdir().unwrap();
    let whole = three(folder.path());
    let path = ledger_path(folder.path());
    let last = whole[..whole.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
    for cut in [last + 1, last + 2, (last + whole.len()) / 2, whole.len() - 2] {
        fs::write(&path, &whole[..cut]).unwrap();
        let (ledger, torn) = Ledger::read(folder.path()).unwrap();
        let torn = torn.unwrap();
        assert_eq!((ledger.len(), torn.line, torn.bytes), (2, 3, cut - last));
        assert!(torn.to_string().contains("ledger.jsonl, line 3: dropped a torn last line"), "{torn}");
        assert_eq!(fs::read(&path).unwrap().len(), cut, "reading changes nothing");
        let (mut writer, torn) = LedgerWriter::open(folder.path()).unwrap();
        assert!(torn.is_some());
        writer.append(record(cells()[2].clone())).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole, "cut at byte {cut}");
    }
}

#[test]
fn a_last_line_without_its_line_feed_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let whole = three(folder.path());
    fs::write(ledger_path(folder.path()), &whole[..whole.len() - 1]).unwrap();
    assert_eq!(Ledger::read(folder.path()).unwrap().0.len(), 3);
    let (writer, torn) = LedgerWriter::open(folder.path()).unwrap();
    assert_eq!((writer.ledger().len(), torn), (3, None));
    assert_eq!(fs::read(ledger_path(folder.path())).unwrap(), whole);
}

#[test]
fn zeros_left_by_a_power_cut_are_a_torn_line() {
    let folder = tempfile::tempdir().unwrap();
    let whole = three(folder.path());
    fs::write(ledger_path(folder.path()), [&whole[..], &[0; 300]].concat()).unwrap();
    let (writer, torn) = LedgerWriter::open(folder.path()).unwrap();
    assert_eq!((writer.ledger().len(), torn.unwrap().bytes), (3, 300));
    assert_eq!(fs::read(ledger_path(folder.path())).unwrap(), whole);
}

#[test]
fn damage_elsewhere_is_an_error_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let text = String::from_utf8(three(folder.path())).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let ends = |damaged: &str| {
        fs::write(ledger_path(folder.path()), damaged).unwrap();
        let message = Ledger::read(folder.path()).unwrap_err().to_string();
        assert_eq!(LedgerWriter::open(folder.path()).unwrap_err().to_string(), message);
        assert_eq!(fs::read_to_string(ledger_path(folder.path())).unwrap(), damaged, "nothing is thrown away");
        message
    };
    let middle = ends(&format!("{}\n{}\n{}\n", lines[0], &lines[1][..30], lines[2]));
    assert!(middle.contains("ledger.jsonl, line 2: not a ledger record (EOF"), "{middle}");
    let last = ends(&format!("{}\n{}\n<<<<<<< HEAD\n", lines[0], lines[1]));
    assert!(last.contains("line 3: not a ledger record (expected value"), "{last}");
    let key = ends(&format!("{}\n", lines[0].replacen(r#""key":""#, r#""key":"X"#, 1)));
    assert!(key.contains("line 1") && key.contains("no key of 16 hex digits"), "{key}");
}

#[test]
fn an_empty_or_absent_ledger_is_empty_and_blank_lines_do_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Ledger::read(folder.path()).unwrap().0.is_empty());
    let message = Ledger::read_existing(folder.path()).unwrap_err().to_string();
    assert!(message.contains("there is no ledger at") && message.contains("ledger.jsonl"), "{message}");
    let whole = three(folder.path());
    fs::write(ledger_path(folder.path()), [b"\n", &whole[..], b"\n"].concat()).unwrap();
    assert_eq!(Ledger::read(folder.path()).unwrap().0.len(), 3);
    fs::write(ledger_path(folder.path()), "").unwrap();
    assert!(Ledger::read_existing(folder.path()).unwrap().0.is_empty());
}

#[test]
fn a_result_counts_before_failures_and_the_first_of_two() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, _) = LedgerWriter::open(folder.path()).unwrap();
    let cell = cells()[0].clone();
    writer.append(failed(cell.clone(), "no memory")).unwrap();
    assert!(writer.ledger().finished(&cell.key()).is_none());
    writer.append(record(cell.clone())).unwrap();
    assert!(writer.ledger().finished(&cell.key()).is_some());
    let (ledger, _) = Ledger::read(folder.path()).unwrap();
    assert_eq!((ledger.len(), ledger.records().count()), (1, 1));
    assert!(ledger.finished(&cell.key()).is_some());
    // As when two copies of a ledger are joined line by line, the one with the failure last.
    writer.append(failed(cell.clone(), "no memory")).unwrap();
    assert!(Ledger::read(folder.path()).unwrap().0.finished(&cell.key()).is_some(), "a failure hides no result");
    assert_eq!(writer.ledger().contradictions().count(), 0);
    let mut other = record(cell.clone());
    if let Outcome::Finished(finished) = &mut other.outcome {
        finished.weights = "others".to_owned();
    }
    writer.append(other).unwrap();
    let (ledger, _) = Ledger::read(folder.path()).unwrap();
    assert_eq!(ledger.get(&cell.key()), Some(&record(cell.clone())));
    let told: Vec<_> = ledger.contradictions().filter_map(|(first, second)| first.difference(second)).collect();
    assert!(told.len() == 1 && told[0].contains("weights differ") && told[0].contains("others"), "{told:?}");
}

#[test]
fn only_one_writer_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, _) = LedgerWriter::open(folder.path()).unwrap();
    let message = LedgerWriter::open(folder.path()).unwrap_err().to_string();
    assert!(message.contains("ledger.lock is held by another run") && message.contains("--out"), "{message}");
    drop(writer);
    LedgerWriter::open(folder.path()).unwrap();
}

#[test]
fn a_file_in_place_of_the_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("results.jsonl");
    let message = LedgerWriter::open(&ledger).unwrap_err().to_string();
    assert!(message.contains("results.jsonl is named as a ledger is") && !ledger.exists(), "{message}");
    let out = folder.path().join("results");
    fs::write(&out, "not a folder").unwrap();
    let message = LedgerWriter::open(&out).unwrap_err().to_string();
    assert!(message.contains("cannot create the folder") && message.contains("results"), "{message}");
}
