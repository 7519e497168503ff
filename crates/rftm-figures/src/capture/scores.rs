//! Figures 3 and 4: what follows from the test scores alone.

use rftm_experiments::Scores;
use rftm_metrics::{histogram, min_max, pr_curve, roc_curve};

use super::cells::{CellJob, models, scores};
use super::{Capture, Datasets};
use crate::error::Result;
use crate::figure::Figure;
use crate::sheet::Sheet;

/// Bins of Figure 3.
const BINS: usize = 60;

/// How far a point that is left out of Figure 4 may lie from the line that replaces it; a tenth of a pixel.
const TOLERANCE: f64 = 2e-4;

/// The cells of a figure with their scores, named in the header.
fn scored(capture: &Capture<'_>, datasets: &Datasets, figure: Figure, sheet: &mut Sheet) -> Result<Vec<Scored>> {
    let each = models(figure).iter().map(|kind| {
        let job = CellJob::new(capture, *kind)?;
        job.note(sheet);
        let Scores { scores, anomalous } = scores(capture, &job, datasets)?;
        Ok(Scored { model: kind.to_string(), values: scores.into_iter().map(f64::from).collect(), anomalous })
    });
    each.collect()
}

struct Scored {
    model: String,
    values: Vec<f64>,
    anomalous: Vec<bool>,
}

/// Figure 3: the scores of the test set, min-max normalised, counted in bins.
pub(crate) fn distributions(capture: &Capture<'_>, datasets: &Datasets) -> Result<Sheet> {
    let mut sheet = capture.sheet(Figure::Fig3, &["model", "low", "high", "normal", "anomalous"]);
    for Scored { model, values, anomalous } in scored(capture, datasets, Figure::Fig3, &mut sheet)? {
        let values = min_max(&values)?;
        let of = |wanted: bool| {
            let group: Vec<f64> =
                values.iter().zip(&anomalous).filter(|(_, label)| **label == wanted).map(|(value, _)| *value).collect();
            histogram(&group, BINS, (0.0, 1.0))
        };
        let (normal, anomaly) = (of(false)?, of(true)?);
        for (bin, edges) in normal.edges.windows(2).enumerate() {
            let counts = [normal.counts[bin], anomaly.counts[bin]];
            let edges = edges.iter().map(ToString::to_string);
            sheet.push([model.clone()].into_iter().chain(edges).chain(counts.map(|c| c.to_string())).collect());
        }
    }
    Ok(sheet)
}

/// Figure 4: both curves, thinned, with the areas under the whole ones.
pub(crate) fn curves(capture: &Capture<'_>, datasets: &Datasets) -> Result<Sheet> {
    let mut sheet = capture.sheet(Figure::Fig4, &["curve", "model", "x", "y"]);
    for Scored { model, values, anomalous } in scored(capture, datasets, Figure::Fig4, &mut sheet)? {
        let roc = roc_curve(&anomalous, &values)?;
        let pr = pr_curve(&anomalous, &values)?;
        let areas = [rftm_metrics::auroc(&anomalous, &values)?, rftm_metrics::average_precision(&anomalous, &values)?];
        let points = |x: &[f64], y: &[f64]| x.iter().copied().zip(y.iter().copied()).collect::<Vec<_>>();
        let curves = [
            ("roc", points(&roc.false_positive_rate, &roc.true_positive_rate)),
            ("pr", points(&pr.recall, &pr.precision)),
        ];
        for ((curve, points), area) in curves.into_iter().zip(areas) {
            sheet.note("area", format!("{curve} {model} {area}"));
            for (x, y) in thin(&points, TOLERANCE) {
                sheet.push(vec![curve.to_owned(), model.clone(), format!("{x:.6}"), format!("{y:.6}")]);
            }
        }
    }
    Ok(sheet)
}

/// The points without those that lie within `tolerance` of the lines between the others (Ramer, 1972; Douglas and Peucker,
/// 1973). The area under the curve changes by less than `tolerance` times the length of the curve.
fn thin(points: &[(f64, f64)], tolerance: f64) -> Vec<(f64, f64)> {
    let mut kept = vec![false; points.len()];
    let mut open = vec![(0, points.len().saturating_sub(1))];
    while let Some((first, last)) = open.pop() {
        let (Some(&a), Some(&b)) = (points.get(first), points.get(last)) else { continue };
        (kept[first], kept[last]) = (true, true);
        let length = (b.0 - a.0).hypot(b.1 - a.1);
        let distance = |&(x, y): &(f64, f64)| match length > 0.0 {
            true => ((b.0 - a.0) * (a.1 - y) - (a.0 - x) * (b.1 - a.1)).abs() / length,
            false => (x - a.0).hypot(y - a.1),
        };
        let inner = (first + 1..last).map(|index| (index, distance(&points[index])));
        if let Some((farthest, far)) = inner.max_by(|a, b| a.1.total_cmp(&b.1))
            && far > tolerance
        {
            open.extend([(first, farthest), (farthest, last)]);
        }
    }
    points.iter().zip(kept).filter(|(_, kept)| *kept).map(|(point, _)| *point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng as _;

    fn area(points: &[(f64, f64)]) -> f64 {
        points.windows(2).map(|pair| (pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1) / 2.0).sum()
    }

    #[test]
    fn thinning_keeps_ends_corners_and_area() {
        let corner = [(0.0, 0.0), (0.0, 0.5), (0.0, 1.0), (0.5, 1.0), (1.0, 1.0)];
        assert_eq!(thin(&corner, TOLERANCE), [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]);
        assert!(thin(&[], TOLERANCE).is_empty());
        assert_eq!(thin(&[(1.0, 2.0)], TOLERANCE), [(1.0, 2.0)]);

        let mut stream = rftm_rng::rng(7, "test", 0);
        let anomalous: Vec<bool> = (0..10_000).map(|index| index % 10 == 0).collect();
        let values: Vec<f64> =
            anomalous.iter().map(|label| stream.random::<f64>() + if *label { 0.4 } else { 0.0 }).collect();
        let roc = roc_curve(&anomalous, &values).unwrap();
        let pr = pr_curve(&anomalous, &values).unwrap();
        for (x, y) in [(roc.false_positive_rate, roc.true_positive_rate), (pr.recall, pr.precision)] {
            let whole: Vec<(f64, f64)> = x.into_iter().zip(y).collect();
            let thinned = thin(&whole, TOLERANCE);
            assert!(thinned.len() < whole.len() / 3, "{} of {}", thinned.len(), whole.len());
            assert!((area(&whole) - area(&thinned)).abs() < 2.0 * TOLERANCE);
        }
    }
}
