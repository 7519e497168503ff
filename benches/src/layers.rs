//! A model as a list of operations with their shapes, and how many floating-point operations their products take.

use anyhow::Result;
use rftm_memory::{AttentionConfig, ItemConfig, UnitConfig};
use rftm_models::{Architecture, MemorySpec, ModelSpec};
use rftm_tensor::conv::Geometry;

/// One operation of a training step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Layer {
    /// `y = x w^T + b`.
    Linear {
        /// Width of a row of x.
        inputs: usize,
        /// Width of a row of y.
        outputs: usize,
    },
    /// A convolution, or a transposed one with the sizes swapped.
    Conv {
        /// Whether it goes from the small image to the large one.
        transposed: bool,
        /// Channels of the large image and of the small one.
        channels: [usize; 2],
        /// What ties the two images.
        geometry: Geometry,
    },
    /// Batch normalisation, mostly with the LeakyReLU that follows.
    Norm {
        /// Rows a sample: pixels.
        pixels: [usize; 2],
        /// Channels.
        channels: usize,
        /// Whether an activation follows.
        active: bool,
    },
    /// Channels first to channels last, or back.
    Layout {
        /// Height and width.
        image: [usize; 2],
        /// Channels.
        channels: usize,
        /// Whether it is the way back.
        back: bool,
    },
    /// A memory read.
    Memory {
        /// Capacity, k, and the rate of forgetting.
        unit: UnitConfig,
        /// Width of the latent.
        width: usize,
    },
    /// MemAE's memory.
    Attention {
        /// Capacity, and how weights are pruned.
        config: AttentionConfig,
        /// Width of the latent.
        width: usize,
    },
    /// MNAD's memory.
    Items {
        /// Capacity, and the losses.
        config: ItemConfig,
        /// Width of the latent.
        width: usize,
    },
    /// The mean squared error.
    Loss {
        /// Elements a sample.
        len: usize,
    },
}

/// Which products count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Forward, the gradients by the weights, and the gradients by the inputs but for that of the first layer.
    Training,
    /// Forward, with the whole memory.
    Scoring,
}

impl Layer {
    /// Multiply-adds of the forward product for one sample: `m n k` without m. Taps that fall on padding count, as they
    /// do in the published figures of others.
    #[must_use]
    pub fn products(&self, pass: Pass) -> usize {
        match *self {
            Self::Linear { inputs, outputs } => inputs * outputs,
            Self::Conv { channels, geometry, .. } => {
                let taps: usize = geometry.kernel().iter().product();
                geometry.small().iter().product::<usize>() * taps * channels[0] * channels[1]
            }
            Self::Memory { unit, width } => {
                let forgotten = if pass == Pass::Training { unit.forgotten() } else { 0 };
                (unit.capacity - forgotten) * width
            }
            // The similarities, and the read.
            Self::Attention { config: AttentionConfig { capacity, .. }, width }
            | Self::Items { config: ItemConfig { capacity, .. }, width } => 2 * capacity * width,
            Self::Norm { .. } | Self::Layout { .. } | Self::Loss { .. } => 0,
        }
    }

    /// How often the forward product is done in a training step; `dx`: somebody wants the gradient by the input.
    #[must_use]
    pub fn times(&self, dx: bool) -> usize {
        match self {
            // Backward is sparse, or there is none.
            Self::Memory { .. } | Self::Items { .. } => 1,
            _ => 2 + usize::from(dx),
        }
    }

    /// What tables call it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Linear { inputs, outputs } => format!("Linear {inputs} to {outputs}"),
            Self::Conv { transposed, channels: [large, small], geometry } => {
                let (l, s) = (geometry.large()[0], geometry.small()[0]);
                if *transposed {
                    format!("ConvTranspose {small} x {s}^2 to {large} x {l}^2")
                } else {
                    format!("Conv {large} x {l}^2 to {small} x {s}^2")
                }
            }
            Self::Norm { pixels: [1, 1], channels, active } => format!("BatchNorm{} {channels}", activation(*active)),
            Self::Norm { pixels, channels, active } => {
                format!("BatchNorm{} {channels} x {}^2", activation(*active), pixels[0])
            }
            Self::Layout { back: false, .. } => "to channels last".to_owned(),
            Self::Layout { back: true, .. } => "to channels first".to_owned(),
            Self::Memory { unit, width } => {
                let k = unit.top_k.unwrap_or(unit.capacity);
                format!("memory read N={} k={k} nu={} L'={width}", unit.capacity, unit.forgetting_rate)
            }
            Self::Attention { config, width } => format!("MemAE's memory N={} L'={width}", config.capacity),
            Self::Items { config, width } => format!("MNAD's memory N={} L'={width}", config.capacity),
            Self::Loss { .. } => "MSE".to_owned(),
        }
    }
}

