//! From rows to batches of samples, in constant memory.

use std::path::Path;

use anyhow::{Error, Result};
use rftm::{Data, Layout};

use crate::input::{Id, Next, Source, called};

/// The most rows in a batch, and the most numbers.
const BATCH: usize = 256;
const BATCH_NUMBERS: usize = 1 << 20;

/// One or more rows that make a sample: of a series the first and the last of its window.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) first: Id,
    pub(crate) last: u64,
}

/// Calls `each` with batch after batch of samples, in order. A batch is handed on when it is full, or when the source
/// might have to wait for more: whoever writes one row and waits for its score gets it. `each` says whether to go on.
/// Rows before one that is an error are handed on, too. The path is what the source was opened from, for messages.
pub(crate) fn each_batch(
    source: &mut dyn Source,
    path: &Path,
    layout: &Layout,
    mut each: impl FnMut(&Data, &[Sample]) -> Result<bool>,
) -> Result<()> {
    let size = (BATCH_NUMBERS / layout.row_width()).clamp(1, BATCH);
    let mut pending = Pending { path, layout, values: Vec::new(), ids: Vec::new(), skip: 0, samples: 0 };
    let mut fresh = 0;
    let (mut rows, mut gaps) = (0, false);
    loop {
        // Asked before: a row may already be at hand, and then nobody waits.
        if fresh >= size || (fresh > 0 && source.waits()) {
            fresh = 0;
            if !pending.hand_on(&mut each)? {
                return Ok(());
            }
        }
        let whole = pending.values.len();
        match source.next(&mut pending.values) {
            Ok(Next::Row(id)) => {
                pending.keep(id);
                fresh += 1;
                rows += 1;
            }
            Ok(Next::Skipped) => {
                fresh = 0;
                if !pending.hand_on(&mut each)? {
                    return Ok(());
                }
                pending.gap();
                gaps = true;
            }
            Ok(Next::End) => {
                pending.hand_on(&mut each)?;
                if let (Layout::Series { window, .. }, 0) = (layout, pending.samples) {
                    let (path, apart) = (called(path), if gaps { " without a gap" } else { "" });
                    tell!("{path}: {rows} rows, a window has {window}{apart}: nothing to score");
                }
                return Ok(());
            }
            Err(error) => {
                pending.values.truncate(whole);
                pending.hand_on(&mut each)?;
                return Err(error);
            }
        }
    }
}

/// Rows that were read, and not yet handed on, or still needed by the next window.
struct Pending<'a> {
    path: &'a Path,
    layout: &'a Layout,
    values: Vec<f32>,
    ids: Vec<Id>,
    /// Rows to drop before the next window begins: a stride may be longer than a window.
    skip: usize,
    /// How many were handed on.
    samples: usize,
}

