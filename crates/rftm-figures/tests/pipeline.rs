//! All three stages on built-in glyphs: capture with real, short trainings, drawing, page.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use rftm_data::{DatasetId, SearchPath, load};
use rftm_experiments::{Catalogue, Host, Ledger, Lock, Parallelism};
use rftm_figures::{Capture, Captured, Datasets, Error, Event, Figure, Subject, Watch, drawings, page};

struct Quiet;

impl Watch for Quiet {
    fn event(&self, _: &Event<'_>) {}
}

/// Keeps what it hears: kind and name of events, and all estimates in order.
#[derive(Default)]
struct Heard {
    events: Mutex<Vec<String>>,
    left: Mutex<Vec<f64>>,
}

impl Watch for Heard {
    fn event(&self, event: &Event<'_>) {
        let (text, seconds) = match event {
            Event::Begin { trainings, seconds, .. } => (format!("begin {trainings}"), Some(*seconds)),
            Event::Started { name } => (format!("started {name}"), None),
            Event::Epoch { name, report, left, .. } => (format!("epoch {} {name}", report.epoch), Some(*left)),
            Event::Ended { name, error, done, left, .. } => {
                (format!("ended {} {done} {name}", error.is_none()), Some(*left))
            }
            other => (format!("{other:?}"), None),
        };
        self.events.lock().unwrap().push(text);
        self.left.lock().unwrap().extend(seconds);
    }
}

fn glyphs() -> Datasets {
    let dataset = load(DatasetId::Glyphs, &SearchPath::only(Path::new("."))).unwrap();
    BTreeMap::from([(DatasetId::Glyphs, Arc::new(dataset))])
}

static HOST: LazyLock<Host> =
    LazyLock::new(|| Host { commit: "0123456789abcdef".into(), dirty: true, cpu: "a CPU".into(), cores: 2 });

fn capture<'a>(
    catalogue: &'a Catalogue,
    ledger: &'a Ledger,
    folder: &'a [std::path::PathBuf; 2],
    stop: &'a AtomicBool,
) -> Capture<'a> {
    let glyphs = DatasetId::Glyphs;
    Capture {
        catalogue,
        ledger,
        subject: Subject { dataset: glyphs, other: glyphs, class: 2, seed: 1997, embedded: 200 },
        max_epochs: Some(2),
        out: &folder[0],
        weights: &folder[1],
        parallelism: Parallelism { jobs: 2, threads: 1 },
        host: &HOST,
        stop,
        watch: &Quiet,
    }
}

/// The figures of one cell; Figure 1 would be eighteen more trainings.
const CELL: [Figure; 8] = [
    Figure::Fig3,
    Figure::Fig4,
    Figure::Fig5,
    Figure::Fig6,
    Figure::Fig7,
    Figure::Curves,
    Figure::Usage,
    Figure::Residuals,
];

#[test]
fn what_is_captured_can_be_drawn_and_is_the_same_each_time() {
    let (catalogue, ledger, stop) = (Catalogue::builtin().unwrap(), Ledger::default(), AtomicBool::new(false));
    let folder = tempfile::tempdir().unwrap();
    let paths = |name: &str| [folder.path().join(name), folder.path().join("weights")];
    let (first, again) = (paths("first"), paths("again"));
    let datasets = glyphs();

    let one = capture(&catalogue, &ledger, &first, &stop);
    assert_eq!(one.work(&CELL).unwrap().names().len(), 4, "figures share trainings");
    let heard = Heard::default();
    let Captured { written, failures } = Capture { watch: &heard, ..one }.run(&CELL, &datasets).unwrap();
    assert_eq!(written.len(), CELL.len());
    assert!(failures.is_empty(), "{failures:?}");
    let events = heard.events.into_inner().unwrap();
    let count = |start: &str| events.iter().filter(|event| event.starts_with(start)).count();
    assert_eq!((events[0].as_str(), count("started"), count("epoch"), count("ended true")), ("begin 4", 4, 8, 4));
    assert_eq!(count("Working"), 3, "{events:?}");
    let left = heard.left.into_inner().unwrap();
    assert!(left[0] > 0.0 && left.iter().all(|seconds| seconds.is_finite()) && left.last() == Some(&0.0), "{left:?}");
    // From the weights that are there now.
    let heard = Heard::default();
    Capture { watch: &heard, ..capture(&catalogue, &ledger, &again, &stop) }.run(&CELL, &datasets).unwrap();
    assert!(
        heard.events.into_inner().unwrap().iter().all(|event| !event.starts_with("epoch")),
        "nothing is trained again"
    );
    for figure in CELL {
        let [a, b] = [&first[0], &again[0]].map(|out| fs::read_to_string(figure.data(out)).unwrap());
        assert!(a == b, "{figure} differs from one capture to the next");
        assert!(a.contains("# trial: at most 2 epochs"), "{figure}");
    }

    let drawn = drawings(&catalogue, &ledger, &first[0]);
    assert!(drawn.failures.is_empty(), "{:?}", drawn.failures);
    assert_eq!(drawn.drawn.iter().map(|drawing| drawing.figure).collect::<Vec<_>>(), CELL);
    assert!(drawn.drawn.iter().all(|drawing| drawing.caption.starts_with("**A trial")));
    let page = page(&catalogue, &ledger, &drawn).unwrap();
    assert_eq!(page.matches("<figure ").count(), CELL.len());
    assert!(page.contains("Not recorded yet: Figure 1."));

    // A damaged file is an error with its name and line, not an empty picture; the others are drawn.
    let path = Figure::Fig5.data(&first[0]);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("\ninput,0,") && text.lines().all(|line| !line.starts_with("input,") || line.contains(",,")));
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    let path = Figure::Fig6.data(&first[0]);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("# last: ", "# last: 9")).unwrap();
    let drawn = drawings(&catalogue, &ledger, &first[0]);
    assert_eq!(drawn.drawn.len(), CELL.len() - 2);
    let messages: Vec<String> = drawn.failures.iter().map(|(figure, error)| format!("{figure}: {error}")).collect();
    for (message, expected) in messages.iter().zip(["fig5.csv, line ", "fig6.csv, line 5: there is no epoch 9"]) {
        assert!(message.contains(expected), "{expected} is not in {message}");
    }
    let page = rftm_figures::page(&catalogue, &ledger, &drawn).unwrap();
    assert!(
        page.contains("Not drawn, its data are damaged: Figure 5.") && !page.contains("Not recorded yet: Figure 5.")
    );
}

