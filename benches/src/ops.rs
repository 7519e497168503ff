//! Each operation of a step alone, at the shapes it has there.

use anyhow::Result;
use rftm_autograd::{Tape, Var, ops};
use rftm_memory::{AttentionMemory, ItemMemory, MemoryUnit};
use rftm_nn::{BatchNorm, ChannelsFirst, ChannelsLast, Conv2d, ConvOptions, ConvTranspose2d, Linear, Module};
use rftm_tensor::Tensor;

use crate::clock::{WARM_UP, median, timed};
use crate::layers::Layer;
use crate::work::tensor;

/// Slope of the activation; its value does not matter to the clock.
const SLOPE: f64 = 0.01;

/// One operation with its input, and the gradient that comes back to it.
pub struct Op {
    module: Box<dyn Module>,
    tape: Tape,
    x: Tensor,
    dy: Tensor,
    /// Whether somebody reads the gradient by the input; nobody does in the first layer.
    wants_dx: bool,
}

impl Op {
    /// An operation of a model; `wants_dx` is false where the input is data.
    ///
    /// # Errors
    /// If a memory's parameters are out of range.
    pub fn new(layer: Layer, batch: usize, wants_dx: bool) -> Result<Self> {
        let mut stream = rftm_rng::rng(1, "bench", 1 << 32);
        let (module, dims): (Box<dyn Module>, Vec<usize>) = match layer {
            Layer::Linear { inputs, outputs } => {
                (Box::new(Linear::new(inputs, outputs, &mut stream)), vec![batch, inputs])
            }
            Layer::Conv { transposed, channels: [large, small], geometry } => {
                let output_padding = if transposed { geometry.output_padding() } else { [0; 2] };
                let options = ConvOptions { stride: geometry.stride(), padding: geometry.padding(), output_padding };
                if transposed {
                    let [height, width] = geometry.small();
                    let layer = ConvTranspose2d::new(small, large, geometry.kernel()[0], options, &mut stream);
                    (Box::new(layer), vec![batch, height, width, small])
                } else {
                    let [height, width] = geometry.large();
                    let layer = Conv2d::new(large, small, geometry.kernel()[0], options, &mut stream);
                    (Box::new(layer), vec![batch, height, width, large])
                }
            }
            Layer::Norm { pixels: [height, width], channels, active } => {
                let norm = BatchNorm::new(channels);
                let norm = if active { norm.with_leaky_relu(SLOPE) } else { norm };
                let dims =
                    if height * width == 1 { vec![batch, channels] } else { vec![batch, height, width, channels] };
                (Box::new(norm), dims)
            }
            Layer::Layout { image: [height, width], channels, back: false } => {
                (Box::new(ChannelsLast), vec![batch, channels, height, width])
            }
            Layer::Layout { image: [height, width], channels, back: true } => {
                (Box::new(ChannelsFirst), vec![batch, height, width, channels])
            }
            Layer::Memory { unit, width } => (Box::new(MemoryUnit::new(width, unit, 1)?), vec![batch, width]),
            Layer::Attention { config, width } => {
                (Box::new(AttentionMemory::new(width, config, 1)?), vec![batch, width])
            }
            Layer::Items { config, width } => (Box::new(ItemMemory::new(width, config, 1)?), vec![batch, width]),
            Layer::Loss { len } => (Box::new(Loss { target: tensor(&[batch, len], 4)? }), vec![batch, len]),
        };
        let mut op = Self { module, tape: Tape::new(), x: tensor(&dims, 5)?, dy: Tensor::scalar(1.0), wants_dx };
        let y = op.forward()?;
        op.dy = tensor(y.dims(), 6)?;
        Ok(op)
    }

    /// The forward pass, recorded.
    ///
    /// # Errors
    /// Never with the inputs that [`new`](Self::new) made.
    pub fn forward(&mut self) -> Result<Tensor> {
        self.record().map(Var::into_value)
    }

    fn record(&mut self) -> Result<Var> {
        self.tape.clear();
        let x = self.x.clone();
        let x = if self.wants_dx { self.tape.leaf(x) } else { Var::constant(x) };
        let y = self.module.forward(&mut self.tape, x)?;
        // Penalties are not timed with the read, and must not be left over.
        ops::penalised(&mut self.tape, Var::constant(Tensor::scalar(0.0)))?;
        Ok(y)
    }

    /// Milliseconds forward and backward. As in a step, the gradient is the operation's to overwrite.
    ///
    /// # Errors
    /// Never with the inputs that [`new`](Self::new) made.
    pub fn step(&mut self) -> Result<[f64; 2]> {
        let (forward, y) = timed(|| self.record());
        let y = y?;
        if y.node().is_none() {
            // Nothing to train, and nobody wants the gradient by the input.
            return Ok([forward, 0.0]);
        }
        let dy = Tensor::from_slice(self.dy.data(), *self.dy.shape())?;
        let (backward, gradients) = timed(|| self.tape.backward_from(&y, dy));
        gradients?;
        Ok([forward, backward])
    }

    /// Medians of [`step`](Self::step).
    ///
    /// # Errors
    /// Never with the inputs that [`new`](Self::new) made.
    pub fn times(&mut self, rounds: usize) -> Result<[f64; 2]> {
        let mut all = [Vec::new(), Vec::new()];
        for round in 0..WARM_UP + rounds {
            let times = self.step()?;
            if round >= WARM_UP {
                all.iter_mut().zip(times).for_each(|(all, time)| all.push(time));
            }
        }
        Ok(all.map(|times| median(&times)))
    }
}

/// The mean squared error, as a module so that it is timed like the others.
struct Loss {
    target: Tensor,
}

impl Module for Loss {
    fn forward(&mut self, tape: &mut Tape, x: Var) -> rftm_tensor::Result<Var> {
        ops::mse(tape, &x, &self.target)
    }

    fn infer(&self, x: Tensor, _: rftm_nn::Inference) -> rftm_tensor::Result<Tensor> {
        Ok(x)
    }

    fn visit(&mut self, _: &mut dyn rftm_nn::Visitor<f32>) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;
    use crate::layers::layers;

    #[test]
    fn every_operation_of_every_case_runs() {
        for case in Case::ALL.into_iter().chain(Case::BASELINES) {
            for (index, layer) in layers(&case.spec()).unwrap().into_iter().enumerate() {
                let [forward, backward] = Op::new(layer, 2, index > 1).unwrap().step().unwrap();
                let idle = matches!(layer, Layer::Layout { back: false, .. });
                assert!(forward > 0.0 && (backward > 0.0) != idle, "{case}: {}", layer.name());
            }
        }
    }
}
