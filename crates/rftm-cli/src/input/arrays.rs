//! NPY, NPZ and IDX files: read whole.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use ndarray::ArrayD;
use ndarray_npy::{NpzReader, ReadNpyError, ReadNpyExt, ReadableElement};
use rftm::Layout;
use sha2::{Digest, Sha256};

use crate::args::{FitArgs, Format};
use crate::exit::usage;
use crate::input::{Id, Labels, Next, Source, is_stdin, numbered};

/// Shape and numbers of an array.
type Numbers = (Vec<usize>, Vec<f32>);

/// Reads an NPY file of one type of number.
type Reader = fn(&[u8]) -> Result<Numbers, ReadNpyError>;

/// All rows of a file: of 1 or 2 axes a table, of 3 (n, height, width) or 4 (n, channels, height, width) images.
pub(crate) fn load(path: &Path, format: Format, array: Option<&str>) -> Result<(Layout, Vec<f32>, Sha256)> {
    if is_stdin(path) {
        return usage("only CSV can be read from standard input");
    }
    let name = path.display();
    let bytes = fs::read(path).with_context(|| format!("cannot read {name}"))?;
    let hash = Sha256::new_with_prefix(&bytes);
    if format == Format::Idx {
        let images = rftm_data::idx::read_images(path)?;
        let layout = Layout::Images { channels: 1, height: images.height, width: images.width };
        return Ok((layout, images.pixels.into_iter().map(f32::from).collect(), hash));
    }
    let (shape, values) = match format {
        Format::Npz => numbers(&member(&bytes, array).with_context(|| name.to_string())?),
        _ => numbers(&bytes),
    }
    .with_context(|| name.to_string())?;
    let layout = match shape[..] {
        [_] => Layout::Table { columns: numbered(1) },
        [_, columns] => Layout::Table { columns: numbered(columns) },
        [_, height, width] => Layout::Images { channels: 1, height, width },
        [_, channels, height, width] => Layout::Images { channels, height, width },
        _ => bail!("{name}: {} axes; a table has 2, grey images have 3, images of several channels 4", shape.len()),
    };
    Ok((layout, values, hash))
}

/// What the flags leave of the columns, which are named by their numbers, from 1.
pub(crate) fn choose(
    (layout, values, hash): (Layout, Vec<f32>, Sha256),
    args: &FitArgs,
) -> Result<(Layout, Vec<f32>, Sha256)> {
    let Layout::Table { columns } = &layout else {
        let given = !args.columns.is_empty() || !args.exclude.is_empty() || args.label.is_some();
        let path = args.input.display();
        return if given { usage(format!("{path} has images, no columns")) } else { Ok((layout, values, hash)) };
    };
    let place = |flag: &str, name: &String| match columns.iter().position(|column| column.name == *name) {
        Some(place) => Ok(place),
        None => usage(format!("--{flag}: columns are named 1 to {}, there is no {name:?}", columns.len())),
    };
    let all = |flag: &str, names: &[String]| names.iter().map(|name| place(flag, name)).collect::<Result<Vec<_>>>();
    let mut chosen = all("columns", &args.columns)?;
    if chosen.is_empty() {
        chosen = (0..columns.len()).collect();
    }
    let mut left_out = all("exclude", &args.exclude)?;
    left_out.extend(all("label", args.label.as_slice())?);
    chosen.retain(|place| !left_out.contains(place));
    // That an array has no column is for the data to say.
    if chosen.is_empty() && !columns.is_empty() {
        return usage(format!("no column of {} is left", args.input.display()));
    }
    let kept = Layout::Table { columns: chosen.iter().map(|&place| columns[place].clone()).collect() };
    Ok((kept, select(&values, columns.len(), &chosen), hash))
}

/// The columns of a model that was fitted on some columns of a wider array, by their numbers; otherwise all there are.
pub(crate) fn fitting(layout: Layout, values: Vec<f32>, model: &Layout) -> (Layout, Vec<f32>) {
    let names: Vec<&str> = match model {
        Layout::Table { columns } => columns.iter().map(|column| column.name.as_str()).collect(),
        Layout::Series { columns, .. } => columns.iter().map(String::as_str).collect(),
        Layout::Images { .. } => return (layout, values),
    };
    let Layout::Table { columns } = &layout else { return (layout, values) };
    let find = |name: &&str| columns.iter().position(|column| column.name == **name);
    match names.iter().map(find).collect::<Option<Vec<usize>>>() {
        Some(chosen) if columns.len() != names.len() => {
            let kept = Layout::Table { columns: chosen.iter().map(|&place| columns[place].clone()).collect() };
            (kept, select(&values, columns.len(), &chosen))
        }
        _ => (layout, values),
    }
}

fn select(values: &[f32], width: usize, chosen: &[usize]) -> Vec<f32> {
    if chosen.is_empty() {
        return Vec::new();
    }
    values.chunks_exact(width).flat_map(|row| chosen.iter().map(|&place| row[place])).collect()
}

