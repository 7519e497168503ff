//! What a score looks like: an image, what was expected, where they differ, and the normal patterns it was compared with.

use std::path::Path;

use anyhow::Result;
use image::{ImageFormat, Rgb, RgbImage};
use rftm::Explanation;

/// White columns between the parts.
const GAP: usize = 4;

/// Writes the parts side by side: observed, expected, heat, then the patterns.
pub(crate) fn write(path: &Path, shape: [usize; 3], observed: &[f32], why: &Explanation) -> Result<()> {
    let [_, height, width] = shape;
    let heat = heat(shape, observed, &why.shares);
    let mut parts = vec![colours(shape, observed), colours(shape, &why.expected), heat];
    parts.extend(why.patterns.iter().map(|pattern| colours(shape, &pattern.values)));
    let whole = parts.len() * (width + GAP) - GAP;
    let mut panel = RgbImage::from_pixel(whole as u32, height as u32, Rgb([255; 3]));
    for (index, part) in parts.iter().enumerate() {
        for (at, &pixel) in part.iter().enumerate() {
            panel.put_pixel((index * (width + GAP) + at % width) as u32, (at / width) as u32, Rgb(pixel));
        }
    }
    let mut bytes = std::io::Cursor::new(Vec::new());
    panel.write_to(&mut bytes, ImageFormat::Png)?;
    rftm::write_atomic(path, |out| out.write_all(bytes.get_ref()))?;
    Ok(())
}

/// Channels as colours; transparency is not shown.
fn colours([channels, height, width]: [usize; 3], values: &[f32]) -> Vec<[u8; 3]> {
    let area = height * width;
    let byte = |channel: usize, at: usize| values[channel * area + at].clamp(0.0, 255.0).round() as u8;
    let pixel = |at| if channels >= 3 { [0, 1, 2].map(|channel| byte(channel, at)) } else { [byte(0, at); 3] };
    (0..area).map(pixel).collect()
}

/// The image in faint grey, and over it red where its error is; the largest error of the image is full red.
fn heat([channels, height, width]: [usize; 3], observed: &[f32], shares: &[f64]) -> Vec<[u8; 3]> {
    let area = height * width;
    let error: Vec<f64> = (0..area).map(|at| (0..channels).map(|channel| shares[channel * area + at]).sum()).collect();
    let most = error.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let grey = colours([channels, height, width], observed);
    let pixel = |(error, grey): (&f64, [u8; 3])| {
        let light = grey.iter().map(|&byte| f64::from(byte)).sum::<f64>() / 3.0 * 0.5 + 64.0;
        // The square root: errors are squares, and a difference half as large should be seen.
        let hot = (error / most).sqrt();
        let mix = |target: f64| (light + hot * (target - light)).round() as u8;
        [mix(255.0), mix(0.0), mix(0.0)]
    };
    error.iter().zip(grey).map(pixel).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_error_is_red() {
        let map = heat([3, 1, 3], &[100.0; 9], &[0.0, 0.1, 0.2, 0.0, 0.0, 0.2, 0.0, 0.0, 0.0]);
        assert_eq!(map[0], [114; 3]);
        assert_eq!(map[2], [255, 0, 0]);
        assert!(map[1][0] > map[1][1] && map[1][1] > 0);
    }

    #[test]
    fn colours_are_clamped() {
        assert_eq!(colours([1, 1, 2], &[-5.0, 300.0]), [[0; 3], [255; 3]]);
        assert_eq!(colours([3, 1, 1], &[1.0, 2.0, 3.4]), [[1, 2, 3]]);
    }
}
