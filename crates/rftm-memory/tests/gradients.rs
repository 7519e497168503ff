//! Reads and losses of memories against central differences, over random shapes, selections and values.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use rftm_autograd::{Tape, Var, gradcheck, ops as layers};
use rftm_memory::{AttentionConfig, AttentionMemory, ItemConfig, ItemMemory, Selection, Similarity, ops};
use rftm_nn::{Module, StateDict};
use rftm_tensor::recall::{Query, recall};
use rftm_tensor::{Result, Tensor, attention, direction, items};

#[derive(Debug, Clone)]
struct Case {
    h: Tensor<f64>,
    memory: Tensor<f64>,
    top_k: Option<usize>,
    selection: Selection,
    surviving: Vec<u32>,
}

impl Case {
    fn query(&self) -> Query<'_> {
        Query { top_k: self.top_k, selection: self.selection, surviving: &self.surviving }
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let sizes = (1_usize..5, 1_usize..14, 1_usize..6, prop::option::of(1_usize..8), any::<bool>());
    sizes
        .prop_flat_map(|(batch, capacity, len, top_k, zero)| {
            let values = |count: usize| prop::collection::vec(-1.0..1.0, count);
            let forgotten = prop::collection::vec(prop::bool::weighted(0.3), capacity);
            (values(batch * len), values(capacity * len), forgotten, Just((batch, capacity, len, top_k, zero)))
        })
        .prop_map(|(h, memory, forgotten, (batch, capacity, len, top_k, zero))| Case {
            h: Tensor::from_vec(h, [batch, len]).unwrap(),
            memory: Tensor::from_vec(memory, [capacity, len]).unwrap(),
            top_k,
            selection: if zero { Selection::Zero } else { Selection::Remove },
            surviving: (0..capacity as u32).filter(|&slot| !forgotten[slot as usize]).collect(),
        })
        .prop_filter("smooth around the point", is_smooth)
}

