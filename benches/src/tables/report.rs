//! `docs/comparison.md`, from the records alone. What stands outside the markers is written by people and stays.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::Result;

use super::Detector;
use super::record::{Outcome, Record, Run, latest};
use crate::report::{MEASURED, Table, number};

/// Those that are ranked, besides one of KNN's two.
const RANKED: [Detector; 4] = [Detector::Rftm, Detector::AutoEncoder, Detector::IForest, Detector::Ecod];

/// The document with the part between the markers written anew; a new document where there was none.
///
/// # Errors
/// If the document does not have both markers, in order.
pub fn splice(document: Option<&str>, records: &[Record]) -> Result<String> {
    MEASURED.splice(document.unwrap_or("# Comparison\n\n<!-- measured -->\n<!-- end -->\n"), &render(records)?)
}

/// Means over the seeds.
struct Means {
    /// By table and detector.
    all: BTreeMap<(String, Detector), Vec<Outcome>>,
}

impl Means {
    fn of(records: &[Record]) -> Self {
        let mut all = BTreeMap::<_, Vec<Outcome>>::new();
        for ((table, detector, _), outcome) in latest(records) {
            all.entry((table, detector)).or_default().push(outcome);
        }
        Self { all }
    }

    fn tables(&self) -> BTreeSet<&str> {
        self.all.keys().map(|(table, _)| table.as_str()).collect()
    }

    fn detectors(&self) -> Vec<Detector> {
        Detector::ALL.into_iter().filter(|&one| self.all.keys().any(|&(_, other)| other == one)).collect()
    }

    fn mean(&self, table: &str, detector: Detector, value: impl Fn(&Outcome) -> f64) -> Option<f64> {
        let outcomes = self.all.get(&(table.to_owned(), detector))?;
        Some(outcomes.iter().map(value).sum::<f64>() / outcomes.len() as f64)
    }

    /// Over tables too; `None` unless there is a value for each.
    fn overall(&self, detector: Detector, value: impl Fn(&Outcome) -> f64) -> Option<f64> {
        let each = self.tables().into_iter().map(|table| self.mean(table, detector, &value));
        let each: Option<Vec<f64>> = each.collect();
        each.map(|each| each.iter().sum::<f64>() / each.len() as f64)
    }

    /// Mean rank over the tables among `field`, 1 = best; equal values share the mean of their ranks.
    fn rank(&self, field: &[Detector], detector: Detector, value: impl Fn(&Outcome) -> f64) -> Option<f64> {
        let ranks = self.tables().into_iter().map(|table| {
            let own = self.mean(table, detector, &value)?;
            let others: Option<Vec<f64>> = field.iter().map(|&other| self.mean(table, other, &value)).collect();
            let others = others?;
            let better = others.iter().filter(|&&other| other > own).count();
            let equal = others.iter().filter(|&&other| other == own).count();
            Some(better as f64 + (equal as f64 + 1.0) / 2.0)
        });
        let ranks: Option<Vec<f64>> = ranks.collect();
        ranks.map(|ranks| ranks.iter().sum::<f64>() / ranks.len() as f64)
    }

    /// The ranked ones, with the KNN whose mean is the better.
    fn field(&self, value: impl Fn(&Outcome) -> f64) -> Vec<Detector> {
        let of = |detector| self.overall(detector, &value).unwrap_or(f64::NEG_INFINITY);
        let knn = if of(Detector::KnnZscore) > of(Detector::Knn) { Detector::KnnZscore } else { Detector::Knn };
        RANKED.into_iter().chain([knn]).collect()
    }
}

