//! A memory of a few items that are not trained but follow the queries (MNAD): which items are nearest, how far away
//! they are, and how the items move.

use crate::direction::unit_rows;
use crate::elementwise::axpy;
use crate::reduce::sum_by2;
use crate::simd::simd_fn;
use crate::topk::top_k;
use crate::{Element, Error, Indices, Result, Tensor, parallel};

/// Added to every difference before its length is taken, as in PyTorch's triplet loss: no length is exactly 0.
const EPS: f64 = 1e-6;
/// Queries handled by one task.
const ROWS: usize = 16;

/// The `k` most similar items of every query, most similar first; among equals the lower index comes first.
///
/// # Shapes
/// `similarities` (queries, N); result `k` indices for each query.
///
/// # Errors
/// If there are fewer than `k` items.
pub fn nearest<E: Element>(similarities: &Tensor<E>, k: usize) -> Result<Indices> {
    let (queries, capacity) = similarities.rows_cols();
    if k > capacity {
        return Err(Error::invalid("nearest items", format!("{k} of {capacity} items")));
    }
    let (mut indices, mut values) = (Indices::scratch(queries * k), Tensor::scratch([k]));
    if k > 0 {
        for (query, indices) in indices.values_mut().chunks_exact_mut(k).enumerate() {
            top_k(similarities.row(query), values.data_mut(), indices);
        }
    }
    Ok(indices)
}

/// One item for every query: that of rank `rank` (0 is the nearest) among the `k` that [`nearest`] found.
///
/// # Shapes
/// `items` (N, L), `nearest` `k` indices for each query; result (queries, L).
///
/// # Errors
/// If the ranks are not below `k`, or an index lies outside the items.
pub fn gather<E: Element>(items: &Tensor<E>, nearest: &[u32], k: usize, rank: usize) -> Result<Tensor<E>> {
    let (capacity, len) = items.rows_cols();
    if rank >= k || !nearest.len().is_multiple_of(k) || nearest.iter().any(|&item| item as usize >= capacity) {
        let what = format!("rank {rank} of {k}, {} indices, {capacity} items", nearest.len());
        return Err(Error::invalid("gather items", what));
    }
    let mut rows = Tensor::scratch([nearest.len() / k, len]);
    if len > 0 {
        for (row, ranks) in rows.data_mut().chunks_exact_mut(len).zip(nearest.chunks_exact(k)) {
            row.copy_from_slice(items.row(ranks[rank] as usize));
        }
    }
    Ok(rows)
}

/// The mean over the queries of `max(|q - p + 1e-6| - |q - n + 1e-6| + margin, 0)`: how far a query is from being closer
/// to `p` than to `n` by the margin (PyTorch's `triplet_margin_loss`).
///
/// # Shapes
/// All (queries, L).
///
/// # Errors
/// If the shapes differ, or there are no queries.
pub fn triplet<E: Element>(q: &Tensor<E>, p: &Tensor<E>, n: &Tensor<E>, margin: f64) -> Result<f64> {
    p.expect_shape("triplet", "the near items", *q.shape())?;
    n.expect_shape("triplet", "the far items", *q.shape())?;
    let (queries, len) = q.rows_cols();
    if queries == 0 {
        return Err(Error::invalid("triplet", "the mean over no queries is undefined"));
    }
    let mut losses = Tensor::scratch([queries]);
    parallel::chunks_mut(losses.data_mut(), ROWS, 2 * queries * len, |chunk, losses| {
        for (row, loss) in (ROWS * chunk..).zip(losses) {
            let excess = distance(q.row(row), p.row(row)) - distance(q.row(row), n.row(row)) + E::from_f64(margin);
            // Not a maximum: what is not a number must not become 0.
            *loss = if excess <= E::ZERO { E::ZERO } else { excess };
        }
    });
    Ok(losses.data().iter().map(|loss| loss.to_f64()).sum::<f64>() / queries as f64)
}

