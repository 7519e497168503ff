//! What the Rust peers share: the cases, the clock, and the JSON line. Standard library only; each peer includes this
//! file, so that none of them is part of the main workspace.
#![allow(dead_code)]

use std::time::Instant;

/// Samples in a training step.
const BATCH: usize = 256;
/// Steps before the clock counts.
const WARM_UP: usize = 3;

/// One layer in front of a batch normalisation.
#[derive(Clone, Copy, Debug)]
pub enum Layer {
    Linear { input: usize, output: usize },
    Conv { channels: [usize; 2], size: usize, padding: usize },
    Deconv { channels: [usize; 2], size: usize, padding: usize, output_padding: usize },
}

/// A memory: capacity, slots per query, and how many slots a training pass forgets.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub capacity: usize,
    pub top_k: usize,
    pub forgotten: usize,
}

/// What the command line asks for: `CASE train|score256|score1 ROUNDS`, with the number of threads in
/// RAYON_NUM_THREADS, which is where both candle and burn look for it.
#[derive(Clone, Debug)]
pub struct Job {
    pub case: String,
    pub mode: String,
    pub rounds: usize,
    pub threads: usize,
}

impl Job {
    pub fn from_arguments() -> Result<Self, String> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let usage = || "usage: RAYON_NUM_THREADS=T PEER CASE train|score256|score1 ROUNDS".to_owned();
        let [case, mode, rounds] = arguments.as_slice() else { return Err(usage()) };
        let known = ["fc_ae", "fc_rftm", "conv_ae_p0", "conv_ae_p1", "conv_rftm_p0", "conv_rftm_p1"];
        if !known.contains(&case.as_str()) || !["train", "score256", "score1"].contains(&mode.as_str()) {
            return Err(format!("{}; the cases are {}", usage(), known.join(", ")));
        }
        let threads = std::env::var("RAYON_NUM_THREADS").ok().and_then(|threads| threads.parse().ok());
        match (rounds.parse(), threads) {
            (Ok(rounds @ 1..), Some(threads @ 1..)) => {
                Ok(Self { case: case.clone(), mode: mode.clone(), rounds, threads })
            }
            _ => Err(usage()),
        }
    }

    pub fn trains(&self) -> bool {
        self.mode == "train"
    }

    pub fn batch(&self) -> usize {
        if self.mode == "score1" { 1 } else { BATCH }
    }

    pub fn padding(&self) -> Option<usize> {
        self.case.starts_with("conv").then(|| usize::from(self.case.ends_with("p1")))
    }

    /// One sample: channels, height, width; or only features.
    pub fn sample(&self) -> Vec<usize> {
        if self.padding().is_some() { vec![3, 32, 32] } else { vec![784] }
    }

    /// Width of the latent.
    pub fn latent(&self) -> usize {
        match self.padding() {
            None => 128,
            Some(0) => 512,
            Some(_) => 2048,
        }
    }

    pub fn memories(&self) -> Option<[Memory; 2]> {
        let memory = |capacity, top_k, forgotten| Memory { capacity, top_k, forgotten };
        match (self.case.contains("rftm"), self.padding()) {
            (false, _) => None,
            (true, None) => Some([memory(50, 15, 5), memory(1000, 5, 500)]),
            (true, Some(_)) => Some([memory(3000, 15, 300), memory(3000, 5, 1500)]),
        }
    }

    pub fn layers(&self) -> (Vec<Layer>, Vec<Layer>) {
        let Some(padding) = self.padding() else {
            let linear = |input, output| Layer::Linear { input, output };
            return (
                vec![linear(784, 512), linear(512, 256), linear(256, 128)],
                vec![linear(128, 256), linear(256, 512), linear(512, 784)],
            );
        };
        // Sizes of the images from the input to the latent.
        let sizes = if padding == 1 { [32, 16, 8, 4, 2] } else { [32, 15, 7, 3, 1] };
        let channels = [3, 64, 128, 256, 512];
        let encoder = (0..4).map(|i| Layer::Conv { channels: [channels[i], channels[i + 1]], size: sizes[i], padding });
        let decoder = (0..4).rev().map(|i| {
            let output_padding = sizes[i] + 2 * padding - ((sizes[i + 1] - 1) * 2 + 3);
            Layer::Deconv { channels: [channels[i + 1], channels[i]], size: sizes[i + 1], padding, output_padding }
        });
        (encoder.collect(), decoder.collect())
    }

    /// Warms up, times `rounds` steps and prints the line. `step` must not return before its work is done; `note` says
    /// what stands in for an operation that the library lacks, and must not need escaping in JSON.
    pub fn measure<E>(&self, program: &str, note: &str, mut step: impl FnMut() -> Result<(), E>) -> Result<(), E> {
        for _ in 0..WARM_UP {
            step()?;
        }
        let mut times = Vec::with_capacity(self.rounds);
        for _ in 0..self.rounds {
            let begin = Instant::now();
            step()?;
            times.push(1e3 * begin.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let (n, middle) = (times.len(), times.len() / 2);
        let median = if n % 2 == 1 { times[middle] } else { (times[middle - 1] + times[middle]) / 2.0 };
        println!(
            "{{\"kind\":\"step\",\"program\":\"{program}\",\"case\":\"{}\",\"mode\":\"{}\",\"threads\":{},\"n\":{n},\
             \"median_ms\":{median:.4},\"min_ms\":{:.4},\"peak_mib\":{:.1},\"note\":\"{note}\"}}",
            self.case,
            self.mode,
            self.threads,
            times[0],
            peak_mib()
        );
        Ok(())
    }
}

/// The peak resident memory of this process in MiB; 0 where the system does not tell.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

/// A 0/1 row in which `forgotten` of `capacity` entries are 0, another one for each `pass`. Quick, and random enough for
/// a clock: not the project's streams.
pub fn mask(capacity: usize, forgotten: usize, pass: u64) -> Vec<f32> {
    let mut order: Vec<usize> = (0..capacity).collect();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(pass + 1);
    for last in (1..capacity).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(last, (state >> 33) as usize % (last + 1));
    }
    let mut mask = vec![1.0; capacity];
    order[..forgotten].iter().for_each(|&slot| mask[slot] = 0.0);
    mask
}
