//! One query's choice among the slots.

use super::{Query, Selection};
use crate::topk::top_k;
use crate::{Element, Tensor};

/// One query's products with the surviving slots.
#[derive(Clone, Copy)]
pub(super) struct Row<'a, E> {
    /// `<h, m / |m|>` for every surviving slot.
    pub(super) dots: &'a [E],
    /// `1 / |h|`
    pub(super) scale: E,
    /// `1 / |m|` for all slots.
    pub(super) slot_scales: &'a [E],
}

/// Fills one query's part of a [`Recall`](super::Recall): `slots`, and `table` = weights, similarities, scales.
pub(super) fn select<E: Element>(
    row: Row<'_, E>,
    query: Query<'_>,
    capacity: usize,
    slots: &mut [u32],
    table: &mut [E],
) {
    let width = slots.len();
    let (weights, rest) = table.split_at_mut(width);
    let (similarities, scales) = rest.split_at_mut(width);
    if row.scale.is_nan() {
        // What came in is not a number, so what goes out must not look like one: training has to notice.
        slots.iter_mut().zip(0..).for_each(|(slot, index)| *slot = index);
        return [weights, similarities, scales].into_iter().for_each(|part| part.fill(E::NAN));
    }
    let forgetful = query.surviving.len() < capacity;
    // Queries without direction are equally far from everything: all similarities are 0.
    let compact = row.scale != E::ZERO && width <= row.dots.len();
    let all = query.top_k.is_none();
    if all && compact {
        // Nothing is chosen, so nothing has to be sorted: with 1000 slots that would be most of the read.
        slots.copy_from_slice(&query.surviving[..width]);
        similarities.iter_mut().zip(row.dots).for_each(|(similarity, &dot)| *similarity = dot * row.scale);
    } else if compact {
        top_k(row.dots, similarities, slots);
        slots.iter_mut().for_each(|slot| *slot = query.surviving[*slot as usize]);
        similarities.iter_mut().for_each(|similarity| *similarity *= row.scale);
    }
    // Where forgotten slots are eligible, their zeros stand before every negative similarity; that only matters when
    // too few are positive, which is rare, and then the whole row is laid out.
    let zeros_matter = query.selection == Selection::Zero && forgetful;
    if !compact || (!all && zeros_matter && similarities.last().is_none_or(|&least| least <= E::ZERO)) {
        select_with_zeros(row, query, capacity, slots, similarities);
    }

    let removes = query.selection == Selection::Remove;
    for (place, &slot) in slots.iter().enumerate() {
        let similarity = similarities[place];
        let counts = if all { is_surviving(query, slot, capacity) } else { similarity > E::ZERO };
        scales[place] = if counts { row.scale * row.slot_scales[slot as usize] } else { E::ZERO };
        weights[place] = match (all || counts, removes) {
            (true, _) => similarity,
            (false, true) => E::NEG_INFINITY,
            (false, false) => E::ZERO,
        };
    }
    softmax(weights);
}

/// The general case: a row of all slots in which the forgotten ones, if eligible, are 0.
fn select_with_zeros<E: Element>(
    row: Row<'_, E>,
    query: Query<'_>,
    capacity: usize,
    slots: &mut [u32],
    similarities: &mut [E],
) {
    let absent = if query.selection == Selection::Zero { E::ZERO } else { E::NEG_INFINITY };
    let mut full = Tensor::full([capacity], absent);
    for (&slot, &dot) in query.surviving.iter().zip(row.dots) {
        // Not a product where the query has no direction: 0 times infinity must not appear.
        full.data_mut()[slot as usize] = if row.scale == E::ZERO { E::ZERO } else { row.scale * dot };
    }
    if slots.len() == capacity {
        slots.iter_mut().zip(0..).for_each(|(slot, index)| *slot = index);
        similarities.copy_from_slice(full.data());
    } else {
        top_k(full.data(), similarities, slots);
    }
}

fn is_surviving(query: Query<'_>, slot: u32, capacity: usize) -> bool {
    query.surviving.len() == capacity || query.surviving.binary_search(&slot).is_ok()
}

/// Softmax in place; entries of minus infinity get weight 0, and if all are, so do all.
fn softmax<E: Element>(values: &mut [E]) {
    let largest = values.iter().fold(E::NEG_INFINITY, |largest, &value| largest.max(value));
    if largest == E::NEG_INFINITY {
        return values.fill(E::ZERO);
    }
    let mut total = E::ZERO;
    for value in &mut *values {
        *value = if *value == E::NEG_INFINITY { E::ZERO } else { (*value - largest).exp() };
        total += *value;
    }
    values.iter_mut().for_each(|value| *value /= total);
}
