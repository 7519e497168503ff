//! Everything that is chosen by default, and nothing else. What was chosen is shown after a fit and saved with the model.
//!
//! | what | tables, series | images |
//! |---|---|---|
//! | widths | input d, hidden, latent; latent = d/2 rounded up to a power of two, 32 to 128; hidden layers double from it until they reach d, at most 512, at least one of twice the latent | channels 16, 32, 64, 128, 128, ...: as many layers, each halving the sides, as bring the longer side to 4 |
//! | memory of RFTM | {50 slots, k = 15, forgetting 0.1}, {1000, 5, 0.5}, connectors: the paper's | the same |
//! | memory of MemAE | 100 slots, lambda 1/100 | 500 slots |
//! | memory of MNAD | 10 items | the same |
//! | batch | 256; of few rows a quarter, at least 8; less where the last batch would be under a quarter of it | 32; of few images an eighth, at least 8; less as for tables |
//! | optimiser | Adam, 1e-3 | the same |
//! | early stopping | patience of as many epochs as make 600 steps, at least 20: the error may rise in the first 500 steps | 1500 steps: the mean image may be the best guess for a thousand |
//! | most epochs | as many as make 3000 steps, 5 to 300 | the same |
//! | held out to stop in time | 10 % of the samples, at most 20 000 | the same |
//! | held out to calibrate | 10 %, but 100 (or a fifth, if that is less), at most 20 000 | the same |
//! | a category has an indicator of its own | if at least 5 training rows have it | - |
//! | threshold | false-positive rate 1 %; with fewer than 99 calibration scores the smallest rate they can promise | the same |
//!
//! Widths and training of tables were chosen by trying a dozen settings on the ten tables of `docs/comparison.md`, so the
//! numbers there are not those of tables never seen; the memories are the paper's. The rows for images are a choice of
//! what trains in minutes on two cores, and not measured against others.

use rftm_models::{Architecture, Capacities, Convention, MemorySpec, ModelKind, TrainConfig};

use crate::{Layout, Rule};

/// Root of every random stream.
pub const SEED: u64 = 1997;

/// Reading of the paper's open choices (`docs/method.md`): similarities that were forgotten become 0.
pub const CONVENTION: Convention = Convention::Release;

/// Fewest samples a detector is fitted on: some to train, one to stop in time, one to calibrate.
pub const FEWEST_SAMPLES: usize = 10;

/// Fewest training rows that give a category an indicator of its own; rarer ones are "anything else". Of fewer, the rows
/// that stop the training or calibrate have others, or none.
pub const FEWEST_OF_CATEGORY: usize = 5;

const LATENT: (usize, usize) = (32, 128);
const HIDDEN: usize = 512;
const CHANNELS: (usize, usize) = (16, 128);
/// The longer side of what the last convolution leaves.
const SMALL_SIDE: usize = 4;
const STEPS: usize = 3000;
const EPOCHS: (usize, usize) = (5, 300);
const BATCH: (usize, usize) = (8, 256);
const IMAGE_BATCH: usize = 32;
const PATIENCE: usize = 20;
const PATIENCE_STEPS: usize = 600;
const IMAGE_PATIENCE_STEPS: usize = 1500;
/// The most samples held out to stop in time, and the most to calibrate.
pub(crate) const HELD_OUT: usize = 20_000;
const CALIBRATION: usize = 100;
const FALSE_POSITIVE_RATE: f64 = 0.01;

/// Encoder and decoder for samples of `width` numbers in this layout.
#[must_use]
pub fn architecture(layout: &Layout, width: usize) -> Architecture {
    match *layout {
        Layout::Images { channels, height, width } => {
            Architecture::conv([height, width], &image_channels(channels, height, width))
        }
        Layout::Table { .. } | Layout::Series { .. } => Architecture::Mlp { widths: widths(width) },
    }
}

/// From the input to the latent.
fn widths(input: usize) -> Vec<usize> {
    let latent = input.div_ceil(2).next_power_of_two().clamp(LATENT.0, LATENT.1);
    let mut widths = vec![latent, 2 * latent];
    while let Some(&last) = widths.last()
        && last < input
        && last < HIDDEN
    {
        widths.push(2 * last);
    }
    widths.push(input);
    widths.reverse();
    widths
}

fn image_channels(channels: usize, height: usize, width: usize) -> Vec<usize> {
    let mut all = vec![channels];
    let (mut height, mut width) = (height, width);
    // A layer needs at least two pixels in each direction.
    while all.len() == 1 || (height.max(width) > SMALL_SIDE && height.min(width) > 1) {
        all.push((CHANNELS.0 << (all.len() - 1)).min(CHANNELS.1));
        (height, width) = (height.div_ceil(2), width.div_ceil(2));
    }
    all
}

/// What stands between them.
#[must_use]
pub fn memory(kind: ModelKind, layout: &Layout) -> MemorySpec {
    let memae = if is_images(layout) { Capacities::CIFAR10.memae } else { Capacities::default().memae };
    MemorySpec::of(kind, CONVENTION, Capacities { memae, ..Capacities::default() })
}

