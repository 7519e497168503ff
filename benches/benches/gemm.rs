//! Matrix products of the models' shapes on one thread: ours, matrixmultiply's, gemm's.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rftm_benches::foreign::{Problem, SHAPES, Whose};

fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gemm");
    for shape in SHAPES {
        let (m, n, k, form) = shape;
        let mut problem = Problem::new(shape);
        group.throughput(Throughput::Elements(problem.flop() as u64));
        for whose in Whose::ALL {
            let id = BenchmarkId::new(whose.name(), format!("{m}x{n}x{k}-{form}"));
            group.bench_function(id, |bencher| bencher.iter(|| problem.run(whose)));
        }
    }
}

criterion_group!(benches, products);
criterion_main!(benches);
