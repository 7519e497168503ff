//! The tables, and how they are split.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ndarray::{Array1, Array2, Axis, OwnedRepr};
use ndarray_npy::{NpzReader, ReadNpzError, write_npy};

/// The ten tables, by the names of their files.
pub const TABLES: [&str; 10] = [
    "annthyroid",
    "breastw",
    "cardio",
    "glass",
    "mammography",
    "pendigits",
    "satellite",
    "shuttle",
    "thyroid",
    "vowels",
];

/// Rows, and which of them are anomalies.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The rows. 32-bit floats for everybody.
    pub x: Array2<f32>,
    /// Whether each is an anomaly.
    pub anomalous: Vec<bool>,
}

/// What is fitted, and what is scored.
#[derive(Debug, Clone)]
pub struct Split {
    /// Half of the normal rows.
    pub train: Array2<f32>,
    /// The other half, then all anomalies.
    pub test: Array2<f32>,
    /// Whether each row of `test` is an anomaly.
    pub anomalous: Vec<bool>,
}

impl Table {
    /// Reads `X` and `y` of a file `NAME.npz`.
    ///
    /// # Errors
    /// If there is no such file, or it does not hold rows and their labels.
    pub fn read(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(format!("{name}.npz"));
        let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut npz = NpzReader::new(file).with_context(|| path.display().to_string())?;
        let x = rows(&mut npz).with_context(|| format!("{}: X", path.display()))?;
        let y = labels(&mut npz).with_context(|| format!("{}: y", path.display()))?;
        if x.nrows() != y.len() {
            bail!("{}: {} rows and {} labels", path.display(), x.nrows(), y.len());
        }
        Ok(Self { name: name.to_owned(), x, anomalous: y.iter().map(|&label| label != 0).collect() })
    }

    /// Half of the normal rows to fit, drawn from stream ("tables", 0) of the seed; the others to score.
    #[must_use]
    pub fn split(&self, seed: u64) -> Split {
        let of = |wanted: bool| (0..self.anomalous.len()).filter(move |&row| self.anomalous[row] == wanted);
        let mut normal: Vec<usize> = of(false).collect();
        rftm_rng::shuffle(&mut normal, &mut rftm_rng::rng(seed, "tables", 0));
        let (train, rest) = normal.split_at(normal.len() / 2);
        let test: Vec<usize> = rest.iter().copied().chain(of(true)).collect();
        Split {
            train: self.x.select(Axis(0), train),
            test: self.x.select(Axis(0), &test),
            anomalous: test.iter().map(|&row| self.anomalous[row]).collect(),
        }
    }
}

impl Split {
    /// Writes the rows where a peer reads them: `train.npy` and `test.npy` in a new folder.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for (name, rows) in [("train.npy", &self.train), ("test.npy", &self.test)] {
            write_npy(folder.join(name), rows).with_context(|| format!("{name} in {}", folder.display()))?;
        }
        Ok(())
    }
}

/// Where the tables are: what was asked for, or else the first of `$RFTM_DATA/adbench` and `data/adbench` that there is.
///
/// # Errors
/// If there is no such folder; says where to get the tables.
pub fn folder(asked: Option<PathBuf>) -> Result<PathBuf> {
    let environment = std::env::var_os("RFTM_DATA").filter(|data| !data.is_empty());
    let usual = environment.map(|data| PathBuf::from(data).join("adbench")).filter(|folder| folder.is_dir());
    let folder = asked.or(usual).unwrap_or_else(|| PathBuf::from("data/adbench"));
    if folder.is_dir() {
        return Ok(folder);
    }
    bail!(
        "{} is no folder; name the one with {}.npz and the others by --data or RFTM_DATA (github.com/Minqi824/ADBench, \
         adbench/datasets/Classical, without the numbers before the names)",
        folder.display(),
        TABLES[0]
    )
}

type Npz = NpzReader<File>;

