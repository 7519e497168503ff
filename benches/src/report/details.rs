//! The tables beside those of whole steps: operations, products, side by side, cost curves.

use super::steps::Steps;
use super::table::{Table, number, ratio};
use crate::case::Case;
use crate::clock::median;
use crate::curves::{Curve, Point};
use crate::record::{Gemm, Jobs, Op, Record};

/// Every operation of a step alone, the sum, and the step.
pub(super) fn operations(records: &[Record], steps: &Steps<'_>, case: Case, threads: usize) -> Table {
    let name = case.name();
    let all: Vec<&Op> = records
        .iter()
        .filter_map(|record| match record {
            Record::Op(op) if op.case == name && op.threads == threads => Some(op),
            _ => None,
        })
        .collect();
    let mut indices: Vec<_> = all.iter().map(|op| op.index).collect();
    indices.sort_unstable();
    indices.dedup();
    let mut table = Table::new(["operation", "forward, ms", "backward, ms", "GFLOP/s"]);
    let mut sum = [0.0; 2];
    for index in &indices {
        let same: Vec<_> = all.iter().filter(|op| op.index == *index).collect();
        let of = |part: fn(&Op) -> f64| median(&same.iter().map(|op| part(op)).collect::<Vec<_>>());
        let times = [of(|op| op.forward_ms), of(|op| op.backward_ms)];
        sum.iter_mut().zip(times).for_each(|(sum, time)| *sum += time);
        let gflop = same.first().map(|op| op.gflop).filter(|&gflop| gflop > 0.0);
        let rate = gflop.map(|gflop| 1e3 * gflop / (times[0] + times[1]));
        let op = same.first().map(|op| op.op.clone()).unwrap_or_default();
        table.row([op, number(Some(times[0])), number(Some(times[1])), number(rate)]);
    }
    if let (Some((step, update)), false) = (steps.ours(name, threads), indices.is_empty()) {
        let alone = sum[0] + sum[1] + update;
        table.row(["Adam, all parameters".to_owned(), "-".into(), number(Some(update)), "-".into()]);
        table.row(["**sum**".to_owned(), number(Some(sum[0])), number(Some(sum[1] + update)), "-".into()]);
        table.row(["**the whole step, less the sum**".to_owned(), "-".into(), number(Some(step - alone)), "-".into()]);
    }
    table
}

/// Products of our own and of two other crates, the median of all runs.
pub(super) fn products(records: &[Record]) -> Table {
    let mut shapes: Vec<(&str, Vec<&Gemm>)> = Vec::new();
    for record in records {
        let Record::Gemm(gemm) = record else { continue };
        match shapes.iter_mut().find(|(shape, _)| *shape == gemm.shape) {
            Some((_, runs)) => runs.push(gemm),
            None => shapes.push((&gemm.shape, vec![gemm])),
        }
    }
    let mut table = Table::new(["m x n x k", "rftm", "matrixmultiply", "gemm", "rftm / the better one"]);
    for (shape, runs) in shapes {
        let over = |value: fn(&Gemm) -> f64| median(&runs.iter().map(|run| value(run)).collect::<Vec<_>>());
        let rates = [over(|run| run.rftm), over(|run| run.matrixmultiply), over(|run| run.gemm)];
        // Taken within each run: the machine is not equally fast in all of them.
        let share = over(|run| run.rftm / run.matrixmultiply.max(run.gemm));
        let rates = rates.map(|rate| number(Some(rate)));
        table.row([shape.to_owned()].into_iter().chain(rates).chain([ratio(Some(share))]));
    }
    table
}

/// Trainings side by side.
pub(super) fn side_by_side(records: &[Record]) -> Table {
    let all: Vec<&Jobs> = records
        .iter()
        .filter_map(|record| match record {
            Record::Jobs(jobs) => Some(jobs),
            _ => None,
        })
        .collect();
    let time = |case: &str, jobs: usize| {
        let times: Vec<_> =
            all.iter().filter(|one| one.case == case && one.jobs == jobs).map(|one| one.wall_ms).collect();
        (!times.is_empty()).then(|| median(&times))
    };
    let mut table = Table::new(["case", "one, ms a step", "two, ms a step", "two / one", "goal"]);
    for case in Case::ALL.map(Case::name) {
        let (one, two) = (time(case, 1), time(case, 2));
        if let (Some(alone), Some(together)) = (one, two) {
            let row = [format!("`{case}`"), number(one), number(two), ratio(Some(together / alone)), "1.15x".into()];
            table.row(row);
        }
    }
    table
}

/// One cost curve on one thread.
pub(super) fn curve(records: &[Record], curve: Curve) -> Table {
    let points: Vec<&Point> = records
        .iter()
        .filter_map(|record| match record {
            Record::Curve(point) if point.curve == curve && point.threads == 1 => Some(point),
            _ => None,
        })
        .collect();
    // In the order of a point that has them all: the first may lack some.
    let mut columns: Vec<&str> = Vec::new();
    for point in points.iter().rev() {
        if !columns.contains(&point.what.as_str()) {
            columns.push(&point.what);
        }
    }
    columns.reverse();
    let mut table = Table::new([curve.title()].into_iter().chain(columns.iter().copied()));
    for &at in curve.points() {
        let time = |what: &str| {
            let times: Vec<_> = points
                .iter()
                .filter(|point| point.at == at && point.what == what)
                .map(|point| point.median_ms)
                .collect();
            (!times.is_empty()).then(|| median(&times))
        };
        let times: Vec<_> = columns.iter().map(|what| time(what)).collect();
        if times.iter().any(Option::is_some) {
            table.row([at.to_string()].into_iter().chain(times.into_iter().map(number)));
        }
    }
    table
}
