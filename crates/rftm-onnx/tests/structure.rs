//! The file says what it should, and its shapes fit, without any runtime.
#![allow(clippy::unwrap_used)]

mod common;
mod infer;

use common::{Case, FEW, cases, scaling};
use prost::Message;
use rftm_memory::UnitConfig;
use rftm_models::{Convention, MemorySpec, Model, ModelKind, ModelSpec};
use rftm_nn::StateDict;
use rftm_onnx::proto::ModelProto;
use rftm_onnx::{Options, Preprocessing, Score, export};

fn decode(spec: &ModelSpec, options: &Options) -> ModelProto {
    let mut model = Model::new(spec, 1).unwrap();
    ModelProto::decode(&*export(spec, &StateDict::of(&mut model, ""), options).unwrap()).unwrap()
}

#[test]
fn shapes_fit_for_any_batch() {
    for Case { name, spec, .. } in cases() {
        let sample = spec.architecture.sample_shape();
        let features = sample.iter().product();
        let full =
            Preprocessing::uniform(1.0, 2.0).unwrap().filled(vec![3.0]).unwrap().limited_each(vec![9.0]).unwrap();
        let limits = (1..=features).map(|limit| limit as f32).collect();
        let each = scaling(features).limited_each(limits).unwrap();
        let all = [None, Some(scaling(features)), Some(full), Some(each)];
        for (index, preprocessing) in all.into_iter().enumerate() {
            let score = if index == 2 { Score::MeanSquaredError } else { Score::Distance };
            let graph = decode(&spec, &Options { preprocessing, score, ..Options::default() }).graph.unwrap();
            for batch in [1, 5] {
                let shapes = infer::shapes(&graph, batch);
                let whole = [&[batch], sample.as_slice()].concat();
                assert_eq!((&shapes["score"], &shapes["reconstruction"]), (&vec![batch], &whole), "{name}");
            }
            let outputs: Vec<_> = graph.output.iter().map(|output| output.name.as_str()).collect();
            assert_eq!(outputs, ["score", "reconstruction"]);
        }
    }
}

#[test]
fn each_feature_has_its_own_bounds_unless_all_are_alike() {
    let spec = ModelSpec::mlp(&[3, 2], MemorySpec::None, Convention::Release);
    let check = |limits: [f32; 3], dims: &[i64], expected: &[f32]| {
        let preprocessing = Some(scaling(3).limited_each(limits.to_vec()).unwrap());
        let graph = decode(&spec, &Options { preprocessing, ..Options::default() }).graph.unwrap();
        for (name, sign) in [("scaling.high.bound", 1.0), ("scaling.low.bound", -1.0)] {
            let bound = graph.initializer.iter().find(|tensor| tensor.name == name).unwrap();
            let bounds = bound.raw_data.as_chunks().0.iter().map(|&bytes| sign * f32::from_le_bytes(bytes));
            assert_eq!((bound.dims.as_slice(), bounds.collect::<Vec<_>>().as_slice()), (dims, expected), "{name}");
        }
    };
    check([10.0, 5.0, 1e6], &[3], &[10.0, 5.0, 1e6]);
    check([5.0; 3], &[], &[5.0]);
}

#[test]
fn no_weight_is_left_out() {
    for Case { name, spec, .. } in cases() {
        let mut model = Model::new(&spec, 1).unwrap();
        let state = StateDict::of(&mut model, "");
        let graph = decode(&spec, &Options::default()).graph.unwrap();
        let names: Vec<_> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        // MNAD's items are used as they are, and so stand there once, under the name of what they are compared as.
        let missing = state.tensors.keys().filter(|key| !names.contains(&key.as_str()) && *key != "memory.items");
        assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new(), "{name}");
    }
}

#[test]
fn metadata_say_what_the_score_is() {
    let spec = ModelSpec::mlp(&[7, 5], MemorySpec::of(ModelKind::Rftm, Convention::Text, FEW), Convention::Text);
    let notes = vec![("features".to_owned(), "a,b".to_owned())];
    let model = decode(&spec, &Options { threshold: Some(1.25), notes, ..Options::default() });
    assert_eq!((model.ir_version, model.opset_import[0].version), (8, 17));
    let notes: Vec<_> = model.metadata_props.iter().map(|note| (note.key.as_str(), note.value.as_str())).collect();
    let json = serde_json::to_string(&spec).unwrap();
    let about = "Euclidean distance of a sample and its reconstruction, scaled; higher = more anomalous";
    let expected = [
        ("rftm.version", env!("CARGO_PKG_VERSION")),
        ("rftm.model", "rftm"),
        ("rftm.spec", json.as_str()),
        ("rftm.score", about),
        ("rftm.threshold", "1.25"),
        ("features", "a,b"),
    ];
    assert_eq!(notes, expected);
    let without = decode(&spec, &Options { score: Score::MeanSquaredError, ..Options::default() });
    assert!(without.metadata_props.iter().all(|note| note.key != "rftm.threshold"));
    let about = without.metadata_props.iter().find(|note| note.key == "rftm.score").unwrap();
    assert_eq!(about.value, "mean squared error of the reconstruction, scaled; higher = more anomalous");
}

