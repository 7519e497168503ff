use rftm_rng::{rng, shuffle};

use crate::{Data, Error, Layout, Result, defaults};

/// Which samples train, which stop the training in time, which calibrate. No sample has two parts, so the calibration
/// scores are of samples that neither the weights, the scaling nor the choice of the epoch have seen.
pub(crate) struct Split {
    pub(crate) train: Vec<u32>,
    pub(crate) validation: Vec<u32>,
    pub(crate) calibration: Vec<u32>,
    /// The rows that training samples are made of: what scaling is learned from.
    pub(crate) rows: Vec<u32>,
}

impl Split {
    /// At random for tables and images. Windows that overlap are all but copies of each other, so a series is cut in
    /// time instead: first to train, then to stop, last to calibrate, without the windows across a cut.
    pub(crate) fn new(data: &Data, seed: u64) -> Result<Self> {
        let samples = data.len();
        let (what, apart) = match *data.layout() {
            Layout::Table { .. } => ("rows", 0),
            Layout::Images { .. } => ("images", 0),
            Layout::Series { window, stride, .. } => ("windows", (window - 1) / stride),
        };
        let too_few = |needed| Error::TooFew { what, found: samples, needed };
        let needed = apart.saturating_mul(2).saturating_add(defaults::FEWEST_SAMPLES);
        if samples < needed {
            return Err(too_few(needed));
        }
        let all = u32::try_from(samples).map_err(|_| Error::unsuitable("data", "more than 2^32 samples"))?;
        let mut order: Vec<u32> = (0..all).collect();
        let usable = samples - 2 * apart;
        let [validation, calibration] = defaults::held_out(usable);
        let train = usable - validation - calibration;
        let rows = match *data.layout() {
            Layout::Series { window, stride, .. } => {
                let end = (train - 1) * stride + window;
                (0..u32::try_from(end).map_err(|_| Error::unsuitable("data", "more than 2^32 rows"))?).collect()
            }
            _ => {
                shuffle(&mut order, &mut rng(seed, "hold out", 0));
                order[..train].to_vec()
            }
        };
        let part = |start: usize, count: usize| order[start..start + count].to_vec();
        Ok(Self {
            train: part(0, train),
            validation: part(train + apart, validation),
            calibration: part(samples - calibration, calibration),
            rows,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_disjoint_and_whole() {
        let data = Data::table(["x"], vec![0.0; 250]).unwrap();
        let split = Split::new(&data, 1).unwrap();
        let mut all = [split.train.clone(), split.validation, split.calibration].concat();
        all.sort_unstable();
        assert_eq!(all, (0..250).collect::<Vec<u32>>());
        assert_eq!(split.rows, split.train);
        assert_ne!(split.train, Split::new(&data, 2).unwrap().train);
        assert_eq!(split.train, Split::new(&data, 1).unwrap().train);
    }

    #[test]
    fn parts_of_a_series_share_no_row() {
        for (window, stride) in [(8, 1), (8, 3), (4, 4), (3, 5)] {
            let data = Data::series(["x"], window, stride, vec![0.0; 400]).unwrap();
            let split = Split::new(&data, 1).unwrap();
            let first = |part: &[u32]| part[0] as usize * stride;
            let end = |part: &[u32]| part[part.len() - 1] as usize * stride + window;
            assert!(end(&split.train) <= first(&split.validation), "window {window}, stride {stride}");
            assert!(end(&split.validation) <= first(&split.calibration), "window {window}, stride {stride}");
            assert!(end(&split.calibration) <= 400);
            assert_eq!(split.rows.len(), end(&split.train));
        }
    }

    #[test]
    fn too_few_samples_say_how_many_are_needed() {
        let check = |data: Data, expected: &str| {
            let message = Split::new(&data, 1).err().unwrap().to_string();
            assert!(message.starts_with(expected), "{message}");
        };
        check(Data::table(["x"], vec![1.0]).unwrap(), "1 rows; at least 10 are needed");
        check(Data::series(["x"], 8, 1, vec![1.0; 20]).unwrap(), "13 windows; at least 24 are needed");
        // The longest window that any data can have.
        let window = isize::MAX as usize / size_of::<f32>();
        check(Data::series(["x"], window, 1, vec![1.0; 20]).unwrap(), "0 windows; at least");
    }
}
