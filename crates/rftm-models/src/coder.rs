//! Encoders, and the decoders that mirror them.

use rftm_nn::{BatchNorm, ChannelsFirst, ChannelsLast, Conv2d, ConvOptions, ConvTranspose2d, Linear, Sequential};
use rftm_rng::Rng;
use rftm_tensor::conv::Geometry;

use crate::Error;
use crate::spec::{Architecture, ModelSpec};

/// Both halves of an autoencoder.
pub(crate) struct Coder {
    pub(crate) encoder: Sequential,
    pub(crate) decoder: Sequential,
}

/// Both halves of a specification, their weights drawn in order from `stream`. [`size`] has checked it.
pub(crate) fn build(spec: &ModelSpec, stream: &mut Rng) -> Result<Coder, Error> {
    match &spec.architecture {
        Architecture::Mlp { widths } => Ok(mlp(spec, widths, stream)),
        Architecture::Conv { channels, .. } => Ok(conv(spec, channels, &spec.architecture.geometries()?, stream)),
    }
}

/// How large the parts of a model are.
pub(crate) struct Size {
    /// Elements between encoder and decoder.
    pub(crate) latent: usize,
    /// Weights of the encoder.
    pub(crate) encoder: usize,
    /// Numbers in the slots of the memory.
    pub(crate) memory: usize,
}

/// The size of a model, before any memory is asked for.
pub(crate) fn size(spec: &ModelSpec) -> Result<Size, Error> {
    let (encoder, latent) = match &spec.architecture {
        Architecture::Mlp { widths } => (weights("widths", widths, 1)?, *widths.last().unwrap_or(&0)),
        Architecture::Conv { image, channels, kernel, .. } => {
            let weights = weights("channels", channels, kernel.saturating_mul(*kernel))?;
            let smallest = spec.architecture.smallest_image();
            if image.iter().any(|&side| side < smallest) {
                return Err(Error::ImageTooSmall { image: *image, layers: channels.len() - 1, smallest });
            }
            let sizes = spec.architecture.geometries()?;
            let large = sizes.last().map_or(*image, Geometry::small);
            let latent = large[0].checked_mul(large[1]).and_then(|pixels| pixels.checked_mul(*channels.last()?));
            let latent = latent.ok_or_else(|| Error::Config {
                parameter: "image",
                problem: format!("{image:?}; its latent would have more numbers than can be counted"),
            })?;
            (weights, latent)
        }
    };
    let slots = spec.memory.slots();
    let memory = slots.saturating_mul(latent);
    if memory > MOST_WEIGHTS {
        let problem =
            format!("{slots} slots of {latent} numbers, those of a latent; at most {MOST_WEIGHTS} in all are possible");
        return Err(Error::Config { parameter: "capacity", problem });
    }
    Ok(Size { latent, encoder, memory })
}

/// The most weights of an encoder, and the most numbers in a memory: a gigabyte. More is a slip, or a file that was made
/// to eat all memory.
const MOST_WEIGHTS: usize = 1 << 28;

fn weights(parameter: &'static str, widths: &[usize], taps: usize) -> Result<usize, Error> {
    if widths.len() < 2 || widths.contains(&0) {
        let problem = format!("{widths:?}; at least those of an input and a latent are needed, none of them 0");
        return Err(Error::Config { parameter, problem });
    }
    let layer = |pair: &[usize]| pair[0].saturating_mul(pair[1]).saturating_mul(taps);
    let weights = widths.windows(2).map(layer).fold(0, usize::saturating_add);
    if weights > MOST_WEIGHTS {
        let problem = format!("they make at least {weights} weights; at most {MOST_WEIGHTS} are possible");
        return Err(Error::Config { parameter, problem });
    }
    Ok(weights)
}

/// FC(a, b) of the paper for each pair of neighbouring widths: Linear, BatchNorm, LeakyReLU; and back.
fn mlp(spec: &ModelSpec, widths: &[usize], stream: &mut Rng) -> Coder {
    let mut encoder = Sequential::new();
    for pair in widths.windows(2) {
        encoder = encoder.with(Linear::new(pair[0], pair[1], stream)).with(norm(spec, pair[1], false));
    }
    let mut decoder = Sequential::new();
    for (index, pair) in widths.windows(2).enumerate().rev() {
        let inputs = inputs(spec, pair[1], index + 2 == widths.len());
        decoder = decoder.with(Linear::new(inputs, pair[0], stream)).with(norm(spec, pair[0], index == 0));
    }
    Coder { encoder, decoder }
}

/// Conv(a, b, k, s) of the paper for each pair of neighbouring channels: Conv2d, BatchNorm, LeakyReLU; and back.
fn conv(spec: &ModelSpec, channels: &[usize], sizes: &[Geometry], stream: &mut Rng) -> Coder {
    let layers = || channels.windows(2).zip(sizes).enumerate();
    let options = |geometry: &Geometry, output_padding| ConvOptions {
        stride: geometry.stride(),
        padding: geometry.padding(),
        output_padding,
    };
    let mut encoder = Sequential::new().with(ChannelsLast);
    for (_, (pair, geometry)) in layers() {
        let layer = Conv2d::new(pair[0], pair[1], geometry.kernel()[0], options(geometry, [0; 2]), stream);
        encoder = encoder.with(layer).with(norm(spec, pair[1], false));
    }
    let mut decoder = Sequential::new();
    for (index, (pair, geometry)) in layers().rev() {
        let inputs = inputs(spec, pair[1], index + 2 == channels.len());
        let options = options(geometry, geometry.output_padding());
        let layer = ConvTranspose2d::new(inputs, pair[0], geometry.kernel()[0], options, stream);
        decoder = decoder.with(layer).with(norm(spec, pair[0], index == 0));
    }
    Coder { encoder, decoder: decoder.with(ChannelsFirst) }
}

/// How many channels a decoder layer gets from an encoder's, or through the memory if it is the first.
fn inputs(spec: &ModelSpec, channels: usize, first: bool) -> usize {
    if first { spec.memory.widening() * channels } else { channels }
}

/// The end of a block; only the last one of the decoder may lack the activation.
fn norm(spec: &ModelSpec, channels: usize, last: bool) -> BatchNorm {
    let norm = BatchNorm::new(channels);
    if last && !spec.last_activation { norm } else { norm.with_leaky_relu(spec.negative_slope) }
}
