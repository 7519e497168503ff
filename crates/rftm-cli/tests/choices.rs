//! What a user chooses: columns of arrays, labels, folders; and what cannot be meant.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};

use common::{Folder, sums};
use image::RgbImage;
use ndarray::Array2;
use ndarray_npy::WriteNpyExt;

fn number(row: usize, column: usize) -> f32 {
    ((row * 37 + column * 11) % 101) as f32 / 9.0
}

fn array(folder: &Folder, name: &str, columns: usize) {
    let array = Array2::from_shape_fn((60, columns), |(row, column)| number(row, column));
    array.write_npy(File::create(folder.path(name)).unwrap()).unwrap();
}

/// Columns of such an array as lines of a CSV.
fn rows(columns: &[usize]) -> String {
    let line = |row| columns.iter().map(|&column| number(row, column).to_string()).collect::<Vec<_>>().join(",");
    (0..60).map(|row| line(row) + "\n").collect()
}

#[test]
fn the_first_lines_of_the_help_work() {
    let folder = Folder::new();
    let help = folder.ok("--help");
    let lines: Vec<&str> = help.lines().map(str::trim).skip_while(|line| *line != "Start here:").skip(1).collect();
    let steps: Vec<&str> = lines.into_iter().take_while(|line| line.starts_with("rftm ")).collect();
    assert_eq!(steps.len(), 4, "{help}");
    for step in steps {
        // What it is for stands after at least two spaces, or after one behind a last argument.
        let line = step.split("  ").next().unwrap().trim_start_matches("rftm ");
        folder.ok(line.split(" the three").next().unwrap());
    }
}

