use rftm_rng::{Rng, shuffle};

use crate::{Error, Result};

/// What happens to a last batch of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastRow {
    /// It is left out: batch normalisation has no variance of one row. For training.
    Drop,
    /// It is a batch like the others. For scoring, where every row counts.
    Keep,
}

/// Row numbers in batches. Nothing is allocated after construction.
///
/// A last batch smaller than the others is kept, except that of a single row under [`LastRow::Drop`].
///
/// ```
/// use rftm_data::{Batches, LastRow};
///
/// let mut batches = Batches::new(9, 4, LastRow::Drop)?;
/// assert_eq!(batches.iter().map(<[u32]>::len).collect::<Vec<_>>(), [4, 4]);
/// batches.reshuffle(&mut rftm_rng::rng(1997, "shuffle", 0)); // epoch 0
/// for rows in batches.iter() {
///     assert_eq!(rows.len(), 4);
/// }
/// # Ok::<(), rftm_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Batches {
    rows: Vec<u32>,
    batch_size: usize,
    /// Rows that are handed out: all, or all but a last one alone.
    used: usize,
}

impl Batches {
    /// The rows `0..rows` in order, `batch_size` at a time.
    ///
    /// # Errors
    /// [`Error::Batches`] for no rows, batches of no rows, more than 2^32 rows, or nothing left after the last row was
    /// dropped.
    pub fn new(rows: usize, batch_size: usize, last: LastRow) -> Result<Self> {
        let refuse = |reason| Error::Batches { rows, batch_size, reason };
        let end = u32::try_from(rows).map_err(|_| refuse("more than 2^32 rows"))?;
        if rows == 0 || batch_size == 0 {
            return Err(refuse("both must be at least 1"));
        }
        let alone = last == LastRow::Drop && batch_size > 1 && rows % batch_size == 1;
        let used = rows - usize::from(alone);
        if used == 0 {
            return Err(refuse("training on a single row is impossible, batch normalisation needs two"));
        }
        Ok(Self { rows: (0..end).collect(), batch_size, used })
    }

    /// Puts the rows in an order that depends on `rng` alone, not on the order before: an epoch can be started without
    /// the ones before it. Which row is left out, if one is, changes with the order.
    pub fn reshuffle(&mut self, rng: &mut Rng) {
        for (row, at) in self.rows.iter_mut().zip(0..) {
            *row = at;
        }
        shuffle(&mut self.rows, rng);
    }

    /// Batch after batch.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        self.rows[..self.used].chunks(self.batch_size)
    }

    /// How many batches.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used.div_ceil(self.batch_size)
    }

    /// Never: there is at least one batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Rows in the largest batch: what a buffer must hold.
    #[must_use]
    pub fn largest(&self) -> usize {
        self.batch_size.min(self.used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let check = |rows, batch_size, last, expected: &[usize]| {
            let batches = Batches::new(rows, batch_size, last).unwrap();
            let sizes: Vec<usize> = batches.iter().map(<[u32]>::len).collect();
            assert_eq!(sizes, expected, "{rows} rows in batches of {batch_size}, {last:?}");
            assert_eq!((batches.len(), batches.largest()), (expected.len(), expected[0]));
            let mut expected = 0;
            batches.iter().flatten().for_each(|row| {
                assert_eq!(*row, expected);
                expected += 1;
            });
            assert!(!batches.is_empty());
        };
        check(6, 3, LastRow::Drop, &[3, 3]);
        check(8, 3, LastRow::Drop, &[3, 3, 2]);
        check(7, 3, LastRow::Drop, &[3, 3]);
        check(7, 3, LastRow::Keep, &[3, 3, 1]);
        check(2, 256, LastRow::Drop, &[2]);
        check(1, 256, LastRow::Keep, &[1]);
        check(3, 1, LastRow::Drop, &[1, 1, 1]);
    }

    #[test]
    fn an_order_depends_on_its_stream_alone() {
        let order = |batches: &Batches| batches.iter().flatten().copied().collect::<Vec<u32>>();
        let shuffled = |batches: &mut Batches, epoch| {
            batches.reshuffle(&mut rftm_rng::rng(1997, "shuffle", epoch));
            order(batches)
        };
        let mut batches = Batches::new(100, 7, LastRow::Drop).unwrap();
        let (first, second) = (shuffled(&mut batches, 0), shuffled(&mut batches, 1));
        assert_ne!(first, second);
        let mut resumed = Batches::new(100, 7, LastRow::Drop).unwrap();
        assert_eq!(shuffled(&mut resumed, 1), second);
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<u32>>());
    }

    #[test]
    fn impossible_batches_are_errors() {
        for (rows, batch_size, last, part) in [
            (0, 4, LastRow::Keep, "at least 1"),
            (4, 0, LastRow::Keep, "at least 1"),
            (1, 4, LastRow::Drop, "single row"),
            (usize::MAX, 4, LastRow::Keep, "2^32"),
        ] {
            let message = Batches::new(rows, batch_size, last).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