/// `X`, of whatever type it is.
fn rows(npz: &mut Npz) -> Result<Array2<f32>> {
    let mut find = || -> Result<Array2<f32>, ReadNpzError> {
        let double = npz.by_name::<OwnedRepr<f64>, _>("X").map(|x| x.mapv(|x: f64| x as f32));
        double
            .or_else(|_| npz.by_name::<OwnedRepr<u8>, _>("X").map(|x| x.mapv(|x: u8| f32::from(x))))
            .or_else(|_| npz.by_name::<OwnedRepr<i16>, _>("X").map(|x| x.mapv(|x: i16| f32::from(x))))
            .or_else(|_| npz.by_name::<OwnedRepr<f32>, _>("X"))
    };
    find().context("a matrix of float64, float32, uint8 or int16 is needed")
}

/// `y`, of whatever type it is.
fn labels(npz: &mut Npz) -> Result<Array1<i64>> {
    let mut find = || -> Result<Array1<i64>, ReadNpzError> {
        let long = npz.by_name::<OwnedRepr<i64>, _>("y");
        long.or_else(|_| npz.by_name::<OwnedRepr<i32>, _>("y").map(|y| y.mapv(|y: i32| i64::from(y))))
    };
    find().context("a vector of int64 or int32 is needed")
}

#[cfg(test)]
mod tests {
    use ndarray_npy::NpzWriter;

    use super::*;

    #[test]
    fn every_row_is_fitted_or_scored_once() {
        let x = Array2::from_shape_fn((21, 2), |(row, column)| (10 * row + column) as f32);
        let anomalous: Vec<bool> = (0..21).map(|row| row % 5 == 0).collect();
        let table = Table { name: "t".into(), x, anomalous: anomalous.clone() };
        let split = table.split(1997);
        assert_eq!((split.train.nrows(), split.test.nrows()), (8, 13));
        let row = |row: ndarray::ArrayView1<'_, f32>| row[0] as usize / 10;
        let mut all: Vec<usize> = split.train.rows().into_iter().chain(split.test.rows()).map(row).collect();
        assert!(split.train.rows().into_iter().all(|r| !anomalous[row(r)]));
        for (r, &label) in split.test.rows().into_iter().zip(&split.anomalous) {
            assert_eq!(anomalous[row(r)], label);
        }
        all.sort_unstable();
        assert_eq!(all, (0..21).collect::<Vec<_>>());
        assert_ne!(table.split(2015).train, split.train);
        assert_eq!(table.split(1997).train, split.train);
    }

    #[test]
    fn tables_of_any_type_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, fill: &dyn Fn(&mut NpzWriter<File>)| {
            let mut npz = NpzWriter::new(File::create(folder.path().join(format!("{name}.npz"))).unwrap());
            fill(&mut npz);
            npz.finish().unwrap();
        };
        write("bytes", &|npz| {
            npz.add_array("X", &ndarray::arr2(&[[1_u8, 2], [3, 4]])).unwrap();
            npz.add_array("y", &ndarray::arr1(&[0_i32, 1])).unwrap();
        });
        write("doubles", &|npz| {
            npz.add_array("X", &ndarray::arr2(&[[1.0, 2.0], [3.0, 4.0]])).unwrap();
            npz.add_array("y", &ndarray::arr1(&[0_i64, 1])).unwrap();
        });
        write("short", &|npz| {
            npz.add_array("X", &ndarray::arr2(&[[1.0, 2.0], [3.0, 4.0]])).unwrap();
            npz.add_array("y", &ndarray::arr1(&[0_i64])).unwrap();
        });
        for name in ["bytes", "doubles"] {
            let table = Table::read(folder.path(), name).unwrap();
            assert_eq!(table.x, ndarray::arr2(&[[1.0, 2.0], [3.0, 4.0]]));
            assert_eq!(table.anomalous, [false, true]);
        }
        let error = Table::read(folder.path(), "short").unwrap_err();
        assert!(error.to_string().ends_with("short.npz: 2 rows and 1 labels"), "{error}");
        assert!(Table::read(folder.path(), "none").unwrap_err().to_string().starts_with("cannot read"));
    }
}
