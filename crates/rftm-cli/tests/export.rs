//! The exported graph scores rows, windows and gaps as `rftm score` does, by onnxruntime where a Python has it:
//! `RFTM_PYTHON` names the Python, else it is `python3`.
#![allow(clippy::unwrap_used)]

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

#[test]
fn the_graph_scores_as_the_command_does() {
    let folder = Folder::new();
    folder.write("train.csv", sums(120));
    // A gap, and a value far outside.
    folder.write("new.csv", format!("{}1.5,,20\n1,2,1e30\n", sums(20)));
    folder.write("series.csv", sums(60));
    folder.write("score.py", SCRIPT);
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

        let python = std::env::var("RFTM_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let path = |name: &str| folder.path(name);
        let mut command = Command::new(&python);
        command.arg(path("score.py")).arg(path("m.onnx")).arg(path(new)).arg(width.to_string());
        let output = match command.output() {
            Err(error) => return println!("SKIPPED: {python} did not start ({error}); set RFTM_PYTHON"),
            Ok(output) => output,
        };
        let said = String::from_utf8(output.stdout).unwrap();
        if output.status.code() == Some(77) {
            return println!("SKIPPED: {python} has no onnxruntime ({}); set RFTM_PYTHON", said.trim());
        }
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let theirs: Vec<f64> = said.lines().map(|line| line.parse().unwrap()).collect();
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
    assert!(said.contains("input (batch, 4)") && said.contains("categorical columns are indicators"), "{said}");
    let graph = String::from_utf8_lossy(&std::fs::read(folder.path("m.onnx")).unwrap()).into_owned();
    for name in ["colour=red", "colour=anything else", "threshold_rule"] {
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
