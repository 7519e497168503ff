use super::*;
use proptest::prelude::*;

/// Sizes of a random convolution: batch, channels of the large and small image, geometry.
#[derive(Debug, Clone, Copy)]
struct Case {
    batch: usize,
    large: usize,
    small: usize,
    geometry: Geometry,
}

fn cases() -> impl Strategy<Value = Case> {
    // Images of 32 channels and more are read in parts.
    let channels = || prop_oneof![1_usize..20, 32_usize..36];
    let sizes = (
        1_usize..4,
        channels(),
        channels(),
        [1_usize..9, 1_usize..9],
        [1_usize..4, 1_usize..4],
        1_usize..4,
        0_usize..3,
    );
    sizes.prop_filter_map("the kernel must fit", |(batch, large, small, image, kernel, stride, padding)| {
        let geometry = Geometry::convolution(image, kernel, stride, padding).ok()?;
        Some(Case { batch, large, small, geometry })
    })
}

fn tensor(dims: [usize; 4], step: usize) -> Tensor<f64> {
    let len: usize = dims.iter().product();
    Tensor::from_vec((0..len).map(|i| ((i * step) % 23) as f64 - 11.0).collect(), dims).unwrap()
}

/// Every (large element, weight element, small element) that a convolution ties together.
fn each_product(case: Case, mut each: impl FnMut(usize, usize, usize)) {
    let Case { batch, large, small, geometry } = case;
    let ([h, w], [rows, cols], [kh, kw]) = (geometry.large, geometry.small, geometry.kernel);
    for (n, row, col, ky, kx) in itertools(batch, rows, cols, kh, kw) {
        let y = (row * geometry.stride + ky).wrapping_sub(geometry.padding);
        let x = (col * geometry.stride + kx).wrapping_sub(geometry.padding);
        if y < h && x < w {
            for l in 0..large {
                for s in 0..small {
                    each(
                        ((n * h + y) * w + x) * large + l,
                        ((s * kh + ky) * kw + kx) * large + l,
                        ((n * rows + row) * cols + col) * small + s,
                    );
                }
            }
        }
    }
}

fn itertools(
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
) -> impl Iterator<Item = (usize, usize, usize, usize, usize)> {
    (0..a * b * c * d * e).map(move |i| (i / (b * c * d * e), i / (c * d * e) % b, i / (d * e) % c, i / e % d, i % e))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Integers are exact, so the fast products must equal the naive loops to the bit.
    #[test]
    fn all_three_products_agree_with_naive_loops(case in cases()) {
        let Case { batch, large, small, geometry } = case;
        let ([h, w], [rows, cols], [kh, kw]) = (geometry.large, geometry.small, geometry.kernel);
        let (x, weight, y) =
            (tensor([batch, h, w, large], 7), tensor([small, kh, kw, large], 5), tensor([batch, rows, cols, small], 3));
        let bias_small = Tensor::from_vec((0..small).map(|i| i as f64).collect(), [small]).unwrap();
        let bias_large = Tensor::from_vec((0..large).map(|i| i as f64).collect(), [large]).unwrap();

        let mut expected: Vec<f64> = (0..y.len()).map(|i| (i % small) as f64).collect();
        each_product(case, |l, k, s| expected[s] += x.data()[l] * weight.data()[k]);
        let found = to_small("conv2d", &x, &weight, Some(&bias_small), geometry).unwrap();
        prop_assert_eq!(found.data(), &expected);
        let packed = PackedConv::for_small(&weight, &bias_small, geometry).unwrap();
        prop_assert_eq!(packed.to_small(&x, geometry).unwrap(), found);

        let mut expected: Vec<f64> = (0..x.len()).map(|i| (i % large) as f64).collect();
        each_product(case, |l, k, s| expected[l] += y.data()[s] * weight.data()[k]);
        let found = to_large("conv2d", &y, &weight, Some(&bias_large), geometry).unwrap();
        prop_assert_eq!(found.data(), &expected);
        let packed = PackedConv::for_large(&weight, &bias_large, geometry).unwrap();
        prop_assert_eq!(packed.to_large(&y, geometry).unwrap(), found);

        let mut expected = vec![0.0; weight.len()];
        each_product(case, |l, k, s| expected[k] += x.data()[l] * y.data()[s]);
        let found = weight_gradient("conv2d", &x, &y, geometry).unwrap();
        prop_assert_eq!(found.data(), &expected);
    }
}

#[test]
fn layouts_go_back_and_forth() {
    let x = tensor([2, 3, 4, 5], 1);
    let nhwc = to_nhwc(&x).unwrap();
    assert_eq!(nhwc.dims(), [2, 4, 5, 3]);
    assert_eq!(nhwc.data()[((4 + 2) * 5 + 3) * 3 + 1], x.data()[((3 + 1) * 4 + 2) * 5 + 3]);
    assert_eq!(permute(&nhwc, [0, 3, 1, 2]).unwrap(), x);
    assert!(permute(&x, [0, 1, 1, 2]).is_err());
}

