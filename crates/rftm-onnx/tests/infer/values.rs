//! Values of all results of a graph, by the definitions of operator set 17: slow, in `f64`, and without a thought of how the
//! models compute them.

use std::collections::HashMap;

use rftm_onnx::proto::{FLOAT, GraphProto, NodeProto};

use super::{Dims, attribute, ints, shapes};

/// The elements of every value for a batch of inputs. Flags are 0 and 1, whole numbers are floats.
pub(crate) fn values(graph: &GraphProto, input: &[f32], batch: usize) -> HashMap<String, Vec<f64>> {
    let shapes = shapes(graph, batch);
    let mut values = HashMap::from([(graph.input[0].name.clone(), input.iter().map(|&x| f64::from(x)).collect())]);
    for tensor in &graph.initializer {
        let elements: Vec<f64> = match tensor.data_type {
            FLOAT => tensor.raw_data.as_chunks().0.iter().map(|&bytes| f64::from(f32::from_le_bytes(bytes))).collect(),
            _ => tensor.raw_data.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes) as f64).collect(),
        };
        values.insert(tensor.name.clone(), elements);
    }
    for node in &graph.node {
        let inputs: Vec<Array<'_>> =
            node.input.iter().map(|name| Array { dims: &shapes[name], data: &values[name] }).collect();
        let made = evaluate(node, &inputs, &shapes[&node.output[0]]);
        for (name, elements) in node.output.iter().zip(made) {
            assert_eq!(elements.len(), shapes[name].iter().product::<usize>(), "{name}");
            values.insert(name.clone(), elements);
        }
    }
    values
}

struct Array<'a> {
    dims: &'a Dims,
    data: &'a [f64],
}

impl Array<'_> {
    /// Length of the last axis.
    fn width(&self) -> usize {
        self.dims[self.dims.len() - 1]
    }

    fn rows(&self, width: usize) -> impl Iterator<Item = &[f64]> {
        self.data.chunks_exact(width)
    }

    /// Its elements, repeated to fill a shape.
    fn broadcast(&self, to: &[usize]) -> Vec<f64> {
        let size = to.iter().product();
        let element = |mut place: usize| {
            let (mut offset, mut stride) = (0, 1);
            for (axis, &len) in to.iter().enumerate().rev() {
                if let Some(axis) = (axis + self.dims.len()).checked_sub(to.len()) {
                    offset += if self.dims[axis] == 1 { 0 } else { place % len * stride };
                    stride *= self.dims[axis];
                }
                place /= len;
            }
            self.data[offset]
        };
        (0..size).map(element).collect()
    }
}

