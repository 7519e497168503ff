//! The memory read and its way back over N, L', nu and k, on one thread, batch 256.
#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot run shall stop")]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rftm_benches::case::BATCH;
use rftm_benches::curves::Curve;
use rftm_benches::layers::Layer;
use rftm_benches::ops::Op;

fn reads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("memory");
    group.sample_size(10);
    for curve in Curve::ALL.into_iter().filter(|curve| *curve != Curve::Batch) {
        for &at in curve.points() {
            let (unit, width) = curve.unit(at);
            let mut op = Op::new(Layer::Memory { unit, width }, BATCH, true).unwrap();
            for (way, name) in ["forward", "backward"].into_iter().enumerate() {
                group.bench_function(BenchmarkId::new(format!("{}/{name}", curve.name()), at), |bencher| {
                    bencher.iter_custom(|n| {
                        let milliseconds: f64 = (0..n).map(|_| rftm_tensor::serial(|| op.step()).unwrap()[way]).sum();
                        Duration::from_secs_f64(1e-3 * milliseconds)
                    });
                });
            }
        }
    }
}

criterion_group!(benches, reads);
criterion_main!(benches);
