//! Convolutional models of images of any size: shapes come back, and both ways of scoring agree.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use rftm_autograd::{Tape, Var};
use rftm_data::Rows;
use rftm_models::{Architecture, Capacities, Convention, Error, MemorySpec, Model, ModelKind, ModelSpec, reconstruct};
use rftm_nn::Module;
use rftm_tensor::{Shape, Tensor};

const FEW: Capacities = Capacities { hippocampus: 20, cortex: 30, memae: 10, mnad: 4 };

fn images(count: usize, shape: &[usize]) -> Vec<f32> {
    let features: usize = shape.iter().product();
    (0..count * features).map(|i| ((i * i % 7919) as f32 * 0.013).sin()).collect()
}

fn tensor(values: &[f32], shape: &[usize]) -> Tensor {
    let features: usize = shape.iter().product();
    let dims = [&[values.len() / features], shape].concat();
    Tensor::from_slice(values, Shape::new(&dims).unwrap()).unwrap()
}

/// Training, evaluation and frozen passes of three images.
fn check(architecture: Architecture, kind: ModelKind) {
    let convention = Convention::Release;
    let shape = architecture.sample_shape();
    let spec = ModelSpec { architecture, ..ModelSpec::mlp(&[], MemorySpec::of(kind, convention, FEW), convention) };
    let mut model = Model::new(&spec, 1).unwrap();
    let values = images(3, &shape);
    let x = tensor(&values, &shape);
    let mut tape = Tape::new();
    let trained = model.forward(&mut tape, Var::constant(x.clone())).unwrap();
    assert_eq!(trained.shape(), x.shape());

    let rows = Rows::new(values.clone(), shape.clone()).unwrap();
    assert_eq!(reconstruct(&model, &rows, 2).unwrap().len(), values.len());
    let scorer = model.scorer().unwrap();
    assert_eq!(scorer.reconstruct(&x).unwrap().shape(), x.shape());
    let scores = scorer.scores(&x).unwrap();
    for (found, expected) in scores.iter().zip(model.scores(&rows).unwrap()) {
        assert!((found - expected).abs() <= 1e-4 * expected, "{spec:?}: {found} {expected}");
    }
    for (image, score) in values.chunks(values.len() / 3).zip(scores) {
        assert_eq!(scorer.scores(&tensor(image, &shape)).unwrap(), [score]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_size_comes_back(
        sides in [3_usize..34, 3_usize..34],
        image_channels in 1_usize..5,
        // From 8 channels on convolutions go another way.
        widths in prop::collection::vec(prop_oneof![2_usize..6, 8_usize..12], 1..4),
        kind in prop::sample::select(ModelKind::ALL.to_vec()),
    ) {
        let channels = [vec![image_channels], widths].concat();
        let architecture = Architecture::conv(sides, &channels);
        let least = architecture.smallest_image();
        prop_assume!(sides.iter().all(|&side| side >= least));
        check(architecture, kind);
    }

    /// Not only the kernel of the paper.
    #[test]
    fn any_kernel_comes_back(
        sides in [1_usize..20, 1_usize..20],
        (kernel, stride) in (1_usize..6, 1_usize..5),
        padding in 0_usize..3,
    ) {
        let architecture = Architecture::Conv { image: sides, channels: vec![2, 3, 4], kernel, stride, padding };
        let least = architecture.smallest_image();
        prop_assume!(padding < kernel && sides.iter().all(|&side| side >= least));
        check(architecture, ModelKind::Ae);
    }
}

/// The least size works, and one less is refused by name.
#[test]
fn images_that_are_too_small_are_refused() {
    for (layers, least) in [(1, 2), (2, 3), (3, 5), (4, 9)] {
        let channels = vec![2; layers + 1];
        let of = |height, width| Architecture::conv([height, width], &channels);
        assert_eq!(of(40, 40).smallest_image(), least);
        check(of(least, 40), ModelKind::Rftm);
        check(of(40, least), ModelKind::Rftm);
        for image in [[least - 1, 40], [40, least - 1], [0, 40]] {
            let spec = ModelSpec::conv(image, &channels, MemorySpec::None, Convention::Release);
            let error = Model::new(&spec, 1).unwrap_err();
            assert!(matches!(error, Error::ImageTooSmall { smallest, .. } if smallest == least), "{error}");
        }
    }
    let spec = ModelSpec::conv([8, 90], &[1, 4, 4, 4, 4], MemorySpec::None, Convention::Release);
    assert_eq!(
        Model::new(&spec, 1).unwrap_err().to_string(),
        "image: 8 x 90 pixels are too few for 4 convolutions, which need 9 in height and width; use fewer layers or \
         larger images"
    );
    let endless = ModelSpec::conv([1 << 33, 1 << 33], &[1, 4], MemorySpec::None, Convention::Release);
    assert!(matches!(Model::new(&endless, 1), Err(Error::Config { parameter: "image", .. })));
    let unpadded = Architecture::Conv { image: [30, 31], channels: vec![3; 5], kernel: 3, stride: 2, padding: 0 };
    assert_eq!(unpadded.smallest_image(), 31);
    let spec = ModelSpec { architecture: unpadded, ..spec };
    assert!(matches!(Model::new(&spec, 1), Err(Error::ImageTooSmall { .. })));
}

/// What stands in ledgers and makes the keys of cells.
#[test]
fn the_papers_specification_is_written_as_before() {
    for padding in [0, 1] {
        let spec = ModelSpec::cifar10(padding, MemorySpec::None, Convention::Release);
        let expected = format!(
            r#"{{"architecture":{{"conv":{{"image":[32,32],"channels":[3,64,128,256,512],"kernel":3,"stride":2,"padding":{padding}}}}},"memory":"none","last_activation":false,"negative_slope":0.01}}"#
        );
        assert_eq!(serde_json::to_string(&spec).unwrap(), expected);
    }
    let channels = [3, 64, 128, 256, 512];
    let general = ModelSpec::conv([32, 32], &channels, MemorySpec::None, Convention::Release);
    assert_eq!(general, ModelSpec::cifar10(1, MemorySpec::None, Convention::Release));
}
