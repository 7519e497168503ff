//! The ten digits as people write them: for each, the ways that differ in more than proportion.

/// A point in the digit's own box: x to the right, y downwards, both about 0 to 1.
pub(super) type Point = (f64, f64);

/// One way to write a digit. Strokes share points by number, so that jitter never tears them apart.
pub(super) struct Style {
    pub(super) points: &'static [Point],
    pub(super) strokes: &'static [Stroke],
}

/// A pen stroke through the points with these numbers.
pub(super) enum Stroke {
    /// Straight from point to point, with corners.
    Line(&'static [usize]),
    /// A smooth curve through all points.
    Curve(&'static [usize]),
}

use Stroke::{Curve, Line};

/// The styles of each class.
pub(super) const DIGITS: [&[Style]; 10] = [ZERO, ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN, EIGHT, NINE];

const ZERO: &[Style] = &[
    // Closed oval.
    Style {
        points: &[(0.5, 0.0), (0.2, 0.14), (0.08, 0.5), (0.2, 0.86), (0.5, 1.0), (0.8, 0.86), (0.92, 0.5), (0.8, 0.14)],
        strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6, 7, 0])],
    },
    // The end crosses the start and turns inwards.
    Style {
        points: &[
            (0.62, 0.06),
            (0.35, 0.02),
            (0.12, 0.3),
            (0.12, 0.7),
            (0.4, 0.98),
            (0.75, 0.85),
            (0.9, 0.5),
            (0.72, 0.12),
            (0.4, 0.16),
        ],
        strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6, 7, 8])],
    },
    // Left open at the top.
    Style {
        points: &[(0.4, 0.03), (0.14, 0.32), (0.14, 0.72), (0.46, 1.0), (0.82, 0.78), (0.86, 0.36), (0.64, 0.04)],
        strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6])],
    },
];

const ONE: &[Style] = &[
    // A bare stroke.
    Style { points: &[(0.5, 0.0), (0.51, 0.5), (0.5, 1.0)], strokes: &[Curve(&[0, 1, 2])] },
    // With a flag.
    Style { points: &[(0.26, 0.24), (0.56, 0.0), (0.54, 1.0)], strokes: &[Line(&[0, 1, 2])] },
    // With a flag and a foot.
    Style {
        points: &[(0.28, 0.2), (0.54, 0.0), (0.52, 1.0), (0.22, 1.0), (0.84, 0.99)],
        strokes: &[Line(&[0, 1, 2]), Line(&[3, 2, 4])],
    },
];

const TWO: &[Style] = &[
    // A corner at the bottom left.
    Style {
        points: &[(0.14, 0.24), (0.34, 0.02), (0.7, 0.05), (0.82, 0.3), (0.55, 0.65), (0.12, 0.98), (0.9, 0.96)],
        strokes: &[Curve(&[0, 1, 2, 3, 4, 5]), Line(&[5, 6])],
    },
    // A loop at the bottom left.
    Style {
        points: &[
            (0.16, 0.2),
            (0.42, 0.0),
            (0.76, 0.14),
            (0.7, 0.46),
            (0.38, 0.84),
            (0.14, 0.96),
            (0.1, 0.78),
            (0.34, 0.76),
            (0.62, 0.95),
            (0.92, 0.88),
        ],
        strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9])],
    },
    // Like a Z with a round shoulder and a wavy base.
    Style {
        points: &[
            (0.12, 0.1),
            (0.5, 0.02),
            (0.82, 0.1),
            (0.62, 0.48),
            (0.14, 0.92),
            (0.4, 0.88),
            (0.66, 1.0),
            (0.9, 0.9),
        ],
        strokes: &[Curve(&[0, 1, 2, 3, 4]), Curve(&[4, 5, 6, 7])],
    },
];

const THREE: &[Style] = &[
    // Two bowls that meet in a point.
    Style {
        points: &[
            (0.14, 0.14),
            (0.44, 0.0),
            (0.76, 0.12),
            (0.72, 0.36),
            (0.4, 0.47),
            (0.76, 0.56),
            (0.84, 0.8),
            (0.52, 1.0),
            (0.12, 0.88),
        ],
        strokes: &[Curve(&[0, 1, 2, 3, 4]), Curve(&[4, 5, 6, 7, 8])],
    },
    // A flat top.
    Style {
        points: &[(0.16, 0.03), (0.8, 0.02), (0.42, 0.4), (0.74, 0.48), (0.84, 0.76), (0.52, 1.0), (0.12, 0.9)],
        strokes: &[Line(&[0, 1, 2]), Curve(&[2, 3, 4, 5, 6])],
    },
    // One smooth stroke with a small loop in the middle.
    Style {
        points: &[
            (0.16, 0.18),
            (0.5, 0.0),
            (0.8, 0.2),
            (0.56, 0.46),
            (0.34, 0.52),
            (0.4, 0.42),
            (0.7, 0.52),
            (0.84, 0.78),
            (0.5, 1.0),
            (0.1, 0.84),
        ],
        strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9])],
    },
];

const FOUR: &[Style] = &[
    // Open, with corners.
    Style {
        points: &[(0.24, 0.0), (0.12, 0.56), (0.9, 0.54), (0.7, 0.16), (0.68, 1.0)],
        strokes: &[Line(&[0, 1, 2]), Line(&[3, 4])],
    },
    // Closed.
    Style { points: &[(0.66, 1.0), (0.66, 0.0), (0.08, 0.64), (0.92, 0.64)], strokes: &[Line(&[0, 1, 2, 3])] },
    // Open and round, the stem beginning at full height.
    Style {
        points: &[(0.18, 0.02), (0.12, 0.36), (0.34, 0.54), (0.76, 0.46), (0.82, 0.0), (0.7, 1.0)],
        strokes: &[Curve(&[0, 1, 2, 3]), Line(&[4, 3, 5])],
    },
];

