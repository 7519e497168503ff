//! Shapes of all values of a graph, by the rules of operator set 17: enough of them for what is exported.

#![allow(dead_code, reason = "each test takes what it needs")]

pub(crate) mod values;

use std::collections::HashMap;

use rftm_onnx::proto::{AttributeProto, FLOAT, GraphProto, INT64, Length, NodeProto};

type Dims = Vec<usize>;

/// The shape of every value for a batch of this size. Panics where a node reads what is not there yet, has operands that do
/// not fit, or makes a value twice.
pub(crate) fn shapes(graph: &GraphProto, batch: usize) -> HashMap<String, Dims> {
    let mut shapes = HashMap::new();
    let mut lists = HashMap::new();
    for tensor in &graph.initializer {
        let dims: Dims = tensor.dims.iter().map(|&dim| dim as usize).collect();
        let size = match tensor.data_type {
            FLOAT => 4,
            INT64 => 8,
            other => panic!("{}: type {other}", tensor.name),
        };
        assert_eq!(tensor.raw_data.len(), size * dims.iter().product::<usize>(), "{}", tensor.name);
        if tensor.data_type == INT64 {
            let values = tensor.raw_data.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes));
            lists.insert(tensor.name.clone(), values.collect::<Vec<i64>>());
        } else {
            let mut values = tensor.raw_data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
            assert!(values.all(f32::is_finite), "{}", tensor.name);
        }
        assert!(shapes.insert(tensor.name.clone(), dims).is_none(), "{} twice", tensor.name);
    }
    for input in &graph.input {
        let tensor = input.r#type.as_ref().unwrap().tensor_type.as_ref().unwrap();
        let dims = tensor.shape.as_ref().unwrap().dim.iter().map(|dim| match dim.length.as_ref().unwrap() {
            Length::Value(value) => *value as usize,
            Length::Name(name) => {
                assert_eq!(name, "batch");
                batch
            }
        });
        assert!(shapes.insert(input.name.clone(), dims.collect()).is_none(), "{} twice", input.name);
    }
    for node in &graph.node {
        for input in &node.input {
            assert!(shapes.contains_key(input), "{} reads {input} before it is there", node.name);
        }
        let made = infer(node, &shapes, &lists);
        for output in &node.output {
            assert!(shapes.insert(output.clone(), made.clone()).is_none(), "{output} twice");
        }
    }
    shapes
}

fn infer(node: &NodeProto, shapes: &HashMap<String, Dims>, lists: &HashMap<String, Vec<i64>>) -> Dims {
    let case = || format!("{} {}: {:?}", node.op_type, node.name, inputs(node, shapes));
    let of = |index: usize| &shapes[&node.input[index]];
    let list = |index: usize| &lists[&node.input[index]];
    let x = of(0);
    match node.op_type.as_str() {
        "Sub" | "Mul" | "Div" | "Add" | "Max" | "Less" | "LessOrEqual" | "Greater" | "Where" => inputs(node, shapes)
            .into_iter()
            .reduce(|a, b| broadcast(&a, &b).unwrap_or_else(|| panic!("{}", case())))
            .unwrap(),
        "LeakyRelu" | "Relu" | "Abs" | "IsNaN" | "Exp" | "Softmax" | "Identity" => x.clone(),
        "BatchNormalization" => {
            (1..5).for_each(|index| assert_eq!(of(index), &[x[1]], "{}", node.name));
            x.clone()
        }
        "Gemm" => {
            assert_eq!(attribute(node, "transB").i, Some(1));
            assert!(x.len() == 2 && x[1] == of(1)[1] && (node.input.len() == 2 || *of(2) == [of(1)[0]]), "{}", case());
            vec![x[0], of(1)[0]]
        }
        "MatMul" => {
            let (a, b) = (x, of(1));
            let (inner, outer) = (b[b.len() - 2], b[b.len() - 1]);
            assert!(a[a.len() - 1] == inner && (b.len() == 2 || a[0] == b[0]), "{}", case());
            [&a[..a.len() - 1], &[outer]].concat()
        }
        "Conv" | "ConvTranspose" => convolve(node, x, of(1), of(2)),
        "Transpose" => ints(node, "perm").iter().map(|&axis| x[axis]).collect(),
        "Reshape" => {
            let dims: Dims = list(1)
                .iter()
                .zip(x.iter().chain(&[0; 4]))
                .map(|(&d, &x)| if d == 0 { x } else { d as usize })
                .collect();
            assert_eq!(dims.iter().product::<usize>(), x.iter().product::<usize>(), "{}", node.name);
            dims
        }
        "Concat" => [&x[..x.len() - 1], &[x[x.len() - 1] + of(1)[x.len() - 1]]].concat(),
        "TopK" => {
            let k = list(1)[0] as usize;
            assert!(k <= x[1], "{}", case());
            vec![x[0], k]
        }
        "Gather" => [of(1).as_slice(), &x[1..]].concat(),
        "Unsqueeze" => vec![x[0], 1, x[1]],
        "Squeeze" => {
            assert_eq!((list(1).as_slice(), x[1]), ([1].as_slice(), 1));
            vec![x[0], x[2]]
        }
        "ReduceSum" => reduce(node, x, &list(1).iter().map(|&axis| axis as usize).collect::<Vec<_>>()),
        "ReduceL2" | "ReduceMean" => reduce(node, x, &ints(node, "axes")),
        other => panic!("no rule for {other}"),
    }
}

fn inputs(node: &NodeProto, shapes: &HashMap<String, Dims>) -> Vec<Dims> {
    node.input.iter().map(|input| shapes[input].clone()).collect()
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> &'a AttributeProto {
    node.attribute.iter().find(|attribute| attribute.name == name).unwrap()
}

fn ints(node: &NodeProto, name: &str) -> Vec<usize> {
    attribute(node, name).ints.iter().map(|&value| value as usize).collect()
}

fn broadcast(a: &[usize], b: &[usize]) -> Option<Dims> {
    let rank = a.len().max(b.len());
    let at = |dims: &[usize], axis: usize| (axis + dims.len()).checked_sub(rank).map_or(1, |axis| dims[axis]);
    let axes = (0..rank).map(|axis| match (at(a, axis), at(b, axis)) {
        (x, y) if x == y || y == 1 => Some(x),
        (1, y) => Some(y),
        _ => None,
    });
    axes.collect()
}

fn reduce(node: &NodeProto, x: &[usize], axes: &[usize]) -> Dims {
    let keep = attribute(node, "keepdims").i == Some(1);
    let all = x.iter().enumerate().filter(|(axis, _)| keep || !axes.contains(axis));
    all.map(|(axis, &dim)| if axes.contains(&axis) { 1 } else { dim }).collect()
}

fn convolve(node: &NodeProto, x: &[usize], w: &[usize], b: &[usize]) -> Dims {
    let (kernel, stride, pads) = (ints(node, "kernel_shape"), ints(node, "strides"), ints(node, "pads"));
    let transposed = node.op_type == "ConvTranspose";
    let (inputs, outputs) = if transposed { (w[0], w[1]) } else { (w[1], w[0]) };
    assert_eq!((inputs, outputs, &kernel[..], pads.len()), (x[1], b[0], &w[2..], 4), "{}", node.name);
    let side = |axis: usize| {
        let (large, pads) = (x[2 + axis], pads[axis] + pads[2 + axis]);
        if transposed {
            (large - 1) * stride[axis] + kernel[axis] + ints(node, "output_padding")[axis] - pads
        } else {
            (large + pads - kernel[axis]) / stride[axis] + 1
        }
    };
    vec![x[0], outputs, side(0), side(1)]
}
