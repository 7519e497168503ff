//! Progress of a run of cells and of the trainings of figures, in the same words.

use rftm_experiments::{Basis, Event, Metric, Outcome, Parallelism, Record, Reporter, duration};
use rftm_figures as figures;
use rftm_models::EpochReport;

use crate::screen::{Screen, screen};

/// Shows the cells of a run.
pub(crate) struct Cells(Box<dyn Screen>);

/// Shows the trainings of figures.
pub(crate) struct Trainings(Box<dyn Screen>);

impl Cells {
    pub(crate) fn new() -> Self {
        Self(screen("cells"))
    }
}

impl Trainings {
    pub(crate) fn new() -> Self {
        Self(screen("trainings"))
    }
}

impl Reporter for Cells {
    fn event(&self, event: &Event<'_>) {
        let (screen, line) = (&self.0, describe(event));
        match event {
            Event::TornLine(_) => screen.say(&line),
            Event::Begin { cells, seconds, .. } => screen.begin(&line, *cells, *seconds),
            Event::Started { key, .. } => screen.started(key.as_str(), &line),
            Event::Epoch { key, left, .. } => screen.epoch(key.as_str(), &line, *left),
            Event::Ended { record, done, left, .. } => screen.ended(record.key.as_str(), &line, *done, *left),
            Event::Interrupted { key, .. } => screen.stopped(key.as_str(), &line),
        }
    }
}

impl figures::Watch for Trainings {
    fn event(&self, event: &figures::Event<'_>) {
        use figures::Event;
        let (screen, line) = (&self.0, describe_training(event));
        match event {
            Event::Begin { trainings, seconds, .. } => screen.begin(&line, *trainings, *seconds),
            Event::Started { name } => screen.started(name, &line),
            Event::Epoch { name, left, .. } => screen.epoch(name, &line, *left),
            Event::Ended { name, done, left, .. } => screen.ended(name, &line, *done, *left),
            Event::Interrupted { name, .. } => screen.stopped(name, &line),
            Event::Working { .. } => screen.say(&line),
        }
    }
}

fn describe(event: &Event<'_>) -> String {
    match event {
        Event::TornLine(torn) => format!("warning: {torn}"),
        Event::Begin { cells: 0, skipped, .. } => format!("nothing to run: all {skipped} cells are in the ledger"),
        Event::Begin { cells, skipped, parallelism, seconds, basis } => {
            format!("{cells} cells to run, {skipped} in the ledger already; {}", plan(*parallelism, *seconds, basis))
        }
        Event::Started { key, cell } => format!("{cell}: begins ({key})"),
        Event::Epoch { cell, report, cell_left, left, .. } => epoch(&cell.to_string(), report, *cell_left, *left),
        Event::Ended { record, done, cells, left, .. } => ended(&outcome(record), *done, *cells, *left),
        Event::Interrupted { cell, epoch, .. } => stopped(&cell.to_string(), *epoch),
    }
}

fn describe_training(event: &figures::Event<'_>) -> String {
    use figures::Event;
    match event {
        Event::Begin { trainings: 0, .. } => "nothing to train".to_owned(),
        Event::Begin { trainings, parallelism, seconds, basis } => {
            let plan = plan(*parallelism, *seconds, basis);
            format!("trainings: {trainings}, less those whose weights are there; {plan}")
        }
        Event::Started { name } => format!("{name}: begins"),
        Event::Epoch { name, report, training_left, left } => epoch(name, report, *training_left, *left),
        Event::Ended { name, error: None, done, trainings, left } => {
            ended(&format!("{name}: trained"), *done, *trainings, *left)
        }
        Event::Ended { name, error: Some(error), done, trainings, left } => {
            ended(&format!("{name}: FAILED, {error}"), *done, *trainings, *left)
        }
        Event::Interrupted { name, epoch } => stopped(name, *epoch),
        Event::Working { what } => (*what).to_owned(),
    }
}

/// How a run goes about its work, how long that will take, and what the time rests on.
pub(crate) fn plan(Parallelism { jobs, threads }: Parallelism, seconds: f64, basis: &Basis) -> String {
    format!("jobs {jobs}, threads {threads} each; about {} ({basis})", duration(seconds))
}

fn epoch(name: &str, report: &EpochReport, one_left: f64, left: f64) -> String {
    let EpochReport { epoch, train_loss, validation_loss, best_validation_loss, best_epoch, seconds } = report;
    let (one_left, left) = (duration(one_left), duration(left));
    format!(
        "{name}: epoch {epoch}, loss {train_loss:.5}, validation {validation_loss:.5} (best {best_validation_loss:.5} in epoch \
         {best_epoch}), {seconds:.1} s/epoch, about {one_left} left (all: {left})"
    )
}

fn ended(outcome: &str, done: usize, all: usize, left: f64) -> String {
    format!("{outcome}; {done} of {all} done, about {} left", duration(left))
}

fn stopped(name: &str, epoch: usize) -> String {
    format!("{name}: stopped and saved, will go on with epoch {epoch}")
}

fn outcome(record: &Record) -> String {
    match &record.outcome {
        Outcome::Finished(finished) => {
            let [auroc, auprc, f1] = Metric::ALL.map(|metric| finished.metrics.percent(metric));
            let warnings: String = finished.warnings.iter().map(|warning| format!("; warning: {warning}")).collect();
            format!(
                "{}: AUROC {auroc:.2}, AUPRC {auprc:.2}, F1 {f1:.2} after {} epochs in {}{warnings}",
                record.cell,
                finished.epochs,
                duration(finished.seconds)
            )
        }
        Outcome::Failed { error } => format!("{}: FAILED, {error}", record.cell),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trainings_of_figures_are_told_in_the_words_of_cells() {
        use figures::Event;
        let report = EpochReport {
            epoch: 3,
            train_loss: 0.5,
            validation_loss: 0.25,
            best_validation_loss: 0.125,
            best_epoch: 2,
            seconds: 1.25,
        };
        let check = |event: &Event<'_>, expected: &str| assert_eq!(describe_training(event), expected);
        let name = "fig1, ae with 2 neurons";
        check(
            &Event::Epoch { name, report: &report, training_left: 60.0, left: 7200.0 },
            "fig1, ae with 2 neurons: epoch 3, loss 0.50000, validation 0.25000 (best 0.12500 in epoch 2), 1.2 s/epoch, about \
             60 s left (all: 2 h 00 min)",
        );
        let ended = Event::Ended { name, error: None, done: 1, trainings: 18, left: 600.0 };
        check(&ended, "fig1, ae with 2 neurons: trained; 1 of 18 done, about 10 min left");
        let error = figures::Error::Stopped;
        let failed = Event::Ended { name, error: Some(&error), done: 2, trainings: 18, left: 0.0 };
        assert!(describe_training(&failed).starts_with("fig1, ae with 2 neurons: FAILED, stopped;"));
    }
}
