//! Folders of PNG and JPEG files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use rftm::Layout;
use sha2::{Digest, Sha256};

use crate::args::{BadLines, ReadArgs};
use crate::exit::usage;
use crate::input::{Id, Labels, Next, Source, jpeg, left_out};
use crate::progress::Counter;

/// What can be done about an image that cannot be read, beside mending it.
const LEAVE_OUT: &str = "--bad-lines skip leaves such images out";

const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// The images of a folder and its subfolders, by name; or one image.
fn find(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    walk(path, &mut Vec::new(), &mut found)?;
    if found.is_empty() {
        bail!(
            "{} contains no image; PNG and JPEG files (.png, .jpg, .jpeg) are looked for, in subfolders too",
            path.display()
        );
    }
    // The order of a folder is not the same everywhere.
    found.sort();
    Ok(found)
}

/// Adds the images below `folder`. `above` are the folders on the way to it: a link to one of them would lead in a circle,
/// and every image would be read again and again.
fn walk(folder: &Path, above: &mut Vec<PathBuf>, found: &mut Vec<PathBuf>) -> Result<()> {
    let fault = || format!("cannot read {}", folder.display());
    let real = folder.canonicalize().with_context(fault)?;
    if above.contains(&real) {
        return Ok(());
    }
    above.push(real);
    for entry in fs::read_dir(folder).with_context(fault)? {
        let entry = entry.with_context(fault)?.path();
        let ending = entry.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if entry.is_dir() {
            walk(&entry, above, found)?;
        } else if ENDINGS.contains(&ending.as_str()) {
            found.push(entry);
        }
    }
    above.pop();
    Ok(())
}

/// An image, channel after channel, pixels in 0..=255.
struct Pixels {
    shape: [usize; 3],
    values: Vec<f32>,
}

fn read(path: &Path, size: Option<[u32; 2]>, hash: Option<&mut Sha256>) -> Result<Pixels> {
    let name = || path.display().to_string();
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", name()))?;
    if let Some(hash) = hash {
        hash.update(&bytes);
    }
    // The content decides, not the ending.
    let reader = ImageReader::new(std::io::Cursor::new(&bytes)).with_guessed_format().with_context(name)?;
    // Its decoder makes up what is missing.
    if reader.format() == Some(ImageFormat::Jpeg) && !jpeg::is_whole(&bytes) {
        bail!("{}: the JPEG is cut short: it does not come to its end mark", name());
    }
    let mut decoder = reader.into_decoder().with_context(name)?;
    Limits::default().reserve(decoder.total_bytes()).with_context(name)?;
    // A camera that was held upright says so beside the pixels; if what it says cannot be read, they stay as they are.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).with_context(name)?;
    image.apply_orientation(orientation);
    if let Some([width, height]) = size
        && (image.width(), image.height()) != (width, height)
    {
        image = image.resize_exact(width, height, FilterType::Triangle);
    }
    Ok(planes(&image))
}

fn planes(image: &DynamicImage) -> Pixels {
    let channels = usize::from(image.color().channel_count());
    let mixed: Vec<f32> = match (image.as_flat_samples_u16(), channels) {
        (Some(deep), _) => shallow(deep.samples),
        (None, 1) => numbers(&image.to_luma8()),
        (None, 2) => numbers(&image.to_luma_alpha8()),
        (None, 3) => numbers(&image.to_rgb8()),
        (None, _) => numbers(&image.to_rgba8()),
    };
    let values = (0..channels).flat_map(|channel| mixed.iter().skip(channel).step_by(channels)).copied().collect();
    Pixels { shape: [channels, image.height() as usize, image.width() as usize], values }
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    bytes.iter().map(|&byte| f32::from(byte)).collect()
}

/// Pixels of 16 bits, with all their digits.
fn shallow(samples: &[u16]) -> Vec<f32> {
    let values = samples.iter().map(|&sample| f32::from(sample) / 257.0);
    if samples.iter().all(|&sample| sample <= 257) {
        // All but black; with fractions they would be taken for pixels from 0 to 1.
        return values.map(f32::round).collect();
    }
    values.collect()
}

fn described([channels, height, width]: [usize; 3]) -> String {
    format!("{width}x{height} pixels of {channels} channel{}", if channels == 1 { "" } else { "s" })
}

/// All images, for a fit; they must be alike.
pub(crate) fn load(
    path: &Path,
    resize: Option<[u32; 2]>,
    bad_lines: BadLines,
    counter: &Counter,
) -> Result<(Layout, Vec<f32>, Sha256)> {
    let files = find(path)?;
    let mut hash = Sha256::new();
    let mut values = Vec::new();
    let mut first = None;
    for file in &files {
        let image = match read(file, resize, Some(&mut hash)) {
            Ok(image) => image,
            Err(error) => {
                left_out(bad_lines, format_args!("{error:#}"), LEAVE_OUT)?;
                continue;
            }
        };
        // An image that can be read but is of another size is no damage: it is for the user to say what to do.
        let (expected, other) = *first.get_or_insert((image.shape, file));
        if image.shape != expected {
            let (this, first) = (described(image.shape), described(expected));
            let help =
                if image.shape[0] == expected[0] { "use --resize WxH" } else { "convert them to the same colours" };
            bail!("{} has {this}, {} has {first}: {help}", file.display(), other.display());
        }
        values.extend(image.values);
        counter.add(1);
    }
    let Some(([channels, height, width], _)) = first else { bail!("{}: no image", path.display()) };
    Ok((Layout::Images { channels, height, width }, values, hash))
}

