//! Every operation against central differences, in f64, over random shapes, parameters and values.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use rftm_autograd::{Tape, Var, gradcheck, ops};
use rftm_tensor::{Error, Result, Tensor};

/// Values in (-2, -0.05) or (0.05, 2): away from the kink of LeakyReLU at 0.
fn tensor<const RANK: usize>(shape: [usize; RANK]) -> impl Strategy<Value = Tensor<f64>> {
    let values = prop::collection::vec((0.05..2.0, any::<bool>()), shape.iter().product::<usize>());
    values.prop_map(move |values| {
        let signed = values.into_iter().map(|(value, negative): (f64, bool)| if negative { -value } else { value });
        Tensor::from_vec(signed.collect(), shape).unwrap()
    })
}

fn check(function: impl Fn(&mut Tape<f64>, &[Var<f64>]) -> Result<Var<f64>>, inputs: &[Tensor<f64>]) {
    gradcheck(function, inputs, 1e-5, 1e-6).unwrap();
}

/// Batch norm divides by the spread of a channel; two nearly equal values make it too curved for differences.
fn spread_enough(x: &Tensor<f64>, channels: usize) -> bool {
    let (_, variance) = rftm_tensor::norm::statistics(x, channels);
    variance.data().iter().all(|&variance| variance > 0.05)
}

