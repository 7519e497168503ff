use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use rftm::{Detector, Layout, check_writable, write_atomic};

use crate::args::ScoreArgs;
use crate::exit::Interrupted;
use crate::input::{self, Labels, Source, is_dash};
use crate::output;
use crate::partial::Partial;
use crate::progress::{Counter, Due, Tally, end_on_interrupt, interrupt};
use crate::stream::{Sample, each_batch};

pub(crate) fn run(args: &ScoreArgs) -> Result<()> {
    output::is_none_of(&args.output, &[&args.on.model, &args.on.input])?;
    let detector = Detector::load(&args.on.model)?;
    let tally = Arc::new(Tally::new());
    if args.stats && is_dash(&args.output) {
        // Before the input is opened: its first line may be long in coming.
        let tally = Arc::clone(&tally);
        end_on_interrupt(move || tally.say())?;
    }
    let source = input::open(&args.on.input, &args.on.read, args.on.resize, detector.card(), Labels::None);
    let mut source = source.inspect_err(|_| {
        if args.stats {
            tally.say();
        }
    })?;
    let job = Job { args, detector: &detector, source: &mut *source, tally };
    if is_dash(&args.output) {
        // Without --stats Ctrl-C ends it as it ends any filter.
        return job.write(Out { name: Path::new("standard output"), writer: &mut io::stdout().lock() }, None);
    }
    if is_whole(&args.on.input) { write_whole(job) } else { write_partial(job) }
}

/// Whether all of an input is there already.
fn is_whole(path: &Path) -> bool {
    !is_dash(path) && fs::metadata(path).is_ok_and(|metadata| metadata.is_file() || metadata.is_dir())
}

/// A file that appears when it is whole.
fn write_whole(job: Job) -> Result<()> {
    let (name, stop) = (job.args.output.as_path(), interrupt()?);
    let mut failure = None;
    let written = write_atomic(name, |writer| {
        job.write(Out { name, writer }, Some(&stop)).map_err(|error| {
            failure = Some(error);
            io::Error::other("not written")
        })
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(written?),
    }
}

/// An endless input never comes to the moment at which a whole file could appear.
fn write_partial(job: Job) -> Result<()> {
    let name = job.args.output.as_path();
    let refuse = |error| cannot_write(name, error);
    check_writable(name)?;
    let Some(mut partial) = Partial::create(name).map_err(refuse)? else {
        let mut file = File::options().write(true).open(name).map_err(refuse)?;
        return job.write(Out { name, writer: &mut file }, None);
    };
    let (stats, tally, note) = (job.args.stats, Arc::clone(&job.tally), partial.note());
    let say_note = move || tell!("{note}");
    let on_interrupt = say_note.clone();
    end_on_interrupt(move || {
        if stats {
            tally.say();
        }
        on_interrupt();
    })?;
    job.write(Out { name, writer: &mut partial.file }, None).inspect_err(|_| say_note())?;
    partial.finish().map_err(refuse)?;
    Ok(())
}

fn cannot_write(path: &Path, source: io::Error) -> rftm::Error {
    rftm::Error::Io { action: "write", path: path.to_owned(), source }
}

/// What is written to, and its name in messages: an error of it must not be taken for one of the input.
struct Out<'a> {
    name: &'a Path,
    writer: &'a mut dyn Write,
}

impl Out<'_> {
    fn put(&mut self, text: &[u8]) -> Result<()> {
        let written = self.writer.write_all(text).and_then(|()| self.writer.flush());
        Ok(written.map_err(|error| cannot_write(self.name, error))?)
    }
}

struct Job<'a> {
    args: &'a ScoreArgs,
    detector: &'a Detector,
    source: &'a mut dyn Source,
    tally: Arc<Tally>,
}

impl Job<'_> {
    fn write(self, mut out: Out, stop: Option<&AtomicBool>) -> Result<()> {
        let Self { args, detector, source, tally } = self;
        let layout = &detector.features().layout;
        let ids = match layout {
            Layout::Table { .. } => "row",
            Layout::Series { .. } => "first_row,last_row",
            Layout::Images { .. } => "image",
        };
        out.put(format!("{ids},score,p_value,anomaly\n").as_bytes())?;
        // A bar on the same terminal would be torn by the scores.
        let quiet = args.on.read.quiet || is_dash(&args.output) && io::stdout().is_terminal();
        let counter = Counter::of("rows", source.rows(), quiet);
        let mut due = (args.stats && !args.on.read.quiet && !io::stderr().is_terminal()).then(|| Due::every(10));
        let scored = each_batch(source, &args.on.input, layout, |data, samples| {
            if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return Err(Interrupted.into());
            }
            let mut text = Vec::new();
            for (sample, score) in samples.iter().zip(detector.score(data)?) {
                write_id(&mut text, layout, sample)?;
                writeln!(text, ",{score},{:.6},{}", detector.p_value(score), u8::from(detector.is_anomalous(score)))?;
            }
            out.put(&text)?;
            tally.add(samples.len() as u64);
            counter.add(samples.len() as u64);
            if due.as_mut().is_some_and(Due::is_now) {
                tally.say();
            }
            Ok(true)
        });
        drop(counter);
        // Of a stream that was cut short, too.
        if args.stats {
            tally.say();
        }
        scored
    }
}

fn write_id(out: &mut dyn Write, layout: &Layout, Sample { first, last }: &Sample) -> io::Result<()> {
    match (layout, &first.name) {
        (Layout::Series { .. }, _) => write!(out, "{},{last}", first.row),
        (_, Some(name)) if name.contains([',', '"', '\n', '\r']) => write!(out, "\"{}\"", name.replace('"', "\"\"")),
        (_, Some(name)) => out.write_all(name.as_bytes()),
        (_, None) => write!(out, "{}", first.row),
    }
}