impl Pending<'_> {
    fn keep(&mut self, id: Id) {
        if self.skip > 0 {
            self.skip -= 1;
            self.values.truncate(self.values.len() - self.layout.row_width());
        } else {
            self.ids.push(id);
        }
    }

    /// A row is missing: no window may reach across.
    fn gap(&mut self) {
        if matches!(self.layout, Layout::Series { .. }) {
            self.values.clear();
            self.ids.clear();
            self.skip = 0;
        }
    }

    /// An error that names a row of this batch, with the number that the row has in the file.
    fn placed(&self, mut error: rftm::Error) -> Error {
        if let rftm::Error::NonFinite { row, .. } | rftm::Error::Pixel { image: row, .. } = &mut error
            && let Some(id) = self.ids.get(*row - 1)
        {
            *row = id.row as usize;
        }
        Error::new(error).context(called(self.path))
    }

    fn hand_on(&mut self, each: &mut impl FnMut(&Data, &[Sample]) -> Result<bool>) -> Result<bool> {
        let data =
            Data::new(self.layout.clone(), std::mem::take(&mut self.values)).map_err(|error| self.placed(error))?;
        let (window, stride) = match *self.layout {
            Layout::Series { window, stride, .. } => (window, stride),
            _ => (1, 1),
        };
        let sample = |index: usize| {
            let rows = &self.ids[index * stride..index * stride + window];
            // A window with an anomaly in it is one.
            let label = rows.iter().filter_map(|row| row.label).reduce(|a, b| a || b);
            Sample { first: Id { label, ..rows[0].clone() }, last: rows[window - 1].row }
        };
        let samples: Vec<Sample> = (0..data.len()).map(sample).collect();
        let go_on = samples.is_empty() || each(&data, &samples)?;
        self.samples += samples.len();
        let done = samples.len() * stride;
        let dropped = done.min(self.ids.len());
        self.skip += done - dropped;
        self.ids.drain(..dropped);
        self.values.extend_from_slice(&data.values()[dropped * self.layout.row_width()..]);
        Ok(go_on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows 1, 2, 3, ...; of some none is known, and after some the source waits.
    struct Fake<'a> {
        row: u64,
        rows: u64,
        skipped: &'a [u64],
        waits: &'a [u64],
        /// No such row can be read, or it can, and is infinite.
        broken: Option<u64>,
        infinite: Option<u64>,
    }

    impl Source for Fake<'_> {
        fn next(&mut self, out: &mut Vec<f32>) -> Result<Next> {
            self.row += 1;
            if self.row > self.rows {
                return Ok(Next::End);
            }
            if self.skipped.contains(&self.row) {
                return Ok(Next::Skipped);
            }
            out.push(if self.infinite == Some(self.row) { f32::INFINITY } else { self.row as f32 });
            if self.broken == Some(self.row) {
                anyhow::bail!("row {} is broken", self.row);
            }
            Ok(Next::Row(Id::row(self.row)))
        }

        fn waits(&self) -> bool {
            self.waits.contains(&self.row)
        }
    }

    fn windows(layout: &Layout, rows: u64, skipped: &[u64], waits: &[u64]) -> Vec<Vec<(u64, u64)>> {
        let mut batches = Vec::new();
        let mut source = Fake { row: 0, rows, skipped, waits, broken: None, infinite: None };
        each_batch(&mut source, Path::new("fake"), layout, |data, samples| {
            for (index, sample) in samples.iter().enumerate() {
                let values = data.sample(index);
                assert_eq!((values[0], values[values.len() - 1]), (sample.first.row as f32, sample.last as f32));
            }
            batches.push(samples.iter().map(|sample| (sample.first.row, sample.last)).collect());
            Ok(true)
        })
        .unwrap();
        batches
    }

    #[test]
    fn rows_come_in_full_batches_unless_the_source_waits() {
        let table = Data::table(["x"], vec![]).unwrap().layout().clone();
        let sizes = |rows, skipped: &[u64], waits: &[u64]| -> Vec<usize> {
            windows(&table, rows, skipped, waits).iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(600, &[], &[]), [256, 256, 88]);
        assert_eq!(sizes(5, &[], &[1, 4]), [1, 3, 1]);
        assert_eq!(sizes(5, &[3], &[]), [2, 2]);
        assert!(sizes(0, &[], &[]).is_empty());
    }

    #[test]
    fn windows_are_the_same_however_rows_arrive() {
        for (window, stride) in [(3, 1), (3, 2), (2, 5), (1, 1)] {
            let series = Data::series(["x"], window, stride, vec![]).unwrap().layout().clone();
            let expected: Vec<(u64, u64)> = (0..)
                .map(|index| (1 + (index * stride) as u64, (index * stride + window) as u64))
                .take_while(|(_, last)| *last <= 20)
                .collect();
            let every: Vec<u64> = (1..=20).collect();
            for waits in [&[][..], &[4, 5, 11], &every] {
                assert_eq!(windows(&series, 20, &[], waits).concat(), expected, "window {window}, stride {stride}");
            }
        }
    }

    #[test]
    fn no_window_reaches_across_a_row_that_was_left_out() {
        let series = Data::series(["x"], 3, 1, vec![]).unwrap().layout().clone();
        assert_eq!(windows(&series, 9, &[5], &[]).concat(), [(1, 3), (2, 4), (6, 8), (7, 9)]);
    }

    #[test]
    fn a_bad_row_is_named_after_those_before_it_were_handed_on() {
        let table = Data::table(["x"], vec![]).unwrap().layout().clone();
        for (broken, infinite, expected, message) in [
            (Some(3), None, 2, "row 3 is broken"),
            // The row before is in the same batch, and cannot be handed on without it.
            (None, Some(271), 256, "fake: row 271, column \"x\": inf is not a finite number"),
        ] {
            let mut source = Fake { row: 0, rows: 600, skipped: &[], waits: &[], broken, infinite };
            let mut count = 0;
            let error = each_batch(&mut source, Path::new("fake"), &table, |_, samples| {
                count += samples.len();
                Ok(true)
            })
            .unwrap_err();
            assert_eq!((count, format!("{error:#}")), (expected, message.to_owned()));
        }
    }
}