fn convolution() -> impl Strategy<Value = ([usize; 4], [usize; 4], ops::ConvOptions)> {
    // Images of 8 channels and more go another way than those of fewer, and from 32 on they are read in parts: small
    // ones then, since every number of theirs is moved by itself.
    let channels = || prop_oneof![3 => 1_usize..4, 1 => 8_usize..10];
    let many = prop_oneof![(Just(32_usize), 1_usize..3), (1_usize..3, Just(32_usize))];
    let images = prop_oneof![
        3 => (1_usize..3, [1_usize..6, 1_usize..6], (channels(), channels())),
        1 => (1_usize..3, [1_usize..4, 1_usize..4], many),
    ];
    (images, [1_usize..4, 1_usize..4], 1_usize..4, 0_usize..3, [0_usize..3, 0_usize..3]).prop_map(
        |((batch, [height, width], (from, to)), kernel, stride, padding, output_padding)| {
            let [kernel_height, kernel_width] = kernel;
            let padding = padding.min(kernel_height.min(kernel_width) - 1);
            let options = ops::ConvOptions { stride, padding, output_padding };
            ([batch, height, width, from], [to, kernel_height, kernel_width, from], options)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn linear(
        (x, w, b) in (1_usize..6, 1_usize..8, 1_usize..8)
            .prop_flat_map(|(n, i, o)| (tensor([n, i]), tensor([o, i]), tensor([o]))),
    ) {
        check(|tape, v| ops::linear(tape, &v[0], &v[1], Some(&v[2])), &[x, w, b]);
    }

    #[test]
    fn conv2d(
        (x, w, b, options) in convolution().prop_filter_map("the kernel must fit", |(x, w, options)| {
            let fits = x[1] + 2 * options.padding >= w[1] && x[2] + 2 * options.padding >= w[2];
            fits.then_some((x, w, options))
        }).prop_flat_map(|(x, w, options)| (tensor(x), tensor(w), tensor([w[0]]), Just(options))),
    ) {
        check(|tape, v| ops::conv2d(tape, &v[0], &v[1], Some(&v[2]), options), &[x, w, b]);
    }

    #[test]
    fn conv_transpose2d(
        (x, w, b, options) in convolution().prop_filter_map("the output must exist", |(x, w, options)| {
            let exists = (0..2).all(|axis| {
                let rest = options.output_padding[axis];
                let reach = (x[1 + axis] - 1) * options.stride + w[1 + axis] + rest;
                reach > 2 * options.padding && rest < options.stride
            });
            let w = [w[3], w[1], w[2], w[0]];
            exists.then_some((x, w, options))
        }).prop_flat_map(|(x, w, options)| (tensor(x), tensor(w), tensor([w[3]]), Just(options))),
    ) {
        check(|tape, v| ops::conv_transpose2d(tape, &v[0], &v[1], Some(&v[2]), options), &[x, w, b]);
    }

    /// Without an activation the operation is smooth everywhere.
    #[test]
    fn batch_norm(
        // 32 channels are summed side by side, the rest one by one.
        (x, gamma, beta) in (3_usize..8, prop_oneof![4 => 1_usize..5, 1 => 32_usize..35])
            .prop_flat_map(|(n, c)| (tensor([n, c]), tensor([c]), tensor([c])))
            .prop_filter("a spread channel", |(x, gamma, _)| spread_enough(x, gamma.len())),
    ) {
        check(|tape, v| {
            let options = ops::BatchNorm { gamma: &v[1], beta: &v[2], eps: 1e-5, slope: None };
            Ok(ops::batch_norm(tape, &v[0], options)?.0)
        }, &[x, gamma, beta]);
    }

    #[test]
    fn batch_norm_of_images_with_activation(
        (x, gamma, beta, slope) in (1_usize..3, 2_usize..4, 1_usize..4)
            .prop_flat_map(|(n, size, c)| (tensor([n, size, size, c]), tensor([c]), tensor([c]), 0.01..0.9))
            .prop_filter("a spread channel, no value at the kink", |(x, gamma, beta, _)| {
                spread_enough(x, gamma.len()) && away_from_kink(x, gamma, beta)
            }),
    ) {
        check(|tape, v| {
            let options = ops::BatchNorm { gamma: &v[1], beta: &v[2], eps: 1e-5, slope: Some(slope) };
            Ok(ops::batch_norm(tape, &v[0], options)?.0)
        }, &[x, gamma, beta]);
    }

    /// The second operand twice, so that its gradients add up.
    #[test]
    fn add(
        (x, y) in (1_usize..5, 1_usize..9).prop_flat_map(|(n, c)| (tensor([n, c]), tensor([n, c]))),
        slope in 0.1..0.9,
    ) {
        check(|tape, v| {
            let bent = ops::leaky_relu(tape, &v[1], slope);
            let y = ops::add(tape, &bent, &v[1])?;
            ops::add(tape, &v[0], &y)
        }, &[x, y]);
    }

    #[test]
    fn leaky_relu((x, slope) in (1_usize..5, 1_usize..9).prop_flat_map(|(n, c)| (tensor([n, c]), -0.5..1.5))) {
        check(|tape, v| Ok(ops::leaky_relu(tape, &v[0], slope)), &[x]);
    }

    #[test]
    fn mse((x, target) in (1_usize..5, 1_usize..9).prop_flat_map(|(n, c)| (tensor([n, c]), tensor([n, c])))) {
        check(|tape, v| ops::mse(tape, &v[0], &target), &[x]);
    }

    #[test]
    fn matmul(
        (a, b) in (1_usize..6, 1_usize..8, 1_usize..8).prop_flat_map(|(n, k, l)| (tensor([n, k]), tensor([k, l]))),
    ) {
        check(|tape, v| ops::matmul(tape, &v[0], &v[1]), &[a, b]);
    }

    #[test]
    fn softmax(x in (1_usize..5, 1_usize..9).prop_flat_map(|(n, c)| tensor([n, c]))) {
        check(|tape, v| Ok(ops::softmax(tape, v[0].clone())), &[x]);
    }

    /// No element is shorter than 0.05, so no row is.
    #[test]
    fn unit_rows(x in (1_usize..5, 1_usize..9).prop_flat_map(|(n, c)| tensor([n, c]))) {
        gradcheck(|tape, v| Ok(ops::unit_rows(tape, &v[0])), &[x], 1e-6, 1e-5).unwrap();
    }

    #[test]
    fn penalised(
        (x, target, weight) in (1_usize..5, 1_usize..9)
            .prop_flat_map(|(n, c)| (tensor([n, c]), tensor([n, c]), -1.0..1.0)),
    ) {
        check(|tape, v| {
            let loss = ops::mse(tape, &v[0], &target)?;
            let zero = Tensor::zeros(*target.shape());
            for factor in [weight, 0.5] {
                let term = ops::mse(tape, &v[0], &zero)?;
                tape.penalise(factor, term);
            }
            ops::penalised(tape, loss)
        }, &[x]);
    }

    #[test]
    fn reshape_permute_concat(
        (x, y) in (1_usize..4, 1_usize..4, 1_usize..4, 1_usize..4, 1_usize..4)
            .prop_flat_map(|(a, b, c, d, e)| (tensor([a, b, c, d]), tensor([a, c, d, e]))),
    ) {
        check(|tape, v| {
            let x = ops::permute(tape, &v[0], [0, 2, 3, 1])?;
            let both = ops::concat(tape, &x, &v[1])?;
            let len = both.value().len();
            ops::reshape(tape, &both, [len])
        }, &[x, y]);
    }
}

fn away_from_kink(x: &Tensor<f64>, gamma: &Tensor<f64>, beta: &Tensor<f64>) -> bool {
    let mut tape = Tape::new();
    let [x, gamma, beta] = [x, gamma, beta].map(|tensor| Var::constant(tensor.clone()));
    let options = ops::BatchNorm { gamma: &gamma, beta: &beta, eps: 1e-5, slope: None };
    let (z, ..) = ops::batch_norm(&mut tape, &x, options).unwrap();
    z.value().data().iter().all(|z| z.abs() > 0.01)
}

#[test]
fn a_batch_of_one_has_no_batch_statistics() {
    let mut tape = Tape::<f32>::new();
    let x = tape.leaf(Tensor::zeros([1, 3]));
    let one = Var::constant(Tensor::full([3], 1.0));
    let options = || ops::BatchNorm { gamma: &one, beta: &one, eps: 1e-5, slope: None };
    let error = ops::batch_norm(&mut tape, &x, options()).unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
    assert!(error.to_string().contains("at least 2 values per channel"), "{error}");
    // One image has several values per channel.
    let image = Var::constant(Tensor::zeros([1, 2, 2, 3]));
    ops::batch_norm(&mut tape, &image, options()).unwrap();
}

#[test]
fn a_constant_channel_normalises_to_its_shift() {
    let mut tape = Tape::<f32>::new();
    let x = tape.leaf(Tensor::full([4, 2], 7.5));
    let (gamma, beta) = (Var::constant(Tensor::full([2], 3.0)), Var::constant(Tensor::full([2], 0.25)));
    let options = ops::BatchNorm { gamma: &gamma, beta: &beta, eps: 1e-5, slope: None };
    let (y, ..) = ops::batch_norm(&mut tape, &x, options).unwrap();
    assert_eq!(y.value().data(), [0.25; 8]);
    let gradients = tape.backward_from(&y, Tensor::full([4, 2], 1.0)).unwrap();
    assert!(gradients.of(&x).unwrap().is_finite());
}

#[test]
fn a_sum_of_one_variable_with_itself_has_twice_the_gradient() {
    let mut tape = Tape::<f32>::new();
    let x = tape.leaf(Tensor::from_vec(vec![1.5, -2.0], [1, 2]).unwrap());
    let y = ops::add(&mut tape, &x, &x).unwrap();
    assert_eq!((y.value().data(), x.value().data()), (&[3.0, -4.0][..], &[1.5, -2.0][..]));
    let upstream = Tensor::from_vec(vec![1.0, 0.25], [1, 2]).unwrap();
    assert_eq!(tape.backward_from(&y, upstream.clone()).unwrap().of(&x).unwrap().data(), [2.0, 0.5]);
    // One side constant: the other gets the gradient as it is.
    let (x, one) = (tape.leaf(x.value().clone()), Var::constant(Tensor::full([1, 2], 1.0)));
    let y = ops::add(&mut tape, &one, &x).unwrap();
    assert_eq!(tape.backward_from(&y, upstream.clone()).unwrap().of(&x).unwrap(), &upstream);
}

#[test]
fn wrong_shapes_are_named() {
    let mut tape = Tape::<f32>::new();
    let (x, w) = (tape.leaf(Tensor::zeros([2, 3])), tape.leaf(Tensor::zeros([4, 5])));
    let error = ops::linear(&mut tape, &x, &w, None).unwrap_err().to_string();
    assert_eq!(error, "linear: x must have shape (N, 5), found (2, 3)");
    let options = ops::ConvOptions { stride: 1, padding: 0, output_padding: [0; 2] };
    assert!(ops::conv2d(&mut tape, &x, &w, None, options).unwrap_err().to_string().contains("(C, KH, KW, C)"));
    assert!(ops::concat(&mut tape, &x, &w).is_err());
    let error = ops::add(&mut tape, &x, &w).unwrap_err().to_string();
    assert_eq!(error, "add: the term must have shape (2, 3), found (4, 5)");
    assert!(ops::mse(&mut tape, &x, w.value()).is_err());
    let error = ops::matmul(&mut tape, &x, &w).unwrap_err().to_string();
    assert_eq!(error, "matmul: a must have shape (N, 4), found (2, 3)");
}

#[test]
fn penalties_are_used_once_and_belong_to_one_computation() {
    let mut tape = Tape::<f64>::new();
    let x = tape.leaf(Tensor::full([1, 1], 3.0));
    let (zero, nine) = (Tensor::zeros([1, 1]), ops::mse(&mut tape, &x, &Tensor::zeros([1, 1])).unwrap());
    tape.penalise(2.0, nine.clone());
    let loss = ops::penalised(&mut tape, nine.clone()).unwrap();
    assert_eq!(loss.value().item().unwrap(), 27.0);
    // Used up: the loss itself comes back.
    assert_eq!(ops::penalised(&mut tape, loss.clone()).unwrap().node(), loss.node());
    assert_eq!(tape.backward(&loss).unwrap().of(&x).unwrap().data(), [18.0]);
    // Given up with the computation they belong to.
    let constant = ops::mse(&mut tape, &Var::constant(zero.clone()), &zero).unwrap();
    tape.penalise(2.0, constant.clone());
    tape.clear();
    assert_eq!(ops::penalised(&mut tape, constant.clone()).unwrap().value(), constant.value());
    // Forgotten: an error, not a training without them.
    let (x, zero) = (tape.leaf(Tensor::full([1, 1], 3.0)), Tensor::zeros([1, 1]));
    let nine = ops::mse(&mut tape, &x, &zero).unwrap();
    tape.penalise(2.0, nine.clone());
    let error = tape.backward(&nine).unwrap_err().to_string();
    assert!(error.contains("are not in the loss; add them with ops::penalised"), "{error}");
    assert!(tape.is_empty());
    let x = tape.leaf(Tensor::full([1, 1], 3.0));
    let nine = ops::mse(&mut tape, &x, &zero).unwrap();
    tape.penalise(1.0, Var::constant(Tensor::zeros([2])));
    let error = ops::penalised(&mut tape, nine.clone()).unwrap_err().to_string();
    assert_eq!(error, "penalised loss: a penalty must have shape one element, found (2)");
    let error = tape.backward(&nine).unwrap_err().to_string();
    assert!(error.contains("are not in the loss"), "a sum that failed is none: {error}");
}
