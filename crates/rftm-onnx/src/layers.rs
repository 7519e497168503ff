//! Encoder and decoder as nodes.

use rftm_models::{Architecture, ModelSpec};
use rftm_nn::{BatchNorm, StateDict};
use rftm_tensor::Tensor;
use rftm_tensor::conv::{Geometry, permute};

use crate::Error;
use crate::graph::{Graph, Value, float, ints};

/// A model's tensors by name.
pub(crate) struct Weights<'a>(pub(crate) &'a StateDict);

impl Weights<'_> {
    pub(crate) fn get(&self, name: &str) -> Result<&Tensor, Error> {
        self.0.tensors.get(name).ok_or_else(|| Error::Missing { name: name.to_owned() })
    }
}

/// Batch normalisation, and LeakyReLU unless `slope` is `None`. Runtimes fold it into the layer before.
pub(crate) fn norm(
    graph: &mut Graph,
    weights: &Weights<'_>,
    x: &Value,
    part: &str,
    slope: Option<f64>,
) -> Result<Value, Error> {
    let mut inputs = vec![x.clone()];
    for tensor in ["weight", "bias", "running_mean", "running_var"] {
        let name = format!("{part}.{tensor}");
        inputs.push(graph.tensor(&name, weights.get(&name)?));
    }
    let inputs: Vec<&Value> = inputs.iter().collect();
    let eps = float("epsilon", BatchNorm::<f32>::EPS);
    let y = graph.node(part, "BatchNormalization", &inputs, vec![eps]);
    let Some(slope) = slope else { return Ok(y) };
    Ok(graph.node(&format!("{part}.leaky_relu"), "LeakyRelu", &[&y], vec![float("alpha", slope)]))
}

/// Both halves of an autoencoder; parts of `rftm-models` are named by their position.
pub(crate) struct Coder<'a> {
    pub(crate) spec: &'a ModelSpec,
    pub(crate) weights: &'a Weights<'a>,
    geometries: Vec<Geometry>,
}

impl<'a> Coder<'a> {
    pub(crate) fn new(spec: &'a ModelSpec, weights: &'a Weights<'a>) -> Result<Self, Error> {
        Ok(Self { spec, weights, geometries: spec.architecture.geometries()? })
    }

    /// Shape of a latent as the memory sees it: (C) or (H, W, C).
    pub(crate) fn latent(&self) -> Vec<usize> {
        match &self.spec.architecture {
            Architecture::Mlp { widths } => widths.last().copied().into_iter().collect(),
            Architecture::Conv { channels, .. } => {
                let small = self.geometries.last().map_or([1, 1], |geometry| geometry.small());
                small.into_iter().chain(channels.last().copied()).collect()
            }
        }
    }

    fn layers(&self) -> usize {
        match &self.spec.architecture {
            Architecture::Mlp { widths } => widths.len().saturating_sub(1),
            Architecture::Conv { .. } => self.geometries.len(),
        }
    }

    pub(crate) fn encode(&self, graph: &mut Graph, x: &Value) -> Result<Value, Error> {
        // A convolutional encoder begins with the change of layout, which the graph does not need.
        let first = usize::from(!self.geometries.is_empty());
        let slope = Some(self.spec.negative_slope);
        (0..self.layers()).try_fold(x.clone(), |x, layer| {
            let part = |offset: usize| format!("encoder.{}", first + 2 * layer + offset);
            let y = self.linear(graph, &x, &part(0), self.geometries.get(layer), false)?;
            norm(graph, self.weights, &y, &part(1), slope)
        })
    }

    pub(crate) fn decode(&self, graph: &mut Graph, h: &Value) -> Result<Value, Error> {
        let layers = self.layers();
        (0..layers).try_fold(h.clone(), |h, layer| {
            let part = |offset: usize| format!("decoder.{}", 2 * layer + offset);
            let y = self.linear(graph, &h, &part(0), self.geometries.get(layers - 1 - layer), true)?;
            let slope = (layer + 1 < layers || self.spec.last_activation).then_some(self.spec.negative_slope);
            norm(graph, self.weights, &y, &part(1), slope)
        })
    }

    /// A fully connected layer, or with a geometry a convolution, transposed or not.
    fn linear(
        &self,
        graph: &mut Graph,
        x: &Value,
        part: &str,
        geometry: Option<&Geometry>,
        transposed: bool,
    ) -> Result<Value, Error> {
        let (weight, bias) = (format!("{part}.weight"), format!("{part}.bias"));
        let (w, b) = (self.weights.get(&weight)?, self.weights.get(&bias)?);
        let bias = graph.tensor(&bias, b);
        let Some(geometry) = geometry else {
            let weight = graph.tensor(&weight, w);
            return Ok(graph.node(part, "Gemm", &[x, &weight, &bias], vec![crate::graph::int("transB", 1)]));
        };
        // (C_small, KH, KW, C_large) here, (C_small, C_large, KH, KW) there, for both kinds of convolution.
        let weight = graph.tensor(&weight, &permute(w, [0, 3, 1, 2])?);
        let mut attributes = vec![
            ints("kernel_shape", &geometry.kernel()),
            ints("strides", &[geometry.stride(); 2]),
            ints("pads", &[geometry.padding(); 4]),
        ];
        if transposed {
            attributes.push(ints("output_padding", &geometry.output_padding()));
        }
        let op = if transposed { "ConvTranspose" } else { "Conv" };
        Ok(graph.node(part, op, &[x, &weight, &bias], attributes))
    }
}
