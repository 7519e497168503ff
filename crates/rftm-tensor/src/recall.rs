//! Reading an associative memory: cosine similarity, selection, softmax, weighted sum, and the way back.
//!
//! Everything after the similarities is sparse: a query touches its `k` selected slots and nothing else, forward and
//! backward, whatever the capacity.

mod select;

use crate::direction::inverse_norms;
use crate::elementwise::axpy;
use crate::gemm::operand::{Dense, Selected};
use crate::gemm::{Fresh, Init, Packed, Right, product};
use crate::simd::simd_fn;
use crate::{Element, Error, Indices, Result, Tensor, parallel, reduce};

/// Queries, or slots, handled by one task.
const ROWS: usize = 16;

/// What becomes of a forgotten slot, and of a selected slot whose similarity is not positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Selection {
    /// A forgotten slot cannot be selected; of the selected only those with positive similarity get a weight.
    Remove,
    /// A forgotten slot has similarity 0 and may be selected; weights are the softmax of `max(similarity, 0)`.
    Zero,
}

/// How a memory is read.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// How many slots each query selects; `None`: all, with the softmax over all similarities as they are.
    pub top_k: Option<usize>,
    /// The rule for forgotten and dissimilar slots.
    pub selection: Selection,
    /// The slots that are not forgotten, ascending.
    pub surviving: &'a [u32],
}

/// What a batch of queries selected, and all that the gradient needs to know about it.
#[derive(Debug)]
pub struct Recall<E: Element> {
    width: usize,
    slots: Indices,
    /// Per query: `width` weights, then similarities, then scales (`1 / (|h| |m|)` where the weight depends on the
    /// similarity, else 0).
    table: Tensor<E>,
    query_scales: Tensor<E>,
    slot_scales: Tensor<E>,
}

impl<E: Element> Recall<E> {
    /// How many queries.
    #[must_use]
    pub fn queries(&self) -> usize {
        self.query_scales.len()
    }

    /// The slots that a query selected: the most similar first, or in their own order where all are.
    #[must_use]
    pub fn slots(&self, query: usize) -> &[u32] {
        &self.slots[query * self.width..][..self.width]
    }

    /// Their weights; 0 for a slot that was selected and then removed.
    #[must_use]
    pub fn weights(&self, query: usize) -> &[E] {
        self.column(query, 0)
    }

    /// Their cosine similarities; 0 for forgotten slots.
    #[must_use]
    pub fn similarities(&self, query: usize) -> &[E] {
        self.column(query, 1)
    }

    /// How many queries were left without any slot.
    #[must_use]
    pub fn empty(&self) -> usize {
        (0..self.queries()).filter(|&query| self.weights(query).iter().all(|&weight| weight == E::ZERO)).count()
    }

    fn column(&self, query: usize, column: usize) -> &[E] {
        &self.table.data()[(3 * query + column) * self.width..][..self.width]
    }
}

/// Finds the slots for each query, Eq. 3 up to the weights: `s_i = cos(h, m_i)`, selection, softmax.
///
/// A query that is not finite has weights that are NaN, and so have all queries if a surviving slot is not finite.
///
/// # Shapes
/// `h` (queries, L), `memory` (N, L).
///
/// # Errors
/// If the widths differ, or the surviving slots do not ascend or lie outside the memory.
pub fn recall<E: Element>(h: &Tensor<E>, memory: &Tensor<E>, query: Query<'_>) -> Result<Recall<E>> {
    let (capacity, len) = size(memory)?;
    let surviving = query.surviving;
    if !surviving.is_sorted_by(|a, b| a < b) || surviving.last().is_some_and(|&last| last as usize >= capacity) {
        let what = format!("surviving slots must ascend and lie below the capacity, {capacity}");
        return Err(Error::invalid("memory read", what));
    }
    let slot_scales = inverse_norms(memory);
    let slots = Selected { data: memory.data(), rows: surviving, cols: len, scales: slot_scales.data() };
    let dots = dots(h, len, &Fresh(&slots))?;
    Ok(choose(h, &dots, slot_scales.clone(), query, capacity))
}

/// A memory whose slots are normalised and packed once, for a model that only scores. Nothing is forgotten.
#[derive(Debug)]
pub struct PackedMemory<E: Element> {
    memory: Tensor<E>,
    slots: Packed<E>,
    slot_scales: Tensor<E>,
    all: Vec<u32>,
    top_k: Option<usize>,
    selection: Selection,
}

impl<E: Element> PackedMemory<E> {
    /// Packs a memory (N, L).
    ///
    /// # Errors
    /// If it is no matrix.
    pub fn new(memory: &Tensor<E>, top_k: Option<usize>, selection: Selection) -> Result<Self> {
        let (capacity, len) = size(memory)?;
        let all: Vec<u32> = (0..capacity as u32).collect();
        let slot_scales = inverse_norms(memory);
        let operand = Selected { data: memory.data(), rows: &all, cols: len, scales: slot_scales.data() };
        let slots = Packed::new(&operand);
        Ok(Self { memory: memory.clone(), slots, slot_scales, all, top_k, selection })
    }

