use super::*;

const SMALL: Config = Config { train: 400, test: 100, seed: 2022 };

#[test]
fn the_bits_are_pinned() {
    // A change here changes every result recorded on glyphs: it must be deliberate.
    assert_eq!(dataset(&SMALL).checksum, "c3cd44cc74497fea8d644a03778257935df4766e82d494091d5ae5742433980b");
}

#[test]
fn a_sample_depends_on_seed_and_number_only() {
    let whole = dataset(&SMALL);
    let alone = |seed, index| {
        let mut image = [9; PIXELS];
        draw(seed, index, &mut image);
        image
    };
    assert_eq!(alone(2022, 7)[..], whole.train.pixels[7 * PIXELS..8 * PIXELS]);
    assert_eq!(alone(2022, FIRST_TEST_SAMPLE + 7)[..], whole.test.pixels[7 * PIXELS..8 * PIXELS]);
    assert_ne!(alone(2022, 7), alone(1997, 7));
    let more = dataset(&Config { train: 410, ..SMALL });
    assert_eq!(more.train.pixels[..whole.train.pixels.len()], whole.train.pixels);
    assert_eq!(more.test, whole.test);
    assert_ne!(more.checksum, whole.checksum);
}

#[test]
fn classes_take_turns() {
    let whole = dataset(&SMALL);
    for (split, each) in [(&whole.train, 40), (&whole.test, 10)] {
        for class in 0..10 {
            assert_eq!(split.labels.iter().filter(|label| **label == class).count(), each);
        }
        assert_eq!(split.labels[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
        assert_eq!((split.len(), split.is_empty()), (each * 10, false));
    }
    assert_eq!((whole.class_names.len(), whole.features()), (10, PIXELS));
    assert_eq!(whole.origin, "built-in glyphs, seed 2022");
}

/// Share of pixels brighter than the noise, and whether ink touches the border.
fn ink(image: &[u8]) -> (f64, bool) {
    let bright = |at: usize| image[at] > 60;
    let share = (0..PIXELS).filter(|at| bright(*at)).count() as f64 / PIXELS as f64;
    let border =
        (0..SIDE).any(|i| [i, (SIDE - 1) * SIDE + i, i * SIDE, i * SIDE + SIDE - 1].map(bright).contains(&true));
    (share, border)
}

#[test]
fn every_image_shows_a_whole_digit_and_no_two_are_equal() {
    let whole = dataset(&Config { train: 4000, ..SMALL });
    let images: Vec<&[u8]> = whole.train.pixels.chunks_exact(PIXELS).collect();
    for (index, image) in images.iter().enumerate() {
        let (share, border) = ink(image);
        assert!((0.015..0.45).contains(&share), "sample {index} has ink on {share} of its pixels");
        assert!(!border, "sample {index} touches the border");
    }
    let distinct: std::collections::BTreeSet<&[u8]> = images.iter().copied().collect();
    assert_eq!(distinct.len(), images.len());
}

/// Nearest neighbour among 4000 training samples by Euclidean distance.
#[test]
fn classes_can_be_told_apart_but_vary_within() {
    let glyphs = dataset(&Config { train: 4000, test: 300, seed: 2022 });
    let distance = |a: &[u8], b: &[u8]| -> u64 { a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum() };
    let nearest = |image: &[u8]| {
        let images = glyphs.train.pixels.chunks_exact(PIXELS).zip(&glyphs.train.labels);
        images.map(|(other, label)| (distance(image, other), *label)).min().unwrap()
    };
    let images = glyphs.test.pixels.chunks_exact(PIXELS).zip(&glyphs.test.labels);
    let right = images.filter(|(image, label)| nearest(image).1 == **label).count();
    assert!((255..300).contains(&right), "{right} of 300 right: too hard or too easy");

    // Two samples of a class lie about as far apart as two of different classes: shape is not everything.
    let mean_distance = |step: usize| {
        let pairs = (0..1000).map(|i| (i, i + step));
        let image = |index: usize| &glyphs.train.pixels[index * PIXELS..(index + 1) * PIXELS];
        pairs.map(|(i, j)| distance(image(i), image(j)) as f64).sum::<f64>() / 1000.0
    };
    let (within, between) = (mean_distance(10), mean_distance(13));
    assert!(within < between && within > 0.6 * between, "within {within}, between {between}");
}
