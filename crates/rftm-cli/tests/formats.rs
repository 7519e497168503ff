//! Images, series, NPY, NPZ and IDX from the shell.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};

use common::{Folder, sums};
use image::{ImageFormat, Luma, Rgb, RgbImage};
use ndarray::{Array2, Array3, ArrayD};
use ndarray_npy::{NpzWriter, WriteNpyExt};

fn picture(folder: &Folder, name: &str, [width, height]: [u32; 2], stream: u32) {
    let image = RgbImage::from_fn(width, height, |x, y| Rgb([(x * 9 + stream) as u8, (y * 7) as u8, 90]));
    fs::create_dir_all(folder.path(name).parent().unwrap()).unwrap();
    image.save_with_format(folder.path(name), ImageFormat::from_path(name).unwrap()).unwrap();
}

#[test]
fn a_folder_of_images() {
    let folder = Folder::new();
    for index in 0..16 {
        let ending = if index % 4 == 0 { "jpeg" } else { "png" };
        picture(&folder, &format!("train/{index}.{ending}"), [13, 9], index);
    }
    folder.write("train/notes.txt", "no image");
    assert!(folder.ok("fit train -o m.rftm --epochs 2").contains("images of 13x9 pixels and 3 channels"));
    let scores = folder.ok("score m.rftm train");
    assert_eq!(scores.lines().count(), 17);
    assert!(scores.contains("train/3.png,") && scores.starts_with("image,score,"), "{scores}");

    picture(&folder, "new/large.png", [26, 18], 0);
    let message = folder.fails("score m.rftm new", 1);
    assert!(
        message.contains("large.png has 26x18 pixels of 3 channels, the model needs 13x9")
            && message.contains("--resize")
    );
    assert_eq!(folder.ok("score m.rftm new --resize").lines().count(), 2);
    folder.write("new/broken.png", "no png");
    assert!(folder.fails("score m.rftm new --resize", 1).contains("broken.png"));
    assert_eq!(folder.ok("score m.rftm new --resize --bad-lines skip").lines().count(), 2);
    let why = folder.ok("explain m.rftm train --top 2 --heatmaps heat --patterns 2");
    assert!(why.contains("oddest pixel: channel") && why.contains("heat map: heat"), "{why}");
    let maps: Vec<_> = fs::read_dir(folder.path("heat")).unwrap().map(|one| one.unwrap().path()).collect();
    assert_eq!(maps.len(), 2);
    let map = image::open(&maps[0]).unwrap();
    assert_eq!((map.width(), map.height()), (5 * 13 + 4 * 4, 9));

    picture(&folder, "mixed/a.png", [13, 9], 0);
    picture(&folder, "mixed/b.png", [14, 9], 0);
    assert!(
        folder.fails("fit mixed -o n.rftm", 1).contains("b.png has 14x9 pixels of 3 channels, mixed/a.png has 13x9")
    );
    folder.write("mixed/0.png", "no png");
    let message = folder.fails("fit mixed -o n.rftm --bad-lines skip", 1);
    assert!(message.contains("b.png has 14x9 pixels of 3 channels, mixed/a.png has 13x9"), "{message}");
    fs::remove_file(folder.path("mixed/0.png")).unwrap();
    image::GrayImage::from_pixel(13, 9, Luma([3])).save(folder.path("mixed/b.png")).unwrap();
    assert!(folder.fails("fit mixed -o n.rftm", 1).contains("convert them to the same colours"));
    fs::create_dir(folder.path("empty")).unwrap();
    assert!(folder.fails("fit empty -o n.rftm", 1).contains("empty contains no image"));
    assert!(folder.fails("score m.rftm empty", 1).contains("empty contains no image"));
    folder.write("t.csv", sums(20));
    assert!(folder.fails("score m.rftm t.csv", 1).contains("the model was fitted on images"));
}

