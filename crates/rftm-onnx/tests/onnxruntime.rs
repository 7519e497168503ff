//! What onnxruntime makes of an exported model is what we make of it. Skipped, saying so, where `python3` has no onnxruntime;
//! `RFTM_PYTHON` names a Python that must have it.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::cases;
use common::expected::{Expected, expected};

/// What the script exits with where it cannot run.
const ABSENT: i32 = 77;
const ROWS: usize = 256;

#[test]
fn onnxruntime_scores_as_we_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    let mut list = String::new();
    for (index, case) in cases().into_iter().enumerate() {
        let case = expected(index, case, ROWS);
        list += &format!("{} {}\n", case.name, case.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" "));
        write(folder.path(), &case);
        all.push(case);
    }
    fs::write(folder.path().join("cases.txt"), list).unwrap();

    let named = std::env::var("RFTM_PYTHON").ok();
    // Whoever names a Python wants the comparison.
    let skip = |reason: String| {
        assert!(named.is_none(), "RFTM_PYTHON: {reason}");
        println!("SKIPPED: {reason}; set RFTM_PYTHON");
    };
    let python = named.as_deref().unwrap_or("python3");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/score.py");
    let output = match Command::new(python).arg(script).arg(folder.path()).output() {
        Err(error) => return skip(format!("{python} did not start ({error})")),
        Ok(output) => output,
    };
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(ABSENT) {
        return skip(format!("{python} has no onnxruntime ({})", said.trim()));
    }
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    println!("compared with {}", said.trim());
    all.iter().for_each(|case| check(folder.path(), case));
}

/// The exported file, and the samples.
fn write(folder: &Path, case: &Expected) {
    fs::write(folder.join(format!("{}.onnx", case.name)), &case.onnx).unwrap();
    let bytes: Vec<u8> = case.input.iter().flat_map(|x| x.to_le_bytes()).collect();
    fs::write(folder.join(format!("{}.input", case.name)), bytes).unwrap();
}

fn check(folder: &Path, case: &Expected) {
    let read = |suffix: String| -> Vec<f32> {
        let bytes = fs::read(folder.join(format!("{}.{suffix}", case.name))).unwrap();
        bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    };
    for batch in ["whole", "single"] {
        let (scores, reconstruction) = (read(format!("{batch}.score")), read(format!("{batch}.reconstruction")));
        case.compare(batch, &scores, &reconstruction, 1e-4);
    }
}
