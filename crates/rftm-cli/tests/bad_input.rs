//! Whatever is wrong with an input is said with its place, and nothing half-written is left.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Folder, sums};

fn fitted() -> Folder {
    let folder = Folder::new();
    folder.write("train.csv", sums(60));
    folder.ok("fit train.csv -o m.rftm --epochs 1 --model ae");
    folder
}

#[test]
fn a_fit_says_what_is_wrong_with_the_training_data() {
    let folder = Folder::new();
    let with = |line: &str| sums(30) + line + "\n" + sums(5).split_once('\n').unwrap().1;
    let check = |content: &str, flags: &str, code: i32, expected: &str| {
        folder.write("train.csv", content);
        let message = folder.fails(&format!("fit train.csv -o m.rftm {flags}"), code);
        assert!(message.contains(expected), "{expected:?} is not in {message:?}");
        assert_eq!(folder.names(), ["train.csv"]);
    };
    check("", "", 1, "train.csv is empty");
    check("x,y\n", "", 1, "0 rows; at least 10 are needed");
    check("x,y\n1,2\n", "", 1, "1 rows; at least 10 are needed");
    check(&with("1,2"), "", 1, "train.csv:32: 2 cells, but the first line has 3");
    check(&with("1,2,3,4"), "", 1, "train.csv:32: 4 cells, but the first line has 3");
    check(&with("1,red,3"), "", 1, "train.csv:32: column \"y\": \"red\" is not a number (use --categorical");
    check(&with("1,NaN,3"), "", 1, "train.csv:32: column \"y\": the value is missing; fit with --missing");
    check(&with("1,inf,3"), "", 1, "train.csv:32: column \"y\": \"inf\" is not a finite number");
    check(&sums(30).replacen("sum", "x", 1), "", 1, "two columns are called \"x\"");
    check(&sums(30), "--exclude x,y,sum", 2, "no column of train.csv is left");
    check(&sums(30), "--columns z", 2, r#"--columns: train.csv has no column "z"; it has "x", "y", "sum""#);
    check(&sums(30), "--window 12", 1, "19 windows; at least 32 are needed");
    check(&sums(30), "--window 18446744073709551615", 2, "rows, or 1 from one to the next, are too many");
    check(&sums(30), "--batch-size 1", 2, "batch_size: 1");
    check(&sums(30), "--fpr 0.01", 2, "cannot be promised by 6 calibration scores");
    check(&sums(30), "--fpr 0.01 --value 3", 2, "cannot be used with");
    check(&sums(30), "--resize 8x8", 2, "--resize is for folders of images");
    let message = folder.fails("fit nothing.csv -o m.rftm", 1);
    assert!(message.contains("cannot read nothing.csv"), "{message}");
    assert!(folder.fails("fit train.data -o m.rftm", 2).contains("name it with --format"));
    #[cfg(not(feature = "parquet"))]
    assert!(folder.fails("fit train.parquet -o m.rftm", 2).contains("reads no Parquet"));
}

#[test]
fn lines_that_cannot_be_read_are_left_out_on_request() {
    let folder = fitted();
    folder.write("new.csv", "x,y,sum\n1,2,3\n1,2\n4,oops,9\n5,6,11\n");
    let message = folder.fails("score m.rftm new.csv -o scores.csv", 1);
    assert!(message.contains("new.csv:3: 2 cells"), "{message}");
    assert!(!folder.path("scores.csv").exists(), "no half of the scores under the final name");
    let output = folder.rftm("score m.rftm new.csv --bad-lines skip").assert().success().get_output().clone();
    let scores = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<&str> = scores.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(rows, ["1", "4"], "numbers of rows stay those of the file");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("new.csv:3: 2 cells") && said.contains("new.csv:4: column \"y\": \"oops\""), "{said}");
}

