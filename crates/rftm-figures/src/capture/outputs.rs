//! What models make of images: Figure 5, residuals; and how their trainings went.

use rftm_data::{HoldOut, Samples, Scaling};
use rftm_models::{ModelKind, SCORING_BATCH, reconstruct};

use super::cells::{CellJob, models, trained};
use super::{Capture, Datasets};
use crate::error::Result;
use crate::figure::Figure;
use crate::sheet::{Sheet, hex};

/// Images of Figure 5.
const FIRST: usize = 50;

/// Highest-scored images of each group of the residuals.
const HIGHEST: usize = 8;

/// Numbers as pixels: the way back from [`Scaling::apply`], cut off where a pixel ends.
pub(crate) fn to_pixels(values: &[f32], scaling: Scaling) -> Vec<u8> {
    let unit = |value: f32| match scaling {
        Scaling::Symmetric => value * 0.5 + 0.5,
        Scaling::Unit => value,
    };
    // A conversion to `u8` saturates.
    values.iter().map(|value| (255.0 * unit(*value)).round() as u8).collect()
}

/// The samples `rows` of a test set, as the models see them.
fn rows(test: &dyn Samples, rows: &[usize]) -> Result<rftm_data::Rows> {
    let indices: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
    let mut values = vec![0.0; rows.len() * test.features()];
    test.fill(&indices, &mut values);
    Ok(rftm_data::Rows::new(values, test.shape().to_vec())?)
}

/// Figure 5: the first test images, then every model's reconstructions of them.
pub(crate) fn reconstructions(capture: &Capture<'_>, datasets: &Datasets) -> Result<Sheet> {
    let mut sheet = capture.sheet(Figure::Fig5, &["row", "index", "label", "anomalous", "score", "pixels"]);
    for (place, &kind) in models(Figure::Fig5).iter().enumerate() {
        let job = CellJob::new(capture, kind)?;
        job.note(&mut sheet);
        let (trained, parts) = trained(capture, &job, datasets, None)?;
        let HoldOut { test, anomalous, .. } = parts;
        let labels: Vec<u8> = test.labels().collect();
        let first: Vec<usize> = (0..FIRST.min(test.len())).collect();
        let mut push = |row: &str, index: usize, score: String, pixels: &[u8]| {
            let anomaly = u8::from(anomalous[index]).to_string();
            sheet.push(vec![row.to_owned(), index.to_string(), labels[index].to_string(), anomaly, score, hex(pixels)]);
        };
        if place == 0 {
            // An image as it is has no score.
            first.iter().for_each(|&index| push("input", index, String::new(), test.pixels(index)));
        }
        let scores = trained.model.scores(&test)?;
        let outputs = reconstruct(&trained.model, &rows(&test, &first)?, SCORING_BATCH)?;
        for (&index, output) in first.iter().zip(outputs.chunks_exact(test.features())) {
            let pixels = to_pixels(output, job.cell.convention.scaling());
            push(kind.name(), index, scores[index].to_string(), &pixels);
        }
    }
    Ok(sheet)
}

/// The images with the highest scores: anomalies that were found, and normal images that look like ones.
pub(crate) fn residuals(capture: &Capture<'_>, datasets: &Datasets) -> Result<Sheet> {
    let mut sheet =
        capture.sheet(Figure::Residuals, &["model", "group", "rank", "index", "label", "score", "input", "output"]);
    for &kind in models(Figure::Residuals) {
        let job = CellJob::new(capture, kind)?;
        job.note(&mut sheet);
        let (trained, parts) = trained(capture, &job, datasets, None)?;
        let scores = trained.model.scores(&parts.test)?;
        let labels: Vec<u8> = parts.test.labels().collect();
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
        for (group, wanted) in [("anomaly", true), ("false alarm", false)] {
            let highest = order.iter().copied().filter(|&index| parts.anomalous[index] == wanted);
            let highest: Vec<usize> = highest.take(HIGHEST).collect();
            let outputs = reconstruct(&trained.model, &rows(&parts.test, &highest)?, SCORING_BATCH)?;
            for (rank, (&index, output)) in highest.iter().zip(outputs.chunks_exact(parts.test.features())).enumerate()
            {
                let output = to_pixels(output, job.cell.convention.scaling());
                let (rank, label) = ((rank + 1).to_string(), labels[index].to_string());
                let named = [kind.name().to_owned(), group.to_owned(), rank, index.to_string(), label];
                let shown = [scores[index].to_string(), hex(parts.test.pixels(index)), hex(&output)];
                sheet.push(named.into_iter().chain(shown).collect());
            }
        }
    }
    Ok(sheet)
}

/// The losses of every epoch. Not the seconds: data are the same bytes each time.
pub(crate) fn histories(capture: &Capture<'_>, datasets: &Datasets) -> Result<Sheet> {
    let mut sheet = capture.sheet(Figure::Curves, &["model", "epoch", "training", "validation"]);
    for &kind in &ModelKind::ALL {
        let job = CellJob::new(capture, kind)?;
        job.note(&mut sheet);
        let (trained, _) = trained(capture, &job, datasets, None)?;
        sheet.note("best", format!("{kind} {}", trained.report.best_epoch));
        for epoch in &trained.report.history {
            let losses = [epoch.train_loss, epoch.validation_loss].map(|loss| loss.to_string());
            sheet.push([kind.to_string(), epoch.epoch.to_string()].into_iter().chain(losses).collect());
        }
    }
    Ok(sheet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_come_back() {
        for scaling in [Scaling::Symmetric, Scaling::Unit] {
            let all: Vec<u8> = (0..=255).collect();
            let values: Vec<f32> = all.iter().map(|pixel| scaling.apply(*pixel)).collect();
            assert_eq!(to_pixels(&values, scaling), all);
            assert_eq!(to_pixels(&[-9.0, 9.0], scaling), [0, 255]);
        }
    }
}