    /// [`recall`] and [`read`] with all slots surviving, the same bits.
    ///
    /// # Errors
    /// If the width differs.
    pub fn read(&self, h: &Tensor<E>) -> Result<Tensor<E>> {
        let (capacity, len) = self.memory.rows_cols();
        let dots = dots(h, len, &self.slots)?;
        let query = Query { top_k: self.top_k, selection: self.selection, surviving: &self.all };
        Ok(read(&choose(h, &dots, self.slot_scales.clone(), query, capacity), &self.memory))
    }
}

/// Slots of a memory, and their length; a slot has at least one element.
fn size<E: Element>(memory: &Tensor<E>) -> Result<(usize, usize)> {
    match memory.dims() {
        &[capacity, len] if len > 0 => Ok((capacity, len)),
        _ => Err(Error::shape("memory read", "the memory", "(N, L) with L > 0", memory.shape())),
    }
}

/// Products of the queries with `slots`, unit vectors of length `len`, (queries, slots). The norm of a query does not change
/// the order of its products, so it is not divided out here.
fn dots<E: Element>(h: &Tensor<E>, len: usize, slots: &impl Right<E>) -> Result<Tensor<E>> {
    match h.dims() {
        &[queries, width] if width == len => {
            let count = slots.cols();
            let mut dots = Tensor::scratch([queries, count]);
            let rows = Dense { data: h.data(), lanes: queries, depth: len, lane_stride: len, depth_stride: 1 };
            #[allow(unsafe_code)]
            // SAFETY: the result is row-major, its rows are disjoint.
            unsafe {
                product(&rows, slots, dots.data_mut(), |row| row * count, Init::Zero);
            }
            Ok(dots)
        }
        _ => Err(Error::shape("memory read", "h", format!("(queries, {len})"), h.shape())),
    }
}

/// Each query's choice among the slots, from its products with them.
fn choose<E: Element>(
    h: &Tensor<E>,
    dots: &Tensor<E>,
    slot_scales: Tensor<E>,
    query: Query<'_>,
    capacity: usize,
) -> Recall<E> {
    let (queries, alive) = dots.rows_cols();
    let eligible = if query.selection == Selection::Zero { capacity } else { alive };
    let width = query.top_k.unwrap_or(eligible).min(eligible);
    let query_scales = inverse_norms(h);
    // A slot that is not a number is nobody's nearest, so the choice alone would hide it.
    let spoilt = query.surviving.iter().any(|&slot| slot_scales.data()[slot as usize].is_nan());
    let mut slots = Indices::scratch(queries * width);
    let mut table = Tensor::scratch([queries, 3 * width]);
    let (rows, work) = ((slots.values_mut(), width), queries * (alive + 8 * width));
    parallel::pairs_mut(rows, (table.data_mut(), 3 * width), ROWS, work, |query_index, slots, table| {
        let dots = &dots.data()[query_index * alive..][..alive];
        let scale = if spoilt { E::NAN } else { query_scales.data()[query_index] };
        let row = select::Row { dots, scale, slot_scales: slot_scales.data() };
        select::select(row, query, capacity, slots, table);
    });
    Recall { width, slots, table, query_scales, slot_scales }
}

/// The weighted sum of the selected slots, `h_out = sum_i w_i m_i`.
///
/// # Shapes
/// `memory` (N, L), that of the recall; result (queries, L).
///
/// # Panics
/// If `memory` has another number of slots than the one that was compared.
#[must_use]
pub fn read<E: Element>(recall: &Recall<E>, memory: &Tensor<E>) -> Tensor<E> {
    let (capacity, len) = memory.rows_cols();
    assert_eq!(capacity, recall.slot_scales.len(), "recall::read: slots");
    let mut out = Tensor::scratch([recall.queries(), len]);
    let work = recall.slots.len() * len;
    parallel::chunks_mut(out.data_mut(), ROWS * len, work, |chunk, out| {
        for (query, out) in (chunk * ROWS..).zip(out.chunks_exact_mut(len)) {
            out.fill(E::ZERO);
            for (&slot, &weight) in recall.slots(query).iter().zip(recall.weights(query)) {
                if weight != E::ZERO {
                    axpy(out, weight, memory.row(slot as usize));
                }
            }
        }
    });
    out
}

