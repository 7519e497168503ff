//! Figure 7: t-SNE (van der Maaten and Hinton, 2008; Barnes-Hut approximation, 2014) of the representation.

use bhtsne::{Neighbor, tSNE};
use rayon::prelude::*;
use rftm_data::Samples;
use rftm_models::ModelKind;
use rftm_rng::{below, rng};
use rftm_tensor::{Tensor, reduce};

use super::cells::{CellJob, trained};
use super::internals::{latents, reads, twin};
use super::{Capture, Datasets, Event};
use crate::error::{Error, Result};
use crate::figure::Figure;
use crate::sheet::Sheet;

/// Effective number of neighbours of a point, the library's usual one.
const PERPLEXITY: usize = 20;
/// Neighbours whose attraction counts: three times the perplexity, as in the paper of the approximation.
const NEIGHBOURS: usize = 3 * PERPLEXITY;
const EPOCHS: usize = 1000;
/// How far away points are lumped together.
const THETA: f32 = 0.5;

/// What is embedded, in order.
const STAGES: [&str; 3] = ["encoder", "hippocampus", "cortex"];

/// Figure 7: encoder output, hippocampus read and cortex read of the first test images, each in two dimensions.
pub(crate) fn stages(capture: &Capture<'_>, datasets: &Datasets) -> Result<Sheet> {
    let mut sheet = capture.sheet(Figure::Fig7, &["stage", "index", "label", "anomalous", "x", "y"]);
    let job = CellJob::new(capture, ModelKind::Rftm)?;
    job.note(&mut sheet);
    let (trained, parts) = trained(capture, &job, datasets, None)?;
    let count = capture.subject.embedded.min(parts.test.len());
    sheet.note("t-sne", format!("first {count} test images, perplexity {PERPLEXITY}, theta {THETA}, {EPOCHS} epochs"));
    let memory = twin(&trained.model)?;
    let mut vectors: [Vec<f32>; 3] = Default::default();
    latents(&trained.model, &parts.test, count, |_, h| {
        vectors[0].extend_from_slice(h.data());
        for ((_, read), vectors) in reads(memory, h)?.iter().zip(&mut vectors[1..]) {
            vectors.extend_from_slice(read.data());
        }
        Ok(())
    })?;
    let labels: Vec<u8> = parts.test.labels().collect();
    for (stage, vectors) in STAGES.into_iter().zip(vectors) {
        capture.watch.event(&Event::Working { what: &format!("t-SNE of {count} vectors: {stage}") });
        let points = embed(&vectors, count, job.cell.train.seed)?;
        for (index, point) in points.chunks_exact(2).enumerate() {
            let anomaly = u8::from(parts.anomalous[index]).to_string();
            let named = [stage.to_owned(), index.to_string(), labels[index].to_string(), anomaly];
            sheet.push(named.into_iter().chain(point.iter().map(|value| format!("{value:.3}"))).collect());
        }
    }
    Ok(sheet)
}

/// `count` points in two dimensions, row by row: the same bits each time, on any number of threads.
///
/// The library draws the first embedding and the search tree at random and adds in the order in which threads end; so the
/// first embedding comes from a stream, the neighbours are found here, and one thread does the rest.
fn embed(vectors: &[f32], count: usize, seed: u64) -> Result<Vec<f32>> {
    let width = vectors.len() / count.max(1);
    if count <= NEIGHBOURS || width == 0 {
        let message = format!("{count} points of width {width}; t-SNE needs more than {NEIGHBOURS} neighbours");
        return Err(Error::Data { figure: "fig7", message });
    }
    let neighbours = nearest(&Tensor::from_vec(vectors.to_vec(), [count, width])?);
    let mut stream = rng(seed, "tsne", 0);
    let steps = 1 << 24;
    // Close to the origin, so that nothing of it is left in the end but which way things lie.
    let start: Vec<f32> =
        (0..2 * count).map(|_| 1e-4 * (below(steps, &mut stream) as f32 / steps as f32 - 0.5)).collect();
    let points: Vec<&[f32]> = vectors.chunks_exact(width).collect();
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    Ok(alone.install(|| {
        let mut tsne: tSNE<f32, &[f32]> = tSNE::new(&points);
        tsne.perplexity(PERPLEXITY as f32).epochs(EPOCHS).initial_embedding(start);
        tsne.barnes_hut_with_neighbors(THETA, &neighbours).embedding()
    }))
}

/// The nearest neighbours of every row, the nearest first; of two as near the one with the lower index.
fn nearest(rows: &Tensor) -> Vec<Vec<Neighbor<f32>>> {
    let (count, width) = rows.rows_cols();
    let row = |index: usize| &rows.data()[index * width..][..width];
    let of = |query: usize| {
        let distance = |other: usize| {
            let mut difference: Vec<f32> = row(query).to_vec();
            difference.iter_mut().zip(row(other)).for_each(|(a, b)| *a -= b);
            reduce::dot(&difference, &difference).sqrt()
        };
        let mut all: Vec<(f32, usize)> =
            (0..count).filter(|&other| other != query).map(|other| (distance(other), other)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all.into_iter().take(NEIGHBOURS).map(|(distance, index)| Neighbor { index, distance }).collect()
    };
    (0..count).into_par_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three clouds in 5 dimensions.
    fn clouds(count: usize) -> Vec<f32> {
        let mut stream = rng(7, "test", 0);
        let mut noise = move || below(1000, &mut stream) as f32 / 1000.0;
        (0..count)
            .flat_map(|index| [0, 1, 2, 3, 4].map(|axis| if axis == index % 3 { 20.0 } else { 0.0 }))
            .map(|v| v + noise())
            .collect()
    }

    #[test]
    fn an_embedding_is_the_same_each_time_and_keeps_clouds_apart() {
        let vectors = clouds(300);
        let points = embed(&vectors, 300, 1997).unwrap();
        assert_eq!(points, embed(&vectors, 300, 1997).unwrap());
        assert_ne!(points, embed(&vectors, 300, 1998).unwrap());
        let point = |index: usize| (points[2 * index], points[2 * index + 1]);
        let distance = |a: usize, b: usize| (point(a).0 - point(b).0).hypot(point(a).1 - point(b).1);
        // The nearest point of another cloud is farther away than the nearest of one's own.
        for index in 0..300 {
            let nearest = |same: bool| {
                let others = (0..300).filter(|&other| other != index && (other % 3 == index % 3) == same);
                others.map(|other| distance(index, other)).fold(f32::INFINITY, f32::min)
            };
            assert!(nearest(true) < nearest(false), "{index}");
        }
    }

    #[test]
    fn too_few_points_are_refused() {
        assert!(embed(&clouds(30), 30, 1997).unwrap_err().to_string().contains("30 points"));
    }
}