/// One array of an archive, as the bytes of an NPY file.
fn member(bytes: &[u8], array: Option<&str>) -> Result<Vec<u8>> {
    let mut archive = NpzReader::new(Cursor::new(bytes)).context("no NPZ file")?;
    let names: Vec<String> = archive
        .names()
        .context("no NPZ file")?
        .into_iter()
        .map(|name| name.trim_end_matches(".npy").to_owned())
        .collect();
    let name = match (array, &names[..]) {
        (Some(name), _) if names.iter().any(|one| one == name) => name.to_owned(),
        (None, [only]) => only.clone(),
        _ => return usage(format!("name one of its arrays with --array: {}", names.join(", "))),
    };
    // The reader parses at once; one array of the right type is written back, which is cheap beside a fit.
    macro_rules! try_types {
        ($($kind:ty),*) => {$(
            if let Ok(array) = archive.by_name::<ndarray::OwnedRepr<$kind>, ndarray::IxDyn>(&name) {
                let mut npy = Vec::new();
                ndarray_npy::WriteNpyExt::write_npy(&array, &mut npy)?;
                return Ok(npy);
            }
        )*};
    }
    try_types!(f32, f64, u8, i8, u16, i16, u32, i32, u64, i64, bool);
    Err(anyhow!("array {name:?} does not hold numbers"))
}

/// The shape and the numbers of an NPY file of any type of number.
fn numbers(bytes: &[u8]) -> Result<Numbers> {
    fn of<T: ReadableElement + Copy>(bytes: &[u8], convert: fn(T) -> f32) -> Result<Numbers, ReadNpyError> {
        let array = ArrayD::<T>::read_npy(Cursor::new(bytes))?;
        Ok((array.shape().to_vec(), array.iter().map(|&value| convert(value)).collect()))
    }
    let readers: [Reader; 11] = [
        |bytes| of::<f32>(bytes, |x| x),
        |bytes| of::<f64>(bytes, |x| x as f32),
        |bytes| of::<u8>(bytes, f32::from),
        |bytes| of::<i8>(bytes, f32::from),
        |bytes| of::<u16>(bytes, f32::from),
        |bytes| of::<i16>(bytes, f32::from),
        |bytes| of::<u32>(bytes, |x| x as f32),
        |bytes| of::<i32>(bytes, |x| x as f32),
        |bytes| of::<u64>(bytes, |x| x as f32),
        |bytes| of::<i64>(bytes, |x| x as f32),
        |bytes| of::<bool>(bytes, |x| f32::from(u8::from(x))),
    ];
    for reader in readers {
        match reader(bytes) {
            Err(ReadNpyError::WrongDescriptor(_)) => {}
            other => return other.context("no whole NPY file"),
        }
    }
    bail!("it does not hold numbers")
}

/// The labels of a file of their own; 0 is normal.
pub(crate) fn labels(path: &Path) -> Result<Vec<bool>> {
    let name = path.display().to_string();
    if name.ends_with(".npy") {
        let bytes = fs::read(path).with_context(|| format!("cannot read {name}"))?;
        let (_, values) = numbers(&bytes).context(name)?;
        return Ok(values.into_iter().map(|label| label != 0.0).collect());
    }
    Ok(rftm_data::idx::read_labels(path, 256)?.into_iter().map(|label| label != 0).collect())
}

/// Rows that are in memory already.
pub(crate) struct Memory {
    label: String,
    values: Vec<f32>,
    width: usize,
    labels: Option<Vec<bool>>,
    refuse: bool,
    row: usize,
}

impl Memory {
    pub(crate) fn new(path: &Path, values: Vec<f32>, width: usize, labels: Labels, refuse: bool) -> Result<Self> {
        let rows = values.len() / width;
        let labels = match labels {
            Labels::None => None,
            Labels::List(labels) if labels.len() == rows => Some(labels),
            Labels::List(labels) => bail!("{} labels, but {rows} rows", labels.len()),
            Labels::Column(..) | Labels::Folder(_) => return usage("labels of arrays are in a file: --labels"),
        };
        Ok(Self { label: path.display().to_string(), values, width, labels, refuse, row: 0 })
    }
}

impl Source for Memory {
    fn next(&mut self, out: &mut Vec<f32>) -> Result<Next> {
        let Some(row) = self.values.chunks_exact(self.width).nth(self.row) else { return Ok(Next::End) };
        let label = self.labels.as_ref().map(|labels| labels[self.row]);
        self.row += 1;
        if let (true, Some(column)) = (self.refuse, row.iter().position(|value| value.is_nan())) {
            let (label, row, column) = (&self.label, self.row, column + 1);
            bail!(
                "{label}: row {row}, column {column}: the value is missing; fit with --missing mean or median to fill it in"
            );
        }
        out.extend_from_slice(row);
        Ok(Next::Row(Id { label, ..Id::row(self.row as u64) }))
    }

    fn rows(&self) -> Option<u64> {
        Some((self.values.len() / self.width) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_number_is_read() {
        fn check<T: ndarray_npy::WritableElement>(values: Vec<T>, expected: &[f32]) {
            let array = ArrayD::from_shape_vec(vec![2, values.len() / 2], values).unwrap();
            let mut npy = Vec::new();
            ndarray_npy::WriteNpyExt::write_npy(&array, &mut npy).unwrap();
            let (shape, values) = numbers(&npy).unwrap();
            assert_eq!((shape, &values[..]), (vec![2, expected.len() / 2], expected));
            assert!(numbers(&npy[..npy.len() - 1]).is_err(), "cut short");
        }
        check(vec![1.5_f32, -2.0, 0.0, 9.0], &[1.5, -2.0, 0.0, 9.0]);
        check(vec![1.5_f64, -2.0], &[1.5, -2.0]);
        check(vec![0_u8, 255], &[0.0, 255.0]);
        check(vec![-7_i64, 7], &[-7.0, 7.0]);
        check(vec![true, false], &[1.0, 0.0]);
        assert!(numbers(b"a,b\n1,2\n").is_err());
    }
}