/// No vector too short to have a stable direction, no similarity near 0 (the threshold), and no two that are nearly
/// equal (the choice of the top k): there the read has kinks or jumps.
fn is_smooth(case: &Case) -> bool {
    let lengths = |t: &Tensor<f64>| (0..t.dims()[0]).all(|row| t.row(row).iter().map(|x| x * x).sum::<f64>() > 0.05);
    let all = Query { top_k: None, ..case.query() };
    let found = recall(&case.h, &case.memory, all).unwrap();
    lengths(&case.h)
        && lengths(&case.memory)
        && (0..found.queries()).all(|query| {
            let mut similarities = found.similarities(query).to_vec();
            similarities.retain(|similarity| *similarity != 0.0);
            similarities.sort_by(f64::total_cmp);
            similarities.windows(2).all(|pair| pair[1] - pair[0] > 1e-3) && similarities.iter().all(|s| s.abs() > 1e-3)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn memory_read(case in cases()) {
        gradcheck(
            |tape, inputs| Ok(ops::memory_read(tape, &inputs[0], &inputs[1], case.query())?.0),
            &[case.h.clone(), case.memory.clone()],
            1e-5,
            1e-6,
        ).unwrap();
    }

    #[test]
    fn shrink((weights, lambda) in distributions()) {
        gradcheck(|tape, v| Ok(ops::shrink(tape, &v[0], lambda).0), &[weights], 1e-6, 1e-5).unwrap();
    }

    #[test]
    fn entropy((weights, _) in distributions()) {
        gradcheck(|tape, v| Ok(ops::entropy(tape, &v[0])), &[weights], 1e-6, 1e-6).unwrap();
    }

    /// The whole of MemAE's read with its entropy, by latents and slots.
    #[test]
    fn attention_memory(
        (h, memory, similarity, lambda) in attentions(),
    ) {
        gradcheck(|tape, v| {
            let (weights, _) = ops::attend(tape, &v[0], &v[1], similarity, lambda)?;
            let entropy = ops::entropy(tape, &weights);
            tape.penalise(0.7, entropy);
            let y = layers::matmul(tape, &weights, &v[1])?;
            weighted(tape, &y)
        }, &[h, memory], 1e-6, 1e-5).unwrap();
    }

    #[test]
    fn separateness((q, items, margin) in queries()) {
        let similarities = layers::linear_values(&q, &items, None).unwrap();
        let found = items::nearest(&similarities, 2).unwrap();
        let [near, far] = [0, 1].map(|rank| items::gather(&items, &found, 2, rank).unwrap());
        gradcheck(|tape, v| ops::separateness(tape, &v[0], &near, &far, margin), &[q], 1e-6, 1e-5).unwrap();
    }

    /// MNAD's read and losses by the latents before they are scaled. No gradient passes the read, which differences
    /// would see: it is held where it is.
    #[test]
    fn item_memory((h, items, margin) in queries()) {
        let config = ItemConfig { capacity: items.dims()[0], margin, ..ItemConfig::default() };
        let width = h.dims()[1];
        let mut built = ItemMemory::<f64>::new(width, config, 1).unwrap();
        let mut state = StateDict::of(&mut built, "");
        state.tensors.insert("items".into(), items);
        gradcheck(|tape, v| {
            let mut memory = ItemMemory::new(width, config, 1).unwrap();
            state.apply(&mut memory).unwrap();
            let y = memory.forward(tape, v[0].clone())?;
            let only_query = Tensor::from_vec((0..2 * width * width).map(|i| f64::from(i / width % 2 == 0) * (i as f64).sin()).collect(), [width, 2 * width])?;
            let y = layers::linear(tape, &y, &Var::constant(only_query), None)?;
            weighted(tape, &y)
        }, &[h], 1e-6, 1e-5).unwrap();
    }
}

/// An uneven sum of a result, and the penalties.
fn weighted(tape: &mut Tape<f64>, y: &Var<f64>) -> Result<Var<f64>> {
    let len = y.value().len();
    let factors = Tensor::from_vec((0..len).map(|i| (i as f64 * 1.7 + 0.5).sin() + 0.3).collect(), [1, len])?;
    let flat = layers::reshape(tape, y, [1, len])?;
    let sum = layers::linear(tape, &flat, &Var::constant(factors), None)?;
    layers::penalised(tape, sum)
}

fn matrix(rows: usize, cols: usize) -> impl Strategy<Value = Tensor<f64>> {
    let values = prop::collection::vec(-1.0..1.0, rows * cols);
    values.prop_map(move |values| Tensor::from_vec(values, [rows, cols]).unwrap())
}

/// Rows long enough to have a stable direction.
fn long_rows(matrix: &Tensor<f64>) -> bool {
    (0..matrix.dims()[0]).all(|row| matrix.row(row).iter().map(|x| x * x).sum::<f64>() > 0.05)
}

/// No weight near lambda, where shrinkage jumps.
fn away_from(weights: &Tensor<f64>, lambda: f64) -> bool {
    weights.data().iter().all(|weight| (weight - lambda).abs() > 1e-4)
}

/// Positive numbers, and a lambda that prunes some of them, none, or all.
fn distributions() -> impl Strategy<Value = (Tensor<f64>, f64)> {
    (1_usize..5, 1_usize..9)
        .prop_flat_map(|(rows, cols)| (prop::collection::vec(0.01..1.0, rows * cols), 0.001..1.1, Just([rows, cols])))
        .prop_map(|(values, lambda, shape)| (Tensor::from_vec(values, shape).unwrap(), lambda))
        .prop_filter("away from the jump", |(weights, lambda)| away_from(weights, *lambda))
}

fn attentions() -> impl Strategy<Value = (Tensor<f64>, Tensor<f64>, Similarity, f64)> {
    (1_usize..5, 1_usize..14, 1_usize..6, any::<bool>(), 0_usize..4)
        .prop_flat_map(|(batch, capacity, len, cosine, share)| {
            let similarity = if cosine { Similarity::Cosine } else { Similarity::Inner };
            // From no pruning to what leaves some latents without any slot.
            let lambda = share as f64 * 0.5 / capacity as f64;
            (matrix(batch, len), matrix(capacity, len), Just(similarity), Just(lambda))
        })
        .prop_filter("smooth around the point", |(h, memory, similarity, lambda)| {
            let (inner, _) = ops::attend(
                &mut Tape::new(),
                &Var::constant(h.clone()),
                &Var::constant(memory.clone()),
                *similarity,
                0.0,
            )
            .unwrap();
            long_rows(h) && long_rows(memory) && away_from(inner.value(), *lambda)
        })
}

/// Latents, items, and a margin at which no hinge is near its kink; no two items are about equally near.
fn queries() -> impl Strategy<Value = (Tensor<f64>, Tensor<f64>, f64)> {
    (1_usize..6, 2_usize..7, 2_usize..6)
        .prop_flat_map(|(batch, capacity, len)| (matrix(batch, len), matrix(capacity, len), 0.0..1.5))
        .prop_map(|(h, items, margin)| (h, direction::unit_rows(&items).0, margin))
        .prop_filter("smooth around the point", |(h, items, margin)| {
            // Checked for the latents as they are and scaled to length 1: both are differentiated.
            long_rows(h)
                && long_rows(items)
                && [h.clone(), direction::unit_rows(h).0].iter().all(|q| {
                    let similarities = layers::linear_values(q, items, None).unwrap();
                    (0..q.dims()[0]).all(|row| {
                        let mut sorted = similarities.row(row).to_vec();
                        sorted.sort_by(f64::total_cmp);
                        let distinct = sorted.windows(2).all(|pair| pair[1] - pair[0] > 1e-3);
                        let one = Tensor::from_slice(q.row(row), [1, q.dims()[1]]).unwrap();
                        let found = items::nearest(&layers::linear_values(&one, items, None).unwrap(), 2).unwrap();
                        let [near, far] = [0, 1].map(|rank| items::gather(items, &found, 2, rank).unwrap());
                        // Without a hinge: at a margin of 100 every query counts.
                        let excess: f64 = items::triplet(&one, &near, &far, 100.0).unwrap() - 100.0 + margin;
                        let apart = |other: &Tensor<f64>| {
                            (rftm_tensor::reduce::squared_distance(one.data(), other.data())) > 1e-3
                        };
                        distinct && excess.abs() > 1e-3 && apart(&near) && apart(&far)
                    })
                })
        })
}

/// A module is its operations: what the checks above cover is what trains.
#[test]
fn an_attention_memory_is_its_operations() {
    let mut memory = AttentionMemory::<f64>::new(4, AttentionConfig::new(6), 1).unwrap();
    let h = Tensor::from_vec((0..12).map(|i| (i as f64).sin()).collect(), [3, 4]).unwrap();
    let y = memory.forward(&mut Tape::new(), Var::constant(h.clone())).unwrap();
    let (q, m) = (direction::unit_rows(&h).0, direction::unit_rows(memory.slots()).0);
    let weights = attention::softmax(layers::linear_values(&q, &m, None).unwrap());
    let (weights, _) = attention::shrink(&weights, 1.0 / 6.0);
    assert_eq!(y.value(), &layers::matmul_values(&weights, memory.slots()).unwrap());
}