/// The gradient of `scale * triplet` by `q`: for the queries within the margin
/// `scale ((q - p) / |q - p| - (q - n) / |q - n|) / queries`, differences with 1e-6 added; 0 for the others.
///
/// # Shapes
/// All (queries, L).
///
/// # Errors
/// If the shapes differ.
pub fn triplet_backward<E: Element>(
    q: &Tensor<E>,
    p: &Tensor<E>,
    n: &Tensor<E>,
    margin: f64,
    scale: E,
) -> Result<Tensor<E>> {
    p.expect_shape("triplet", "the near items", *q.shape())?;
    n.expect_shape("triplet", "the far items", *q.shape())?;
    let (queries, len) = q.rows_cols();
    let mut dq = Tensor::zeros(*q.shape());
    if len > 0 {
        parallel::chunks_mut(dq.data_mut(), ROWS * len, 4 * queries * len, |chunk, dq| {
            for (row, dq) in (ROWS * chunk..).zip(dq.chunks_exact_mut(len)) {
                let (near, far) = (distance(q.row(row), p.row(row)), distance(q.row(row), n.row(row)));
                if near - far + E::from_f64(margin) <= E::ZERO {
                    continue;
                }
                let factor = scale / E::from_usize(queries);
                for (other, length, factor) in [(p, near, factor), (n, far, -factor)] {
                    // A query that lies 1e-6 below an item in every element; the length has no gradient there.
                    if length != E::ZERO {
                        add_difference(dq, factor / length, q.row(row), other.row(row));
                    }
                }
            }
        });
    }
    Ok(dq)
}

simd_fn! {
    fn distance<E>(left: &[E], right: &[E]) -> E {
        let eps = E::from_f64(EPS);
        sum_by2(left, right, |left, right| (left - right + eps) * (left - right + eps)).sqrt()
    }
}

simd_fn! {
    fn add_difference<E>(out: &mut [E], factor: E, left: &[E], right: &[E]) {
        let eps = E::from_f64(EPS);
        for ((out, &left), &right) in out.iter_mut().zip(left).zip(right) {
            *out += factor * (left - right + eps);
        }
    }
}

