//! The built-in data set: ten classes of 28x28 digits, drawn stroke by stroke.
//!
//! Each class has three ways of writing (a 7 with and without a bar, a 4 open or closed); each sample draws its own
//! control points, bend, size, proportion, slant, turn, place, pen and noise. Sample `i` of seed `s` is a function of
//! `(s, i)` alone, so any one can be drawn without the others, and the bits are the same on every platform.
//!
//! It stands in where no files are, for tests and a first look. It is not MNIST: its numbers compare with nothing but
//! themselves.

mod pen;
mod random;
mod shapes;

use sha2::{Digest, Sha256};

use crate::content::hex;
use crate::{Dataset, DatasetId, Split};
use pen::Hand;
use random::Random;

/// Height and width of an image.
pub const SIDE: usize = pen::SIDE;

/// Bytes in an image.
pub const PIXELS: usize = SIDE * SIDE;

/// Test samples have the numbers from here on, so neither part moves when the other grows.
const FIRST_TEST_SAMPLE: u64 = 1 << 32;

/// How many samples, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Training samples; classes take turns, so any multiple of ten is balanced.
    pub train: usize,
    /// Test samples.
    pub test: usize,
    /// Another seed draws other samples of the same kind.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { train: 12_000, test: 2_000, seed: 2022 }
    }
}

/// Draws the whole data set.
///
/// ```
/// let glyphs = rftm_data::glyphs::dataset(&rftm_data::glyphs::Config { train: 20, test: 10, seed: 2022 });
/// assert_eq!((glyphs.height, glyphs.width, glyphs.train.len()), (28, 28, 20));
/// assert_eq!(glyphs.test.labels, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
/// ```
#[must_use]
pub fn dataset(config: &Config) -> Dataset {
    let split = |first: u64, count: usize| {
        let mut split = Split { pixels: vec![0; count * PIXELS], labels: Vec::with_capacity(count) };
        for (image, index) in split.pixels.chunks_exact_mut(PIXELS).zip(first..) {
            split.labels.push(class(index));
            draw(config.seed, index, image);
        }
        split
    };
    let (train, test) = (split(0, config.train), split(FIRST_TEST_SAMPLE, config.test));
    let parts = [&train.pixels, &train.labels, &test.pixels, &test.labels];
    let whole = parts.into_iter().fold(Sha256::new(), |hasher, part| hasher.chain_update(part));
    Dataset {
        id: DatasetId::Glyphs,
        channels: 1,
        height: SIDE,
        width: SIDE,
        class_names: (0..10).map(|digit| digit.to_string()).collect(),
        checksum: hex(&whole.finalize()),
        origin: format!("built-in glyphs, seed {}", config.seed),
        train,
        test,
    }
}

/// The class of sample `index`: classes take turns.
#[must_use]
pub fn class(index: u64) -> u8 {
    // FIRST_TEST_SAMPLE is no multiple of ten, and the test part should begin with class 0, too.
    ((index % FIRST_TEST_SAMPLE) % 10) as u8
}

/// Draws sample `index` of `seed` into `image`, row by row, 0 = background.
///
/// # Panics
/// If `image` does not hold [`PIXELS`] bytes.
pub fn draw(seed: u64, index: u64, image: &mut [u8]) {
    assert_eq!(image.len(), PIXELS, "an image has {PIXELS} bytes");
    let mut random = Random(rftm_rng::rng(seed, "glyphs", index));
    let styles = shapes::DIGITS[usize::from(class(index))];
    let style = &styles[random.below(styles.len())];
    let hand = hand(&mut random);
    let drawn = pen::draw(style, &hand, &mut random);

    let grain = random.between(0.0, 0.08);
    let mut noise = [0_u8; PIXELS];
    random.bytes(&mut noise);
    for ((byte, brightness), noise) in image.iter_mut().zip(drawn).zip(noise) {
        let noise = grain * (f64::from(noise) / 127.5 - 1.0);
        *byte = (255.0 * (brightness + noise).clamp(0.0, 1.0) + 0.5) as u8;
    }
}

fn hand(random: &mut Random) -> Hand {
    let thick = random.between(0.55, 1.75);
    Hand {
        jitter: random.between(0.01, 0.05),
        bow: (0.05 * random.bell(), 0.03 * random.bell()),
        height: random.between(15.0, 21.0),
        aspect: random.between(0.55, 0.95),
        slant: 0.12 + 0.18 * random.bell(),
        half_turn: 0.05 * random.bell(),
        shift: (0.9 * random.bell(), 0.9 * random.bell()),
        radius: (thick * random.between(0.85, 1.15), thick * random.between(0.7, 1.15)),
        softness: random.between(0.9, 1.7),
        ink: random.between(0.8, 1.0),
    }
}

#[cfg(test)]
mod tests;
