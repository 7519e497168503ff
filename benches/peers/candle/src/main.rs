//! The four training steps, and scoring, with candle on the CPU.
//!
//! candle has no top-k: the memory sorts every row of similarities (`arg_sort_last_dim`) and keeps the first k. All
//! else that the steps need is there, backward included. Its backward also computes the gradient of the input of the
//! first layer, which nobody reads.

#[path = "../../common.rs"]
mod common;

use candle_core::{Device, Result, Tensor};
use candle_nn::{
    AdamW, BatchNorm, Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig, Init, Linear, Module, ModuleT,
    Optimizer, ParamsAdamW, VarBuilder, VarMap, batch_norm, conv_transpose2d, conv2d, linear, ops,
};
use common::{Job, Layer, Memory};

const SLOPE: f64 = 0.01;

enum Kernel {
    Linear(Linear),
    Conv(Conv2d),
    Deconv(ConvTranspose2d),
}

struct Block {
    kernel: Kernel,
    norm: BatchNorm,
    active: bool,
}

impl Block {
    fn new(layer: Layer, active: bool, vb: VarBuilder) -> Result<Self> {
        let (kernel, width) = match layer {
            Layer::Linear { input, output } => (Kernel::Linear(linear(input, output, vb.pp("kernel"))?), output),
            Layer::Conv { channels: [from, to], padding, .. } => {
                let config = Conv2dConfig { padding, stride: 2, ..Default::default() };
                (Kernel::Conv(conv2d(from, to, 3, config, vb.pp("kernel"))?), to)
            }
            Layer::Deconv { channels: [from, to], padding, output_padding, .. } => {
                let config = ConvTranspose2dConfig { padding, output_padding, stride: 2, dilation: 1 };
                (Kernel::Deconv(conv_transpose2d(from, to, 3, config, vb.pp("kernel"))?), to)
            }
        };
        Ok(Self { kernel, norm: batch_norm(width, 1e-5, vb.pp("norm"))?, active })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = match &self.kernel {
            Kernel::Linear(layer) => layer.forward(x),
            Kernel::Conv(layer) => layer.forward(x),
            Kernel::Deconv(layer) => layer.forward(x),
        }?;
        let y = self.norm.forward_t(&y, train)?;
        if self.active { ops::leaky_relu(&y, SLOPE) } else { Ok(y) }
    }
}

struct Stage {
    memory: Memory,
    slots: Tensor,
    norm: BatchNorm,
}

impl Stage {
    fn new(memory: Memory, width: usize, vb: VarBuilder) -> Result<Self> {
        let bound = 1.0 / (width as f64).sqrt();
        let slots = vb.get_with_hints((memory.capacity, width), "slots", Init::Uniform { lo: -bound, up: bound })?;
        Ok(Self { memory, slots, norm: batch_norm(width, 1e-5, vb.pp("norm"))? })
    }

    fn forward(&self, h: &Tensor, pass: Option<u64>) -> Result<Tensor> {
        let Memory { capacity, top_k, forgotten } = self.memory;
        let (batch, width) = h.dims2()?;
        let mut similarities = unit(h)?.matmul(&unit(&self.slots)?.t()?)?;
        if let Some(pass) = pass {
            let mask = Tensor::from_vec(common::mask(capacity, forgotten, pass), (1, capacity), h.device())?;
            similarities = similarities.broadcast_mul(&mask)?;
        }
        let order = similarities.detach().arg_sort_last_dim(false)?.narrow(1, 0, top_k)?.contiguous()?;
        let weights = ops::softmax(&similarities.gather(&order, 1)?.relu()?, 1)?;
        let selected = self.slots.index_select(&order.flatten_all()?, 0)?.reshape((batch, top_k, width))?;
        let y = weights.unsqueeze(1)?.matmul(&selected)?.squeeze(1)?;
        ops::leaky_relu(&self.norm.forward_t(&y, pass.is_some())?, SLOPE)
    }
}

/// Rows of length 1.
fn unit(rows: &Tensor) -> Result<Tensor> {
    rows.broadcast_div(&rows.sqr()?.sum_keepdim(1)?.sqrt()?)
}

struct Net {
    encoder: Vec<Block>,
    memory: Vec<Stage>,
    decoder: Vec<Block>,
}

impl Net {
    fn new(job: &Job, vb: &VarBuilder) -> Result<Self> {
        let (encoder, decoder) = job.layers();
        let last = decoder.len() - 1;
        let blocks = |name: &str, layers: Vec<Layer>, linear_end: Option<usize>| {
            let block = |(i, layer)| Block::new(layer, Some(i) != linear_end, vb.pp(format!("{name}{i}")));
            layers.into_iter().enumerate().map(block).collect::<Result<_>>()
        };
        let stage = |(i, memory)| Stage::new(memory, job.latent(), vb.pp(format!("memory{i}")));
        Ok(Self {
            encoder: blocks("encoder", encoder, None)?,
            memory: job.memories().into_iter().flatten().enumerate().map(stage).collect::<Result<_>>()?,
            decoder: blocks("decoder", decoder, Some(last))?,
        })
    }

    /// A training pass with its number, or an evaluation pass.
    fn forward(&self, x: &Tensor, pass: Option<u64>) -> Result<Tensor> {
        let mut h = x.clone();
        for block in &self.encoder {
            h = block.forward(&h, pass.is_some())?;
        }
        let shape = h.shape().clone();
        h = if self.memory.is_empty() { h } else { h.flatten_from(1)? };
        for stage in &self.memory {
            h = stage.forward(&h, pass)?;
        }
        h = h.reshape(shape)?;
        for block in &self.decoder {
            h = block.forward(&h, pass.is_some())?;
        }
        Ok(h)
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let (job, device) = (Job::from_arguments()?, Device::Cpu);
    let note = "candle 0.11 (it has no top-k: the memory sorts whole rows)";
    let parameters = VarMap::new();
    let net = Net::new(&job, &VarBuilder::from_varmap(&parameters, candle_core::DType::F32, &device))?;
    let mut shape = vec![job.batch()];
    shape.extend(job.sample());
    let x = Tensor::rand(0_f32, 1_f32, shape, &device)?;
    if job.trains() {
        let adam = ParamsAdamW { lr: 1e-3, weight_decay: 0.0, ..Default::default() };
        let mut adam = AdamW::new(parameters.all_vars(), adam)?;
        let mut pass = 0;
        job.measure("candle", note, || {
            let loss = candle_nn::loss::mse(&net.forward(&x, Some(pass))?, &x)?;
            pass += 1;
            adam.backward_step(&loss)
        })?;
    } else {
        job.measure("candle", note, || {
            let residual = (net.forward(&x, None)? - &x)?.flatten_from(1)?;
            residual.sqr()?.sum(1)?.sqrt()?.to_vec1::<f32>().map(drop)
        })?;
    }
    Ok(())
}