#[test]
fn a_state_of_another_model_is_refused() {
    let of = |widths: &[usize], memory| ModelSpec::mlp(widths, memory, Convention::Release);
    let rftm = MemorySpec::of(ModelKind::Rftm, Convention::Release, FEW);
    let state = |spec: &ModelSpec| StateDict::of(&mut Model::new(spec, 1).unwrap(), "");
    let check = |spec: &ModelSpec, state: &StateDict, part: &str| {
        let message = export(spec, state, &Options::default()).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    let another = "the state is of another model than the specification: tensor ";
    // Each of these has every tensor that the graph asks for.
    check(&of(&[7, 5], MemorySpec::None), &state(&of(&[7, 5], rftm)), another);
    check(&of(&[7, 5], MemorySpec::None), &state(&of(&[9, 5], MemorySpec::None)), "has shape");
    let nothing = StateDict { tensors: Default::default(), counters: Default::default(), note: String::new() };
    check(&of(&[], MemorySpec::None), &nothing, "no model can be built from the specification: ");

    let mut lacking = state(&of(&[7, 5], MemorySpec::None));
    lacking.tensors.remove("encoder.1.running_var").unwrap();
    check(&of(&[7, 5], MemorySpec::None), &lacking, &format!("{another}encoder.1.running_var is missing"));
}

#[test]
fn notes_of_one_name_are_refused() {
    let spec = ModelSpec::mlp(&[7, 5], MemorySpec::None, Convention::Release);
    let state = StateDict::of(&mut Model::new(&spec, 1).unwrap(), "");
    let note = |name: &str| (name.to_owned(), "x".to_owned());
    let check = |threshold, names: &[&str], twice: Option<&str>| {
        let notes = names.iter().map(|name| note(name)).collect();
        let found = export(&spec, &state, &Options { threshold, notes, ..Options::default() });
        match (found, twice) {
            (Ok(_), None) => {}
            (Err(rftm_onnx::Error::Note { name }), Some(twice)) => assert_eq!(name, twice),
            (other, _) => panic!("{names:?}: {other:?}"),
        }
    };
    check(None, &["features", "checksum"], None);
    check(None, &["features", "rftm.spec"], Some("rftm.spec"));
    check(Some(1.0), &["rftm.threshold"], Some("rftm.threshold"));
    check(None, &["features", "checksum", "features"], Some("features"));
}

#[test]
fn what_cannot_be_exported_is_refused_by_name() {
    let check = |result: Result<(), rftm_onnx::Error>, expected: &str| {
        assert_eq!(result.unwrap_err().to_string(), expected);
    };
    let preprocessing = |center: &[f64], factor: &[f64]| Preprocessing::new(center.to_vec(), factor.to_vec());
    check(preprocessing(&[0.0], &[1.0, 2.0]).map(drop), "preprocessing: 1 centres and 2 factors");
    check(preprocessing(&[0.0, f64::NAN], &[1.0, 2.0]).map(drop), "preprocessing: the centre of feature 1 is NaN");
    for (factor, shown) in [(0.0, "0e0"), (f64::INFINITY, "inf"), (1e-50, "1e-50"), (1e-42, "1e-42"), (1e300, "1e300")]
    {
        let expected = format!("preprocessing: the factor of feature 0 is {shown}, and has no inverse in 32 bits");
        check(preprocessing(&[0.0], &[factor]).map(drop), &expected);
    }
    let uniform = || Preprocessing::uniform(0.0, 1.0).unwrap();
    let fill = "preprocessing: 2 values to fill 1 features, or not all finite";
    check(uniform().filled(vec![0.0; 2]).map(drop), fill);
    check(uniform().filled(vec![f32::NAN]).map(drop), &fill.replace('2', "1"));
    for limit in [0.0, -1.0, f32::NAN] {
        let expected = "preprocessing: 1 limits of 1 features, or not all positive numbers";
        check(uniform().limited_each(vec![limit]).map(drop), expected);
    }
    let limits = "preprocessing: 2 limits of 1 features, or not all positive numbers";
    check(uniform().limited_each(vec![1.0; 2]).map(drop), limits);
    let spec = ModelSpec::mlp(&[7, 5], MemorySpec::None, Convention::Release);
    let three = Options { preprocessing: Some(preprocessing(&[0.0; 3], &[1.0; 3]).unwrap()), ..Options::default() };
    let mut model = Model::new(&spec, 1).unwrap();
    check(
        export(&spec, &StateDict::of(&mut model, ""), &three).map(drop),
        "preprocessing: 3 features; the model has 7 (1 serves for all)",
    );
    let cortex = Some(UnitConfig { forget_in_evaluation: true, ..UnitConfig::cortex() });
    let memory = MemorySpec::Twin { hippocampus: None, cortex, connector: true };
    let spec = ModelSpec { memory, ..spec };
    let mut model = Model::new(&spec, 1).unwrap();
    check(
        export(&spec, &StateDict::of(&mut model, ""), &Options::default()).map(drop),
        "cortex forgets in evaluation, so its scores differ from pass to pass and cannot be exported; build the model \
         with forget_in_evaluation off",
    );
}
