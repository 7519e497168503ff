//! What image files say beside their pixels: how the camera was held, what shines through.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::Folder;
use image::{ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

fn picture(width: u32, height: u32, stream: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x * 16 + stream) as u8, (y * 9) as u8, 90]))
}

/// A JPEG with an EXIF orientation: 1 upright, 6 turned by a quarter.
fn photograph(image: &RgbImage, orientation: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    let tiff = *b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0?\0\0\0\0\0\0\0";
    let tiff = tiff.map(|byte| if byte == b'?' { orientation } else { byte });
    let exif = [b"Exif\0\0", &tiff[..]].concat();
    let length = (exif.len() as u16 + 2).to_be_bytes();
    let bytes = bytes.into_inner();
    [&bytes[..2], &[0xff, 0xe1], &length, &exif, &bytes[2..]].concat()
}

#[test]
fn a_turned_photograph_is_turned_back_and_an_opaque_one_is_a_picture() {
    let folder = Folder::new();
    fs::create_dir_all(folder.path("train")).unwrap();
    for stream in 0..12 {
        picture(12, 8, stream).save(folder.path(&format!("train/{stream:02}.png"))).unwrap();
    }
    folder.ok("fit train -o m.rftm --epochs 1 --model ae");
    let scores = |path: &str| folder.ok(&format!("score m.rftm {path}"));
    let lines =
        |text: String| text.lines().skip(1).map(|line| line.split_once(',').unwrap().1.to_owned()).collect::<Vec<_>>();

    // 8x12 as stored, 12x8 as meant.
    folder.write("turned.jpg", photograph(&picture(8, 12, 1), 6));
    assert_eq!(lines(scores("turned.jpg")).len(), 1);
    folder.write("upright.jpg", photograph(&picture(8, 12, 1), 1));
    assert!(folder.fails("score m.rftm upright.jpg", 1).contains("upright.jpg has 8x12 pixels"));

    let with_alpha = |name: &str, alpha: u8| {
        let image = picture(12, 8, 3);
        let pixel = |x, y| {
            let Rgb([r, g, b]) = *image.get_pixel(x, y);
            Rgba([r, g, b, alpha])
        };
        RgbaImage::from_fn(12, 8, pixel).save(folder.path(name)).unwrap();
    };
    with_alpha("opaque.png", 255);
    with_alpha("ghost.png", 254);
    assert_eq!(lines(scores("opaque.png")), lines(scores("train/03.png")));
    let grey = image::GrayImage::from_fn(12, 8, |x, y| image::Luma([(x * 16 + y) as u8]));
    grey.save(folder.path("grey.png")).unwrap();
    let opaque = image::GrayAlphaImage::from_fn(12, 8, |x, y| image::LumaA([grey.get_pixel(x, y)[0], 255]));
    opaque.save(folder.path("grey_alpha.png")).unwrap();
    assert_eq!(lines(scores("grey_alpha.png")), lines(scores("grey.png")));
    assert!(
        folder.fails("score m.rftm ghost.png", 1).contains("4 channels, the model needs 12x8 pixels of 3 channels")
    );
}

/// The decoder would make up the rest of the image.
#[test]
fn a_jpeg_that_is_cut_short_is_refused() {
    let folder = Folder::new();
    for stream in 0..12 {
        folder.write(&format!("train/{stream:02}.jpg"), photograph(&picture(32, 24, stream), 1));
    }
    let whole = photograph(&picture(32, 24, 5), 1);
    folder.ok("fit train -o m.rftm --epochs 1 --model ae");
    for length in [whole.len() / 2, whole.len() * 9 / 10, whole.len() - 1] {
        folder.write("train/cut.jpg", &whole[..length]);
        for command in ["score m.rftm train/cut.jpg", "fit train -o n.rftm --epochs 1"] {
            let message = folder.fails(command, 1);
            assert!(message.contains("cut.jpg: the JPEG is cut short") && message.contains("--bad-lines"), "{message}");
        }
    }
    assert_eq!(folder.ok("score m.rftm train --bad-lines skip").lines().count(), 13);
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_in_a_circle_adds_no_image() {
    let folder = Folder::new();
    for name in ["data/train", "elsewhere"] {
        fs::create_dir_all(folder.path(name)).unwrap();
    }
    for stream in 0..12 {
        picture(12, 8, stream).save(folder.path(&format!("data/train/{stream:02}.png"))).unwrap();
    }
    picture(12, 8, 20).save(folder.path("elsewhere/20.png")).unwrap();
    folder.ok("fit data -o m.rftm --epochs 1 --model ae");
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(folder.path(to), folder.path(name)).unwrap();
    link("elsewhere", "data/more");
    link("data", "data/train/again");
    link("data/train", "elsewhere/back");
    let scored = folder.ok("score m.rftm data");
    let names: Vec<&str> = scored.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    let count = |name: &str| names.iter().filter(|path| path.ends_with(name)).count();
    // By way of `more/back` the folder `train` is met once more, which is no circle.
    assert_eq!([count("00.png"), count("11.png"), count("20.png")], [2, 2, 1], "{names:?}");
}
