//! Tables from the shell: fit, score, explain, threshold, inspect, eval.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Folder, sums};

const FIT: &str = "fit train.csv -o m.rftm --epochs 8";

#[test]
fn three_commands_and_no_other_flag() {
    let folder = Folder::new();
    folder.ok("example table --out demo");
    let train = folder.read("demo/train.csv").replace(",water", "").replace(",oil", "").replace(",fluid", "");
    let new = folder.read("demo/new.csv").replace(",water", "").replace(",oil", "").replace(",fluid", "");
    folder.write("train.csv", train);
    folder.write("new.csv", new);
    let shown = folder.ok("fit train.csv -o m.rftm");
    for part in [
        "rftm, hippocampus {50 slots, k 15",
        "5-64-32",
        "1600 to train, 200 to stop",
        "false-positive rate 0.01; of calibrations like this 9 in 10 truly have 0.18 to 2.35 %",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    folder.ok("score m.rftm new.csv -o scores.csv");
    let scores = folder.read("scores.csv");
    assert_eq!(scores.lines().next(), Some("row,score,p_value,anomaly"));
    assert_eq!(scores.lines().count(), 201);
    let flagged: Vec<&str> =
        scores.lines().filter(|line| line.ends_with(",1")).map(|line| line.split(',').next().unwrap()).collect();
    for fault in ["50", "100", "150", "200"] {
        assert!(flagged.contains(&fault), "{fault} is not among {flagged:?}");
    }
    let why = folder.ok("explain m.rftm new.csv --top 3");
    assert_eq!(why.matches("anomalous").count(), 3, "{why}");
    assert!(why.contains("observed") && why.contains("slot ") && why.contains("row 200"), "{why}");
    assert_eq!(folder.names(), ["demo", "m.rftm", "new.csv", "scores.csv", "train.csv"]);
}

#[test]
fn labels_categories_and_missing_values() {
    let folder = Folder::new();
    folder.ok("example table --out .");
    // A label column is no feature: the model is the same whether it is in the file or not.
    let labelled = folder.read("train.csv").replace('\n', ",0\n").replacen("fluid,0", "fluid,fault", 1);
    folder.write("in/labelled.csv", labelled);
    folder.ok("fit train.csv -o a.rftm --categorical fluid --epochs 10 --model ae");
    folder.ok("fit in/labelled.csv -o b.rftm --categorical fluid --epochs 10 --model ae --label fault");
    assert_eq!(folder.ok("score a.rftm test.csv"), folder.ok("score b.rftm test.csv"));
    assert!(
        folder.ok("inspect b.rftm").contains("trained on    labelled.csv, sha256"),
        "whose folder it was is left out"
    );
    let shown = folder.ok("inspect a.rftm");
    assert!(shown.contains("fluid (") && shown.contains("sha256"), "{shown}");
    let json: serde_json::Value = serde_json::from_str(&folder.ok("inspect a.rftm --json")).unwrap();
    assert_eq!(json["features"]["layout"]["table"]["columns"].as_array().unwrap().len(), 6);

    let result = folder.ok("eval a.rftm test.csv --label fault --json");
    let result: serde_json::Value = serde_json::from_str(&result).unwrap();
    assert_eq!((&result["normal"], &result["anomalous"]), (&950.into(), &50.into()));
    assert!(result["auroc"].as_f64().unwrap() > 0.9, "{result}");
    assert!(folder.ok("eval a.rftm test.csv --label fault").contains("AUROC"));

    // Columns are found by name, in any order; a category that is new is odd.
    folder.write(
        "moved.csv",
        "fluid,vibration,temperature,current,load,speed\nacid,1.1,57,7.6,0.6,1500\nwater,1.1,,7.6,0.6,1500\n",
    );
    let message = folder.fails("score a.rftm moved.csv", 1);
    assert!(message.contains("moved.csv:3: column \"temperature\": the value is missing"), "{message}");
    let why = folder.ok("explain a.rftm moved.csv --bad-lines skip");
    assert!(why.contains("(rare or not seen in training)"), "{why}");
    folder.ok("fit train.csv -o c.rftm --exclude fluid --missing median --epochs 2");
    assert_eq!(folder.ok("score c.rftm moved.csv").lines().count(), 3);
}

#[test]
fn a_threshold_is_changed_in_the_file() {
    let folder = Folder::new();
    folder.write("train.csv", sums(300));
    folder.ok(FIT);
    let flagged = || folder.ok("score m.rftm train.csv").lines().filter(|line| line.ends_with(",1")).count();
    folder.ok("threshold m.rftm --contamination 0.4");
    let many = flagged();
    assert!(folder.ok("threshold m.rftm --fpr 0.05").contains("contamination 0.4"));
    assert!(flagged() < many);
    assert!(folder.ok("threshold m.rftm").contains("cannot be promised"));
    folder.ok("threshold m.rftm --value 1e9 -o strict.rftm");
    assert!(folder.ok("score strict.rftm train.csv").lines().skip(1).all(|line| line.ends_with(",0")));
    let message = folder.fails("threshold m.rftm --fpr 0.0001", 2);
    assert!(message.contains("cannot be promised by 60 calibration scores"), "{message}");
}

#[test]
fn numbers_that_32_bits_cannot_tell_apart_are_named() {
    let folder = Folder::new();
    let with = |first: usize| -> String {
        let id = |i: usize| if i == 0 { "id".to_owned() } else { (first + i).to_string() };
        sums(100).lines().enumerate().map(|(i, line)| format!("{},{line}\n", id(i))).collect()
    };
    for (first, named) in [(1_700_000_000, true), (10_000_000, false)] {
        folder.write("train.csv", with(first));
        let output = folder.rftm(FIT).assert().success().get_output().clone();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.contains("column \"id\": 32 bits tell only about 2 of its values apart"), named, "{said}");
        assert!(said.contains("column \"id\" only ever grows: a row number or a time?"), "{said}");
        assert!(!said.contains("\"sum\""), "{said}");
    }
    // As pandas writes its index.
    folder.write("train.csv", with(0).replacen("id,", ",", 1));
    let said = |flags: &str| {
        let output = folder.rftm(&format!("{FIT} {flags}")).assert().success().get_output().clone();
        String::from_utf8(output.stderr).unwrap()
    };
    let with_index = said("");
    assert!(
        with_index.contains(r#"column "" only ever grows"#) && with_index.contains(r#"--exclude """#),
        "{with_index}"
    );
    assert_eq!(said("--exclude="), "");
    assert!(folder.ok("inspect m.rftm").contains("columns       x, y, sum\n"));
}

#[test]
fn numbers_of_arrays_that_32_bits_cannot_tell_apart_are_named() {
    let folder = Folder::new();
    let seconds = |(row, column): (usize, usize)| 1.7e9 * (1 - column) as f64 + 60.0 * row as f64;
    let array = ndarray::Array2::from_shape_fn((60, 2), seconds);
    ndarray_npy::write_npy(folder.path("time.npy"), &array).unwrap();
    let said = |flags: &str| {
        let output = folder.rftm(&format!("fit time.npy -o m.rftm --epochs 1 {flags}")).assert().success();
        String::from_utf8(output.get_output().stderr.clone()).unwrap()
    };
    let both = said("");
    assert!(both.contains("column \"1\": 32 bits tell only about 29 of its values apart"), "{both}");
    assert!(both.contains("column \"2\" only ever grows"), "{both}");
    assert!(!said("--exclude 1").contains("\"1\""), "it is left out");
}

#[test]
fn a_column_of_nothing_but_rare_categories_is_named() {
    let folder = Folder::new();
    let row = |i: usize| format!("{},{},town {}\n", i % 17, i % 13, i / 2);
    folder.write("train.csv", "x,y,town\n".to_owned() + &(0..120).map(row).collect::<String>());
    let shown = folder.ok("fit train.csv -o m.rftm --epochs 1 --categorical town");
    assert!(shown.contains("column \"town\" has no category that 5 training rows have"), "{shown}");
}

#[test]
fn categories_as_other_programs_write_them() {
    let folder = Folder::new();
    let rows = |kinds: [&str; 3]| -> Vec<u8> {
        let row = |i: usize| format!("{},{}\n", i % 7, kinds[i % 3]);
        let text = "x,kind\n".to_owned() + &(0..60).map(row).collect::<String>();
        // Latin-1.
        text.chars().map(|letter| letter as u8).collect()
    };
    folder.write("train.csv", rows(["1", "2", "none"]));
    folder.ok("fit train.csv -o m.rftm --epochs 1 --categorical kind");
    assert!(folder.ok("inspect m.rftm").contains("kind (1 | 2 | none)"));
    let scores = folder.ok("score m.rftm train.csv");
    // Of numbers with a gap pandas makes fractions.
    folder.write("new.csv", rows(["1.0", "2.0", "none"]));
    assert_eq!(folder.ok("score m.rftm new.csv"), scores);
    let why = folder.ok("explain m.rftm new.csv --top 1 --json");
    let why: serde_json::Value = serde_json::from_str(&why).unwrap();
    let pattern = why["patterns"][0]["values"].as_array().unwrap();
    assert!(pattern[0].is_f64() && ["1", "2", "none"].iter().any(|name| pattern[1] == *name), "{why}");
    folder.write("new.csv", rows(["1", "2", "gr\u{fc}n"]));
    for command in ["score m.rftm new.csv", "fit new.csv -o n.rftm --categorical kind"] {
        let message = folder.fails(command, 1);
        assert!(message.contains("new.csv:4: column \"kind\": \"gr\u{fffd}n\" is not UTF-8: convert"), "{message}");
    }
    assert_eq!(folder.ok("score m.rftm new.csv --bad-lines skip").lines().count(), 41);
}

#[test]
fn files_without_a_header_and_other_separators() {
    let folder = Folder::new();
    let bare = sums(100).lines().skip(1).map(|line| line.replace(',', "\t") + "\n").collect::<String>();
    folder.write("train.tsv", &bare);
    folder.ok("fit train.tsv -o m.rftm --epochs 2 --columns 1,3");
    assert!(folder.ok("inspect m.rftm").contains("columns       1, 3"));
    assert_eq!(folder.ok("score m.rftm train.tsv").lines().count(), 101);
    folder.write("semi.csv", sums(20).replace(',', ";"));
    assert!(folder.fails("score m.rftm semi.csv", 1).contains("say --delimiter ';'"));
    folder.write("train.csv", sums(100));
    folder.ok(FIT);
    assert_eq!(folder.ok("score m.rftm semi.csv --delimiter ;").lines().count(), 21);
    // As many columns as the model, but no names: by place.
    folder.write("bare.csv", "1,2,3\n4,5,9\n");
    assert_eq!(folder.ok("score m.rftm bare.csv").lines().count(), 3);
}

#[test]
fn an_endless_input_is_answered_row_by_row() {
    let folder = Folder::new();
    folder.write("train.csv", sums(100));
    folder.ok(FIT);
    let whole = folder.ok("score m.rftm train.csv");
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("rftm"))
        .current_dir(folder.path(""))
        .args(["score", "m.rftm", "-", "--stats"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let data = sums(100);
    let mut lines = data.lines();
    let mut ask = |text: &str| {
        input.write_all(text.as_bytes()).unwrap();
        input.flush().unwrap();
    };
    ask(&format!("{}\r\n", lines.next().unwrap()));
    let mut expected = whole.lines();
    assert_eq!(answers.next().unwrap().unwrap(), expected.next().unwrap());
    // The answer to each row comes before the next row is written.
    for line in lines {
        ask(&format!("{line}\r\n"));
        assert_eq!(answers.next().unwrap().unwrap(), expected.next().unwrap());
    }
    drop(input);
    assert!(answers.next().is_none());
    assert!(child.wait().unwrap().success());
    let mut stats = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stats).unwrap();
    assert!(stats.contains("100 scores in"), "{stats}");
}

#[test]
fn a_closed_output_ends_quietly() {
    let folder = Folder::new();
    folder.write("train.csv", sums(100));
    folder.ok(FIT);
    folder.write("many.csv", sums(50_000));
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("rftm"))
        .current_dir(folder.path(""))
        .args(["score", "m.rftm", "many.csv"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first, "row,score,p_value,anomaly\n");
    assert_eq!(child.wait().unwrap().code(), Some(141));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}

#[test]
fn standard_input_to_fit_and_standard_output_for_scores() {
    let folder = Folder::new();
    folder.write("train.csv", sums(60));
    folder.rftm("fit - -o m.rftm --epochs 2").write_stdin(sums(60)).assert().success();
    folder.ok("fit train.csv -o n.rftm --epochs 2");
    assert_eq!(folder.ok("score m.rftm train.csv"), folder.ok("score n.rftm train.csv"));
    let explained = folder.ok("explain m.rftm train.csv --rows 7,3 --features 2 --patterns 1 --json");
    let rows: Vec<serde_json::Value> = explained.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&rows[0]["row"], &rows[1]["row"]), (&7.into(), &3.into()));
    assert_eq!(rows[0]["features"].as_array().unwrap().len(), 2);
    assert!(folder.fails("explain m.rftm train.csv --rows 61", 1).contains("no row 61"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_what_was_there() {
    let folder = Folder::new();
    folder.write("train.csv", sums(5000));
    folder.write("m.rftm", "what was there");
    let mut child = folder
        .process("fit train.csv -o m.rftm --epochs 1000000 --patience 1000000")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Long enough to be in the training on any machine; sooner, the signal would end it as any program.
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("training was interrupted in epoch") && said.contains("nothing was saved"), "{said}");
    assert_eq!(folder.read("m.rftm"), "what was there");
    assert_eq!(folder.names(), ["m.rftm", "train.csv"]);
}

#[test]
fn it_starts_at_once() {
    let folder = Folder::new();
    // The fastest of many: the others may have waited for a core.
    let fastest = (0..30).map(|_| {
        let begin = Instant::now();
        folder.ok("--version");
        begin.elapsed()
    });
    assert!(fastest.min().unwrap() < Duration::from_millis(20));
}
