//! From a style to pixels: jitter the points, flatten the strokes, bend and place them, draw them by distance.
//!
//! Only `+ - * /` and the square root are used, which IEEE 754 rounds in one way: the same bits on every platform.

use super::random::Random;
use super::shapes::{Point, Stroke, Style};

/// Pixels along each side.
pub(super) const SIDE: usize = 28;

/// Straight pieces per span of a stroke.
const PIECES: usize = 6;

/// How one sample is written.
pub(super) struct Hand {
    /// Standard deviation of each control point, as a share of the box.
    pub(super) jitter: f64,
    /// How far the middle of the box is bent sideways and upwards, as a share of the box.
    pub(super) bow: (f64, f64),
    /// Height in pixels.
    pub(super) height: f64,
    /// Width as a share of the height.
    pub(super) aspect: f64,
    /// Sideways pixels per pixel of height, to the right at the top.
    pub(super) slant: f64,
    /// Tangent of half the angle of rotation.
    pub(super) half_turn: f64,
    /// Pixels off the middle of the image, at most; the border comes first.
    pub(super) shift: (f64, f64),
    /// Half the width of the stroke where the pen sets on and where it leaves, in pixels.
    pub(super) radius: (f64, f64),
    /// Width of the soft edge in pixels.
    pub(super) softness: f64,
    /// Brightness of the ink, at most 1.
    pub(super) ink: f64,
}

/// Draws `style` by `hand` onto black; brightness in 0..=1.
pub(super) fn draw(style: &Style, hand: &Hand, random: &mut Random) -> [f64; SIDE * SIDE] {
    let jittered: Vec<Point> =
        style.points.iter().map(|(x, y)| (x + hand.jitter * random.bell(), y + hand.jitter * random.bell())).collect();
    let mut strokes: Vec<Vec<Point>> = style.strokes.iter().map(|stroke| flatten(stroke, &jittered)).collect();
    place(&mut strokes, hand);

    let mut image = [0.0; SIDE * SIDE];
    for stroke in &strokes {
        let pieces = (stroke.len() - 1) as f64;
        let radius = |at: usize| hand.radius.0 + (hand.radius.1 - hand.radius.0) * at as f64 / pieces;
        for (at, ends) in stroke.windows(2).enumerate() {
            draw_piece(&mut image, ends[0], ends[1], (radius(at), radius(at + 1)), hand);
        }
    }
    image
}

/// The stroke as a chain of points, [`PIECES`] pieces a span.
fn flatten(stroke: &Stroke, points: &[Point]) -> Vec<Point> {
    let (path, smooth) = match stroke {
        Stroke::Line(path) => (path, false),
        Stroke::Curve(path) => (path, true),
    };
    let at = |place: usize| points[path[place]];
    let closed = path.first() == path.last();
    let last = path.len() - 1;
    let mut chain = vec![at(0)];
    for span in 0..last {
        // Catmull-Rom: the tangent at a point is half the way from the point before it to the one after it.
        let before = if span > 0 {
            span - 1
        } else if closed {
            last - 1
        } else {
            0
        };
        let after = if span + 2 <= last {
            span + 2
        } else if closed {
            1
        } else {
            last
        };
        let (p0, p1, p2, p3) = (at(before), at(span), at(span + 1), at(after));
        for piece in 1..=PIECES {
            let t = piece as f64 / PIECES as f64;
            let blend = |a: f64, b: f64, c: f64, d: f64| {
                if smooth {
                    let (linear, square, cube) = (c - a, 2.0 * a - 5.0 * b + 4.0 * c - d, 3.0 * (b - c) + d - a);
                    b + 0.5 * t * (linear + t * (square + t * cube))
                } else {
                    b + t * (c - b)
                }
            };
            chain.push((blend(p0.0, p1.0, p2.0, p3.0), blend(p0.1, p1.1, p2.1, p3.1)));
        }
    }
    chain
}

/// Bends, slants, turns and scales the strokes, and moves the middle of what they cover near the middle of the image:
/// as far off as the hand wants and the border allows. What is too large is shrunk, so no digit is ever cut.
fn place(strokes: &mut [Vec<Point>], hand: &Hand) {
    let t = hand.half_turn;
    let (cosine, sine) = ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t));
    let (mut low, mut high) = ((f64::INFINITY, f64::INFINITY), (f64::NEG_INFINITY, f64::NEG_INFINITY));
    for point in strokes.iter_mut().flatten() {
        let (x, y) = (point.0 - 0.5, point.1 - 0.5);
        let (x, y) = (x + hand.bow.0 * (1.0 - 4.0 * y * y), y + hand.bow.1 * (1.0 - 4.0 * x * x));
        let (x, y) = (x * hand.height * hand.aspect - hand.slant * y * hand.height, y * hand.height);
        *point = (cosine * x - sine * y, sine * x + cosine * y);
        low = (low.0.min(point.0), low.1.min(point.1));
        high = (high.0.max(point.0), high.1.max(point.1));
    }
    let room = (SIDE as f64 - 2.0) - 2.0 * hand.radius.0.max(hand.radius.1) - hand.softness;
    let (width, height) = (high.0 - low.0, high.1 - low.1);
    let shrink = (room / width).min(room / height).min(1.0);
    let middle = (SIDE as f64 - 1.0) / 2.0;
    let shifted = |shift: f64, extent: f64| {
        // Never below zero, which rounding could make it.
        let slack = ((room - shrink * extent) / 2.0).max(0.0);
        middle + shift.clamp(-slack, slack)
    };
    let (x, y) = (shifted(hand.shift.0, width), shifted(hand.shift.1, height));
    for point in strokes.iter_mut().flatten() {
        *point = (x + shrink * (point.0 - (low.0 + high.0) / 2.0), y + shrink * (point.1 - (low.1 + high.1) / 2.0));
    }
}

/// Brightens every pixel near the line from `a` to `b`: full inside, falling over the soft edge, by distance.
fn draw_piece(image: &mut [f64; SIDE * SIDE], a: Point, b: Point, radius: (f64, f64), hand: &Hand) {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    // Points that coincide make a dot.
    let length_squared = (dx * dx + dy * dy).max(1e-12);
    let reach = radius.0.max(radius.1) + hand.softness;
    let range = |a: f64, b: f64| {
        let clamp = |value: f64| value.clamp(0.0, (SIDE - 1) as f64) as usize;
        clamp((a.min(b) - reach).ceil())..=clamp((a.max(b) + reach).floor())
    };
    for row in range(a.1, b.1) {
        for column in range(a.0, b.0) {
            let (x, y) = (column as f64 - a.0, row as f64 - a.1);
            let along = ((x * dx + y * dy) / length_squared).clamp(0.0, 1.0);
            let (x, y) = (x - along * dx, y - along * dy);
            let outside = (x * x + y * y).sqrt() - (radius.0 + (radius.1 - radius.0) * along);
            let brightness = hand.ink * (0.5 - outside / hand.softness).clamp(0.0, 1.0);
            let pixel = &mut image[row * SIDE + column];
            *pixel = pixel.max(brightness);
        }
    }
}