/// The results of a node, the first of which has the shape `to`.
fn evaluate(node: &NodeProto, inputs: &[Array<'_>], to: &[usize]) -> Vec<Vec<f64>> {
    let x = &inputs[0];
    let number = |name| f64::from(attribute(node, name).f.unwrap());
    let each = |f: &dyn Fn(f64) -> f64| x.data.iter().map(|&x| f(x)).collect::<Vec<f64>>();
    let both = |f: &dyn Fn(f64, f64) -> f64| {
        inputs[0].broadcast(to).into_iter().zip(inputs[1].broadcast(to)).map(|(a, b)| f(a, b)).collect::<Vec<f64>>()
    };
    let flag = |is: bool| f64::from(u8::from(is));
    let of_rows = |f: &dyn Fn(&[f64]) -> f64| x.rows(x.dims[1..].iter().product()).map(f).collect::<Vec<f64>>();
    let made = match node.op_type.as_str() {
        "Add" => both(&|a, b| a + b),
        "Sub" => both(&|a, b| a - b),
        "Mul" => both(&|a, b| a * b),
        "Div" => both(&|a, b| a / b),
        "Max" => both(&|a, b| if a > b || a.is_nan() { a } else { b }),
        "Less" => both(&|a, b| flag(a < b)),
        "LessOrEqual" => both(&|a, b| flag(a <= b)),
        "Greater" => both(&|a, b| flag(a > b)),
        "Where" => {
            let [chosen, a, b] = [0, 1, 2].map(|input: usize| inputs[input].broadcast(to));
            chosen.iter().zip(a.iter().zip(&b)).map(|(&chosen, (&a, &b))| if chosen == 1.0 { a } else { b }).collect()
        }
        "IsNaN" => each(&|x| flag(x.is_nan())),
        "Abs" => each(&f64::abs),
        "Exp" => each(&f64::exp),
        "Relu" => each(&|x| if x < 0.0 { 0.0 } else { x }),
        "LeakyRelu" => each(&|x| if x < 0.0 { number("alpha") * x } else { x }),
        "Identity" | "Reshape" | "Unsqueeze" | "Squeeze" => x.data.to_vec(),
        "BatchNormalization" => {
            let pixels: usize = x.dims[2..].iter().product();
            let [weight, bias, mean, var] = [1, 2, 3, 4].map(|input: usize| inputs[input].data);
            let normal = |(place, &x): (usize, &f64)| {
                let c = place / pixels % mean.len();
                weight[c] * (x - mean[c]) / (var[c] + number("epsilon")).sqrt() + bias[c]
            };
            x.data.iter().enumerate().map(normal).collect()
        }
        "Gemm" => {
            let (weight, outputs) = (&inputs[1], inputs[1].dims[0]);
            let bias = inputs.get(2).map_or(vec![0.0; outputs], |bias| bias.data.to_vec());
            let row = |x: &[f64]| weight.rows(x.len()).zip(&bias).map(|(w, b)| dot(x, w) + b).collect::<Vec<f64>>();
            x.rows(x.width()).flat_map(row).collect()
        }
        "MatMul" => {
            let (inner, outer) = (x.width(), inputs[1].width());
            let matrix = |row: usize| if inputs[1].dims.len() == 2 { 0 } else { row * inner * outer };
            let element = |(row, x): (usize, &[f64]), to: usize| -> f64 {
                x.iter().enumerate().map(|(i, x)| x * inputs[1].data[matrix(row) + i * outer + to]).sum()
            };
            x.rows(inner)
                .enumerate()
                .flat_map(|row| (0..outer).map(move |to| element(row, to)).collect::<Vec<_>>())
                .collect()
        }
        "Conv" | "ConvTranspose" => convolve(node, inputs, to),
        "Transpose" => transpose(x, &ints(node, "perm")),
        "Concat" => {
            let pairs = x.rows(x.width()).zip(inputs[1].rows(inputs[1].width()));
            pairs.flat_map(|(a, b)| [a, b].concat()).collect()
        }
        "Gather" => {
            let row = |&index: &f64| x.data[index as usize * x.dims[1]..][..x.dims[1]].to_vec();
            inputs[1].data.iter().flat_map(row).collect()
        }
        "Softmax" => x.rows(x.width()).flat_map(softmax).collect(),
        "TopK" => return top(x, inputs[1].data[0] as usize),
        // All of them are over everything but the batch, as their shapes say.
        "ReduceSum" => of_rows(&|x| x.iter().sum()),
        "ReduceL2" => of_rows(&|x| dot(x, x).sqrt()),
        "ReduceMean" => of_rows(&|x| x.iter().sum::<f64>() / x.len() as f64),
        other => panic!("no rule for {other}"),
    };
    vec![made]
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn softmax(row: &[f64]) -> Vec<f64> {
    let largest = row.iter().fold(f64::NEG_INFINITY, |largest, &x| largest.max(x));
    let total: f64 = row.iter().map(|x| (x - largest).exp()).sum();
    row.iter().map(|x| (x - largest).exp() / total).collect()
}

/// The k largest of every row and where they stand; of equal ones the first.
fn top(x: &Array<'_>, k: usize) -> Vec<Vec<f64>> {
    let (mut largest, mut places) = (Vec::new(), Vec::new());
    for row in x.rows(x.width()) {
        let mut order: Vec<usize> = (0..row.len()).collect();
        // Stable; a row with a NaN is NaN throughout, as its query is.
        order.sort_by(|&a, &b| row[b].partial_cmp(&row[a]).unwrap_or(std::cmp::Ordering::Equal));
        largest.extend(order[..k].iter().map(|&place| row[place]));
        places.extend(order[..k].iter().map(|&place| place as f64));
    }
    vec![largest, places]
}

fn transpose(x: &Array<'_>, perm: &[usize]) -> Vec<f64> {
    let dims: Dims = perm.iter().map(|&axis| x.dims[axis]).collect();
    let stride = |axis: usize| x.dims[axis + 1..].iter().product::<usize>();
    let element = |mut place: usize| {
        let mut offset = 0;
        for (&axis, &len) in perm.iter().zip(&dims).rev() {
            offset += place % len * stride(axis);
            place /= len;
        }
        x.data[offset]
    };
    (0..x.data.len()).map(element).collect()
}

/// Both kinds visit every pair of a pixel of the small image and one of the large that a tap connects; which of the two is
/// the input is all the difference.
fn convolve(node: &NodeProto, inputs: &[Array<'_>], to: &[usize]) -> Vec<f64> {
    let [x, w, bias] = [0, 1, 2].map(|input: usize| &inputs[input]);
    let transposed = node.op_type == "ConvTranspose";
    let (stride, pads) = (ints(node, "strides"), ints(node, "pads"));
    let (small, large) = if transposed { (&x.dims[..], to) } else { (to, &x.dims[..]) };
    let pixels = to[2] * to[3];
    let mut y: Vec<f64> = (0..to.iter().product()).map(|place| bias.data[place / pixels % to[1]]).collect();
    let places = |dims: &[usize]| dims.iter().product::<usize>();
    for tap in 0..places(w.dims) {
        // (C_small, C_large, KH, KW) for both.
        let [cs, cl, ky, kx] = split(tap, w.dims);
        for place in 0..places(&[small[0], small[2], small[3]]) {
            let [n, sy, sx, _] = split(place, &[small[0], small[2], small[3], 1]);
            let along = |small: usize, tap: usize, axis: usize| {
                (small * stride[axis] + tap).checked_sub(pads[axis]).filter(|&at| at < large[2 + axis])
            };
            let (Some(ly), Some(lx)) = (along(sy, ky, 0), along(sx, kx, 1)) else { continue };
            let s = ((n * small[1] + cs) * small[2] + sy) * small[3] + sx;
            let l = ((n * large[1] + cl) * large[2] + ly) * large[3] + lx;
            let (from, to) = if transposed { (s, l) } else { (l, s) };
            y[to] += w.data[tap] * x.data[from];
        }
    }
    y
}

/// The four indices of a place.
fn split(mut place: usize, dims: &[usize]) -> [usize; 4] {
    let mut at = [0; 4];
    for (at, &len) in at.iter_mut().zip(dims).rev() {
        *at = place % len;
        place /= len;
    }
    at
}
