//! Every decision about threads. Work is cut into chunks whose borders depend on the data alone, or in a way that no
//! result depends on; so the bits of a result do not depend on how many threads there were.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

thread_local! {
    static SERIAL: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` with every kernel on this thread alone: for callers that run several models side by side.
pub fn serial<T>(work: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            SERIAL.set(self.0);
        }
    }
    let _restore = Restore(SERIAL.replace(true));
    work()
}

/// How many threads a kernel may use here.
pub(crate) fn threads() -> usize {
    if SERIAL.get() { 1 } else { rayon::current_num_threads() }
}

/// Below this much work (in element operations) a split costs more than it saves: waking a second thread takes some
/// 5 to 20 microseconds, in which one thread does about this many.
pub(crate) const SPLIT_WORK: usize = 1 << 16;

/// How many parts to cut `work` element operations into.
pub(crate) fn parts(work: usize) -> usize {
    if work < 2 * SPLIT_WORK { 1 } else { threads().min(work / SPLIT_WORK).max(1) }
}

/// Calls `each(chunk index, chunk)` for the chunks of `out`, `chunk_len` elements each (the last may be shorter), on
/// one or more threads. `work` is the cost of the whole.
pub(crate) fn chunks_mut<T: Send>(
    out: &mut [T],
    chunk_len: usize,
    work: usize,
    each: impl Fn(usize, &mut [T]) + Send + Sync,
) {
    if out.is_empty() {
        return;
    }
    if parts(work) == 1 || out.len() <= chunk_len {
        out.chunks_mut(chunk_len).enumerate().for_each(|(index, chunk)| each(index, chunk));
    } else {
        out.par_chunks_mut(chunk_len).enumerate().for_each(|(index, chunk)| each(index, chunk));
    }
}

/// [`chunks_mut`] of two slices side by side, each with a chunk length of its own, one chunk for each row; a thread takes
/// at least `least` rows. Nothing to do where one of the two has no elements.
pub(crate) fn pairs_mut<A: Send, B: Send>(
    (a, a_len): (&mut [A], usize),
    (b, b_len): (&mut [B], usize),
    least: usize,
    work: usize,
    each: impl Fn(usize, &mut [A], &mut [B]) + Send + Sync,
) {
    if a.is_empty() || b.is_empty() {
        return;
    }
    if parts(work) == 1 {
        a.chunks_mut(a_len).zip(b.chunks_mut(b_len)).enumerate().for_each(|(index, (a, b))| each(index, a, b));
    } else {
        let rows = a.par_chunks_mut(a_len).zip(b.par_chunks_mut(b_len)).with_min_len(least);
        rows.enumerate().for_each(|(index, (a, b))| each(index, a, b));
    }
}

/// [`chunks_mut`] of three slices of one length side by side.
pub(crate) fn triples_mut<T: Send>(
    [a, b, c]: [&mut [T]; 3],
    chunk_len: usize,
    work: usize,
    each: impl Fn(usize, [&mut [T]; 3]) + Send + Sync,
) {
    if parts(work) == 1 {
        let chunks = a.chunks_mut(chunk_len).zip(b.chunks_mut(chunk_len)).zip(c.chunks_mut(chunk_len));
        chunks.enumerate().for_each(|(index, ((a, b), c))| each(index, [a, b, c]));
    } else {
        let chunks = a.par_chunks_mut(chunk_len).zip(b.par_chunks_mut(chunk_len)).zip(c.par_chunks_mut(chunk_len));
        chunks.enumerate().for_each(|(index, ((a, b), c))| each(index, [a, b, c]));
    }
}

/// One of several equal shares of any amount of work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    index: usize,
    count: usize,
}

impl Share {
    /// The whole of it.
    pub(crate) const ALL: Self = Self { index: 0, count: 1 };

    /// This share of `0..len`, its borders at multiples of `grain`.
    pub(crate) fn of(self, len: usize, grain: usize) -> Range<usize> {
        let grains = len.div_ceil(grain);
        let border = |index: usize| (grains * index / self.count * grain).min(len);
        border(self.index)..border(self.index + 1)
    }
}

/// Calls `each` on every share: as many as there are `parts`, but no more than there are `grains`.
pub(crate) fn shares(grains: usize, parts: usize, each: impl Fn(Share) + Send + Sync) {
    match parts.min(grains).max(1) {
        1 => each(Share::ALL),
        count => (0..count).into_par_iter().for_each(|index| each(Share { index, count })),
    }
}

/// Cuts `0..len` into one range per part, borders at multiples of `grain`, and calls `each` on every range.
pub(crate) fn ranges(len: usize, grain: usize, parts: usize, each: impl Fn(Range<usize>) + Send + Sync) {
    shares(len.div_ceil(grain), parts, |share| each(share.of(len, grain)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn ranges_cover_everything_once() {
        for (len, grain, parts) in [(0, 4, 2), (1, 4, 3), (17, 4, 2), (64, 16, 3), (5, 1, 9)] {
            let seen = Mutex::new(vec![0; len]);
            ranges(len, grain, parts, |range| range.for_each(|index| seen.lock().unwrap()[index] += 1));
            assert!(seen.into_inner().unwrap().iter().all(|&count| count == 1), "{len} {grain} {parts}");
        }
    }

    #[test]
    fn serial_is_scoped() {
        assert_eq!(serial(threads), 1);
        let after_inner = serial(|| {
            serial(|| ());
            threads()
        });
        assert_eq!(after_inner, 1);
        assert_eq!(threads(), rayon::current_num_threads());
    }
}