#[test]
fn arrays() {
    let folder = Folder::new();
    let rows = Array2::from_shape_fn((40, 3), |(row, column)| (row * (column + 3) % 17) as f64);
    rows.write_npy(File::create(folder.path("train.npy")).unwrap()).unwrap();
    folder.ok("fit train.npy -o m.rftm --epochs 2");
    let scores = folder.ok("score m.rftm train.npy");
    assert_eq!(scores.lines().count(), 41);
    let text: String = rows.rows().into_iter().map(|row| format!("{},{},{}\n", row[0], row[1], row[2])).collect();
    folder.write("same.csv", text);
    assert_eq!(folder.ok("score m.rftm same.csv"), scores, "the same numbers in another format");

    let mut archive = NpzWriter::new(File::create(folder.path("both.npz")).unwrap());
    archive.add_array("rows", &rows).unwrap();
    archive.add_array("labels", &ArrayD::<u8>::zeros(vec![40])).unwrap();
    archive.finish().unwrap();
    assert_eq!(folder.ok("score m.rftm both.npz --array rows"), scores);
    // As numpy's savez_compressed writes them.
    let deflated = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    let mut archive = zip::ZipWriter::new(File::create(folder.path("deflated.npz")).unwrap());
    archive.start_file("rows.npy", deflated).unwrap();
    rows.write_npy(&mut archive).unwrap();
    archive.finish().unwrap();
    assert!(fs::metadata(folder.path("deflated.npz")).unwrap().len() < 40 * 3 * 4);
    assert_eq!(folder.ok("score m.rftm deflated.npz"), scores);

    // A bit of the numbers is not what it was.
    let mut damaged = fs::read(folder.path("both.npz")).unwrap();
    let length = damaged.len();
    damaged[400] ^= 1;
    folder.write("damaged.npz", &damaged);
    let message = folder.fails("score m.rftm damaged.npz --array rows", 1);
    assert!(message.contains("damaged.npz: array \"rows\": Invalid checksum"), "{message}");
    folder.write("cut.npz", &damaged[..length - 9]);
    assert!(folder.fails("score m.rftm cut.npz --array rows", 1).contains("cut.npz: no whole NPZ file"));

    let message = folder.fails("score m.rftm both.npz", 2);
    assert!(message.contains("--array") && message.contains("rows"), "{message}");

    let labels = ndarray::Array1::from_shape_fn(40, |row| i64::from(row % 9 == 0));
    labels.write_npy(File::create(folder.path("labels.npy")).unwrap()).unwrap();
    assert!(folder.ok("eval m.rftm train.npy --labels labels.npy").contains("35 normal, 5 anomalous"));
    let gap = ndarray::Array1::from_shape_fn(40, |row| if row == 6 { f32::NAN } else { 0.0 });
    gap.write_npy(File::create(folder.path("gap.npy")).unwrap()).unwrap();
    let message = folder.fails("eval m.rftm train.npy --labels gap.npy", 1);
    assert!(message.contains("gap.npy: row 7: the label is missing (NaN)"), "{message}");

    let images = Array3::from_shape_fn((20, 6, 5), |(n, y, x)| (n * 3 + y * 20 + x) as u8);
    images.write_npy(File::create(folder.path("images.npy")).unwrap()).unwrap();
    let mut idx = vec![0, 0, 8, 3, 0, 0, 0, 20, 0, 0, 0, 6, 0, 0, 0, 5];
    idx.extend(images.iter());
    folder.write("images-idx3-ubyte", idx);
    assert!(folder.ok("fit images.npy -o i.rftm --epochs 2").contains("images of 5x6 pixels and 1 channels"));
    folder.ok("fit images-idx3-ubyte -o j.rftm --epochs 2");
    let message = folder.fails("fit labels.npy -o n.rftm --format idx", 1);
    assert!(message.contains("labels.npy, byte 0: ") && !message.contains("xtask"), "{message}");
    assert_eq!(folder.ok("score i.rftm images.npy"), folder.ok("score j.rftm images-idx3-ubyte"));
    assert!(folder.fails("score m.rftm images.npy", 1).contains("the model was fitted on a table of 3 columns"));
    folder.write("cut.npy", &fs::read(folder.path("train.npy")).unwrap()[..200]);
    assert!(folder.fails("score m.rftm cut.npy", 1).contains("no whole NPY file"));
}

#[test]
fn windows_of_a_series() {
    let folder = Folder::new();
    folder.write("train.csv", sums(120));
    let shown = folder.ok("fit train.csv -o m.rftm --window 8 --stride 2 --epochs 2");
    for shown in [shown, folder.ok("inspect m.rftm"), folder.ok("threshold m.rftm")] {
        assert!(shown.contains("of the calibration windows; no guarantee"), "{shown}");
    }
    let scores = folder.ok("score m.rftm train.csv");
    let mut lines = scores.lines();
    assert_eq!(lines.next(), Some("first_row,last_row,score,p_value,anomaly"));
    assert!(lines.next().unwrap().starts_with("1,8,") && lines.next().unwrap().starts_with("3,10,"));
    assert_eq!(scores.lines().count(), 1 + 57);
    let through_a_pipe = folder.rftm("score m.rftm -").write_stdin(sums(120)).assert().success().get_output().clone();
    assert_eq!(String::from_utf8(through_a_pipe.stdout).unwrap(), scores);
    for (flags, expected) in
        [("", "5 rows, a window has 8: "), ("--bad-lines skip", "12 rows, a window has 8 without a gap: ")]
    {
        folder.write("short.csv", if flags.is_empty() { sums(5) } else { sums(7) + "1,2\n" + &sums(5)[8..] });
        let output = folder.rftm(&format!("score m.rftm short.csv {flags}")).assert().success().get_output().clone();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(&format!("short.csv: {expected}nothing to score")), "{said}");
        assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1);
    }
    let why = folder.ok("explain m.rftm train.csv --rows 3 --features 2");
    assert!(why.starts_with("rows 3 to 10: score") && why.contains('['), "{why}");
}

/// Whether pixels are from 0 to 1 or to 255 is a question about all images of a file, not about the one at hand.
#[test]
fn a_dark_image_among_others_is_scored_and_explained() {
    let folder = Folder::new();
    let frames = Array3::from_shape_fn((300, 6, 5), |(n, y, x)| (n % 7 * 3 + y * 20 + x) as f32);
    frames.write_npy(File::create(folder.path("train.npy")).unwrap()).unwrap();
    folder.ok("fit train.npy -o m.rftm --epochs 1 --model ae");
    // The last one is alone in its batch.
    let mut dark = Array3::from_shape_fn((257, 6, 5), |(_, y, x)| (y * 20 + x) as f32);
    dark.index_axis_mut(ndarray::Axis(0), 256).fill(0.25);
    dark.write_npy(File::create(folder.path("dark.npy")).unwrap()).unwrap();
    assert_eq!(folder.ok("score m.rftm dark.npy").lines().count(), 258);
    folder.ok("explain m.rftm dark.npy --rows 257");
    let unit = frames.mapv(|pixel| pixel / 255.0);
    unit.write_npy(File::create(folder.path("unit.npy")).unwrap()).unwrap();
    assert!(folder.fails("score m.rftm unit.npy", 1).contains("multiply those from 0 to 1 by 255"));
}