/// How to train on so many samples, in batches of the usual size or of another.
#[must_use]
pub fn train(layout: &Layout, samples: usize, batch_size: Option<usize>, seed: u64) -> TrainConfig {
    let (share, largest, patience) =
        if is_images(layout) { (8, IMAGE_BATCH, IMAGE_PATIENCE_STEPS) } else { (4, BATCH.1, PATIENCE_STEPS) };
    let batch_size = batch_size.unwrap_or_else(|| even(samples, samples.div_ceil(share).clamp(BATCH.0, largest)));
    let steps = samples.div_ceil(batch_size.max(1)).max(1);
    let max_epochs = (STEPS / steps).clamp(EPOCHS.0, EPOCHS.1);
    let patience = patience.div_ceil(steps).max(PATIENCE);
    TrainConfig { seed, batch_size, patience, max_epochs, ..TrainConfig::default() }
}

/// The largest batch size, from `most` down to half of it, that leaves no small last batch: the statistics of
/// normalisation over a few samples disturb the weights, and what they leave behind is what the epoch is judged by.
fn even(samples: usize, most: usize) -> usize {
    let leaves_enough = |&batch: &usize| samples.is_multiple_of(batch) || 4 * (samples % batch) >= batch;
    (most.div_ceil(2)..=most).rev().find(leaves_enough).unwrap_or(most)
}

/// How many of the samples are held out to stop training in time, and how many to calibrate.
#[must_use]
pub fn held_out(samples: usize) -> [usize; 2] {
    let share = samples / 10;
    let calibration = share.max(CALIBRATION.min(samples / 5));
    [share.clamp(1, HELD_OUT), calibration.clamp(1, HELD_OUT)]
}

/// Above which score a sample is called anomalous, given so many calibration scores.
#[must_use]
pub fn threshold(calibration: usize) -> Rule {
    Rule::FalsePositiveRate(FALSE_POSITIVE_RATE.max(1.0 / (calibration as f64 + 1.0)))
}

fn is_images(layout: &Layout) -> bool {
    matches!(layout, Layout::Images { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_follow_the_input() {
        let check = |input, expected: &[usize]| assert_eq!(widths(input), expected);
        check(1, &[1, 64, 32]);
        check(50, &[50, 64, 32]);
        check(64, &[64, 64, 32]);
        check(100, &[100, 128, 64]);
        check(300, &[300, 512, 256, 128]);
        check(10_000, &[10_000, 512, 256, 128]);
    }

    #[test]
    fn images_are_halved_until_they_are_small() {
        let check = |size: [usize; 3], expected: &[usize]| {
            assert_eq!(image_channels(size[0], size[1], size[2]), expected, "{size:?}");
        };
        check([1, 28, 28], &[1, 16, 32, 64]);
        check([3, 32, 32], &[3, 16, 32, 64]);
        check([3, 256, 200], &[3, 16, 32, 64, 128, 128, 128]);
        check([1, 4, 4], &[1, 16]);
        check([1, 2, 500], &[1, 16]);
        for (height, width) in [(28, 28), (3, 500), (256, 200), (17, 33)] {
            let channels = image_channels(1, height, width);
            assert!(Architecture::conv([height, width], &channels).smallest_image() <= height.min(width));
        }
    }

    #[test]
    fn training_has_a_budget_of_steps() {
        let table = Layout::Table { columns: Vec::new() };
        let with = |samples, batch_size, batch, epochs, patience| {
            let config = train(&table, samples, batch_size, 1);
            let found = (config.batch_size, config.max_epochs, config.patience);
            assert_eq!(found, (batch, epochs, patience), "{samples} samples");
        };
        let check = |samples, batch, epochs, patience| with(samples, None, batch, epochs, patience);
        check(8, 8, 300, 600);
        check(100, 25, 300, 150);
        check(800, 200, 300, 150);
        check(10_000, 254, 75, 20);
        check(960_000, 256, 5, 20);
        // The budget is one of steps whatever their size.
        with(1600, Some(16), 16, 30, 20);
        with(1600, Some(1600), 1600, 300, 600);
        with(1600, Some(0), 0, 5, 20);
    }

    #[test]
    fn no_batch_is_left_that_is_too_small_to_normalise() {
        let layouts = [Layout::Table { columns: Vec::new() }, Layout::Images { channels: 1, height: 28, width: 28 }];
        for (layout, samples) in layouts.iter().flat_map(|layout| (FEWEST_SAMPLES..5000).map(move |n| (layout, n))) {
            let batch = train(layout, samples, None, 1).batch_size;
            let last = (samples - 1) % batch + 1;
            assert!(4 * last >= batch, "{samples} samples in batches of {batch} leave {last}");
            assert!(batch >= BATCH.0 / 2 && batch <= BATCH.1, "{samples} samples in batches of {batch}");
        }
        // A table whose quarter is a row short of whole, and a full batch that leaves one.
        assert_eq!(even(645, 162), 162);
        assert_eq!(even(257, 256), 205);
    }

    #[test]
    fn what_is_held_out_leaves_enough_to_train() {
        for (samples, expected) in [(10, [1, 2]), (100, [10, 20]), (1000, [100, 100]), (1_000_000, [20_000, 20_000])] {
            assert_eq!(held_out(samples), expected, "{samples} samples");
        }
        assert_eq!(threshold(99), Rule::FalsePositiveRate(0.01));
        assert_eq!(threshold(3), Rule::FalsePositiveRate(0.25));
    }
}
