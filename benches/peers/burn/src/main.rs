//! The four training steps, and scoring, with burn's CPU backend "flex". It has every operation that the steps need.

#[path = "../../common.rs"]
mod common;

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::loss::{MseLoss, Reduction};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::activation::{leaky_relu, relu, softmax};
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use common::{Job, Layer, Memory};

const SLOPE: f64 = 0.01;

#[derive(Module, Debug)]
enum Kernel {
    Linear(Linear),
    Conv(Conv2d),
    Deconv(ConvTranspose2d),
}

/// Between blocks a sample is a row, because a tensor's rank is part of its type; reshaping moves nothing.
#[derive(Module, Debug)]
struct Block {
    kernel: Kernel,
    norm: BatchNorm,
    channels: usize,
    active: bool,
}

impl Block {
    fn new(layer: Layer, active: bool, device: &Device) -> Self {
        let (kernel, from, to) = match layer {
            Layer::Linear { input, output } => {
                (Kernel::Linear(LinearConfig::new(input, output).init(device)), input, output)
            }
            Layer::Conv { channels, padding, .. } => {
                let padding = PaddingConfig2d::Explicit(padding, padding, padding, padding);
                let config = Conv2dConfig::new(channels, [3, 3]).with_stride([2, 2]).with_padding(padding);
                (Kernel::Conv(config.init(device)), channels[0], channels[1])
            }
            Layer::Deconv { channels, padding, output_padding, .. } => {
                let config = ConvTranspose2dConfig::new(channels, [3, 3]).with_stride([2, 2]);
                let config = config.with_padding([padding; 2]).with_padding_out([output_padding; 2]);
                (Kernel::Deconv(config.init(device)), channels[0], channels[1])
            }
        };
        Self { kernel, norm: BatchNormConfig::new(to).init(device), channels: from, active }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let [batch, len] = x.dims();
        let side = (len / self.channels).isqrt();
        let image = [batch, self.channels, side, side];
        let y = match &self.kernel {
            Kernel::Linear(layer) => self.norm.forward(layer.forward(x)),
            Kernel::Conv(layer) => self.norm.forward(layer.forward(x.reshape(image))).flatten(1, 3),
            Kernel::Deconv(layer) => self.norm.forward(layer.forward(x.reshape(image))).flatten(1, 3),
        };
        if self.active { leaky_relu(y, SLOPE) } else { y }
    }
}

#[derive(Module, Debug)]
struct Stage {
    slots: Param<Tensor<2>>,
    norm: BatchNorm,
    top_k: usize,
    forgotten: usize,
}

impl Stage {
    fn new(memory: Memory, width: usize, device: &Device) -> Self {
        let Memory { capacity, top_k, forgotten } = memory;
        let bound = 1.0 / (width as f64).sqrt();
        let slots = Tensor::random([capacity, width], Distribution::Uniform(-bound, bound), device);
        Self { slots: Param::from_tensor(slots), norm: BatchNormConfig::new(width).init(device), top_k, forgotten }
    }

    fn forward(&self, h: Tensor<2>, pass: Option<u64>) -> Tensor<2> {
        let (slots, [batch, width]) = (self.slots.val(), h.dims());
        let capacity = slots.dims()[0];
        let mut similarities = unit(h).matmul(unit(slots.clone()).transpose());
        if let Some(pass) = pass {
            let mask = TensorData::new(common::mask(capacity, self.forgotten, pass), [1, capacity]);
            let device = similarities.device();
            similarities = similarities * Tensor::from_data(mask, &device);
        }
        let (values, order) = similarities.topk_with_indices(self.top_k, 1);
        let weights = softmax(relu(values), 1);
        let selected = slots.select(0, order.reshape([batch * self.top_k])).reshape([batch, self.top_k, width]);
        let y = weights.reshape([batch, 1, self.top_k]).matmul(selected).reshape([batch, width]);
        leaky_relu(self.norm.forward(y), SLOPE)
    }
}

/// Rows of length 1.
fn unit(rows: Tensor<2>) -> Tensor<2> {
    let length = rows.clone().square().sum_dim(1).sqrt();
    rows / length
}

#[derive(Module, Debug)]
struct Net {
    encoder: Vec<Block>,
    memory: Vec<Stage>,
    decoder: Vec<Block>,
}

impl Net {
    fn new(job: &Job, device: &Device) -> Self {
        let (encoder, decoder) = job.layers();
        let last = decoder.len() - 1;
        Self {
            encoder: encoder.into_iter().map(|layer| Block::new(layer, true, device)).collect(),
            memory: job.memories().into_iter().flatten().map(|m| Stage::new(m, job.latent(), device)).collect(),
            decoder: decoder.into_iter().enumerate().map(|(i, layer)| Block::new(layer, i != last, device)).collect(),
        }
    }

    /// A training pass with its number, or an evaluation pass.
    fn forward(&self, x: Tensor<2>, pass: Option<u64>) -> Tensor<2> {
        let h = self.encoder.iter().fold(x, |h, block| block.forward(h));
        let h = self.memory.iter().fold(h, |h, stage| stage.forward(h, pass));
        self.decoder.iter().fold(h, |h, block| block.forward(h))
    }
}

fn main() -> Result<(), String> {
    let job = Job::from_arguments()?;
    let note = "burn 0.22 with flex";
    let device = Device::flex().autodiff();
    let net = Net::new(&job, &device);
    let shape = [job.batch(), job.sample().iter().product()];
    let x = Tensor::<2>::random(shape, Distribution::Uniform(0.0, 1.0), &device);
    if job.trains() {
        let mut adam = AdamConfig::new().with_epsilon(1e-8).init();
        let (mut net, mut pass) = (Some(net), 0);
        job.measure("burn", note, || {
            let current = net.take().ok_or("the model is always put back")?;
            let loss = MseLoss::new().forward(current.forward(x.clone(), Some(pass)), x.clone(), Reduction::Mean);
            let gradients = GradientsParams::from_grads(loss.backward(), &current);
            net = Some(adam.step(1e-3, current, gradients));
            pass += 1;
            Ok::<_, String>(())
        })
    } else {
        let (net, x) = (net.valid(), x.inner());
        job.measure("burn", note, || {
            let residual = net.forward(x.clone(), None) - x.clone();
            let scores = residual.square().sum_dim(1).sqrt().into_data();
            (scores.shape()[0] == job.batch()).then_some(()).ok_or_else(|| "a score per sample".to_owned())
        })
    }
}
