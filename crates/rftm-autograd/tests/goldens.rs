//! Every layer operation against PyTorch, forward and backward, in both precisions.
#![allow(clippy::unwrap_used)]

use rftm_autograd::{Tape, Var, ops};
use rftm_goldens::{Golden, assert_close, golden};
use rftm_tensor::{Element, Tensor};

/// Runs an operation on leaves and compares output and gradients: `expected` are the reference's output, upstream
/// gradient, and gradients of the leaves.
fn check<E: Element>(
    case: &str,
    leaves: Vec<Tensor<E>>,
    expected: (Tensor<E>, Tensor<E>, Vec<Tensor<E>>),
    run: impl Fn(&mut Tape<E>, &[Var<E>]) -> Var<E>,
) {
    let mut tape = Tape::new();
    let leaves: Vec<Var<E>> = leaves.into_iter().map(|leaf| tape.leaf(leaf)).collect();
    let y = run(&mut tape, &leaves);
    let (output, upstream, gradients) = expected;
    assert_close(y.value(), &output, &format!("{case}/y"));
    let found = tape.backward_from(&y, upstream).unwrap();
    for (index, (leaf, gradient)) in leaves.iter().zip(&gradients).enumerate() {
        assert_close(found.of(leaf).unwrap(), gradient, &format!("{case}/gradient of input {index}"));
    }
}

macro_rules! in_both_precisions {
    ($check:ident($($argument:expr),*)) => {{
        $check::<f64>($($argument),*);
        $check::<f32>($($argument),*);
    }};
}

fn linear<E: Element>() {
    let g = golden("linear");
    let t = |name| g.tensor::<E>(name);
    check("linear", vec![t("x"), t("w"), t("b")], (t("y"), t("gy"), vec![t("gx"), t("gw"), t("gb")]), |tape, v| {
        ops::linear(tape, &v[0], &v[1], Some(&v[2])).unwrap()
    });
}

fn convolution<E: Element>(case: &str, transposed: bool, stride: usize, padding: usize, output_padding: usize) {
    let g = golden(case);
    let options = ops::ConvOptions { stride, padding, output_padding: [output_padding; 2] };
    let (image, kernel) = (|name| g.image::<E>(name), |name| g.kernel::<E>(name));
    let leaves = vec![image("x"), kernel("w"), g.tensor("b")];
    let gradients = vec![image("gx"), kernel("gw"), g.tensor("gb")];
    check(case, leaves, (image("y"), image("gy"), gradients), |tape, v| {
        let op = if transposed { ops::conv_transpose2d } else { ops::conv2d };
        op(tape, &v[0], &v[1], Some(&v[2]), options).unwrap()
    });
}

fn batch_norm<E: Element>(case: &str, images: bool) {
    let g: Golden = golden(case);
    let x = |name| if images { g.image::<E>(name) } else { g.tensor(name) };
    let t = |name| g.tensor::<E>(name);
    let leaves = vec![x("x"), t("weight"), t("bias")];
    let gradients = vec![x("gx"), t("gweight"), t("gbias")];
    check(case, leaves, (x("y"), x("gy"), gradients), |tape, v| {
        let options = ops::BatchNorm { gamma: &v[1], beta: &v[2], eps: 1e-5, slope: None };
        let (y, mean, variance) = ops::batch_norm(tape, &v[0], options).unwrap();
        let n = (y.value().len() / mean.len()) as f64;
        let blend = |old: &Tensor<E>, new: &Tensor<E>, factor: f64| {
            let mut out = old.clone();
            out.data_mut().iter_mut().zip(new.data()).for_each(|(out, new)| {
                *out = E::from_f64(0.9 * out.to_f64() + 0.1 * factor * new.to_f64());
            });
            out
        };
        assert_close(&blend(&t("running_mean0"), &mean, 1.0), &t("running_mean1"), "running mean");
        assert_close(&blend(&t("running_var0"), &variance, n / (n - 1.0)), &t("running_var1"), "running variance");
        y
    });
}

fn leaky_relu<E: Element>() {
    let g = golden("leaky_relu");
    let t = |name| g.tensor::<E>(name);
    check("leaky_relu", vec![t("x")], (t("y"), t("gy"), vec![t("gx")]), |tape, v| {
        ops::leaky_relu(tape, &v[0], E::from_f64(0.01))
    });
}

fn mse<E: Element>() {
    let g = golden("mse");
    let t = |name| g.tensor::<E>(name);
    let one = Tensor::scalar(E::ONE);
    check("mse", vec![t("x")], (t("y"), one, vec![t("gx")]), |tape, v| ops::mse(tape, &v[0], &t("target")).unwrap());
}

#[test]
fn linear_agrees() {
    in_both_precisions!(linear());
}

#[test]
fn conv2d_agrees() {
    for (case, stride, padding) in
        [("conv_s2_p1", 2, 1), ("conv_s2_p0", 2, 0), ("conv_s1_p1", 1, 1), ("conv_k1_s2", 2, 0), ("conv_odd", 2, 1)]
    {
        in_both_precisions!(convolution(case, false, stride, padding, 0));
    }
}

#[test]
fn conv_transpose2d_agrees() {
    for (case, stride, padding, output_padding) in [
        ("convt_s2_p1_op1", 2, 1, 1),
        ("convt_s2_p0_op0", 2, 0, 0),
        ("convt_s2_p0_op1", 2, 0, 1),
        ("convt_s1_p1", 1, 1, 0),
        ("convt_1x1_input", 2, 0, 0),
    ] {
        in_both_precisions!(convolution(case, true, stride, padding, output_padding));
    }
}

#[test]
fn batch_norm_agrees() {
    in_both_precisions!(batch_norm("bn1d_train", false));
    in_both_precisions!(batch_norm("bn2d_train", true));
}

#[test]
fn leaky_relu_agrees() {
    in_both_precisions!(leaky_relu());
}

#[test]
fn mse_agrees() {
    in_both_precisions!(mse());
}