/// Images like those of a fit, one by one.
pub(crate) struct Folder {
    files: Vec<PathBuf>,
    next: usize,
    shape: [usize; 3],
    resize: bool,
    bad_lines: BadLines,
    /// Of each file, whether it is an anomaly; empty if nobody asked.
    labels: Vec<bool>,
}

pub(crate) fn open(path: &Path, shape: [usize; 3], resize: bool, args: &ReadArgs, labels: Labels) -> Result<Folder> {
    let files = find(path)?;
    let labels = match labels {
        Labels::None => Vec::new(),
        Labels::Folder(normal) => by_folder(path, &files, normal.trim_end_matches('/'))?,
        Labels::Column(..) | Labels::List(_) => return usage("name the folder of normal images with --normal"),
    };
    Ok(Folder { files, next: 0, shape, resize, bad_lines: args.bad_lines, labels })
}

/// Whether each file is an anomaly: those in the folder of normal images, and below it, are none.
fn by_folder(root: &Path, files: &[PathBuf], normal: &str) -> Result<Vec<bool>> {
    let folders = |file: &Path| -> Vec<String> {
        let below = file.strip_prefix(root).unwrap_or(file).parent().unwrap_or(Path::new(""));
        below.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
    };
    let labels: Vec<bool> = files.iter().map(|file| !folders(file).iter().any(|folder| folder == normal)).collect();
    if labels.iter().all(|&anomalous| anomalous) {
        let seen: BTreeSet<String> = files.iter().flat_map(|file| folders(file)).collect();
        let seen = seen.into_iter().take(12).collect::<Vec<_>>().join(", ");
        return usage(format!("--normal: {} has no folder {normal:?} with images; it has: {seen}", root.display()));
    }
    Ok(labels)
}

impl Folder {
    fn fitting(&self, file: &Path) -> Result<Pixels> {
        let [channels, height, width] = self.shape;
        let size = self.resize.then_some([width as u32, height as u32]);
        let mut image = read(file, size, None)?;
        let found = image.shape;
        // That nothing shines through is no colour.
        let opaque = image.values.len() / image.shape[0] * (image.shape[0] - 1);
        if matches!((image.shape[0], channels), (2 | 4, 1 | 3))
            && image.values[opaque..].iter().all(|&alpha| alpha == 255.0)
        {
            image.values.truncate(opaque);
            image.shape[0] -= 1;
        }
        // Grey is one, too; the other way would lose what the model was fitted on.
        if image.shape[0] == 1 && channels == 3 {
            image = Pixels { shape: [3, image.shape[1], image.shape[2]], values: image.values.repeat(3) };
        }
        if image.shape != self.shape {
            let help = if image.shape[0] == channels { "; --resize resizes it" } else { "" };
            let (found, needed) = (described(found), described(self.shape));
            return Err(anyhow!("{} has {found}, the model needs {needed}{help}", file.display()));
        }
        Ok(image)
    }
}

impl Source for Folder {
    fn next(&mut self, out: &mut Vec<f32>) -> Result<Next> {
        let Some(file) = self.files.get(self.next).cloned() else { return Ok(Next::End) };
        self.next += 1;
        match self.fitting(&file) {
            Ok(image) => out.extend(image.values),
            Err(error) => {
                left_out(self.bad_lines, format_args!("{error:#}"), LEAVE_OUT)?;
                return Ok(Next::Skipped);
            }
        }
        let label = self.labels.get(self.next - 1).copied();
        Ok(Next::Row(Id { row: self.next as u64, name: Some(file.display().to_string()), label }))
    }

    fn rows(&self) -> Option<u64> {
        Some(self.files.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, ImageBuffer, Luma, RgbImage};

    use super::*;

    #[test]
    fn pixels_of_16_bits_keep_their_digits() {
        let deep = |samples: Vec<u16>| {
            let image = ImageBuffer::<Luma<u16>, _>::from_vec(samples.len() as u32, 1, samples).unwrap();
            planes(&DynamicImage::ImageLuma16(image)).values
        };
        assert_eq!(deep(vec![0, 257, 300, 65535]), [0.0, 1.0, 300.0 / 257.0, 255.0]);
        assert_eq!(deep(vec![0, 100, 200]), [0.0, 0.0, 1.0], "a black image, not one of pixels from 0 to 1");
        let bytes = vec![0, 1, 2, 250, 251, 255];
        let grey = GrayImage::from_vec(6, 1, bytes.clone()).unwrap();
        assert_eq!(planes(&grey.into()).values, [0.0, 1.0, 2.0, 250.0, 251.0, 255.0]);
        let colours = planes(&RgbImage::from_vec(2, 1, bytes).unwrap().into());
        assert_eq!((colours.shape, colours.values), ([3, 1, 2], vec![0.0, 250.0, 1.0, 251.0, 2.0, 255.0]));
    }
}
