//! Building a graph: a node at a time, each value named after what made it.

use rftm_tensor::Tensor;

use crate::proto::{
    AttributeProto, DimensionProto, FLOAT, GraphProto, INT64, Length, NodeProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};

/// The name of a value.
pub(crate) type Value = String;

/// A graph under construction.
#[derive(Default)]
pub(crate) struct Graph {
    proto: GraphProto,
}

impl Graph {
    /// An input of the graph, (batch, `sample`).
    pub(crate) fn input(&mut self, name: &str, sample: &[usize], about: &str) -> Value {
        self.proto.input.push(batch_of(name, sample, about));
        name.to_owned()
    }

    /// Makes a value, (batch, `sample`), an output of the graph.
    pub(crate) fn output(&mut self, value: &str, sample: &[usize], about: &str) {
        self.proto.output.push(batch_of(value, sample, about));
    }

    /// A constant of floats.
    pub(crate) fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> Value {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, dims, FLOAT, raw_data)
    }

    /// A tensor as a constant.
    pub(crate) fn tensor(&mut self, name: &str, tensor: &Tensor) -> Value {
        self.floats(name, tensor.dims(), tensor.data())
    }

    /// One number as a constant.
    pub(crate) fn scalar(&mut self, name: &str, value: f32) -> Value {
        self.floats(name, &[], &[value])
    }

    /// A list of whole numbers as a constant: shapes, axes, counts.
    pub(crate) fn list(&mut self, name: &str, values: &[i64]) -> Value {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, &[values.len()], INT64, raw_data)
    }

    fn constant(&mut self, name: &str, dims: &[usize], data_type: i32, raw_data: Vec<u8>) -> Value {
        let dims = dims.iter().map(|&dim| dim as i64).collect();
        self.proto.initializer.push(TensorProto { dims, data_type, name: name.to_owned(), raw_data });
        name.to_owned()
    }

    /// An operation with one result, which bears the node's name.
    pub(crate) fn node(&mut self, name: &str, op: &str, inputs: &[&Value], attributes: Vec<AttributeProto>) -> Value {
        let [value] = self.node_with(name, op, inputs, attributes, [name]);
        value
    }

    /// An operation with results of these names.
    pub(crate) fn node_with<const N: usize>(
        &mut self,
        name: &str,
        op: &str,
        inputs: &[&Value],
        attribute: Vec<AttributeProto>,
        outputs: [&str; N],
    ) -> [Value; N] {
        let outputs = outputs.map(str::to_owned);
        self.proto.node.push(NodeProto {
            input: inputs.iter().map(|&input| input.clone()).collect(),
            output: outputs.to_vec(),
            name: name.to_owned(),
            op_type: op.to_owned(),
            attribute,
        });
        outputs
    }

    /// Samples in another shape. A 0 in a shape keeps the length of that axis, so batches of any size pass.
    pub(crate) fn reshape(&mut self, name: &str, x: &Value, sample: &[usize]) -> Value {
        let shape: Vec<i64> = std::iter::once(0).chain(sample.iter().map(|&dim| dim as i64)).collect();
        let shape = self.list(&format!("{name}.shape"), &shape);
        self.node(name, "Reshape", &[x, &shape], vec![])
    }

    /// The finished graph.
    pub(crate) fn finish(self, name: &str) -> GraphProto {
        GraphProto { name: name.to_owned(), ..self.proto }
    }
}

fn batch_of(name: &str, sample: &[usize], about: &str) -> ValueInfoProto {
    let axis = |length| DimensionProto { length: Some(length) };
    let batch = axis(Length::Name("batch".to_owned()));
    let dim = std::iter::once(batch).chain(sample.iter().map(|&dim| axis(Length::Value(dim as i64)))).collect();
    let tensor_type = Some(TensorTypeProto { elem_type: FLOAT, shape: Some(TensorShapeProto { dim }) });
    let r#type = Some(TypeProto { tensor_type });
    ValueInfoProto { name: name.to_owned(), r#type, doc_string: about.to_owned() }
}

/// An attribute that is a number.
pub(crate) fn float(name: &str, value: f64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), f: Some(value as f32), r#type: 1, ..AttributeProto::default() }
}

/// An attribute that is a whole number.
pub(crate) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), i: Some(value), r#type: 2, ..AttributeProto::default() }
}

/// An attribute that is a list of whole numbers.
pub(crate) fn ints(name: &str, values: &[usize]) -> AttributeProto {
    let ints = values.iter().map(|&value| value as i64).collect();
    AttributeProto { name: name.to_owned(), ints, r#type: 7, ..AttributeProto::default() }
}
