//! Whole training steps and scoring, on one thread and on two.
#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot run shall stop")]

use criterion::{Criterion, criterion_group, criterion_main};
use rftm_benches::case::{BATCH, Case};
use rftm_benches::work::{Scoring, Training};

fn steps(criterion: &mut Criterion) {
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut group = criterion.benchmark_group(format!("steps/threads {threads}"));
        group.sample_size(10);
        for case in Case::ALL {
            let mut training = Training::new(&case.spec(), BATCH).unwrap();
            group.bench_function(format!("{case}/train"), |bencher| {
                pool.install(|| bencher.iter(|| training.step().unwrap()));
            });
            drop(training);
            for batch in [BATCH, 1] {
                let scoring = Scoring::new(&case.spec(), batch).unwrap();
                group.bench_function(format!("{case}/score {batch}"), |bencher| {
                    pool.install(|| bencher.iter(|| scoring.scores().unwrap()));
                });
            }
        }
    }
}

criterion_group!(benches, steps);
criterion_main!(benches);