#[test]
fn wrong_geometries_are_refused() {
    assert!(Geometry::convolution([2, 2], [3, 3], 2, 0).is_err());
    assert!(Geometry::convolution([2, 2], [3, 3], 0, 1).is_err());
    assert!(Geometry::transposed([1, 1], [3, 3], 2, 2, [0; 2]).is_err());
    // Numbers of a damaged file: too large to be counted, or an image of padding.
    assert!(Geometry::convolution([usize::MAX, 8], [3, 3], 2, 1).is_err());
    assert!(Geometry::transposed([usize::MAX / 2, 8], [3, 3], 3, 1, [0; 2]).is_err());
    for stride in [1 << 16, 1 << 32] {
        assert!(Geometry::convolution([1 << 40, 8], [3, 3], stride, 0).is_err());
        assert!(Geometry::transposed([1, 1], [3, 3], stride, 0, [0; 2]).is_err());
    }
    assert!(Geometry::convolution([0, 8], [3, 3], 1, 2).is_err());
    for (kernel, padding) in [([3, 3], 3), ([3, 1], 1), ([3, 3], usize::MAX), ([0, 3], 0)] {
        let error = Geometry::convolution([8, 8], kernel, 1, padding).unwrap_err().to_string();
        assert!(error.ends_with("it must be smaller than the kernel"), "{error}");
        assert!(Geometry::transposed([8, 8], kernel, 1, padding, [0; 2]).is_err());
    }
    let error = Geometry::transposed([2, 2], [3, 3], 2, 1, [0, 2]).unwrap_err();
    assert!(error.to_string().contains("output padding must be smaller than the stride"), "{error}");
    let geometry = Geometry::convolution([4, 4], [3, 3], 2, 1).unwrap();
    let error = to_small("conv2d", &tensor([1, 4, 5, 2], 1), &tensor([4, 3, 3, 2], 1), None, geometry).unwrap_err();
    assert_eq!(error.to_string(), "conv2d: the image must have shape (N, 4, 4, 2), found (1, 4, 5, 2)");
}

/// Large enough to be split, through every way there is: forward, wide and narrow backward, weights.
#[test]
fn threads_do_not_change_a_bit() {
    // The way back to 3 channels has the least work: a product of 27 columns, of which pixels are gathered.
    const BATCH: usize = 96;
    for (large, small) in [(3, 24), (40, 48)] {
        let geometry = Geometry::convolution([17, 16], [3, 3], 2, 1).unwrap();
        let [rows, cols] = geometry.small;
        let fill = |dims: [usize; 4]| {
            let len = dims.iter().product::<usize>();
            Tensor::<f32>::from_vec((0..len).map(|i| (i as f32 * 0.37).sin()).collect(), dims).unwrap()
        };
        let (x, y) = (fill([BATCH, 17, 16, large]), fill([BATCH, rows, cols, small]));
        let (weight, bias) = (fill([small, 3, 3, large]), Tensor::full([large], 0.5));
        let run = || {
            (
                to_small("conv2d", &x, &weight, None, geometry).unwrap(),
                to_large("conv2d", &y, &weight, Some(&bias), geometry).unwrap(),
                weight_gradient("conv2d", &x, &y, geometry).unwrap(),
            )
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert!(pool.install(|| crate::parallel::parts(BATCH * rows * cols * 27)) > 1);
        assert_eq!(pool.install(run), crate::serial(run));
    }
}

#[test]
fn a_packed_convolution_keeps_to_its_geometry() {
    let geometry = Geometry::convolution([8, 8], [3, 3], 2, 1).unwrap();
    let packed = PackedConv::for_small(&tensor([4, 3, 3, 2], 1), &Tensor::zeros([4]), geometry).unwrap();
    let other = Geometry::convolution([8, 8], [3, 3], 1, 1).unwrap();
    assert!(packed.to_small(&tensor([1, 8, 8, 2], 1), other).is_err());
    packed.to_small(&tensor([1, 8, 8, 2], 1), geometry).unwrap();
    // Nor to its direction does it fit by chance: as many channels either way.
    let (square, bias) = (tensor([8, 1, 1, 8], 1), Tensor::zeros([8]));
    let geometry = Geometry::transposed([2, 2], [1, 1], 2, 0, [1, 1]).unwrap();
    let (small, large) = (tensor([1, 2, 2, 8], 1), tensor([1, 4, 4, 8], 1));
    let packed = PackedConv::for_small(&square, &bias, geometry).unwrap();
    assert!(packed.to_large(&small, geometry).is_err() && packed.to_small(&large, geometry).is_ok());
    let packed = PackedConv::for_large(&square, &bias, geometry).unwrap();
    assert!(packed.to_small(&large, geometry).is_err() && packed.to_large(&small, geometry).is_ok());
}