/// The generated part.
///
/// # Errors
/// Never: writing into a string does not fail.
pub fn render(records: &[Record]) -> Result<String> {
    let means = Means::of(records);
    let mut text = String::new();
    for record in records {
        if let Record::Run(Run { circumstances, threads }) = record {
            let how = format!("; every detector on threads: {threads}");
            writeln!(text, "\n{}", circumstances.sentence(&how, ""))?;
        }
    }
    let versions: BTreeSet<&str> = means.all.values().flatten().filter_map(|one| one.versions.as_deref()).collect();
    let versions = versions.into_iter().collect::<Vec<_>>().join("; ");
    if !versions.is_empty() {
        writeln!(text, "\nPeers: {versions}.")?;
    }
    quality(&mut text, &means, "AUROC", |outcome| outcome.auroc)?;
    quality(&mut text, &means, "Average precision", |outcome| outcome.average_precision)?;
    write!(
        text,
        "\n## Time\n\nSeconds to fit, thousands of rows scored a second, milliseconds to score a single row; "
    )?;
    writeln!(
        text,
        "means over the seeds. Measured again, a number replaces the old one; the runs are listed above.\n"
    )?;
    type Field = (&'static str, fn(&Outcome) -> f64);
    let fields: [Field; 3] = [
        ("Fit, s", |outcome| outcome.measured.fit_s),
        ("Rows, 1000/s", |outcome| outcome.test as f64 / outcome.measured.score_s / 1e3),
        ("One row, ms", |outcome| outcome.measured.single_ms),
    ];
    for (title, value) in fields {
        writeln!(
            text,
            "{}",
            table(&means, title, &means.detectors(), |table, one| number(means.mean(table, one, value)))
        )?;
    }
    let failures = failures(records);
    if !failures.is_empty() {
        writeln!(text, "Not scored: {}.", failures.join("; "))?;
    }
    Ok(text)
}

fn quality(text: &mut String, means: &Means, title: &str, value: fn(&Outcome) -> f64) -> Result<()> {
    let (field, detectors) = (means.field(value), means.detectors());
    write!(text, "\n## {title}\n\nPer cent, means over the seeds. Mean rank (1 = best) among ")?;
    let names: Vec<_> = field.iter().map(|one| one.title()).collect();
    writeln!(
        text,
        "{}; in brackets the rank that another would have in the place of ours, or of the KNN.\n",
        names.join(", ")
    )?;
    let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{:.2}", 100.0 * value));
    let mut all = table(means, "table", &detectors, |table, one| cell(means.mean(table, one, value)));
    let head = |name: &str| vec![format!("**{name}**")];
    all.row([head("mean"), detectors.iter().map(|&one| cell(means.overall(one, value))).collect()].concat());
    let rank = |&one: &Detector| {
        if field.contains(&one) {
            return means.rank(&field, one, value).map_or_else(|| "-".to_owned(), |rank| format!("**{rank:.2}**"));
        }
        // What the others would be in the place of the one of ours, or of the ranked KNN.
        let place = if one.kind().is_some() { 0 } else { field.len() - 1 };
        let field: Vec<_> = field.iter().enumerate().map(|(i, &other)| if i == place { one } else { other }).collect();
        means.rank(&field, one, value).map_or_else(|| "-".to_owned(), |rank| format!("({rank:.2})"))
    };
    all.row([head("mean rank"), detectors.iter().map(rank).collect()].concat());
    write!(text, "{all}")?;
    Ok(())
}

fn table(means: &Means, title: &str, detectors: &[Detector], cell: impl Fn(&str, Detector) -> String) -> Table {
    let titles = detectors.iter().map(|one| one.title());
    let mut all = Table::new([title].into_iter().chain(titles));
    for table in means.tables() {
        all.row([table.to_owned()].into_iter().chain(detectors.iter().map(|&one| cell(table, one))));
    }
    all
}

/// Those that no later run made good.
fn failures(records: &[Record]) -> Vec<String> {
    let good = latest(records);
    let failed = records.iter().filter_map(|record| match record {
        Record::Failed { table, seed, detector, reason } => {
            let key = detector.parse().ok().map(|detector| (table.clone(), detector, *seed));
            (!key.is_some_and(|key| good.contains_key(&key)))
                .then(|| format!("{detector} on {table}, seed {seed}: {reason}"))
        }
        _ => None,
    });
    failed.collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::record::Measured;
    use super::*;
    use crate::jsonl;

    fn outcome(table: &str, seed: u64, detector: &str, auroc: f64) -> Record {
        let measured = Measured { fit_s: 2.0, score_s: 0.1, single_ms: 0.5 };
        Record::Outcome(Outcome {
            table: table.into(),
            seed,
            detector: detector.into(),
            train: 50,
            test: 100,
            anomalies: 9,
            columns: 3,
            auroc,
            average_precision: 1.0 - auroc,
            measured,
            versions: None,
        })
    }

    fn failed(detector: &str) -> Record {
        Record::Failed { table: "b".into(), seed: 1, detector: detector.into(), reason: "no".into() }
    }

    #[test]
    fn ranks_are_means_over_tables_and_ties_share() {
        let values = [("a", [0.9, 0.8, 0.8, 0.5, 0.6, 0.7, 0.95]), ("b", [0.4, 0.8, 0.6, 0.5, 0.7, 0.3, 0.4])];
        let names = ["rftm", "autoencoder", "iforest", "ecod", "knn", "knn-zscore", "ae"];
        let mut records = vec![failed("knn"), failed("mnad")];
        for (table, values) in values {
            for (name, value) in names.into_iter().zip(values) {
                // Two seeds around the mean; the first is measured again.
                records.push(outcome(table, 1, name, 0.0));
                records.push(outcome(table, 1, name, value - 0.01));
                records.push(outcome(table, 2, name, value + 0.01));
            }
        }
        let means = Means::of(&records);
        let auroc = |outcome: &Outcome| outcome.auroc;
        let field = means.field(auroc);
        assert_eq!(field.last(), Some(&Detector::Knn));
        let rank = |detector| means.rank(&field, detector, |outcome| (100.0 * outcome.auroc).round()).unwrap();
        // Table a: rftm 1, autoencoder and iforest 2.5, knn 4, ecod 5; table b: autoencoder 1, knn 2, iforest 3, ecod 4, rftm 5.
        let ranks = [Detector::Rftm, Detector::AutoEncoder, Detector::IForest, Detector::Ecod, Detector::Knn].map(rank);
        assert_eq!(ranks, [3.0, 1.75, 2.75, 4.5, 3.0]);
        let text = splice(Some("before\n<!-- measured -->\nSTALE\n<!-- end -->\nafter\n"), &records).unwrap();
        assert!(text.starts_with("before\n") && text.ends_with("after\n") && !text.contains("STALE"));
        assert!(text.contains("| a | 90.00 | 95.00 | 80.00 | 80.00 | 50.00 | 60.00 | 70.00 |"), "{text}");
        assert!(text.contains("| **mean** | 65.00 |"), "{text}");
        assert!(text.contains("Not scored: mnad on b, seed 1: no."), "{text}");
        // Of 0.1 s for 100 rows.
        assert!(text.contains("| a | 1.00 | 1.00 |"), "{text}");
    }

    #[test]
    fn records_survive_their_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let all = [outcome("a", 7, "knn", 0.123_456_789), failed("knn")];
        let mut records = jsonl::Writer::open(file.path(), true).unwrap();
        all.iter().for_each(|record| records.write(record).unwrap());
        records.finish().unwrap();
        assert_eq!(jsonl::read::<Record>(file.path()).unwrap(), all);
        std::fs::write(file.path(), "{}\n").unwrap();
        let error = jsonl::read::<Record>(file.path()).unwrap_err();
        assert!(format!("{error:#}").contains("line 1"), "{error:#}");
    }
}
