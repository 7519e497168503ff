use super::*;
use proptest::prelude::*;

/// Eq. 3 spelled out: dense similarities, a stable sort, a softmax.
fn naive(h: &Tensor<f64>, memory: &Tensor<f64>, query: Query<'_>) -> Tensor<f64> {
    let ((queries, len), (capacity, _)) = (h.rows_cols(), memory.rows_cols());
    let norm = |row: &[f64]| row.iter().map(|x| x * x).sum::<f64>().sqrt();
    let mut out = Tensor::zeros([queries, len]);
    for b in 0..queries {
        let mut ranked: Vec<(f64, usize)> = (0..capacity)
            .filter_map(|slot| {
                let survives = query.surviving.contains(&(slot as u32));
                let (lengths, row) = (norm(h.row(b)) * norm(memory.row(slot)), memory.row(slot));
                let dot: f64 = h.row(b).iter().zip(row).map(|(x, m)| x * m).sum();
                let cosine = if lengths < 1e-12 { 0.0 } else { dot / lengths };
                match (survives, query.selection) {
                    (true, _) => Some((cosine, slot)),
                    (false, Selection::Zero) => Some((0.0, slot)),
                    (false, Selection::Remove) => None,
                }
            })
            .collect();
        if let Some(k) = query.top_k {
            ranked.sort_by(|a, b| b.0.partial_cmp(&a.0).unwrap().then(a.1.cmp(&b.1)));
            ranked.truncate(k);
            match query.selection {
                Selection::Remove => ranked.retain(|(similarity, _)| *similarity > 0.0),
                Selection::Zero => ranked.iter_mut().for_each(|(similarity, _)| *similarity = similarity.max(0.0)),
            }
        }
        let total: f64 = ranked.iter().map(|(similarity, _)| similarity.exp()).sum();
        for (similarity, slot) in ranked {
            let weight = similarity.exp() / total;
            out.data_mut()[b * len..][..len].iter_mut().zip(memory.row(slot)).for_each(|(y, m)| *y += weight * m);
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Small integers make exact ties, zero vectors and few positive similarities common. With at most three of them a
    /// product with a unit vector that is 0 on paper is 0 (`2c - c - c`); with four it may be 1e-17 (`(4c - c) - 2c - c`),
    /// which is positive, and so another choice. Four are therefore of -1, 0 and 1 (`c + c - c - c`).
    #[test]
    fn agrees_with_the_equation(
        queries in 1_usize..5,
        capacity in 1_usize..40,
        len in 1_usize..5,
        top_k in prop::option::of(1_usize..45),
        zero in any::<bool>(),
        forgotten in prop::collection::vec(any::<bool>(), 40),
        values in prop::collection::vec(-2_i8..3, 5 * 45),
    ) {
        let values: Vec<f64> =
            values.into_iter().map(|value| f64::from(if len == 4 { value.signum() } else { value })).collect();
        let h = Tensor::from_slice(&values[..queries * len], [queries, len]).unwrap();
        let memory = Tensor::from_slice(&values[values.len() - capacity * len..], [capacity, len]).unwrap();
        let surviving: Vec<u32> = (0..capacity as u32).filter(|&slot| !forgotten[slot as usize]).collect();
        let selection = if zero { Selection::Zero } else { Selection::Remove };
        let query = Query { top_k, selection, surviving: &surviving };
        let found = recall(&h, &memory, query).unwrap();
        let (y, expected) = (read(&found, &memory), naive(&h, &memory, query));
        for b in 0..queries {
            // Cosines of integer vectors that are equal on paper may differ in the last bit and so change which of them is the
            // last that counts; both have the same weight, but are different vectors. Ties of zeros, and of vectors one of
            // which is twice the other, are exact.
            if !ties_at_the_border(h.row(b), &memory, query) {
                for (y, expected) in y.row(b).iter().zip(expected.row(b)) {
                    prop_assert!((y - expected).abs() < 1e-9, "query {b}: {y} {expected}");
                }
            }
        }
    }
}

/// Whether the last slot of the top k and the first behind it are equally similar to a query, without all that are as similar
/// being parallel to each other.
fn ties_at_the_border(h: &[f64], memory: &Tensor<f64>, query: Query<'_>) -> bool {
    let Some(k) = query.top_k else { return false };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let unit = |row: &[f64]| {
        let norm = dot(row, row).sqrt().max(1e-12);
        row.iter().map(|x| x / norm).collect::<Vec<f64>>()
    };
    // What was forgotten is out, or is an exact zero.
    let mut slots: Vec<(f64, Vec<f64>)> = (0..memory.rows_cols().0)
        .map(|slot| (query.surviving.contains(&(slot as u32)), unit(memory.row(slot))))
        .filter(|(survives, _)| *survives || query.selection == Selection::Zero)
        .map(|(survives, slot)| (if survives { dot(h, &slot) } else { 0.0 }, slot))
        .collect();
    slots.sort_by(|a, b| b.0.total_cmp(&a.0));
    let Some((border, _)) = slots.get(k) else { return false };
    let border = *border;
    if border.abs() < 1e-9 || (slots[k - 1].0 - border).abs() > 1e-9 {
        return false;
    }
    let tied: Vec<&Vec<f64>> =
        slots.iter().filter(|(cosine, _)| (cosine - border).abs() < 1e-9).map(|(_, slot)| slot).collect();
    tied.iter().any(|slot| dot(slot, tied[0]) < 1.0 - 1e-9)
}

fn example(queries: usize, capacity: usize, len: usize) -> (Tensor<f32>, Tensor<f32>, Tensor<f32>) {
    let fill = |rows: usize, step: usize| {
        Tensor::from_vec((0..rows * len).map(|i| ((i * step) as f32).sin()).collect(), [rows, len]).unwrap()
    };
    (fill(queries, 3), fill(capacity, 7), fill(queries, 5))
}

#[test]
fn slots_are_unique_sorted_and_never_forgotten_under_remove() {
    let (h, memory, _) = example(20, 60, 8);
    let surviving: Vec<u32> = (0..60).filter(|slot| slot % 3 != 0).collect();
    let query = Query { top_k: Some(7), selection: Selection::Remove, surviving: &surviving };
    let found = recall(&h, &memory, query).unwrap();
    for b in 0..20 {
        assert!(found.similarities(b).is_sorted_by(|a, b| a >= b));
        assert!(found.slots(b).iter().all(|slot| slot % 3 != 0));
        let mut slots = found.slots(b).to_vec();
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), 7);
        assert!((found.weights(b).iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let (h, memory, dy) = example(900, 500, 130);
    let surviving: Vec<u32> = (0..500).filter(|slot| slot % 2 == 0).collect();
    let run = || {
        let query = Query { top_k: Some(9), selection: Selection::Zero, surviving: &surviving };
        let found = recall(&h, &memory, query).unwrap();
        (read(&found, &memory), backward(&found, &h, &memory, &dy))
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    assert_eq!(pool.install(run), crate::serial(run));
}

#[test]
fn nothing_left_is_a_zero_vector_without_gradient() {
    let (h, memory, dy) = example(2, 4, 3);
    for selection in [Selection::Remove, Selection::Zero] {
        let query = Query { top_k: Some(2), selection, surviving: &[] };
        let found = recall(&h, &memory, query).unwrap();
        let (dh, dm) = backward(&found, &h, &memory, &dy);
        assert_eq!(dh.data(), [0.0; 6]);
        if selection == Selection::Remove {
            assert_eq!((read(&found, &memory).data(), found.empty()), ([0.0; 6].as_slice(), 2));
            assert_eq!(dm.data(), [0.0; 12]);
        } else {
            // All slots are eligible with similarity 0; ties go to the lowest two.
            assert_eq!((found.slots(0), found.weights(0)), ([0, 1].as_slice(), [0.5; 2].as_slice()));
        }
    }
}

#[test]
fn bad_input_is_refused() {
    let (h, memory, _) = example(2, 4, 3);
    let query = |surviving| Query { top_k: Some(2), selection: Selection::Remove, surviving };
    assert!(recall(&h, &Tensor::zeros([4, 5]), query(&[0])).unwrap_err().to_string().contains("(queries, 5)"));
    assert!(recall(&h, &memory, query(&[1, 0])).is_err());
    assert!(recall(&h, &memory, query(&[4])).is_err());
    assert!(recall(&Tensor::<f32>::zeros([2, 0]), &Tensor::zeros([4, 0]), query(&[0])).is_err());
}

#[test]
fn a_packed_memory_reads_the_same_bits() {
    let (h, memory, _) = example(50, 77, 33);
    let all: Vec<u32> = (0..77).collect();
    for (top_k, selection) in [(Some(5), Selection::Remove), (Some(9), Selection::Zero), (None, Selection::Zero)] {
        let found = recall(&h, &memory, Query { top_k, selection, surviving: &all }).unwrap();
        let packed = PackedMemory::new(&memory, top_k, selection).unwrap();
        assert_eq!(packed.read(&h).unwrap(), read(&found, &memory));
    }
}

/// What is not a number must not be turned into one: a training that diverges would go unnoticed.
#[test]
fn queries_that_are_not_finite_stay_so() {
    let (_, memory, _) = example(2, 9, 3);
    let all: Vec<u32> = (0..9).collect();
    for bad in [f32::NAN, f32::INFINITY] {
        let mut h = Tensor::full([2, 3], 1.0);
        h.data_mut()[4] = bad;
        for (top_k, selection) in [(Some(2), Selection::Remove), (Some(2), Selection::Zero), (None, Selection::Zero)] {
            let y = read(&recall(&h, &memory, Query { top_k, selection, surviving: &all }).unwrap(), &memory);
            assert!(y.row(0).iter().all(|y| y.is_finite()));
            assert!(y.row(1).iter().all(|y| y.is_nan()), "{bad} {selection:?}: {:?}", y.row(1));
        }
    }
}

#[test]
fn slots_that_are_not_finite_are_not_passed_over() {
    let (h, memory, _) = example(2, 9, 3);
    let all: Vec<u32> = (0..9).collect();
    let without_it: Vec<u32> = (0..9).filter(|&slot| slot != 7).collect();
    for bad in [f32::NAN, f32::INFINITY] {
        let mut memory = memory.clone();
        memory.data_mut()[7 * 3 + 1] = bad;
        let choices = [(Some(2), Selection::Remove), (Some(2), Selection::Zero), (None, Selection::Zero)];
        for (top_k, selection) in choices {
            let y = read(&recall(&h, &memory, Query { top_k, selection, surviving: &all }).unwrap(), &memory);
            assert!(y.data().iter().all(|y| y.is_nan()), "{bad} {selection:?}: {y:?}");
            let packed = PackedMemory::new(&memory, top_k, selection).unwrap().read(&h).unwrap();
            assert!(packed.data().iter().all(|y| y.is_nan()), "{bad} {selection:?}: {packed:?}");
        }
        // What is forgotten is not looked at.
        let query = Query { top_k: Some(2), selection: Selection::Remove, surviving: &without_it };
        assert!(read(&recall(&h, &memory, query).unwrap(), &memory).is_finite());
    }
    let nowhere = Tensor::full([9, 3], f32::NAN);
    for top_k in [Some(2), None] {
        let query = Query { top_k, selection: Selection::Remove, surviving: &all };
        assert!(read(&recall(&h, &nowhere, query).unwrap(), &nowhere).data().iter().all(|y| y.is_nan()));
    }
}
