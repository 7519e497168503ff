//! Which slots the test set reads.

use plotters::prelude::*;

use super::Parts;
use super::canvas::{ANOMALOUS, Axes, Mark, NORMAL, chart, legend, plain, render, steps};
use super::charts::distinct;
use crate::error::Result;
use crate::sheet::{COUNT, Field, Source};

/// The slots of one memory: reads of normal and anomalous samples, weight.
type Slots = Vec<([f64; 2], f64)>;

/// How the reads of a memory are spread over its slots.
#[derive(Debug, PartialEq)]
struct Spread {
    slots: usize,
    read: usize,
    /// Of the total weights, in bits.
    entropy: f64,
}

fn spread(slots: &Slots) -> Spread {
    let total: f64 = slots.iter().map(|(_, weight)| weight).sum();
    let shares = slots.iter().map(|(_, weight)| weight / total).filter(|share| *share > 0.0);
    let entropy = shares.map(|share| -share * share.log2()).sum::<f64>();
    Spread { slots: slots.len(), read: slots.iter().filter(|(reads, _)| reads[0] + reads[1] > 0.0).count(), entropy }
}

/// The opacity of bars, through which the grid is seen.
const OPACITY: f64 = 0.6;

pub(crate) fn draw(source: &Source) -> Result<Parts> {
    let units = distinct(source, "unit")?;
    let mut memories: Vec<Slots> = vec![Vec::new(); units.len()];
    for row in source.rows() {
        let reads = [row.number_in("normal", COUNT)?, row.number_in("anomalous", COUNT)?];
        let slot = (reads, row.number_in("weight", COUNT)?);
        let unit = row.text("unit")?;
        if let Some(place) = units.iter().position(|known| known == unit) {
            memories[place].push(slot);
        }
    }
    let spreads: Vec<Spread> = memories.iter().map(spread).collect();
    let samples: Option<u32> = source.notes("samples").next().map(Field::get).transpose()?;
    let told: Vec<String> = units
        .iter()
        .zip(spreads.iter().zip(&memories))
        .map(|(unit, (Spread { slots, read, entropy }, reads))| {
            let all: f64 = reads.iter().map(|(reads, _)| reads[0] + reads[1]).sum();
            let each = samples.map(|samples| format!("a test image reads {:.1} slots; ", all / f64::from(samples.max(1)))).unwrap_or_default();
            format!(
                "{unit}: {each}{read} of {slots} slots are ever read; the entropy of the weights is {entropy:.2} of at most {:.2} \
                 bits, as much as {:.0} slots read alike",
                (*slots as f64).log2(),
                entropy.exp2()
            )
        })
        .collect();
    let label = format!("How often each memory slot is read. {}.", told.join(". "));
    let svg = render("usage", (1800, 860), &label, |area, _| {
        let entries = [(Mark::Bar(OPACITY), NORMAL, "normal".into()), (Mark::Dot(8), ANOMALOUS, "anomalous".into())];
        legend(area, (136, 34), &entries)?;
        let (_, area) = area.split_vertically(64);
        for ((panel, unit), slots) in area.split_evenly((1, 2)).iter().zip(&units).zip(&mut memories) {
            slots.sort_by(|a, b| b.0[0].total_cmp(&a.0[0]).then(b.0[1].total_cmp(&a.0[1])));
            // As shares of the reads of each group: there are ten times as many normal samples.
            let totals = [0, 1].map(|group| slots.iter().map(|(reads, _)| reads[group]).sum::<f64>().max(1.0));
            let share = |slot: &([f64; 2], f64), group: usize| 100.0 * slot.0[group] / totals[group];
            let top = slots.iter().flat_map(|slot| [share(slot, 0), share(slot, 1)]).fold(0.0, f64::max) * 1.05;
            let (x, y) = ((0.0, slots.len() as f64), (0.0, top.max(1e-6)));
            let axes = Axes {
                title: unit,
                x,
                y,
                names: ["slots, those read most by normal samples first", "share of the reads, %"],
                ticks: [steps(x, 5), steps(y, 6)],
                format: [&plain, &plain],
            };
            let mut chart = chart(panel, axes)?;
            let bars = (0_u32..).map(f64::from).zip(slots.iter()).filter(|(_, slot)| slot.0[0] > 0.0);
            chart.draw_series(bars.map(|(place, slot)| {
                Rectangle::new([(place, 0.0), (place + 1.0, share(slot, 0))], NORMAL.mix(OPACITY).filled())
            }))?;
            let dots = (0_u32..).map(f64::from).zip(slots.iter()).filter(|(_, slot)| slot.0[1] > 0.0);
            let size = if slots.len() > 100 { 3 } else { 8 };
            chart.draw_series(
                dots.map(|(place, slot)| Circle::new((place + 0.5, share(slot, 1)), size, ANOMALOUS.filled())),
            )?;
        }
        Ok(())
    })?;
    let caption = format!(
        "Which slots the test images read: {}. Bars: normal samples, dots: anomalous ones, each as shares of their own reads.",
        told.join(". ")
    );
    Ok(Parts { svg, caption, alt: label, data: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_counts_slots_that_are_read_alike() {
        let check = |weights: &[f64], read: usize, entropy: f64| {
            let slots: Slots = weights.iter().map(|weight| ([*weight, 0.0], *weight)).collect();
            let found = spread(&slots);
            assert_eq!((found.slots, found.read), (weights.len(), read));
            assert!((found.entropy - entropy).abs() < 1e-12, "{found:?}");
        };
        check(&[1.0, 1.0, 1.0, 1.0], 4, 2.0);
        check(&[3.0, 3.0, 0.0, 0.0], 2, 1.0);
        check(&[5.0, 0.0], 1, 0.0);
        check(&[2.0, 1.0, 1.0], 3, 1.5);
    }
}