fn activation(active: bool) -> &'static str {
    if active { " + LeakyReLU" } else { "" }
}

/// The operations of a model, in order.
///
/// # Errors
/// If the sizes of a convolutional model do not fit.
pub fn layers(spec: &ModelSpec) -> Result<Vec<Layer>> {
    let (mut encoder, mut decoder, latent, len) = match &spec.architecture {
        Architecture::Mlp { widths } => {
            let encoder = widths.windows(2).flat_map(|pair| linear(pair[0], pair[1], true)).collect::<Vec<_>>();
            let last = spec.last_activation;
            let pairs = widths.windows(2).enumerate().rev();
            let decoder = pairs.flat_map(|(i, pair)| linear(pair[1], pair[0], i > 0 || last)).collect();
            (encoder, decoder, widths[widths.len() - 1], widths[0])
        }
        Architecture::Conv { image, channels, .. } => {
            let sizes = spec.architecture.geometries()?;
            let large = sizes.last().map_or(*image, Geometry::small);
            let pairs = || channels.windows(2).zip(&sizes).enumerate();
            let layout = |back| Layer::Layout { image: *image, channels: channels[0], back };
            let mut encoder = vec![layout(false)];
            encoder.extend(pairs().flat_map(|(_, (pair, &geometry))| conv(pair, geometry, false, true)));
            let last = spec.last_activation;
            let mut decoder: Vec<_> =
                pairs().rev().flat_map(|(i, (pair, &geometry))| conv(pair, geometry, true, i > 0 || last)).collect();
            decoder.push(layout(true));
            let latent = channels[channels.len() - 1] * large[0] * large[1];
            (encoder, decoder, latent, channels[0] * image[0] * image[1])
        }
    };
    match spec.memory {
        MemorySpec::None => {}
        MemorySpec::Twin { hippocampus, cortex, connector } => {
            for unit in [hippocampus, cortex].into_iter().flatten() {
                encoder.push(Layer::Memory { unit, width: latent });
                if connector {
                    encoder.push(Layer::Norm { pixels: [1, 1], channels: latent, active: true });
                }
            }
        }
        MemorySpec::MemAe(config) => encoder.push(Layer::Attention { config, width: latent }),
        MemorySpec::Mnad(config) => {
            encoder.push(Layer::Items { config, width: latent });
            // Query and read, side by side.
            match decoder.first_mut() {
                Some(Layer::Linear { inputs, .. }) => *inputs *= 2,
                Some(Layer::Conv { channels: [_, small], .. }) => *small *= 2,
                _ => {}
            }
        }
    }
    encoder.append(&mut decoder);
    encoder.push(Layer::Loss { len });
    Ok(encoder)
}

fn linear(inputs: usize, outputs: usize, active: bool) -> [Layer; 2] {
    [Layer::Linear { inputs, outputs }, Layer::Norm { pixels: [1, 1], channels: outputs, active }]
}

fn conv(pair: &[usize], geometry: Geometry, transposed: bool, active: bool) -> [Layer; 2] {
    let (pixels, channels) = if transposed { (geometry.large(), pair[0]) } else { (geometry.small(), pair[1]) };
    let layer = Layer::Conv { transposed, channels: [pair[0], pair[1]], geometry };
    [layer, Layer::Norm { pixels, channels, active }]
}