#[test]
fn a_constant_column_is_kept_and_a_change_of_it_is_odd() {
    let folder = Folder::new();
    let constant = |value: &str| {
        sums(60).replacen('\n', ",same\n", 1).replace('\n', &format!(",{value}\n")).replacen(
            &format!(",same,{value}"),
            ",same",
            1,
        )
    };
    folder.write("train.csv", constant("7"));
    folder.ok("fit train.csv -o m.rftm --epochs 3");
    folder.write("new.csv", constant("7.5"));
    assert!(folder.ok("score m.rftm new.csv").lines().skip(1).all(|line| line.ends_with(",1")));
    assert!(folder.ok("explain m.rftm new.csv --top 1").lines().nth(2).unwrap().contains("same"));
}

#[test]
fn scoring_says_what_does_not_fit_the_model() {
    let folder = fitted();
    let check = |content: &str, expected: &str| {
        folder.write("new.csv", content);
        let message = folder.fails("score m.rftm new.csv", 1);
        assert!(message.contains(expected), "{expected:?} is not in {message:?}");
    };
    check("", "new.csv is empty");
    check("x,y\n1,2\n", r#"new.csv lacks columns of the model: "sum"; it has "x", "y""#);
    check("1,2\n3,4\n", r#"new.csv has 2 columns and no header, the model needs 3: "x", "y", "sum""#);
    check("x,y,sum\n1,2,three\n", "new.csv:2: column \"sum\": \"three\" is not a number");
    folder.write("empty/readme.txt", "nothing");
    assert!(folder.fails("score m.rftm empty", 1).contains("the model was fitted on a table"));
    assert!(folder.fails("fit empty -o n.rftm", 1).contains("contains no image"));
    assert!(folder.fails("eval m.rftm new.csv", 2).contains("say where the labels are"));
    folder.write("new.csv", "x,y,sum,bad\n1,2,3,perhaps\n");
    assert!(folder.fails("eval m.rftm new.csv --label bad", 1).contains("label \"perhaps\": neither 0 nor 1"));
    folder.write("new.csv", "x,y,sum,bad\n1,2,3,0\n");
    assert!(folder.fails("eval m.rftm new.csv --label bad", 1).contains("the ROC curve is undefined"));
}

#[test]
fn model_files_that_are_none() {
    let folder = fitted();
    let whole = fs::read(folder.path("m.rftm")).unwrap();
    let check = |bytes: &[u8], expected: &str| {
        folder.write("other.rftm", bytes);
        for command in ["inspect other.rftm", "score other.rftm train.csv", "threshold other.rftm --value 1"] {
            let message = folder.fails(command, 1);
            assert!(message.contains(expected), "{expected:?} is not in {message:?}");
        }
        assert_eq!(fs::read(folder.path("other.rftm")).unwrap(), bytes);
    };
    check(&whole[..whole.len() - 7], "damaged model file");
    check(b"x,y,sum\n1,2,3\n", "not a model of rftm");
    let mut changed = whole.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    check(&changed, "the checksum does not match");
    let format = b"\\\"format\\\":";
    let at = whole.windows(format.len()).position(|bytes| bytes == format).unwrap();
    let mut newer = whole.clone();
    newer[at + format.len()] = b'8';
    check(&newer, "model format 8, this program reads up to 3: use a newer rftm");
    assert!(folder.fails("inspect nothing.rftm", 1).contains("cannot read nothing.rftm"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported() {
    let folder = fitted();
    for command in [
        "fit train.csv -o /dev/full --epochs 1",
        "threshold m.rftm --value 1 -o /dev/full",
        "score m.rftm train.csv -o /dev/full",
    ] {
        let message = folder.fails(command, 1);
        assert!(message.contains("cannot write /dev/full: No space left"), "{command}: {message}");
    }
    let message = folder.fails("fit train.csv -o nowhere/m.rftm --epochs 1", 1);
    assert!(message.contains("cannot write nowhere/m.rftm"), "{message}");
}