/// The gradients of [`read`] after [`recall`], by the queries and by the memory.
///
/// With `q_i = <dy, m_i>` and `ds_i = w_i (q_i - sum_j w_j q_j)` (softmax), and where the weight depends on `s_i`:
/// `dh = sum_i ds_i (m_i / |m_i| - s_i h / |h|) / |h|` and `dm_i = w_i dy + ds_i (h / |h| - s_i m_i / |m_i|) / |m_i|`.
/// Slots that nobody selected have gradient 0.
///
/// # Shapes
/// `h` and `dy` (queries, L), `memory` (N, L); results as `h` and `memory`.
///
/// # Panics
/// If they are not of these shapes.
#[must_use]
pub fn backward<E: Element>(
    recall: &Recall<E>,
    h: &Tensor<E>,
    memory: &Tensor<E>,
    dy: &Tensor<E>,
) -> (Tensor<E>, Tensor<E>) {
    let (width, queries) = (recall.width, recall.queries());
    let (capacity, len) = memory.rows_cols();
    assert_eq!(capacity, recall.slot_scales.len(), "recall::backward: slots");
    assert_eq!(h.rows_cols(), (queries, len), "recall::backward: h");
    assert_eq!(dy.rows_cols(), (queries, len), "recall::backward: dy");
    let work = recall.slots.len() * len;
    let mut dh = Tensor::zeros([queries, len]);
    // Per selected slot: the factor of h in dm, and that of m.
    let mut factors = Tensor::zeros([queries, 2 * width]);
    let rows = ((dh.data_mut(), len), (factors.data_mut(), 2 * width));
    parallel::pairs_mut(rows.0, rows.1, ROWS, 2 * work, |query, dh, factors| {
        let ds_s = query_gradient(recall, query, memory, dy.row(query), dh, factors);
        let scale = recall.query_scales.data()[query];
        axpy(dh, -(ds_s * scale * scale), h.row(query));
    });

    let (starts, order) = by_slot(&recall.slots, capacity);
    let mut dm = Tensor::scratch([capacity, len]);
    parallel::chunks_mut(dm.data_mut(), ROWS * len, 2 * work + capacity * len / 4, |chunk, dm| {
        for (slot, dm) in (chunk * ROWS..).zip(dm.chunks_exact_mut(len)) {
            dm.fill(E::ZERO);
            let mut by_m = E::ZERO;
            for &place in &order[starts[slot] as usize..starts[slot + 1] as usize] {
                let (query, index) = (place as usize / width, place as usize % width);
                let factors = &factors.data()[2 * width * query..];
                let weight = recall.weights(query)[index];
                if weight != E::ZERO {
                    add_two_scaled(dm, (weight, dy.row(query)), (factors[index], h.row(query)));
                    by_m += factors[width + index];
                }
            }
            if by_m != E::ZERO {
                axpy(dm, -by_m, memory.row(slot));
            }
        }
    });
    (dh, dm)
}

/// For one query: adds `sum_i ds_i m_i / (|h| |m_i|)` to `dh`, sets `factors` to `ds_i / (|h| |m_i|)` for all i and then
/// `ds_i s_i / |m_i|^2`, and returns `sum_i ds_i s_i`.
fn query_gradient<E: Element>(
    recall: &Recall<E>,
    query: usize,
    memory: &Tensor<E>,
    dy: &[E],
    dh: &mut [E],
    factors: &mut [E],
) -> E {
    let (slots, weights, similarities) = (recall.slots(query), recall.weights(query), recall.similarities(query));
    let (by_h, by_m) = factors.split_at_mut(slots.len());
    for ((product, &slot), &weight) in by_h.iter_mut().zip(slots).zip(weights) {
        *product = if weight == E::ZERO { E::ZERO } else { reduce::dot(dy, memory.row(slot as usize)) };
    }
    let mean = reduce::dot(by_h, weights);
    let mut ds_s = E::ZERO;
    for (index, &scale) in recall.column(query, 2).iter().enumerate() {
        let slot = slots[index] as usize;
        let ds = if scale == E::ZERO { E::ZERO } else { weights[index] * (by_h[index] - mean) };
        let slot_scale = recall.slot_scales.data()[slot];
        ds_s += ds * similarities[index];
        by_h[index] = ds * scale;
        by_m[index] = ds * similarities[index] * slot_scale * slot_scale;
        if by_h[index] != E::ZERO {
            axpy(dh, by_h[index], memory.row(slot));
        }
    }
    ds_s
}

/// The selections sorted by slot, in the order of the queries within a slot: `order[starts[i]..starts[i + 1]]` are the
/// places in `slots` that hold slot `i`.
fn by_slot(slots: &[u32], capacity: usize) -> (Indices, Indices) {
    let (mut starts, mut order) = (Indices::scratch(capacity + 2), Indices::scratch(slots.len()));
    let counts = starts.values_mut();
    counts.fill(0);
    // One further than usual, so that filling `order` below turns ends into starts.
    slots.iter().for_each(|&slot| counts[slot as usize + 2] += 1);
    for slot in 2..counts.len() {
        counts[slot] += counts[slot - 1];
    }
    for (place, &slot) in (0_u32..).zip(slots) {
        let next = &mut counts[slot as usize + 1];
        order.values_mut()[*next as usize] = place;
        *next += 1;
    }
    (starts, order)
}

simd_fn! {
    fn add_two_scaled<E>(out: &mut [E], first: (E, &[E]), second: (E, &[E])) {
        for ((out, &a), &b) in out.iter_mut().zip(first.1).zip(second.1) {
            *out += first.0 * a + second.0 * b;
        }
    }
}

#[cfg(test)]
mod tests;