/// One figure cannot be embedded, one training's weights are damaged: the figures that need neither are made.
#[test]
fn what_fails_stops_only_the_figures_that_need_it() {
    let (catalogue, ledger, stop) = (Catalogue::builtin().unwrap(), Ledger::default(), AtomicBool::new(false));
    let folder = tempfile::tempdir().unwrap();
    let paths = [folder.path().join("out"), folder.path().join("weights")];
    let mut capture = capture(&catalogue, &ledger, &paths, &stop);
    capture.subject.embedded = 10;
    let name = capture.work(&[Figure::Fig5]).unwrap().names().find(|name| name.contains(", mnad,")).unwrap();
    let key = name.rsplit_once('(').unwrap().1.trim_end_matches(')').to_owned();
    fs::create_dir_all(paths[1].join(&key)).unwrap();
    fs::write(paths[1].join(&key).join("training.safetensors"), "no weights").unwrap();

    assert_eq!(capture.work(&CELL).unwrap().names().next(), Some(name.clone()), "what has begun comes first");
    let Captured { written, failures } = capture.run(&CELL, &glyphs()).unwrap();
    let made: Vec<_> = [Figure::Fig6, Figure::Usage, Figure::Residuals].map(|figure| figure.data(&paths[0])).into();
    assert_eq!(written, made);
    assert!(made.iter().all(|path| path.is_file()));
    let failures: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert_eq!(failures.len(), 2, "{failures:?}");
    let (training, figure) = (&failures[0], &failures[1]);
    assert!(training.starts_with(&format!("fig3, fig4, fig5, curves: {name}: ")), "{training}");
    assert!(training.contains("training.safetensors"), "{training}");
    assert!(figure.starts_with("fig7: ") && figure.contains("10 points"), "{figure}");
}

#[test]
fn a_capture_that_is_stopped_says_so_and_writes_nothing() {
    let (catalogue, ledger, stop) = (Catalogue::builtin().unwrap(), Ledger::default(), AtomicBool::new(false));
    let folder = tempfile::tempdir().unwrap();
    let paths = [folder.path().join("out"), folder.path().join("weights")];
    let capture = capture(&catalogue, &ledger, &paths, &stop);
    stop.store(true, Ordering::Relaxed);
    assert!(matches!(capture.run(&[Figure::Fig5], &glyphs()), Err(Error::Stopped)));
    assert!(!paths[0].exists());
    assert_eq!(capture.work(&[Figure::Fig1]).unwrap().names().len(), 18);
}

#[test]
fn two_captures_do_not_train_into_one_folder() {
    let (catalogue, ledger, stop) = (Catalogue::builtin().unwrap(), Ledger::default(), AtomicBool::new(false));
    let folder = tempfile::tempdir().unwrap();
    let paths = ["out", "weights"].map(|name| folder.path().join(name));
    let _other = Lock::take(&paths[1]).unwrap();
    let error = capture(&catalogue, &ledger, &paths, &stop).run(&[Figure::Usage], &glyphs()).unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    // The bars train nothing.
    capture(&catalogue, &ledger, &paths, &stop).run(&[Figure::Auroc], &glyphs()).unwrap();
}
