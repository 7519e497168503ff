use rftm_nn::{Inference, Module};
use rftm_tensor::Tensor;

use crate::{Bottleneck, Error, Model};

/// A slot of a memory that a sample was compared with, decoded: a normal pattern as the model knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    /// Number of the slot.
    pub slot: usize,
    /// Its share in what the memory answered.
    pub weight: f32,
    /// What the decoder makes of this slot alone, in the shape and scale of a sample.
    pub decoded: Vec<f32>,
}

/// A slot's number and weight.
type Read = (usize, f32);

impl Model {
    /// The `count` slots that weigh most in what the memory answers to each sample of a batch, decoded. A plain autoencoder
    /// has none.
    ///
    /// Of a twin memory these are slots of the last memory (the cortex), which the decoder gets the mean of; each is
    /// decoded as if it alone had been read. MNAD's decoder gets the query and what it read: here the item takes
    /// the place of both.
    ///
    /// # Errors
    /// If the samples do not fit the model.
    pub fn patterns(&self, x: &Tensor, count: usize) -> Result<Vec<Vec<Pattern>>, Error> {
        let inference = Inference::default();
        let h = self.encoder().infer(x.clone(), inference)?;
        let none = || Ok(vec![Vec::new(); x.rows_cols().0]);
        let (reads, slots): (Vec<Vec<Read>>, &Tensor) = match self.bottleneck() {
            Bottleneck::Identity => return none(),
            Bottleneck::Twin(twin) => match twin.last_recall(&h, inference)? {
                None => return none(),
                Some((recall, memory)) => {
                    let reads = (0..recall.queries()).map(|query| {
                        let slots = recall.slots(query).iter().map(|&slot| slot as usize);
                        heaviest(slots.zip(recall.weights(query).iter().copied()), count)
                    });
                    (reads.collect(), memory.slots())
                }
            },
            Bottleneck::Attention(memory) => (dense(&memory.weights(&h)?, count), memory.slots()),
            Bottleneck::Items(memory) => (dense(&memory.weights(&h)?, count), memory.items()),
        };
        reads.into_iter().map(|reads| self.decode(&reads, slots, &h)).collect()
    }

    /// Each slot, decoded alone; `h` lends the shape of a latent.
    fn decode(&self, reads: &[Read], slots: &Tensor, h: &Tensor) -> Result<Vec<Pattern>, Error> {
        if reads.is_empty() {
            return Ok(Vec::new());
        }
        let inference = Inference::default();
        let values = reads.iter().flat_map(|&(slot, _)| slots.row(slot)).copied().collect();
        let rows = Tensor::from_vec(values, [reads.len(), slots.rows_cols().1])?;
        let latent = match self.bottleneck() {
            Bottleneck::Twin(twin) => twin.after_last_read(rows, inference)?,
            _ => rows,
        };
        let mut latent = latent.reshape(h.shape().with_batch(reads.len())?)?;
        if let Bottleneck::Items(_) = self.bottleneck() {
            latent = rftm_autograd::ops::concat_values(&latent, &latent)?;
        }
        let decoded = self.decoder().infer(latent, inference)?;
        let pattern =
            |(index, &(slot, weight)): (usize, &Read)| Pattern { slot, weight, decoded: decoded.row(index).to_vec() };
        Ok(reads.iter().enumerate().map(pattern).collect())
    }
}

fn dense(weights: &Tensor, count: usize) -> Vec<Vec<Read>> {
    let rows = (0..weights.rows_cols().0).map(|row| weights.row(row));
    rows.map(|row| heaviest(row.iter().copied().enumerate(), count)).collect()
}

/// The reads with the largest weights, the largest first, without those of no weight.
fn heaviest(reads: impl Iterator<Item = Read>, count: usize) -> Vec<Read> {
    let mut reads: Vec<Read> = reads.filter(|read| read.1 > 0.0).collect();
    reads.sort_by(|a, b| b.1.total_cmp(&a.1));
    reads.truncate(count);
    reads
}