const FIVE: &[Style] = &[
    // Bar, neck and bowl in one go.
    Style {
        points: &[
            (0.82, 0.02),
            (0.26, 0.03),
            (0.2, 0.44),
            (0.54, 0.37),
            (0.84, 0.6),
            (0.72, 0.9),
            (0.4, 1.0),
            (0.12, 0.88),
        ],
        strokes: &[Line(&[0, 1, 2]), Curve(&[2, 3, 4, 5, 6, 7])],
    },
    // Like an S.
    Style {
        points: &[(0.82, 0.04), (0.44, 0.03), (0.22, 0.24), (0.5, 0.44), (0.8, 0.66), (0.6, 0.96), (0.14, 0.92)],
        strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6])],
    },
    // The bar is set on afterwards.
    Style {
        points: &[
            (0.3, 0.12),
            (0.2, 0.5),
            (0.56, 0.44),
            (0.8, 0.68),
            (0.62, 0.96),
            (0.16, 0.94),
            (0.36, 0.06),
            (0.94, 0.0),
        ],
        strokes: &[Line(&[0, 1]), Curve(&[1, 2, 3, 4, 5]), Line(&[6, 7])],
    },
];

const SIX: &[Style] = &[
    // A round back and a large bowl.
    Style {
        points: &[
            (0.74, 0.03),
            (0.36, 0.2),
            (0.12, 0.6),
            (0.26, 0.94),
            (0.58, 0.99),
            (0.82, 0.76),
            (0.62, 0.53),
            (0.32, 0.6),
            (0.16, 0.8),
        ],
        strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6, 7, 8])],
    },
    // A straight back and a small bowl.
    Style {
        points: &[
            (0.6, 0.0),
            (0.34, 0.38),
            (0.2, 0.74),
            (0.36, 0.99),
            (0.68, 0.93),
            (0.7, 0.7),
            (0.46, 0.64),
            (0.24, 0.8),
        ],
        strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6, 7])],
    },
    // A hook at the top.
    Style {
        points: &[
            (0.84, 0.18),
            (0.6, 0.0),
            (0.26, 0.22),
            (0.12, 0.6),
            (0.3, 0.96),
            (0.66, 0.98),
            (0.84, 0.7),
            (0.54, 0.5),
            (0.2, 0.66),
        ],
        strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6, 7, 8])],
    },
];

const SEVEN: &[Style] = &[
    // Two straight lines.
    Style { points: &[(0.1, 0.04), (0.86, 0.03), (0.4, 1.0)], strokes: &[Line(&[0, 1, 2])] },
    // With a bar.
    Style {
        points: &[(0.12, 0.04), (0.88, 0.02), (0.42, 1.0), (0.3, 0.52), (0.86, 0.48)],
        strokes: &[Line(&[0, 1, 2]), Line(&[3, 4])],
    },
    // With a serif and a bent stem.
    Style {
        points: &[(0.1, 0.2), (0.12, 0.04), (0.86, 0.02), (0.58, 0.42), (0.44, 1.0)],
        strokes: &[Line(&[0, 1, 2]), Curve(&[2, 3, 4])],
    },
];

const EIGHT: &[Style] = &[
    // One stroke that crosses itself and closes.
    Style {
        points: &[
            (0.72, 0.12),
            (0.44, 0.0),
            (0.22, 0.2),
            (0.48, 0.46),
            (0.78, 0.74),
            (0.52, 1.0),
            (0.2, 0.78),
            (0.5, 0.48),
            (0.76, 0.26),
        ],
        strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 0])],
    },
    // Two rings.
    Style {
        points: &[(0.5, 0.0), (0.24, 0.22), (0.5, 0.44), (0.76, 0.22), (0.16, 0.72), (0.5, 1.0), (0.84, 0.72)],
        strokes: &[Curve(&[0, 1, 2, 3, 0]), Curve(&[2, 4, 5, 6, 2])],
    },
    // Open at the top right.
    Style {
        points: &[
            (0.78, 0.08),
            (0.4, 0.02),
            (0.24, 0.26),
            (0.56, 0.5),
            (0.74, 0.8),
            (0.44, 1.0),
            (0.22, 0.76),
            (0.54, 0.44),
            (0.9, 0.0),
        ],
        strokes: &[Curve(&[0, 1, 2, 3, 4, 5, 6, 7, 8])],
    },
];

const NINE: &[Style] = &[
    // A straight stem.
    Style {
        points: &[(0.78, 0.26), (0.56, 0.01), (0.2, 0.14), (0.2, 0.42), (0.52, 0.52), (0.76, 1.0)],
        strokes: &[Curve(&[0, 1, 2, 3, 4, 0]), Line(&[0, 5])],
    },
    // The stem bends back.
    Style {
        points: &[
            (0.8, 0.28),
            (0.58, 0.01),
            (0.2, 0.14),
            (0.24, 0.46),
            (0.58, 0.48),
            (0.82, 0.6),
            (0.6, 0.95),
            (0.2, 0.94),
        ],
        strokes: &[Curve(&[0, 1, 2, 3, 4, 0]), Curve(&[0, 5, 6, 7])],
    },
    // One smooth stroke, the loop not quite closed.
    Style {
        points: &[
            (0.74, 0.14),
            (0.42, 0.0),
            (0.16, 0.26),
            (0.36, 0.5),
            (0.72, 0.34),
            (0.8, 0.08),
            (0.72, 0.6),
            (0.56, 1.0),
        ],
        strokes: &[Curve(&[0, 1, 2, 3, 4, 5]), Curve(&[5, 6, 7])],
    },
];
