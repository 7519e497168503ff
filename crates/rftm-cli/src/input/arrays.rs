//! NPY, NPZ and IDX files: read whole.

use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use ndarray::ArrayD;
use ndarray_npy::npy::header::Header;
use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement};
use rftm::{Card, Features, Layout, Missing};
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use crate::args::{BadLines, FitArgs, Format};
use crate::exit::usage;
use crate::input::doubts::Doubts;
use crate::input::{
    ACROSS, Id, LEAVE_OUT, Labels, MISSING_VALUE, Next, Source, by_ending, columns, cut, has_all_columns, is_dash,
    left_out, numbered,
};

/// An NPY file.
struct Numbers {
    shape: Vec<usize>,
    values: Vec<f32>,
    /// Of what has columns.
    doubts: Vec<Doubts>,
}

/// More columns than any table has, and fewer than their names would need too much memory for.
const MOST_COLUMNS: usize = 1 << 24;

/// Reads an NPY file of one type of number.
type Reader = fn(&[u8]) -> Result<Numbers, ReadNpyError>;

/// All that is in a file.
pub(crate) struct Array {
    pub(crate) layout: Layout,
    values: Vec<f32>,
    hash: Sha256,
    /// One for each column of a table.
    doubts: Vec<Doubts>,
}

/// All rows of a file: of 1 or 2 axes a table, of 3 (n, height, width) or 4 (n, channels, height, width) images.
pub(crate) fn load(path: &Path, format: Format, array: Option<&str>) -> Result<Array> {
    if is_dash(path) {
        return usage("only CSV can be read from standard input");
    }
    let name = path.display();
    let bytes = fs::read(path).with_context(|| format!("cannot read {name}"))?;
    let hash = Sha256::new_with_prefix(&bytes);
    if format == Format::Idx {
        let images = rftm_data::idx::read_images(path)?;
        let layout = Layout::Images { channels: 1, height: images.height, width: images.width };
        let values = images.pixels.into_iter().map(f32::from).collect();
        return Ok(Array { layout, values, hash, doubts: Vec::new() });
    }
    let Numbers { shape, mut values, doubts } = match format {
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
    if let Layout::Images { .. } = layout {
        settle_dark(&mut values, layout.row_width());
    }
    Ok(Array { layout, values, hash, doubts })
}

/// Whether pixels are those from 0 to 1, which no model takes, is to be seen from all images: a dark one among others may
/// have fractions below 1, and is scored and explained in parts of the whole. Rounded, it has no unit to be mistaken.
fn settle_dark(values: &mut [f32], width: usize) {
    let is_unit = |pixel: &f32| (0.0..=1.0).contains(pixel);
    // What is no pixel says nothing about the others.
    if values.iter().filter(|pixel| (0.0..=255.0).contains(*pixel)).any(|pixel| !is_unit(pixel)) {
        let dark = values.chunks_exact_mut(width.max(1)).filter(|image| image.iter().all(is_unit));
        dark.flatten().for_each(|pixel| *pixel = pixel.round());
    }
}

/// What the flags leave of the columns, which are named by their numbers, from 1.
pub(crate) fn choose(array: Array, args: &FitArgs) -> Result<(Layout, Vec<f32>, Sha256)> {
    let Array { layout, mut values, hash, doubts } = array;
    let path = args.input.display().to_string();
    let (chosen, kept): (Vec<usize>, Layout) = match &layout {
        Layout::Table { columns } => {
            let chosen: Vec<_> = columns::choose(&path, &names(&layout), args)?.iter().map(|one| one.at).collect();
            chosen.iter().for_each(|&place| doubts[place].warn(&columns[place].name));
            let kept = chosen.iter().map(|&place| columns[place].clone()).collect();
            (chosen, Layout::Table { columns: kept })
        }
        _ if !args.columns.is_empty() || !args.exclude.is_empty() || args.label.is_some() => {
            return usage(format!("{path} has images, no columns"));
        }
        images => ((0..images.row_width()).collect(), images.clone()),
    };
    let width = layout.row_width().max(1);
    let (bad_lines, hint) = match args.window {
        None => (args.read.bad_lines, LEAVE_OUT),
        Some(_) => (BadLines::Fail, ACROSS),
    };
    // In place: images may fill much of the memory.
    let (mut row, mut end) = (Vec::with_capacity(chosen.len()), 0);
    for index in 0..values.len() / width {
        row.clear();
        row.extend(chosen.iter().map(|&place| values[index * width + place]));
        if let Some(problem) = problem(&row, &kept, args.missing) {
            left_out(bad_lines, format_args!("{}: {problem}", place(&path, &kept, index)), hint)?;
            continue;
        }
        values[end..][..row.len()].copy_from_slice(&row);
        end += row.len();
    }
    values.truncate(end);
    Ok((kept, values, hash))
}

/// The names of columns; pixels have none.
fn names(layout: &Layout) -> Vec<String> {
    match layout {
        Layout::Table { columns } => columns.iter().map(|column| column.name.clone()).collect(),
        Layout::Series { columns, .. } => columns.clone(),
        Layout::Images { .. } => Vec::new(),
    }
}

/// What a row is called in messages.
fn place(path: &str, layout: &Layout, index: usize) -> String {
    let what = if matches!(layout, Layout::Images { .. }) { "image" } else { "row" };
    format!("{path}: {what} {}", index + 1)
}

/// What is wrong with a row, as it would be in a CSV, or with an image.
fn problem(row: &[f32], layout: &Layout, missing: Missing) -> Option<String> {
    if matches!(layout, Layout::Images { .. }) {
        let at = row.iter().position(|pixel| !(0.0..=255.0).contains(pixel))?;
        return Some(format!("{}: {} is no pixel; pixels are from 0 to 255", layout.name(at), row[at]));
    }
    let is_wrong = |x: &f32| x.is_infinite() || x.is_nan() && missing == Missing::Refuse;
    let at = row.iter().position(is_wrong)?;
    let (name, x) = (layout.name(at), row[at]);
    let problem = if x.is_nan() { MISSING_VALUE.to_owned() } else { format!("{x} is not a finite number") };
    Some(format!("column {name:?}: {problem}"))
}

/// The columns of a model that was fitted on some columns of an array, or in another order, by their numbers; all there are, if
/// they are just those.
///
/// # Errors
/// Neither as many columns as the table of the fit had nor just those that the model uses, if its columns had no names either.
pub(crate) fn fitting(path: &str, array: Array, card: &Card) -> Result<(Layout, Vec<f32>)> {
    let Array { layout, values, .. } = array;
    let model = names(&card.features.layout);
    let columns = match &layout {
        Layout::Table { columns } if !model.is_empty() => columns,
        _ => return Ok((layout, values)),
    };
    match card.origin.table {
        // Numbers that were names say nothing of places.
        Some(table) if table.named => return Ok((layout, values)),
        Some(table) if !has_all_columns(path, columns.len(), None, table.columns, model.len())? => {
            return Ok((layout, values));
        }
        _ => {}
    }
    let find = |name: &String| columns.iter().position(|column| column.name == *name);
    match model.iter().map(find).collect::<Option<Vec<usize>>>() {
        Some(chosen) if !chosen.iter().copied().eq(0..columns.len()) => {
            let kept = Layout::Table { columns: chosen.iter().map(|&place| columns[place].clone()).collect() };
            let values = select(&values, columns.len(), &chosen);
            Ok((kept, values))
        }
        _ => Ok((layout, values)),
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
    let mut archive = ZipArchive::new(Cursor::new(bytes)).context("no whole NPZ file")?;
    let names: Vec<&str> = archive.file_names().map(|name| name.strip_suffix(".npy").unwrap_or(name)).collect();
    let place = match (array, &names[..]) {
        (Some(array), _) => names.iter().position(|name| *name == array),
        (None, [_]) => Some(0),
        (None, _) => None,
    };
    if names.is_empty() {
        bail!("it holds no array");
    }
    let Some(place) = place else {
        return usage(format!("name one of its arrays with --array: {}", columns::list(&names)));
    };
    let name = format!("array {:?}", names[place]);
    let mut npy = Vec::new();
    archive.by_index(place).with_context(|| name.clone())?.read_to_end(&mut npy).context(name)?;
    Ok(npy)
}

/// The shape and the numbers of an NPY file of any type of number.
fn numbers(bytes: &[u8]) -> Result<Numbers> {
    fn of<T: ReadableElement + Copy>(bytes: &[u8], exact: fn(T) -> f64) -> Result<Numbers, ReadNpyError> {
        let array = ArrayD::<T>::read_npy(Cursor::new(bytes))?;
        let shape = array.shape().to_vec();
        let columns = match shape[..] {
            [_] => 1,
            [_, columns] => columns,
            _ => 0,
        };
        let mut doubts = vec![Doubts::default(); columns];
        let mut values = Vec::with_capacity(array.len());
        for (index, &value) in array.iter().enumerate() {
            let value = exact(value);
            if columns > 0 {
                doubts[index % columns].add(value);
            }
            values.push(value as f32);
        }
        Ok(Numbers { shape, values, doubts })
    }
    let mut content = bytes;
    let Header { type_descriptor, shape, .. } = Header::from_reader(&mut content).context("no whole NPY file")?;
    let kind = type_descriptor.to_string();
    let (size, read): (usize, Reader) = match kind.trim_matches(['\'', '<', '>', '|']) {
        "f4" => (4, |bytes| of::<f32>(bytes, f64::from)),
        "f8" => (8, |bytes| of::<f64>(bytes, |x| x)),
        "u1" => (1, |bytes| of::<u8>(bytes, f64::from)),
        "i1" => (1, |bytes| of::<i8>(bytes, f64::from)),
        "u2" => (2, |bytes| of::<u16>(bytes, f64::from)),
        "i2" => (2, |bytes| of::<i16>(bytes, f64::from)),
        "u4" => (4, |bytes| of::<u32>(bytes, f64::from)),
        "i4" => (4, |bytes| of::<i32>(bytes, f64::from)),
        "u8" => (8, |bytes| of::<u64>(bytes, |x| x as f64)),
        "i8" => (8, |bytes| of::<i64>(bytes, |x| x as f64)),
        "b1" => (1, |bytes| of::<bool>(bytes, |x| f64::from(u8::from(x)))),
        _ => bail!(
            "its numbers are of type {kind}, which is not read; save them as float32 (array.astype('float32'))",
            kind = cut(&kind)
        ),
    };
    // A damaged header may claim any number of rows: memory is not taken for more than there are.
    let product = |least: usize| shape.iter().try_fold(size, |all, &count| all.checked_mul(count.max(least)));
    if product(0).is_none_or(|needed| needed > content.len()) {
        bail!("no whole NPY file: its {} bytes do not hold {shape:?} numbers of {size} bytes", content.len());
    }
    // Nor for the names of columns that have no row.
    if shape.contains(&0) && product(1).is_none_or(|columns| columns > size * MOST_COLUMNS) {
        bail!("an array of {shape:?} numbers has none, and no table has so many columns");
    }
    read(bytes).context("no whole NPY file")
}

/// The labels of a file of their own; 0 is normal.
pub(crate) fn labels(path: &Path) -> Result<Vec<bool>> {
    let name = path.display().to_string();
    match by_ending(path) {
        Some(Format::Npy) => {
            let bytes = fs::read(path).with_context(|| format!("cannot read {name}"))?;
            let Numbers { values, .. } = numbers(&bytes).with_context(|| name.clone())?;
            if let Some(index) = values.iter().position(|label| label.is_nan()) {
                bail!("{name}: row {}: the label is missing (NaN)", index + 1);
            }
            Ok(values.into_iter().map(|label| label != 0.0).collect())
        }
        Some(Format::Idx) => {
            let labels = rftm_data::idx::read_labels(path, 256)?;
            Ok(labels.into_iter().map(|label| label != 0).collect())
        }
        _ => usage(format!("--labels: {name} is neither NPY nor IDX (.npy, -ubyte, .idx, -ubyte.gz, .idx.gz)")),
    }
}

/// Rows that are in memory already.
pub(crate) struct Memory {
    path: String,
    values: Vec<f32>,
    layout: Layout,
    width: usize,
    labels: Option<Vec<bool>>,
    missing: Missing,
    bad_lines: BadLines,
    row: usize,
}

impl Memory {
    /// Rows like those that a model was fitted on.
    pub(crate) fn new(
        path: &Path,
        values: Vec<f32>,
        features: &Features,
        bad_lines: BadLines,
        labels: Labels,
    ) -> Result<Self> {
        let (path, layout, width) = (path.display().to_string(), features.layout.clone(), features.layout.row_width());
        let rows = values.len() / width;
        let labels = match labels {
            Labels::None => None,
            Labels::List(labels) if labels.len() == rows => Some(labels),
            Labels::List(labels) => bail!("{} labels, but {rows} rows", labels.len()),
            Labels::Column(..) | Labels::Folder(_) => return usage("labels of arrays are in a file: --labels"),
        };
        Ok(Self { path, values, layout, width, labels, missing: features.missing, bad_lines, row: 0 })
    }
}

impl Source for Memory {
    fn next(&mut self, out: &mut Vec<f32>) -> Result<Next> {
        let Some(row) = self.values.chunks_exact(self.width).nth(self.row) else { return Ok(Next::End) };
        let index = self.row;
        self.row += 1;
        if let Some(problem) = problem(row, &self.layout, self.missing) {
            left_out(self.bad_lines, format_args!("{}: {problem}", place(&self.path, &self.layout, index)), LEAVE_OUT)?;
            return Ok(Next::Skipped);
        }
        out.extend_from_slice(row);
        let label = self.labels.as_ref().map(|labels| labels[index]);
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
            let read = numbers(&npy).unwrap();
            assert_eq!((read.shape, &read.values[..]), (vec![2, expected.len() / 2], expected));
            assert!(numbers(&npy[..npy.len() - 1]).is_err(), "cut short");
        }
        check(vec![1.5_f32, -2.0, 0.0, 9.0], &[1.5, -2.0, 0.0, 9.0]);
        check(vec![1.5_f64, -2.0], &[1.5, -2.0]);
        check(vec![0_u8, 255], &[0.0, 255.0]);
        check(vec![-7_i64, 7], &[-7.0, 7.0]);
        check(vec![true, false], &[1.0, 0.0]);
        assert!(numbers(b"a,b\n1,2\n").is_err());
        let of_header = |text: &str| {
            let length = (text.len() as u16).to_le_bytes();
            let bytes = [&b"\x93NUMPY\x01\x00"[..], &length, text.as_bytes(), &[0; 8]].concat();
            numbers(&bytes).err().unwrap().to_string()
        };
        let half = of_header("{'descr': '<f2', 'fortran_order': False, 'shape': (2, 2), }\n");
        assert!(half.contains("of type '<f2'") && half.contains("float32"), "{half}");
        for rows in ["1000000000000", "18446744073709551615", "3"] {
            let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, 1), }}\n");
            assert!(of_header(&text).contains("its 8 bytes do not hold"), "{text}");
        }
        for shape in ["0, 1000000000000", "0, 1099511627776, 1099511627776"] {
            let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}\n");
            assert!(of_header(&text).contains("has none, and no table has so many columns"), "{text}");
        }
    }
}