#[test]
fn columns_of_an_array_are_chosen_by_number() {
    let folder = Folder::new();
    array(&folder, "four.npy", 4);
    for (flags, columns) in [("--label 4", "1, 2, 3"), ("--exclude 1,3", "2, 4"), ("--columns 3,1", "3, 1")] {
        folder.ok(&format!("fit four.npy -o m.rftm --epochs 1 {flags}"));
        let shown = folder.ok("inspect m.rftm");
        assert!(shown.contains(&format!("columns       {columns}\n")), "{flags}: {shown}");
        // The model finds its columns in the whole array again.
        assert_eq!(folder.ok("score m.rftm four.npy").lines().count(), 61);
    }
    let message = folder.fails("fit four.npy -o n.rftm --label 5", 2);
    assert!(message.contains(r#"--label: four.npy has no column "5"; it has "1", "2", "3", "4""#), "{message}");
    assert!(folder.fails("fit four.npy -o n.rftm --columns 1,2,1", 2).contains("\"1\" is named twice"));
    assert!(folder.fails("fit four.npy -o n.rftm --columns 1 --exclude 1", 2).contains("no column of four.npy"));
    assert!(folder.fails("fit four.npy -o n.rftm --categorical 1", 2).contains("make it a CSV"));
    array(&folder, "two.npy", 2);
    folder.ok("fit four.npy -o m.rftm --epochs 1 --columns 1,2,4");
    assert!(folder.fails("score m.rftm two.npy", 1).contains("the model was fitted on"));
    // The order is the model's, also where the array has no other columns.
    folder.ok("fit two.npy -o m.rftm --epochs 1 --model ae --columns 2,1");
    folder.write("two.csv", "2,1\n".to_owned() + &rows(&[1, 0]));
    let scores = folder.ok("score m.rftm two.npy");
    assert_eq!(folder.ok("score m.rftm two.csv --header yes"), scores);
}

/// A column in front would shift all others.
#[test]
fn columns_without_names_must_be_as_many_as_in_the_fit() {
    let folder = Folder::new();
    array(&folder, "four.npy", 4);
    array(&folder, "five.npy", 5);
    folder.write("four.csv", rows(&[0, 1, 2, 3]));
    folder.write("five.csv", rows(&[4, 0, 1, 2, 3]));
    folder.ok("fit four.npy -o m.rftm --epochs 1");
    let scores = folder.ok("score m.rftm four.npy");
    assert_eq!(folder.ok("score m.rftm four.csv"), scores);
    for name in ["five.npy", "five.csv"] {
        let message = folder.fails(&format!("score m.rftm {name}"), 1);
        let expected = format!("{name} has 5 columns without names, the model was fitted on a table of 4");
        assert!(message.contains(&expected), "{message}");
    }
    // Some of five: they are found among as many, or are all there are.
    folder.ok("fit five.npy -o some.rftm --epochs 1 --columns 1,2,3,4");
    let scores = folder.ok("score some.rftm five.npy");
    assert_eq!(folder.ok("score some.rftm four.npy"), scores);
    // In another order: just those, as the model has them.
    folder.ok("fit five.npy -o turned.rftm --epochs 1 --columns 2,1");
    let turned = folder.ok("score turned.rftm five.npy");
    folder.write("all.csv", rows(&[0, 1, 2, 3, 4]));
    folder.write("two.csv", rows(&[1, 0]));
    let two = Array2::from_shape_fn((60, 2), |(row, column)| number(row, 1 - column));
    two.write_npy(File::create(folder.path("two.npy")).unwrap()).unwrap();
    for name in ["all.csv", "two.csv", "two.npy"] {
        assert_eq!(folder.ok(&format!("score turned.rftm {name}")), turned, "{name}");
    }
    // Labels may stand behind.
    let labels_behind = |columns: &[usize], labels: &str| {
        rows(columns)
            .lines()
            .zip(labels.chars().cycle())
            .map(|(row, label)| format!("{row},{label}\n"))
            .collect::<String>()
    };
    let labelled = |labels: &str| labels_behind(&[0, 1, 2, 3], labels);
    folder.write("labelled.csv", labelled("0001"));
    assert!(folder.ok("eval m.rftm labelled.csv --label 5").contains("45 normal, 15 anomalous"));
    folder.ok("fit five.npy -o first.rftm --epochs 1 --exclude 5");
    assert!(folder.ok("eval first.rftm labelled.csv --label 5").contains("45 normal, 15 anomalous"));
    folder.write("all.csv", labels_behind(&[0, 1, 2, 3, 4], "0001"));
    folder.write("two.csv", labels_behind(&[1, 0], "0001"));
    let found = folder.ok("eval turned.rftm all.csv --label 6");
    assert_eq!(folder.ok("eval turned.rftm two.csv --label 3"), found);
    // A label that has the number of a column of the fit.
    folder.ok("fit five.npy -o middle.rftm --epochs 1 --columns 2,3");
    folder.write("two.csv", labels_behind(&[1, 2], "0001"));
    assert_eq!(folder.ok("eval middle.rftm two.csv --label 3"), folder.ok("eval middle.rftm all.csv --label 6"));
    folder.write("bare.csv", rows(&[0, 1, 2, 3, 4]));
    assert!(folder.fails("eval middle.rftm bare.csv --label 3", 2).contains("the column \"3\" and knows the answer"));
    // Whose numbers are more than there are columns.
    folder.ok("fit five.npy -o last.rftm --epochs 1 --columns 4,5");
    folder.write("two.csv", labels_behind(&[3, 4], "0001"));
    assert_eq!(folder.ok("eval last.rftm two.csv --label 3"), folder.ok("eval last.rftm all.csv --label 6"));
    let message = folder.fails("eval m.rftm labelled.csv --label 1", 2);
    assert!(message.contains("knows the answer"), "{message}");
    folder.write("more.csv", labelled("0001").replace('\n', ",7\n"));
    let message = folder.fails("eval m.rftm more.csv --label 5", 1);
    assert!(message.contains("more.csv has 6 columns without names, the model"), "{message}");
}

#[test]
fn bad_images_of_an_array_are_left_out_as_rows_are() {
    let folder = Folder::new();
    let pixel = |(n, y, x): (usize, usize, usize)| match (n, y, x) {
        (2, 1, 1) => f32::NAN,
        (4, 0, 0) => 300.0,
        _ => ((n * 3 + y * 20 + x) % 256) as f32,
    };
    let images = ndarray::Array3::from_shape_fn((60, 4, 4), pixel);
    images.write_npy(File::create(folder.path("images.npy")).unwrap()).unwrap();
    let message = folder.fails("fit images.npy -o m.rftm --epochs 1", 1);
    assert!(message.contains("images.npy: image 3: channel 0, y 1, x 1: NaN is no pixel"), "{message}");
    assert!(message.contains("--bad-lines skip"), "{message}");
    folder.ok("fit images.npy -o m.rftm --epochs 1 --bad-lines skip");
    let output = folder.rftm("score m.rftm images.npy").assert().code(1).get_output().clone();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 3, "images before it are answered");
    let output = folder.rftm("score m.rftm images.npy --bad-lines skip").assert().success().get_output().clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("images.npy: image 5: channel 0, y 0, x 0: 300 is no pixel") && said.contains("left out"));
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 59);
    // One that is no image does not make pixels from 0 to 1 pixels.
    let unit = images.mapv(|pixel| if pixel > 255.0 { 0.5 } else { pixel / 255.0 });
    unit.write_npy(File::create(folder.path("unit.npy")).unwrap()).unwrap();
    let message = folder.fails("score m.rftm unit.npy --bad-lines skip", 1);
    assert!(message.contains("multiply those from 0 to 1 by 255"), "{message}");
    let table = folder.fails("fit images.npy -o n.rftm --columns 1", 2);
    assert!(table.contains("images.npy has images, no columns"), "{table}");
    array(&folder, "table.npy", 4);
    let message = folder.fails("score m.rftm table.npy", 1);
    assert!(message.contains("images of 4x4 pixels and 1 channels, this is a table of 4 columns"), "{message}");
}

