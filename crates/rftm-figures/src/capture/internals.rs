//! What happens inside the twin memory: Figure 6 and the usage of slots.

use rftm_data::Samples;
use rftm_memory::{Stage, TwinMemory};
use rftm_models::{Bottleneck, Model, ModelKind, SCORING_BATCH, gather};
use rftm_nn::{Inference, Module};
use rftm_rng::{rng, sample_sorted};
use rftm_tensor::{Tensor, reduce};

use super::cells::{CellJob, trained};
use super::outputs::to_pixels;
use super::{Capture, Datasets};
use crate::error::{Error, Result};
use crate::figure::Figure;
use crate::sheet::{Sheet, hex};

/// Slots of each memory in Figure 6.
const FOLLOWED: usize = 49;

/// The names of the memories, in order.
const UNITS: [&str; 2] = ["hippocampus", "cortex"];

/// Nothing here forgets outside training, so the number of the pass means nothing.
const PASS: Inference = Inference { pass: 0 };

/// The twin memory of a model.
pub(crate) fn twin(model: &Model) -> Result<&TwinMemory> {
    match model.bottleneck() {
        Bottleneck::Twin(memory) => Ok(memory),
        _ => Err(Error::Data { figure: "fig6", message: "the model has no twin memory".to_owned() }),
    }
}

/// A latent batch on its way through the twin memory: what goes into each memory, and what was read from it.
pub(crate) fn reads(memory: &TwinMemory, latents: Tensor) -> Result<Vec<(Tensor, Tensor)>> {
    let mut h = latents;
    let mut all = Vec::new();
    for stage in memory.stages() {
        let read = stage.memory().infer(h.clone(), PASS)?;
        all.push((h, read.clone()));
        h = stage.connect(read, PASS)?;
    }
    Ok(all)
}

/// Encodes samples batch by batch; `each` gets the number of the first sample and the latents.
pub(crate) fn latents(
    model: &Model,
    samples: &dyn Samples,
    count: usize,
    mut each: impl FnMut(usize, Tensor) -> Result<()>,
) -> Result<()> {
    for first in (0..count).step_by(SCORING_BATCH) {
        let rows: Vec<u32> = (first as u32..count.min(first + SCORING_BATCH) as u32).collect();
        each(first, model.encoder().infer(gather(samples, &rows)?, PASS)?)?;
    }
    Ok(())
}

/// Some slots of a memory as images: what the network would show if the memory had answered with that slot alone. A
/// hippocampus slot goes through the cortex, as everything does that the hippocampus answers.
fn images(model: &Model, unit: usize, slots: &[u32]) -> Result<Vec<f32>> {
    let stages: Vec<&Stage> = twin(model)?.stages().collect();
    let Some((stage, rest)) = stages.get(unit..).and_then(|stages| stages.split_first()) else {
        return Ok(Vec::new());
    };
    let all = stage.memory().slots();
    let width = all.rows_cols().1;
    let picked: Vec<f32> =
        slots.iter().flat_map(|slot| &all.data()[*slot as usize * width..][..width]).copied().collect();
    let mut h = stage.connect(Tensor::from_vec(picked, [slots.len(), width])?, PASS)?;
    for stage in rest {
        h = stage.connect(stage.memory().infer(h, PASS)?, PASS)?;
    }
    Ok(model.decoder().infer(h, PASS)?.data().to_vec())
}

/// Figure 6: slots at the start, after epochs 1, 2, 4, ..., and at the end.
pub(crate) fn slots(capture: &Capture<'_>, datasets: &Datasets) -> Result<Sheet> {
    let mut sheet = capture.sheet(Figure::Fig6, &["unit", "epoch", "slot", "pixels"]);
    let job = CellJob::new(capture, ModelKind::Rftm)?;
    job.note(&mut sheet);
    let (trained, _) = trained(capture, &job, datasets, None)?;
    let seed = job.cell.train.seed;
    let best = trained.report.best_epoch;
    sheet.note("last", best.to_string());
    // Three on the way tell the story; the rest of the doublings would be drawn too small to see.
    let kept = trained.snapshots();
    let between = [1, 4, 16].into_iter().filter(|epoch| kept.contains(epoch) && *epoch < best);
    let mut states = vec![(0, Model::new(&job.cell.model, seed)?)];
    for epoch in between {
        states.push((epoch, trained.at(epoch, seed)?));
    }
    states.push((best, trained.model));
    for (unit, name) in UNITS.into_iter().enumerate() {
        let mut followed = Vec::new();
        if let Some(stage) = twin(&states[0].1)?.stages().nth(unit) {
            let capacity = stage.memory().config().capacity;
            sample_sorted(capacity, FOLLOWED.min(capacity), &mut rng(seed, "figure slots", unit as u64), &mut followed);
        }
        for (epoch, model) in &states {
            let images = images(model, unit, &followed)?;
            let pixels = images.len() / followed.len().max(1);
            for (slot, image) in followed.iter().zip(images.chunks_exact(pixels.max(1))) {
                let image = hex(&to_pixels(image, job.cell.convention.scaling()));
                sheet.push(vec![name.to_owned(), epoch.to_string(), slot.to_string(), image]);
            }
        }
    }
    Ok(sheet)
}

/// How often the test set reads each slot, and with what weight in all.
pub(crate) fn usage(capture: &Capture<'_>, datasets: &Datasets) -> Result<Sheet> {
    let mut sheet = capture.sheet(Figure::Usage, &["unit", "slot", "normal", "anomalous", "weight"]);
    let job = CellJob::new(capture, ModelKind::Rftm)?;
    job.note(&mut sheet);
    let (trained, parts) = trained(capture, &job, datasets, None)?;
    let memory = twin(&trained.model)?;
    let capacities = memory.stages().map(|stage| stage.memory().config().capacity);
    let mut counts: Vec<Vec<([u32; 2], f64)>> = capacities.map(|capacity| vec![([0; 2], 0.0); capacity]).collect();
    latents(&trained.model, &parts.test, parts.test.len(), |first, h| {
        for ((stage, counts), (query, _)) in memory.stages().zip(&mut counts).zip(reads(memory, h)?) {
            let recall = stage.memory().recall(&query, PASS)?;
            for row in 0..recall.queries() {
                let group = usize::from(parts.anomalous[first + row]);
                for (slot, weight) in recall.slots(row).iter().zip(recall.weights(row)) {
                    if *weight > 0.0 {
                        let (reads, total) = &mut counts[*slot as usize];
                        reads[group] += 1;
                        *total += f64::from(*weight);
                    }
                }
            }
        }
        Ok(())
    })?;
    sheet.note("samples", parts.test.len().to_string());
    for (stage, name) in memory.stages().zip(UNITS) {
        let slots = stage.memory().slots();
        let lengths = slots.data().chunks_exact(slots.rows_cols().1).map(|slot| reduce::dot(slot, slot).sqrt());
        let mean = lengths.clone().sum::<f32>() / lengths.len() as f32;
        sheet.note("slot length", format!("{name} {mean:.4}"));
    }
    for (name, counts) in UNITS.into_iter().zip(&counts) {
        for (slot, ([normal, anomalous], weight)) in counts.iter().enumerate() {
            let numbers = [slot.to_string(), normal.to_string(), anomalous.to_string(), format!("{weight:.3}")];
            sheet.push([name.to_owned()].into_iter().chain(numbers).collect());
        }
    }
    Ok(sheet)
}
