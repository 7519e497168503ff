//! Every operation of the training steps, forward and backward, on one thread and at the steps' shapes.
#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot run shall stop")]

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use rftm_benches::case::{BATCH, Case};
use rftm_benches::layers::{Layer, layers};
use rftm_benches::ops::Op;
use rftm_benches::work::Training;

/// Without a memory: those are in the group of their own.
fn plain() -> impl Iterator<Item = Case> {
    Case::ALL.into_iter().filter(|case| *case == case.plain())
}

fn operations(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ops");
    group.sample_size(10);
    for case in plain() {
        for (index, layer) in layers(&case.spec()).unwrap().into_iter().enumerate() {
            // The first operation gets data; a layout before it has nothing to do backward.
            let first = usize::from(case.is_conv());
            let mut op = Op::new(layer, BATCH, index > first).unwrap();
            for (way, name) in ["forward", "backward"].into_iter().enumerate() {
                if way == 1 && matches!(layer, Layer::Layout { back: false, .. }) {
                    continue;
                }
                let id = format!("{case}/{index:02} {}/{name}", layer.name());
                // Backward needs a forward pass before each: only the part that is meant counts.
                group.bench_function(id, |bencher| {
                    bencher.iter_custom(|n| {
                        let milliseconds: f64 = (0..n).map(|_| rftm_tensor::serial(|| op.step()).unwrap()[way]).sum();
                        Duration::from_secs_f64(1e-3 * milliseconds)
                    });
                });
            }
        }
    }
}

fn adam(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("adam");
    group.sample_size(10);
    for case in plain() {
        let mut training = Training::new(&case.spec(), BATCH).unwrap();
        group.bench_function(case.name(), |bencher| {
            bencher.iter_custom(|n| {
                let milliseconds: f64 = (0..n).map(|_| rftm_tensor::serial(|| training.step()).unwrap().update).sum();
                Duration::from_secs_f64(1e-3 * milliseconds)
            });
        });
    }
}

criterion_group!(benches, operations, adam);
criterion_main!(benches);
