//! What onnxruntime makes of an exported model is what we make of it. Skipped, saying so, where Python has no onnxruntime;
//! `RFTM_PYTHON` names the Python, else it is `python3`.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Case, cases, samples, scaling, trained};
use rftm_data::Samples;
use rftm_models::Scorer;
use rftm_nn::StateDict;
use rftm_onnx::{Options, Preprocessing, Score, export};
use rftm_tensor::{Shape, Tensor};

/// What the script exits with where it cannot run.
const ABSENT: i32 = 77;
const ROWS: usize = 256;
/// The sample that lacks a value.
const GAP: usize = 7;
/// What takes its place, in the units of pixels.
const FILL: f32 = 101.0;
/// Some scaled samples exceed it, in both directions.
const LIMIT: f32 = 0.7;

/// What a file is compared with: our scores, and our reconstructions in the units of the samples.
struct Expected {
    name: String,
    scores: Vec<f32>,
    reconstruction: Vec<f32>,
    /// Of one element of a reconstruction; the score needs none.
    units: Vec<f64>,
}

#[test]
fn onnxruntime_scores_as_we_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    let mut list = String::new();
    for (index, case) in cases().into_iter().enumerate() {
        let shape = case.spec.architecture.sample_shape();
        // Every way of scaling, and both scores, on some model of each kind.
        let score = if index % 3 == 1 { Score::MeanSquaredError } else { Score::Distance };
        let features = shape.iter().product();
        let options = Options {
            preprocessing: match index % 3 {
                0 => Some(scaling(features)),
                1 => {
                    let pixels = Preprocessing::uniform(127.5, 1.0 / 127.5).unwrap();
                    Some(pixels.filled(vec![FILL]).unwrap().limited(LIMIT).unwrap())
                }
                _ => None,
            },
            score,
            threshold: Some(0.25),
            notes: vec![],
        };
        list += &format!("{} {}\n", case.name, shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" "));
        expected.push(write(folder.path(), case, &options));
    }
    fs::write(folder.path().join("cases.txt"), list).unwrap();

    let python = std::env::var("RFTM_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/score.py");
    let output = match Command::new(&python).arg(script).arg(folder.path()).output() {
        Err(error) => return println!("SKIPPED: {python} did not start ({error}); set RFTM_PYTHON"),
        Ok(output) => output,
    };
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(ABSENT) {
        return println!("SKIPPED: {python} has no onnxruntime ({}); set RFTM_PYTHON", said.trim());
    }
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    println!("compared with {}", said.trim());
    for case in expected {
        check(folder.path(), &case);
    }
}

/// Trains and exports a case, writes its samples in the user's units, and scores them.
fn write(folder: &Path, case: Case, options: &Options) -> Expected {
    let shape = case.spec.architecture.sample_shape();
    let features: usize = shape.iter().product();
    let mut model = trained(&case);
    let name = case.name;
    let state = StateDict::of(&mut model, "");
    fs::write(folder.join(format!("{name}.onnx")), export(model.spec(), &state, options).unwrap()).unwrap();

    let (center, factor) = match &options.preprocessing {
        None => (vec![0.0], vec![1.0]),
        Some(it) => (it.center().to_vec(), it.factor().to_vec()),
    };
    let each = |list: &[f64], element: usize| list[if list.len() == 1 { 0 } else { element % features }];
    // The user's units are 32 bits wide, so it is from them that the model's samples are computed.
    let rows = samples(ROWS, &shape, 1000);
    let mut scaled = vec![0.0; ROWS * features];
    rows.fill(&(0..ROWS as u32).collect::<Vec<_>>(), &mut scaled);
    let users = scaled.iter().enumerate();
    let mut users: Vec<f32> =
        users.map(|(i, &x)| (f64::from(x) / each(&factor, i) + each(&center, i)) as f32).collect();
    users[GAP * features + 2] = f32::NAN;
    // Filling and limits go together in these cases.
    let full = center == [127.5];
    for (i, x) in scaled.iter_mut().enumerate() {
        let user = if full && users[i].is_nan() { FILL } else { users[i] };
        *x = ((f64::from(user) - each(&center, i)) * each(&factor, i)) as f32;
        *x = if full { x.clamp(-LIMIT, LIMIT) } else { *x };
    }
    fs::write(folder.join(format!("{name}.input")), users.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>())
        .unwrap();

    let dims = [&[ROWS], shape.as_slice()].concat();
    let x = Tensor::from_vec(scaled, Shape::new(&dims).unwrap()).unwrap();
    let scorer = Scorer::new(&model).unwrap();
    let scores = scorer.scores(&x).unwrap();
    let scores = match options.score {
        Score::Distance => scores,
        Score::MeanSquaredError => scores.iter().map(|distance| distance * distance / features as f32).collect(),
    };
    let y = scorer.reconstruct(&x).unwrap();
    let units = (0..ROWS * features).map(|i| 1.0 / each(&factor, i));
    let reconstruction =
        y.data().iter().enumerate().map(|(i, &y)| (f64::from(y) / each(&factor, i) + each(&center, i)) as f32);
    Expected { name, scores, reconstruction: reconstruction.collect(), units: units.collect() }
}

fn check(folder: &Path, case: &Expected) {
    let Expected { name, scores, reconstruction, units } = case;
    let read = |suffix: &str| -> Vec<f32> {
        let bytes = fs::read(folder.join(format!("{name}.{suffix}"))).unwrap();
        bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    };
    let finite = |(row, score): (usize, &f32)| score.is_finite() || row == GAP;
    assert!(scores.iter().enumerate().all(finite) && scores[0] > 0.0, "{name}: {scores:?}");
    for batch in ["whole", "single"] {
        let found = read(&format!("{batch}.score"));
        assert_eq!(found.len(), ROWS, "{name}");
        for (row, (found, expected)) in found.iter().zip(scores).enumerate() {
            let error = (found - expected).abs() / expected.max(1.0);
            // What is not a number must not score as one.
            assert!(
                error <= 1e-4 || found.is_nan() && expected.is_nan(),
                "{name}, {batch}, row {row}: {found}, ours {expected}"
            );
        }
        let found = read(&format!("{batch}.reconstruction"));
        assert_eq!(found.len(), reconstruction.len(), "{name}");
        for (place, (&found, &expected)) in found.iter().zip(reconstruction).enumerate() {
            // Far from zero the units of the samples have no more digits.
            let bound = 1e-3 * units[place] + f64::from(expected.abs() * f32::EPSILON);
            let error = f64::from((found - expected).abs());
            assert!(error <= bound || expected.is_nan(), "{name}, {batch}, element {place}: {found}, ours {expected}");
        }
    }
}
