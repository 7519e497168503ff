//! Named, reproducible random streams.
//!
//! Every random draw in rftm comes from a stream that is named by what it is for. A stream is a function of three
//! things only: the root seed of the run, a purpose, and an index (an epoch, a step, a layer). So no draw depends on how
//! many draws came before it elsewhere, on the number of threads, or on an interruption: whoever knows the three
//! values can make the stream again.
//!
//! ```
//! use rand::Rng;
//!
//! let mut masks = rftm_rng::rng(1997, "forget", 0);
//! let mut again = rftm_rng::rng(1997, "forget", 0);
//! let mut other = rftm_rng::rng(1997, "shuffle", 0);
//! let first: u64 = masks.random();
//! assert_eq!(first, again.random::<u64>());
//! assert_ne!(first, other.random::<u64>());
//! ```
#![deny(missing_docs)]

use rand_chacha::rand_core::SeedableRng;

/// The generator behind every stream: ChaCha with 12 rounds, the same bits on every platform.
pub type Rng = rand_chacha::ChaCha12Rng;

/// The longest purpose, in bytes: what is left of a ChaCha key beside the root seed and the index.
pub const MAX_PURPOSE: usize = 16;

/// The stream for `purpose` number `index` under `root_seed`.
///
/// The ChaCha key *is* the triple (seed, index, purpose), byte for byte, so two different triples can never share a
/// stream; there is no hash that could collide.
///
/// # Panics
/// If `purpose` is longer than [`MAX_PURPOSE`] bytes or contains a zero byte; it may be empty. Purposes are literals in our own code.
#[must_use]
pub fn rng(root_seed: u64, purpose: &str, index: u64) -> Rng {
    let name = purpose.as_bytes();
    assert!(
        name.len() <= MAX_PURPOSE && !name.contains(&0),
        "purpose {purpose:?}: at most {MAX_PURPOSE} bytes, none 0"
    );
    let mut key = [0_u8; 32];
    key[..8].copy_from_slice(&root_seed.to_le_bytes());
    key[8..16].copy_from_slice(&index.to_le_bytes());
    key[16..16 + name.len()].copy_from_slice(name);
    Rng::from_seed(key)
}

/// Fisher-Yates shuffle of `items`, written out here so that the order never changes with a library's version.
pub fn shuffle<T>(items: &mut [T], rng: &mut Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last + 1, rng));
    }
}

/// `count` distinct indices below `len`, ascending: every subset is equally likely (selection sampling, Knuth 3.4.2 S).
///
/// # Panics
/// If `count > len`, or if an index of 2^32 or more is drawn, which `len` above 2^32 makes possible.
pub fn sample_sorted(len: usize, count: usize, rng: &mut Rng, chosen: &mut Vec<u32>) {
    assert!(count <= len, "cannot draw {count} of {len} without repetition");
    chosen.clear();
    let mut wanted = count;
    for index in 0..len {
        if wanted > 0 && below(len - index, rng) < wanted {
            chosen.push(u32::try_from(index).expect("fewer than 2^32 items"));
            wanted -= 1;
        }
    }
}

/// A uniform integer in `0..bound`, by rejection: no modulo bias.
///
/// # Panics
/// If `bound` is 0.
pub fn below(bound: usize, rng: &mut Rng) -> usize {
    use rand_chacha::rand_core::RngCore;
    let bound = bound as u64;
    assert!(bound > 0, "an empty range has no element to draw");
    let limit = u64::MAX - u64::MAX % bound;
    loop {
        let draw = rng.next_u64();
        if draw < limit {
            return (draw % bound) as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::RngCore;

    #[test]
    fn streams_differ_in_each_part_of_their_name() {
        let first = |seed, purpose, index| rng(seed, purpose, index).next_u64();
        let base = first(1, "init", 0);
        assert_eq!(base, first(1, "init", 0));
        for other in [first(2, "init", 0), first(1, "init", 1), first(1, "split", 0), first(1, "ini", 0)] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn the_bits_are_pinned() {
        // A change here changes every recorded result: it must be deliberate.
        assert_eq!(rng(1997, "init", 3).next_u64(), 12_792_923_337_318_770_703);
    }

    #[test]
    fn the_orders_are_pinned() {
        // As above: every split and every epoch rests on how the bits become an order.
        let mut items: Vec<u32> = (0..10).collect();
        shuffle(&mut items, &mut rng(1997, "shuffle", 0));
        assert_eq!(items, [4, 8, 9, 5, 6, 0, 1, 7, 2, 3]);
        let mut chosen = Vec::new();
        sample_sorted(20, 5, &mut rng(2022, "split", 0), &mut chosen);
        assert_eq!(chosen, [1, 3, 5, 9, 16]);
    }

    #[test]
    fn a_purpose_fills_the_key_at_most() {
        assert_ne!(rng(1, "", 0).next_u64(), rng(1, "0123456789abcdef", 0).next_u64());
        for purpose in ["0123456789abcdefg", "a\0"] {
            assert!(std::panic::catch_unwind(|| rng(1, purpose, 0)).is_err(), "{purpose:?}");
        }
    }

    #[test]
    fn shuffle_permutes_and_every_position_moves_evenly() {
        let mut counts = [[0_u32; 5]; 5];
        for round in 0..5000 {
            let mut items = [0, 1, 2, 3, 4];
            shuffle(&mut items, &mut rng(7, "test", round));
            for (place, &item) in items.iter().enumerate() {
                counts[place][item] += 1;
            }
        }
        // 1000 expected, standard deviation 28: 5 sigma.
        assert!(counts.iter().flatten().all(|&count| (860..=1140).contains(&count)), "{counts:?}");
    }

    #[test]
    fn samples_are_sorted_distinct_and_fair() {
        let (mut counts, mut chosen) = ([0_u32; 10], Vec::new());
        for round in 0..5000 {
            sample_sorted(10, 3, &mut rng(7, "test", round), &mut chosen);
            assert_eq!(chosen.len(), 3);
            assert!(chosen.is_sorted_by(|a, b| a < b));
            chosen.iter().for_each(|&index| counts[index as usize] += 1);
        }
        // 1500 expected, standard deviation 32: 5 sigma.
        assert!(counts.iter().all(|&count| (1340..=1660).contains(&count)), "{counts:?}");
        sample_sorted(4, 0, &mut rng(7, "test", 0), &mut chosen);
        assert!(chosen.is_empty());
        sample_sorted(4, 4, &mut rng(7, "test", 0), &mut chosen);
        assert_eq!(chosen, [0, 1, 2, 3]);
    }
}