#[test]
fn rows_of_an_array_are_left_out_as_lines_are() {
    let folder = Folder::new();
    let value = |(row, column): (usize, usize)| match (row, column) {
        (2, 1) => f32::NAN,
        (4, 0) => f32::INFINITY,
        _ => number(row, column),
    };
    Array2::from_shape_fn((60, 2), value).write_npy(File::create(folder.path("gaps.npy")).unwrap()).unwrap();
    let message = folder.fails("fit gaps.npy -o m.rftm --epochs 1 --model ae", 1);
    assert!(message.contains("gaps.npy: row 3: column \"2\": the value is missing; fit with --missing"), "{message}");
    let message = folder.fails("fit gaps.npy -o m.rftm --window 4 --bad-lines skip", 1);
    assert!(message.contains("row 3") && message.contains("a window may not reach across"), "{message}");
    let shown = folder.ok("fit gaps.npy -o m.rftm --epochs 1 --model ae --bad-lines skip");
    assert!(shown.contains("42 to train, 5 to stop in time, 11 to calibrate"), "{shown}");
    assert!(folder.fails("score m.rftm gaps.npy", 1).contains("row 3: column \"2\": the value is missing"));
    let output = folder.rftm("score m.rftm gaps.npy --bad-lines skip").assert().success().get_output().clone();
    let (scores, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let numbers: Vec<&str> = scores.lines().skip(1).take(4).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!((numbers, scores.lines().count()), (vec!["1", "2", "4", "6"], 59));
    assert!(said.contains("row 5: column \"1\": inf is not a finite number; left out"), "{said}");
}

#[test]
fn columns_are_called_as_they_are() {
    let folder = Folder::new();
    let with = |names: &str| sums(60).replacen("x,y,sum", names, 1);
    let fit = |flags: &[&str]| {
        let mut command = folder.rftm("fit t.csv -o m.rftm --epochs 1 --model ae");
        command.args(flags).output().unwrap()
    };
    let columns = || {
        let shown = folder.ok("inspect m.rftm");
        shown.lines().find_map(|line| line.strip_prefix("columns       ")).unwrap().to_owned()
    };
    folder.write("t.csv", with("\"a, b\",b,a"));
    for (flags, width, expected) in [
        (["--exclude", "a, b"], 2, "b, a"),
        (["--exclude", "a , b"], 1, "a, b"),
        (["--columns", "a, b"], 1, "a, b"),
        (["--columns", "a,b"], 2, "a, b"),
    ] {
        assert!(fit(&flags).status.success(), "{flags:?}");
        let shown = folder.ok("inspect m.rftm");
        assert!(shown.contains(&format!("a table of {width} columns")) && columns() == expected, "{flags:?}: {shown}");
    }
    let said = String::from_utf8(fit(&["--exclude", "c"]).stderr).unwrap();
    assert!(said.contains(r#"has no column "c"; it has "a, b", "b", "a""#), "{said}");

    // A name that two columns have matters only if it is needed.
    folder.write("t.csv", with("a,b,a"));
    let said = String::from_utf8(fit(&[]).stderr).unwrap();
    assert!(
        said.contains("t.csv: two columns are called \"a\"; rename one, or leave both out with --exclude"),
        "{said}"
    );
    for flags in [["--exclude", "a"], ["--columns", "b"], ["--label", "a"]] {
        assert!(fit(&flags).status.success() && columns() == "b", "{flags:?}");
    }
    assert_eq!(folder.ok("score m.rftm t.csv").lines().count(), 61);
    for (flags, code, expected) in [
        (["--columns", "b,a"], 1, "two columns are called \"a\""),
        (["--columns", "b,b"], 2, "--columns: \"b\" is named twice"),
    ] {
        let output = fit(&flags);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(code) && said.contains(expected), "{flags:?}: {said}");
    }
    folder.write("t.csv", with("a,b,c"));
    assert!(fit(&[]).status.success());
    folder.write("twice.csv", with("a,b,c").replace('\n', ",1\n").replacen("c,1", "c,a", 1));
    assert!(folder.fails("score m.rftm twice.csv", 1).contains("twice.csv: two columns are called \"a\"; rename one"));
}

#[test]
fn flags_for_other_files_are_refused() {
    let folder = Folder::new();
    folder.write("train.csv", sums(60));
    array(&folder, "three.npy", 3);
    folder.ok("fit train.csv -o m.rftm --epochs 1 --model ae");
    for (command, expected) in [
        ("score m.rftm train.csv --array a", "--array is for NPZ files, train.csv is none"),
        ("score m.rftm train.csv --resize", "--resize is for folders of images, train.csv is none"),
        ("score m.rftm three.npy --delimiter ;", "--delimiter is for CSV files, three.npy is none"),
        ("fit three.npy -o n.rftm --header no", "--header is for CSV files, three.npy is none"),
        ("fit three.npy -o n.rftm --array a", "--array is for NPZ files"),
        ("eval m.rftm three.npy --labels train.csv", "--labels: train.csv is neither NPY nor IDX"),
    ] {
        let message = folder.fails(command, 2);
        assert!(message.contains(expected), "{command}: {message}");
    }
}

#[test]
fn labels_may_have_any_names() {
    let folder = Folder::new();
    folder.write("train.csv", sums(60));
    folder.ok("fit train.csv -o m.rftm --epochs 1 --model ae");
    let labelled = |last: &str| {
        let label = |row: usize| match row {
            0 => "type",
            59 => last,
            row => ["normal", "dos", "probe"][row % 3],
        };
        sums(59).lines().enumerate().map(|(row, line)| format!("{line},{}\n", label(row))).collect::<String>()
    };
    folder.write("test.csv", labelled("normal"));
    let counts = |flags: &str| folder.ok(&format!("eval m.rftm test.csv --label type {flags}"));
    for (flags, expected) in [
        ("--anomaly dos", "39 normal, 20 anomalous"),
        ("--anomaly dos,probe", "20 normal, 39 anomalous"),
        ("--normal normal", "20 normal, 39 anomalous"),
    ] {
        assert!(counts(flags).contains(expected), "{flags}: {}", counts(flags));
    }
    folder.fails("eval m.rftm test.csv --label type --normal normal --anomaly dos", 2);
    folder.write("test.csv", labelled(""));
    let message = folder.fails("eval m.rftm test.csv --label type --anomaly dos", 1);
    assert!(message.contains("test.csv:60: the label is empty"), "{message}");
}

#[test]
fn an_array_cannot_name_a_category() {
    let folder = Folder::new();
    let kinds = |i: usize| format!("{},{}\n", i % 7, ["red", "blue"][i % 2]);
    folder.write("train.csv", "x,colour\n".to_owned() + &(0..60).map(kinds).collect::<String>());
    folder.ok("fit train.csv -o m.rftm --epochs 1 --categorical colour");
    array(&folder, "two.npy", 2);
    assert!(folder.fails("score m.rftm two.npy", 1).contains("column \"colour\" of the model is of categories"));
}

#[test]
fn a_model_that_knows_the_labels_is_not_evaluated() {
    let folder = Folder::new();
    folder.write("test.csv", sums(60));
    folder.ok("fit test.csv -o m.rftm --epochs 1");
    let message = folder.fails("eval m.rftm test.csv --label sum", 2);
    assert!(message.contains("knows the answer; fit again with --label sum"), "{message}");
    folder.ok("fit test.csv -o w.rftm --epochs 1 --window 4");
    assert_eq!(folder.fails("eval w.rftm test.csv --label sum", 2), message, "a window knows it, too");
}

#[test]
fn folders_of_images_say_what_is_normal() {
    let folder = Folder::new();
    let picture = |name: String, shade: u8| {
        fs::create_dir_all(folder.path(&name).parent().unwrap()).unwrap();
        let image = RgbImage::from_fn(9, 9, |x, y| image::Rgb([(x * 20) as u8 + shade, (y * 9) as u8, 40]));
        image.save(folder.path(&name)).unwrap();
    };
    for index in 0..12 {
        picture(format!("test/good/camera{}/{index}.png", index % 2), index);
        picture(format!("test/hole/{index}.png"), 60 + index);
    }
    folder.write("test/good/broken.png", "no png");
    let message = folder.fails("fit test/good -o m.rftm --epochs 1", 1);
    assert!(message.contains("broken.png") && message.contains("--bad-lines skip leaves"), "{message}");
    folder.ok("fit test/good -o m.rftm --epochs 1 --bad-lines skip");
    for normal in ["good", "good/"] {
        let result = folder.ok(&format!("eval m.rftm test --normal {normal} --bad-lines skip"));
        assert!(result.contains("12 normal, 12 anomalous"), "{result}");
    }
    let message = folder.fails("eval m.rftm test --normal god", 2);
    assert!(message.contains("no folder \"god\"") && message.contains("camera0, camera1, good, hole"), "{message}");
    assert!(folder.fails("fit test/hole -o m.rftm --label 1", 2).contains("--label names columns"));
}

#[test]
fn an_output_that_cannot_be_meant_is_refused_before_the_work() {
    let folder = Folder::new();
    folder.write("train.csv", sums(60));
    folder.ok("fit train.csv -o m.rftm --epochs 1 --model ae");
    let model = fs::read(folder.path("m.rftm")).unwrap();
    // Before the input is read: there is none.
    assert!(folder.fails("fit none.csv -o nowhere/m.rftm", 1).contains("cannot write nowhere/m.rftm"));
    assert!(folder.fails("fit none.csv -o .", 1).contains("cannot write .: "));
    for (command, expected) in [
        ("fit train.csv -o ./train.csv", "train.csv would be overwritten, and it is read"),
        ("score m.rftm train.csv -o train.csv", "train.csv would be overwritten"),
        ("score m.rftm train.csv -o m.rftm", "m.rftm would be overwritten"),
        ("export m.rftm -o m.rftm", "m.rftm would be overwritten"),
        ("export m.rftm -o -", "a graph is written to a file, not to standard output"),
        ("threshold m.rftm --value 1 -o -", "a model is written to a file"),
    ] {
        let message = folder.fails(command, 2);
        assert!(message.contains(expected), "{command}: {message}");
    }
    assert_eq!(folder.names(), ["m.rftm", "train.csv"]);
    assert_eq!((folder.read("train.csv"), fs::read(folder.path("m.rftm")).unwrap()), (sums(60), model));
}

#[test]
fn numbers_that_cannot_be_meant_are_a_wrong_command_line() {
    let folder = Folder::new();
    folder.write("train.csv", sums(60));
    for flag in ["--epochs 0", "--batch-size 0", "--patience 0", "--widths 0", "--widths 8,0"] {
        let message = folder.fails(&format!("fit train.csv -o m.rftm {flag}"), 2);
        assert!(message.contains("0"), "{message}");
    }
    folder.write("same.csv", "x,y\n".to_owned() + &"1,2\n".repeat(40));
    let message = folder.fails("fit same.csv -o m.rftm", 1);
    assert!(message.contains("all 28 training rows are the same"), "{message}");
    assert_eq!(folder.names(), ["same.csv", "train.csv"]);
}