/// Floating-point operations of the matrix products of one step, `2 m n k` each, in 1e9. Backward of a twin memory's
/// read has no product: it is sparse.
#[must_use]
pub fn gflop(layers: &[Layer], batch: usize, pass: Pass) -> f64 {
    let mut first = true;
    let mut total = 0;
    for layer in layers {
        let times = match pass {
            Pass::Scoring => 1,
            Pass::Training => {
                let is_layer = matches!(layer, Layer::Linear { .. } | Layer::Conv { .. });
                layer.times(!(is_layer && std::mem::take(&mut first)))
            }
        };
        total += times * layer.products(pass);
    }
    2e-9 * (total * batch) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{BATCH, Case};

    fn check(case: &str, pass: Pass, expected: f64) {
        let layers = layers(&case.parse::<Case>().unwrap().spec()).unwrap();
        let found = gflop(&layers, BATCH, pass);
        assert!((found - expected).abs() < 1e-6 * expected, "{case} {pass:?}: {found}, not {expected}");
    }

    /// By hand: 784 x 512 + 512 x 256 + 256 x 128 = 565 248 products a sample and direction.
    #[test]
    fn flops_of_the_fully_connected_models() {
        let both_ways = 2.0 * 565_248.0;
        let step = 3.0 * both_ways - 784.0 * 512.0;
        check("fc_ae", Pass::Scoring, 512e-9 * both_ways);
        check("fc_ae", Pass::Training, 512e-9 * step);
        check("fc_ae", Pass::Training, 1.530_920_96);
        // 45 of 50 and 500 of 1000 slots survive; all 1050 are read in evaluation.
        check("fc_rftm", Pass::Training, 512e-9 * (step + 545.0 * 128.0));
        check("fc_rftm", Pass::Scoring, 512e-9 * (both_ways + 1050.0 * 128.0));
        // 100 slots are compared and read; 10 items are, too, and the decoder's first layer is wider by 128.
        check("fc_memae", Pass::Training, 512e-9 * (step + 3.0 * 200.0 * 128.0));
        check("fc_mnad", Pass::Training, 512e-9 * (step + 20.0 * 128.0 + 3.0 * 128.0 * 256.0));
    }

    /// By hand, padding 1: 16^2 x 27 x 64 = 442 368 products in the first layer, 8^2 x 576 x 128 = 4 718 592 in each of
    /// the other three. Padding 0: 15^2, 7^2, 3^2, 1.
    #[test]
    fn flops_of_the_convolutional_models() {
        let first = 442_368.0;
        let both_ways = 2.0 * (first + 3.0 * 4_718_592.0);
        check("conv_ae_p1", Pass::Scoring, 512e-9 * both_ways);
        check("conv_ae_p1", Pass::Training, 512e-9 * (3.0 * both_ways - first));
        check("conv_ae_p1", Pass::Training, 44.619_005_952);
        check("conv_rftm_p1", Pass::Training, 44.619_005_952 + 512e-9 * (2700.0 + 1500.0) * 2048.0);
        let first = 225.0 * 27.0 * 64.0;
        let both_ways = 2.0 * (first + 49.0 * 576.0 * 128.0 + 9.0 * 1152.0 * 256.0 + 2304.0 * 512.0);
        check("conv_ae_p0", Pass::Training, 512e-9 * (3.0 * both_ways - first));
        check("conv_rftm_p0", Pass::Scoring, 512e-9 * (both_ways + 6000.0 * 512.0));
    }

    #[test]
    fn the_list_is_that_of_the_model() {
        for case in Case::ALL.into_iter().chain(Case::BASELINES) {
            let spec = case.spec();
            let mut trained = 0;
            for layer in layers(&spec).unwrap() {
                trained += match layer {
                    Layer::Linear { inputs, outputs } => (inputs + 1) * outputs,
                    Layer::Conv { transposed, channels: [large, small], geometry } => {
                        let bias = if transposed { large } else { small };
                        geometry.kernel()[0] * geometry.kernel()[1] * large * small + bias
                    }
                    Layer::Norm { channels, .. } => 2 * channels,
                    Layer::Memory { unit, width } => unit.capacity * width,
                    Layer::Attention { config, width } => config.capacity * width,
                    Layer::Items { .. } | Layer::Layout { .. } | Layer::Loss { .. } => 0,
                };
            }
            let mut model = rftm_models::Model::new(&spec, 1).unwrap();
            assert_eq!(trained, model.parameters(), "{case}");
        }
    }
}
