//! Times one thing in a process of its own and prints JSON lines.
#![allow(clippy::print_stdout, reason = "its output is the result")]

use std::sync::Barrier;

use anyhow::{Result, bail};
use clap::Parser;
use rftm_benches::case::{BATCH, Case};
use rftm_benches::clock::{Times, WARM_UP, measure, median, timed};
use rftm_benches::curves::{self, Curve, Point};
use rftm_benches::foreign::{Problem, SHAPES};
use rftm_benches::layers::{Layer, Pass, gflop, layers};
use rftm_benches::machine::{bandwidth, gemm_peak, peak_mib};
use rftm_benches::ops;
use rftm_benches::record::{Gemm, Jobs, Op, Record, Step};
use rftm_benches::work::{Scoring, Training};
use rftm_models::ModelSpec;

/// Times one thing and prints JSON lines.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  step fc_ae --threads 1 --rounds 30        training steps
  step conv_rftm_p1 --score 1               scoring single samples
  step conv_ae_p1 --ops                     every operation of a step alone
  step fc_rftm --jobs 2                     two trainings side by side, one thread each
  step capacity                             a cost curve: batch, capacity, latent, forgetting, top_k
  step gemm_peak | bandwidth | gemm         the machine's limits; products of other crates")]
struct Arguments {
    /// A case (fc_ae, fc_rftm, conv_ae_p1, conv_ae_p0, conv_rftm_p1, conv_rftm_p0, fc_memae, fc_mnad), a
    /// curve, gemm_peak, bandwidth, gemm.
    #[arg(value_parser = subject)]
    subject: Subject,
    /// Threads inside a step.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Repetitions that are counted.
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Score batches of so many samples instead of training.
    #[arg(long, value_name = "BATCH", conflicts_with_all = ["ops", "jobs"])]
    score: Option<usize>,
    /// Time every operation of a step alone.
    #[arg(long)]
    ops: bool,
    /// Train so many models side by side, each on its own thread.
    #[arg(long, value_name = "N", conflicts_with = "ops")]
    jobs: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Subject {
    Case(Case),
    Curve(Curve),
    GemmPeak,
    Bandwidth,
    Gemm,
}

fn subject(text: &str) -> Result<Subject, String> {
    match text {
        "gemm_peak" => Ok(Subject::GemmPeak),
        "bandwidth" => Ok(Subject::Bandwidth),
        "gemm" => Ok(Subject::Gemm),
        _ => match Curve::ALL.into_iter().find(|curve| curve.name() == text) {
            Some(curve) => Ok(Subject::Curve(curve)),
            None => text.parse().map(Subject::Case),
        },
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.rounds == 0 || arguments.threads == 0 {
        bail!("--rounds and --threads must be at least 1");
    }
    match (arguments.subject, arguments.jobs) {
        (Subject::Case(case), Some(jobs)) => side_by_side(case, jobs.max(1), arguments.rounds),
        _ => pool(arguments.threads)?.install(|| run(&arguments)),
    }
}

fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    Ok(rayon::ThreadPoolBuilder::new().num_threads(threads).build()?)
}

fn run(arguments: &Arguments) -> Result<()> {
    let (threads, rounds) = (arguments.threads, arguments.rounds);
    match arguments.subject {
        Subject::Case(case) if arguments.ops => operations(case, threads, rounds),
        Subject::Case(case) => match arguments.score {
            None => train(case, threads, rounds),
            Some(batch) => score(case, batch, threads, rounds),
        },
        Subject::Curve(curve) => curves::run(curve, rounds, |what, at, median_ms| {
            print(&Record::Curve(Point { curve, what: what.to_owned(), at, threads, median_ms }))
        }),
        Subject::GemmPeak => {
            println!("{:.1} GFLOP/s", gemm_peak());
            Ok(())
        }
        Subject::Bandwidth => print(&Record::Bandwidth { gb_per_s: bandwidth() }),
        Subject::Gemm => SHAPES.iter().try_for_each(|&shape| {
            let [rftm, matrixmultiply, gemm] = Problem::new(shape).rates(rounds);
            let (m, n, k, form) = shape;
            print(&Record::Gemm(Gemm { shape: format!("{m} x {n} x {k} {form}"), rftm, matrixmultiply, gemm }))
        }),
    }
}

fn print(record: &Record) -> Result<()> {
    println!("{}", record.line()?);
    Ok(())
}

fn train(case: Case, threads: usize, rounds: usize) -> Result<()> {
    let spec = case.spec();
    let mut training = Training::new(&spec, BATCH)?;
    let mut parts: [Vec<f64>; 4] = Default::default();
    for round in 0..WARM_UP + rounds {
        let split = training.step()?;
        if round >= WARM_UP {
            let values = [split.total(), split.forward, split.backward, split.update];
            parts.iter_mut().zip(values).for_each(|(part, value)| part.push(value));
        }
    }
    // Before the peak rate is measured, which needs buffers of its own.
    let peak_mib = peak_mib();
    let [_, forward_ms, backward_ms, update_ms] = parts.each_ref().map(|part| Some(median(part)));
    let step = common(case, "train".to_owned(), threads, Times::of(&parts[0]));
    print(&Record::Step(Step {
        peak_mib,
        forward_ms,
        backward_ms,
        update_ms,
        gflop: Some(gflop(&layers(&spec)?, BATCH, Pass::Training)),
        gemm_peak: Some(gemm_peak()),
        ..step
    }))
}

fn score(case: Case, batch: usize, threads: usize, rounds: usize) -> Result<()> {
    let spec = case.spec();
    let mut scoring = Scoring::new(&spec, batch)?;
    let times = measure(rounds, || scoring.scores().map(drop))?;
    let step = common(case, format!("score{batch}"), threads, times);
    print(&Record::Step(Step {
        peak_mib: peak_mib(),
        gflop: Some(gflop(&layers(&spec)?, batch, Pass::Scoring)),
        gemm_peak: Some(gemm_peak()),
        weights_mib: Some(scoring.weights_mib()),
        ..step
    }))
}

fn common(case: Case, mode: String, threads: usize, times: Times) -> Step {
    let Times { n, median, min } = times;
    let (program, case) = ("rftm".to_owned(), case.to_string());
    Step { program, case, mode, threads, n, median_ms: median, min_ms: min, ..Step::default() }
}

fn operations(case: Case, threads: usize, rounds: usize) -> Result<()> {
    let all = layers(&case.spec())?;
    let first = all.iter().position(|layer| !matches!(layer, Layer::Layout { .. })).unwrap_or_default();
    for (index, &layer) in all.iter().enumerate() {
        let [forward_ms, backward_ms] = ops::Op::new(layer, BATCH, index > first)?.times(rounds)?;
        // Alone, a layer would count as the first one, whose gradient by the input is not taken.
        let products = 2e-9 * (BATCH * layer.products(Pass::Training)) as f64;
        let gflop = products * layer.times(index > first) as f64;
        let case = case.to_string();
        print(&Record::Op(Op { case, index, op: layer.name(), threads, forward_ms, backward_ms, gflop }))?;
    }
    Ok(())
}

/// As the experiment runner does it: one thread for each job, in a pool of its own.
fn side_by_side(case: Case, jobs: usize, rounds: usize) -> Result<()> {
    let (spec, start) = (case.spec(), Barrier::new(jobs + 1));
    let pools = (0..jobs).map(|_| pool(1)).collect::<Result<Vec<_>>>()?;
    let (wall_ms, result) = std::thread::scope(|scope| {
        let handles: Vec<_> =
            pools.iter().map(|pool| scope.spawn(|| pool.install(|| job(&spec, rounds, &start)))).collect();
        start.wait();
        timed(|| -> Result<()> {
            for handle in handles {
                handle.join().map_err(|_| anyhow::anyhow!("a job panicked"))??;
            }
            Ok(())
        })
    });
    result?;
    print(&Record::Jobs(Jobs { case: case.to_string(), jobs, wall_ms: wall_ms / rounds as f64 }))
}

fn job(spec: &ModelSpec, rounds: usize, start: &Barrier) -> Result<()> {
    let prepared = Training::new(spec, BATCH).and_then(|mut training| {
        (0..WARM_UP).try_for_each(|_| training.step().map(drop))?;
        Ok(training)
    });
    // Whatever happened, the others are waiting.
    start.wait();
    let mut training = prepared?;
    (0..rounds).try_for_each(|_| training.step().map(drop))
}
