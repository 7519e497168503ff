use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Result;
use rftm::{Detector, Layout, write_atomic};

use crate::args::ScoreArgs;
use crate::exit::Interrupted;
use crate::input::{self, Labels, Source, is_stdin};
use crate::progress::{Counter, interrupt};
use crate::stream::{Sample, each_batch};

pub(crate) fn run(args: &ScoreArgs) -> Result<()> {
    let detector = Detector::load(&args.on.model)?;
    let mut source = input::open(&args.on.input, &args.on.read, args.on.resize, detector.features(), Labels::None)?;
    if is_stdin(&args.output) {
        // Ctrl-C ends it as it ends any filter.
        return write(args, &detector, &mut *source, &mut BufWriter::new(io::stdout().lock()), &AtomicBool::new(false));
    }
    if is_stdin(&args.on.input) {
        // An endless input never comes to the moment at which a whole file could appear.
        let mut out = BufWriter::new(create(&args.output)?);
        return write(args, &detector, &mut *source, &mut out, &AtomicBool::new(false));
    }
    let stop = interrupt()?;
    let mut failure = None;
    let written = write_atomic(&args.output, |out| {
        write(args, &detector, &mut *source, out, &stop).map_err(|error| {
            // What the disk said is the writer's to report; all else is ours.
            match error.downcast::<io::Error>() {
                Ok(error) => error,
                Err(error) => {
                    failure = Some(error);
                    io::Error::other("not written")
                }
            }
        })
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(written?),
    }
}

fn create(path: &Path) -> Result<std::fs::File> {
    let refuse = |source| rftm::Error::Io { action: "write", path: path.to_owned(), source };
    Ok(std::fs::File::create(path).map_err(refuse)?)
}

fn write(
    args: &ScoreArgs,
    detector: &Detector,
    source: &mut dyn Source,
    out: &mut dyn Write,
    stop: &AtomicBool,
) -> Result<()> {
    let layout = &detector.features().layout;
    let ids = match layout {
        Layout::Table { .. } => "row",
        Layout::Series { .. } => "first_row,last_row",
        Layout::Images { .. } => "image",
    };
    writeln!(out, "{ids},score,p_value,anomaly")?;
    out.flush()?;
    // A bar on the same terminal would be torn by the scores.
    let quiet = args.on.read.quiet || is_stdin(&args.output) && io::IsTerminal::is_terminal(&io::stdout());
    let read = crate::args::ReadArgs { quiet, ..args.on.read.clone() };
    let counter = Counter::of("rows", source.rows(), &read);
    let begin = Instant::now();
    let mut count = 0_u64;
    each_batch(source, layout, |data, samples| {
        if stop.load(Ordering::Relaxed) {
            return Err(Interrupted.into());
        }
        for (sample, score) in samples.iter().zip(detector.score(data)?) {
            write_id(out, layout, sample)?;
            writeln!(out, ",{score},{:.6},{}", detector.p_value(score), u8::from(detector.is_anomalous(score)))?;
        }
        out.flush()?;
        count += samples.len() as u64;
        counter.add(samples.len() as u64);
        Ok(true)
    })?;
    drop(counter);
    if args.stats {
        let seconds = begin.elapsed().as_secs_f64();
        let rate = count as f64 / seconds;
        // Nobody listening on standard error is no reason to fail.
        let _ = writeln!(io::stderr(), "rftm: {count} scores in {seconds:.2} s, {rate:.0} a second");
    }
    Ok(())
}

fn write_id(out: &mut dyn Write, layout: &Layout, Sample { first, last }: &Sample) -> io::Result<()> {
    match (layout, &first.name) {
        (Layout::Series { .. }, _) => write!(out, "{},{last}", first.row),
        (_, Some(name)) if name.contains([',', '"', '\n', '\r']) => write!(out, "\"{}\"", name.replace('"', "\"\"")),
        (_, Some(name)) => out.write_all(name.as_bytes()),
        (_, None) => write!(out, "{}", first.row),
    }
}
