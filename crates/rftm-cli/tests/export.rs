//! The exported graph scores rows, windows and gaps as `rftm score` does, by onnxruntime where a Python has it:
//! `RFTM_PYTHON` names the Python, else it is `python3`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::process::Command;

use common::{Folder, sums};

/// Scores of a graph for a file of numbers, one a line; with exit code 77 if there is no onnxruntime.
const SCRIPT: &str = r#"
import sys
try:
    import numpy as np, onnxruntime as ort
except ImportError as error:
    print(error); sys.exit(77)
width = int(sys.argv[3])
rows = np.array([[float(x or "nan") for x in line.split(",")] for line in open(sys.argv[2]).read().split()[1:]], np.float32)
samples = np.stack([rows[i : i + width].ravel() for i in range(len(rows) - width + 1)])
session = ort.InferenceSession(sys.argv[1])
for score in session.run(["score"], {"input": samples})[0]:
    print(repr(float(score)))
"#;

/// What onnxruntime makes of m.onnx: scores of the rows of a file, or of windows over it. None if there is no onnxruntime and
/// nobody has named a Python that should have it.
fn by_onnxruntime(folder: &Folder, rows: &str, width: usize) -> Option<Vec<f64>> {
    folder.write("score.py", SCRIPT);
    let named = std::env::var("RFTM_PYTHON").ok();
    let skip = |problem: String| {
        assert!(named.is_none(), "RFTM_PYTHON: {problem}");
        println!("SKIPPED: {problem}; set RFTM_PYTHON");
        None
    };
    let python = named.as_deref().unwrap_or("python3");
    let path = |name: &str| folder.path(name);
    let mut command = Command::new(python);
    command.arg(path("score.py")).arg(path("m.onnx")).arg(path(rows)).arg(width.to_string());
    let output = match command.output() {
        Err(error) => return skip(format!("{python} did not start ({error})")),
        Ok(output) => output,
    };
    let said = String::from_utf8(output.stdout).unwrap();
    if output.status.code() == Some(77) {
        return skip(format!("{python} has no onnxruntime ({})", said.trim()));
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(said.lines().map(|line| line.parse().unwrap()).collect())
}

#[test]
fn a_missing_category_is_the_same_in_the_graph() {
    let folder = Folder::new();
    let colour = |i: usize| if i % 8 == 3 { "" } else { ["red", "blue"][i % 2] };
    let rows: String = (0..80).map(|i| format!("{},{}\n", i % 7, colour(i))).collect();
    folder.write("train.csv", "x,colour\n".to_owned() + &rows);
    folder.ok("fit train.csv -o m.rftm --epochs 3 --categorical colour --missing mean");
    assert!(!folder.ok("export m.rftm -o m.onnx").contains("not refused"));
    folder.write("new.csv", "x,colour\n1,red\n2,blue\n3,\n4,green\n,\n");
    // The same rows as the graph takes them: red, blue, anything else; what is missing is missing in all three.
    folder.write("encoded.csv", "x,red,blue,else\n1,1,0,0\n2,0,1,0\n3,,,\n4,0,0,1\n,,,\n");
    let scores = folder.ok("score m.rftm new.csv");
    let ours = scores.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse::<f64>().unwrap());
    let Some(theirs) = by_onnxruntime(&folder, "encoded.csv", 1) else { return };
    for (row, (a, b)) in ours.zip(&theirs).enumerate() {
        assert!((a - b).abs() <= 1e-4 * a.max(1.0), "row {row}: {a} here, {b} by onnxruntime");
    }
    assert_eq!(theirs.len(), 5);
}

#[test]
fn the_graph_scores_as_the_command_does() {
    let folder = Folder::new();
    folder.write("train.csv", sums(120));
    // A gap, and a value far outside.
    folder.write("new.csv", format!("{}1.5,,20\n1,2,1e30\n", sums(20)));
    folder.write("series.csv", sums(60));
    for (fit, new, width) in [("--missing median", "new.csv", 1), ("--model ae --window 4", "series.csv", 4)] {
        folder.ok(&format!("fit train.csv -o m.rftm --epochs 3 {fit}"));
        folder.ok("export m.rftm -o m.onnx");
        let ours: Vec<f64> = folder
            .ok(&format!("score m.rftm {new}"))
            .lines()
            .skip(1)
            .map(|line| line.split(',').nth(if width == 1 { 1 } else { 2 }).unwrap().parse().unwrap())
            .collect();
        assert!(ours.len() >= 20);

        let Some(theirs) = by_onnxruntime(&folder, new, width) else { return };
        assert_eq!(theirs.len(), ours.len());
        for (row, (a, b)) in ours.iter().zip(&theirs).enumerate() {
            assert!((a - b).abs() <= 1e-4 * a.max(1.0), "{fit}, row {row}: {a} here, {b} by onnxruntime");
        }
    }
}

#[test]
fn categories_are_named_as_indicators() {
    let folder = Folder::new();
    let rows = (0..40).map(|i| format!("{},{}\n", i % 7, if i % 2 == 0 { "red" } else { "blue" }));
    folder.write("train.csv", "x,colour\n".to_owned() + &rows.collect::<String>());
    folder.ok("fit train.csv -o m.rftm --epochs 2 --categorical colour");
    let said = folder.ok("export m.rftm -o m.onnx");
    assert!(said.contains("a missing value (NaN) is not refused there"), "{said}");
    assert!(said.contains("input (batch, 4)") && said.contains("categorical columns are indicators"), "{said}");
    let graph = String::from_utf8_lossy(&std::fs::read(folder.path("m.onnx")).unwrap()).into_owned();
    for name in ["colour=red", "colour=anything else", "rftm.threshold_rule", "rftm.inputs", "[\"x\",\"colour=red\""] {
        assert!(graph.contains(name), "{name} is not in the metadata");
    }
}

#[test]
fn what_cannot_be_exported_leaves_no_file() {
    let folder = Folder::new();
    folder.write("m.rftm", "no model");
    assert!(folder.fails("export m.rftm -o m.onnx", 1).contains("m.rftm"));
    assert_eq!(folder.names(), ["m.rftm"]);
}