/// Where the items are after a batch of queries: every item i moves to the unit vector along
/// `p_i + sum_k v_ki q_k`, the sum over the queries whose nearest item it is, with
/// `v_ki = softmax_k(s_ki) / max_k' softmax_k'(s_k'i) = exp(s_ki - max_k' s_k'i)`, the maximum over *all* queries
/// (MNAD's code; its paper takes the maximum over the item's own). An item that is nearest to nobody stays.
///
/// # Shapes
/// `items` (N, L), `q` (queries, L), `similarities` (queries, N), `nearest` `k` indices for each query, of which the first
/// counts; result (N, L).
///
/// # Errors
/// If the shapes do not fit.
pub fn update<E: Element>(
    items: &Tensor<E>,
    q: &Tensor<E>,
    similarities: &Tensor<E>,
    nearest: &[u32],
) -> Result<Tensor<E>> {
    let ((capacity, len), (queries, width)) = (items.rows_cols(), q.rows_cols());
    similarities.expect_shape("item update", "the similarities", [queries, capacity])?;
    if width != len || queries == 0 || nearest.is_empty() || !nearest.len().is_multiple_of(queries) {
        let what = format!("{} nearest items for queries {} and items {}", nearest.len(), q.shape(), items.shape());
        return Err(Error::invalid("item update", what));
    }
    let k = nearest.len() / queries;
    let mut moved = items.clone();
    if len > 0 {
        parallel::chunks_mut(moved.data_mut(), len, queries * (capacity + len), |item, moved| {
            let column = || similarities.data()[item..].iter().step_by(capacity);
            let largest = column().fold(E::NEG_INFINITY, |largest, &value| largest.max(value));
            for (query, &similarity) in column().enumerate() {
                if nearest[k * query] as usize == item {
                    axpy(moved, (similarity - largest).exp(), q.row(query));
                }
            }
        });
    }
    Ok(unit_rows(&moved).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, len: usize, step: f64) -> Tensor<f64> {
        Tensor::from_vec((0..rows * len).map(|i| (i as f64 * step).sin()).collect(), [rows, len]).unwrap()
    }

    fn similarities(q: &Tensor<f64>, items: &Tensor<f64>) -> Tensor<f64> {
        let ((queries, _), (capacity, _)) = (q.rows_cols(), items.rows_cols());
        let dot =
            |index: usize| q.row(index / capacity).iter().zip(items.row(index % capacity)).map(|(a, b)| a * b).sum();
        Tensor::from_vec((0..queries * capacity).map(dot).collect(), [queries, capacity]).unwrap()
    }

    #[test]
    fn ties_go_to_the_lower_index() {
        let similarities = Tensor::from_vec(vec![0.0, 0.0, 0.0, 1.0, 3.0, 3.0], [2, 3]).unwrap();
        let both = nearest(&similarities, 2).unwrap();
        assert_eq!(&both[..], [0, 1, 1, 2]);
        let items = matrix(3, 2, 1.0);
        let second = gather(&items, &both, 2, 1).unwrap();
        assert_eq!([second.row(0), second.row(1)], [items.row(1), items.row(2)]);
        assert!(nearest(&similarities, 4).is_err());
        assert_eq!(gather(&items, &[], 2, 1).unwrap().dims()[0], 0);
        assert!(gather(&items, &both, 2, 2).is_err() && gather(&items, &[3], 1, 0).is_err());
    }

    /// The update as MNAD's code writes it: a softmax over the queries, divided by its largest.
    #[test]
    fn the_update_agrees_with_the_equation() {
        for (queries, capacity, len) in [(1, 1, 3), (7, 4, 5), (40, 10, 33), (2, 10, 4)] {
            let (q, items) = (matrix(queries, len, 0.7), matrix(capacity, len, 1.3));
            let s = similarities(&q, &items);
            let nearest = nearest(&s, 1).unwrap();
            let found = update(&items, &q, &s, &nearest).unwrap();
            for item in 0..capacity {
                let column: Vec<f64> = (0..queries).map(|query| s.row(query)[item].exp()).collect();
                let total: f64 = column.iter().sum();
                let largest = column.iter().fold(0.0_f64, |largest, value| largest.max(value / total));
                let mut sum = items.row(item).to_vec();
                for query in (0..queries).filter(|&query| nearest[query] as usize == item) {
                    let weight = column[query] / total / largest;
                    sum.iter_mut().zip(q.row(query)).for_each(|(sum, q)| *sum += weight * q);
                }
                let length = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
                for (found, sum) in found.row(item).iter().zip(sum) {
                    approx::assert_relative_eq!(*found, sum / length, epsilon = 1e-13);
                }
            }
        }
        let q = matrix(3, 2, 1.0);
        assert!(update(&q, &q, &matrix(3, 2, 1.0), &[0, 0, 0]).is_err());
        assert!(update(&q, &q, &matrix(3, 3, 1.0), &[0, 0]).is_err());
    }

    #[test]
    fn an_item_of_length_zero_stays_until_a_query_moves_it() {
        let items = Tensor::from_vec(vec![0.0, 0.0, 0.0, 0.0], [2, 2]).unwrap();
        let q = Tensor::from_vec(vec![0.6, 0.8, 0.0, 0.0], [2, 2]).unwrap();
        let s = similarities(&q, &items);
        let moved = update(&items, &q, &s, &nearest(&s, 2).unwrap()).unwrap();
        assert_eq!(moved.row(1), [0.0, 0.0]);
        approx::assert_relative_eq!(moved.row(0)[0], 0.6, epsilon = 1e-15);
    }

    #[test]
    fn the_triplet_is_a_hinge_that_keeps_nan() {
        let (q, p, n) = (matrix(50, 7, 0.7), matrix(50, 7, 1.1), matrix(50, 7, 1.9));
        let mut expected = 0.0;
        for row in 0..50 {
            let far = |t: &Tensor<f64>| {
                let squares = q.row(row).iter().zip(t.row(row)).map(|(q, t)| (q - t + 1e-6).powi(2));
                squares.sum::<f64>().sqrt()
            };
            expected += (far(&p) - far(&n) + 0.2).max(0.0) / 50.0;
        }
        approx::assert_relative_eq!(triplet(&q, &p, &n, 0.2).unwrap(), expected, max_relative = 1e-13);
        // Far beyond the margin: no loss, no gradient. At the near item itself: finite.
        assert_eq!(triplet(&q, &p, &n, -100.0).unwrap(), 0.0);
        assert_eq!(triplet_backward(&q, &p, &n, -100.0, 1.0).unwrap(), Tensor::zeros([50, 7]));
        assert!(triplet_backward(&q, &q, &n, 1.0, 1.0).unwrap().is_finite());
        let nan = Tensor::full([50, 7], f64::NAN);
        assert!(triplet(&nan, &p, &n, 1.0).unwrap().is_nan());
        assert!(triplet_backward(&nan, &p, &n, 1.0, 1.0).unwrap().data()[0].is_nan());
        assert!(triplet(&q, &matrix(7, 50, 1.0), &n, 1.0).is_err());
        let none = Tensor::<f64>::zeros([0, 7]);
        assert!(triplet(&none, &none, &none, 1.0).is_err());
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let (q, items) = (matrix(2000, 130, 0.7), matrix(10, 130, 1.3));
        let run = || {
            let s = similarities(&q, &items);
            let nearest = nearest(&s, 2).unwrap();
            let [p, n] = [0, 1].map(|rank| gather(&items, &nearest, 2, rank).unwrap());
            let dq = triplet_backward(&q, &p, &n, 1.0, 0.1).unwrap();
            (triplet(&q, &p, &n, 1.0).unwrap(), dq, update(&items, &q, &s, &nearest).unwrap())
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(pool.install(run), crate::serial(run));
    }
}
