//! The k largest of a row, by partial selection.

use crate::simd::simd_fn;

/// Values compared at once before any of them is looked at.
const BLOCK: usize = 16;

simd_fn! {
    /// Finds the `indices.len()` largest of `row`, largest first; among equals the lower index comes first.
    ///
    /// One pass: the best so far are kept sorted, and a block of 16 values is only looked into when one of them beats
    /// the worst of the best. For k much smaller than the row that is rare, so the cost is close to reading the row.
    ///
    /// NaN is not ordered: among the first k it stays, later it is never taken. Callers see to it that there is none.
    ///
    /// # Panics
    /// If more values are asked for than there are, or `values` and `indices` differ in length.
    pub fn top_k<E>(row: &[E], values: &mut [E], indices: &mut [u32]) {
        let k = indices.len();
        assert!(k <= row.len() && values.len() == k, "the {k} largest of {} values", row.len());
        if k == 0 {
            return;
        }
        for (index, &value) in row[..k].iter().enumerate() {
            insert(values, indices, index, value, index);
        }
        let mut threshold = values[k - 1];
        let mut index = k;
        for block in row[k..].chunks(BLOCK) {
            if block.iter().fold(false, |any, &value| any | (value > threshold)) {
                for (offset, &value) in block.iter().enumerate() {
                    if value > threshold {
                        insert(values, indices, k - 1, value, index + offset);
                        threshold = values[k - 1];
                    }
                }
            }
            index += block.len();
        }
    }
}

/// Puts `value` in its place among the first `filled` sorted ones, behind its equals; one slot must be free at `filled`.
#[inline(always)]
fn insert<E: crate::Element>(values: &mut [E], indices: &mut [u32], filled: usize, value: E, index: usize) {
    let mut place = filled;
    while place > 0 && value > values[place - 1] {
        values[place] = values[place - 1];
        indices[place] = indices[place - 1];
        place -= 1;
    }
    values[place] = value;
    indices[place] = index as u32;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(row: &[f32], k: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..row.len() as u32).collect();
        order.sort_by(|&a, &b| row[b as usize].total_cmp(&row[a as usize]).then(a.cmp(&b)));
        order.truncate(k);
        order
    }

    proptest! {
        /// Few distinct values, so that ties are everywhere.
        #[test]
        fn agrees_with_a_stable_sort(row in prop::collection::vec((-4_i8..5).prop_map(f32::from), 1..200), share in 0.0..=1.0) {
            let k = (share * row.len() as f64) as usize;
            let (mut values, mut indices) = (vec![0.0; k], vec![0; k]);
            top_k(&row, &mut values, &mut indices);
            prop_assert_eq!(&indices, &naive(&row, k));
            prop_assert!(values.iter().zip(&indices).all(|(&value, &index)| value == row[index as usize]));
        }
    }

    #[test]
    fn a_nan_behind_the_first_k_is_passed_over() {
        let (mut values, mut indices) = ([0.0; 2], [0; 2]);
        top_k(&[1.0_f32, 2.0, f32::NAN, 3.0], &mut values, &mut indices);
        assert_eq!(indices, [3, 1]);
    }
}
