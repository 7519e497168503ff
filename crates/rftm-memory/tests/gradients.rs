//! The memory read against central differences, over random shapes, selections and values.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use rftm_autograd::gradcheck;
use rftm_memory::{Selection, ops};
use rftm_tensor::Tensor;
use rftm_tensor::recall::{Query, recall};

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
}
