//! What a graph must give: our own scores and reconstructions of samples that come in the user's units.

use rftm_data::Samples;
use rftm_models::Scorer;
use rftm_nn::StateDict;
use rftm_onnx::{Options, Preprocessing, Score, export};
use rftm_tensor::{Shape, Tensor};

use super::{Case, samples, scaling, trained};

/// The sample that lacks a value.
const GAP: usize = 7;
/// What takes its place, in the units of pixels.
const FILL: f32 = 101.0;
/// Some scaled samples exceed it, in both directions.
const LIMIT: f32 = 0.7;

/// What a file is compared with: our scores, and our reconstructions in the units of the samples.
pub(crate) struct Expected {
    pub(crate) name: String,
    /// The exported file.
    pub(crate) onnx: Vec<u8>,
    /// Shape of one sample.
    pub(crate) shape: Vec<usize>,
    /// The samples, in the user's units.
    pub(crate) input: Vec<f32>,
    scores: Vec<f32>,
    reconstruction: Vec<f32>,
    /// Of one element of a reconstruction; the score needs none.
    units: Vec<f64>,
}

/// Every way of scaling, and both scores, on some model of each kind.
fn options(index: usize, features: usize) -> Options {
    let score = if index % 3 == 1 { Score::MeanSquaredError } else { Score::Distance };
    Options {
        preprocessing: match index % 3 {
            0 => Some(scaling(features)),
            1 => {
                let pixels = Preprocessing::uniform(127.5, 1.0 / 127.5).unwrap();
                Some(pixels.filled(vec![FILL]).unwrap().limited_each(vec![LIMIT]).unwrap())
            }
            _ => None,
        },
        score,
        threshold: Some(0.25),
        notes: vec![],
    }
}

/// Trains and exports the case at this place of the list, and scores so many samples.
pub(crate) fn expected(index: usize, case: Case, count: usize) -> Expected {
    let shape = case.spec.architecture.sample_shape();
    let features: usize = shape.iter().product();
    let options = options(index, features);
    let mut model = trained(&case);
    let state = StateDict::of(&mut model, "");
    let onnx = export(model.spec(), &state, &options).unwrap();

    let (center, factor) = match &options.preprocessing {
        None => (vec![0.0], vec![1.0]),
        Some(it) => (it.center().to_vec(), it.factor().to_vec()),
    };
    let each = |list: &[f64], element: usize| list[if list.len() == 1 { 0 } else { element % features }];
    // The user's units are 32 bits wide, so it is from them that the model's samples are computed.
    let rows = samples(count, &shape, 1000);
    let mut scaled = vec![0.0; count * features];
    rows.fill(&(0..count as u32).collect::<Vec<_>>(), &mut scaled);
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

    let dims = [&[count], shape.as_slice()].concat();
    let x = Tensor::from_vec(scaled, Shape::new(&dims).unwrap()).unwrap();
    let scorer = Scorer::new(&model).unwrap();
    let scores = scorer.scores(&x).unwrap();
    let scores = match options.score {
        Score::Distance => scores,
        Score::MeanSquaredError => scores.iter().map(|distance| distance * distance / features as f32).collect(),
    };
    let y = scorer.reconstruct(&x).unwrap();
    let units = (0..count * features).map(|i| 1.0 / each(&factor, i));
    let reconstruction =
        y.data().iter().enumerate().map(|(i, &y)| (f64::from(y) / each(&factor, i) + each(&center, i)) as f32);
    let (reconstruction, units) = (reconstruction.collect(), units.collect());
    Expected { name: case.name, onnx, shape, input: users, scores, reconstruction, units }
}

impl Expected {
    /// Compares what a runtime made of the samples: scores within `error max(1, score)`, elements of a reconstruction within ten times
    /// that in the model's units.
    pub(crate) fn compare(&self, by: &str, scores: &[f32], reconstruction: &[f32], error: f32) {
        let name = &self.name;
        let finite = |(row, score): (usize, &f32)| score.is_finite() || row == GAP;
        assert!(self.scores.iter().enumerate().all(finite) && self.scores[0] > 0.0, "{name}: {:?}", self.scores);
        assert_eq!((scores.len(), reconstruction.len()), (self.scores.len(), self.reconstruction.len()), "{name}");
        for (row, (found, expected)) in scores.iter().zip(&self.scores).enumerate() {
            let off = (found - expected).abs() / expected.max(1.0);
            // What is not a number must not score as one.
            assert!(
                off <= error || found.is_nan() && expected.is_nan(),
                "{name}, {by}, row {row}: {found}, ours {expected}"
            );
        }
        for (place, (&found, &expected)) in reconstruction.iter().zip(&self.reconstruction).enumerate() {
            // Far from zero the units of the samples have no more digits.
            let bound = 10.0 * f64::from(error) * self.units[place] + f64::from(expected.abs() * f32::EPSILON);
            let off = f64::from((found - expected).abs());
            assert!(off <= bound || expected.is_nan(), "{name}, {by}, element {place}: {found}, ours {expected}");
        }
    }
}
