//! What all figures are drawn on: an SVG with one font, images and dots that plotters has no elements for, and the PNG
//! that is made from the SVG.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::Pos;
pub(crate) use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{FontStyle, register_font};
use resvg::tiny_skia::{ColorU8, Pixmap, Transform};
use resvg::usvg;

use crate::error::{Error, Result};

/// What drawing functions return; plotters has an error type for every backend.
pub(crate) type Drawn<T = ()> = Result<T, Box<dyn StdError>>;
pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The font family in the SVG. A browser takes its own font; the PNG and all measures come from the one built in, which is
/// wider than most, so text fits either way.
const FAMILY: &str = "sans-serif";
/// Sizes of text on a canvas that is 1800 wide. plotters divides them by 1.24 in an SVG, so [`TEXT`] is 24 pixels high and the
/// smallest in use, [`TEXT`] - 5, is 20; the page lets no figure become so narrow that these are less than 11 on the screen.
pub(crate) const TEXT: i32 = 30;
pub(crate) const HEADING: i32 = 36;

pub(crate) const INK: RGBColor = RGBColor(31, 35, 40);
pub(crate) const FAINT: RGBColor = RGBColor(105, 112, 122);
/// Of the palette of Okabe and Ito, which all kinds of colour vision tell apart.
pub(crate) const NORMAL: RGBColor = RGBColor(0, 114, 178);
pub(crate) const ANOMALOUS: RGBColor = RGBColor(230, 159, 0);

/// The colour of a model in every figure.
pub(crate) fn model_colour(model: &str) -> RGBColor {
    match model {
        "ae" => RGBColor(80, 84, 92),
        "memae" => RGBColor(0, 158, 115),
        "mnad" => RGBColor(204, 121, 167),
        _ => RGBColor(213, 94, 0),
    }
}

/// The name of a model as people write it.
pub(crate) fn model_title(model: &str) -> &str {
    match model {
        "ae" => "AE",
        "memae" => "MemAE",
        "mnad" => "MNAD",
        "rftm" => "RFTM",
        other => other,
    }
}

/// Things laid over what plotters drew.
#[derive(Default)]
pub(crate) struct Overlay {
    svg: String,
}

impl Overlay {
    /// An image of `columns` x `rows` pixels, each `scale` wide, its corner at `at`.
    pub(crate) fn image(&mut self, at: (i32, i32), image: &Pixmap, scale: u32) -> Drawn {
        let (width, height) = (image.width() * scale, image.height() * scale);
        let data = STANDARD.encode(image.encode_png()?);
        let (x, y) = at;
        writeln!(
            self.svg,
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" style=\"image-rendering:pixelated\" \
             href=\"data:image/png;base64,{data}\"/>"
        )?;
        Ok(())
    }

    /// Round dots in one path: a tenth of the bytes of a circle for each.
    pub(crate) fn dots(&mut self, points: &[(f64, f64)], diameter: u32, colour: RGBColor) {
        let RGBColor(r, g, b) = colour;
        let _ = write!(
            self.svg,
            "<path fill=\"none\" stroke=\"#{r:02x}{g:02x}{b:02x}\" stroke-width=\"{diameter}\" \
             stroke-linecap=\"round\" d=\""
        );
        for (x, y) in points {
            let _ = write!(self.svg, "M{x:.1} {y:.1}h.1");
        }
        self.svg.push_str("\"/>\n");
    }

    /// Diagonal crosses in one path.
    pub(crate) fn crosses(&mut self, points: &[(f64, f64)], width: u32, colour: RGBColor) {
        let RGBColor(r, g, b) = colour;
        let half = f64::from(width) / 2.0;
        let _ = write!(self.svg, "<path fill=\"none\" stroke=\"#{r:02x}{g:02x}{b:02x}\" stroke-width=\"2.5\" d=\"");
        for (x, y) in points {
            let (left, top) = (x - half, y - half);
            let _ = write!(self.svg, "M{left:.1} {top:.1}l{width} {width}m0-{width}l-{width} {width}");
        }
        self.svg.push_str("\"/>\n");
    }
}

/// The outline of a rectangle. plotters' SVGs draw a [`Rectangle`]'s own one pixel thin, whatever is asked for.
pub(crate) fn frame([(left, top), (right, bottom)]: [(i32, i32); 2], style: ShapeStyle) -> PathElement<(i32, i32)> {
    // Past the first corner, which would lack a notch.
    let corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top), (right, top)];
    PathElement::new(corners, style)
}

/// Draws an SVG; `label` is its text for those who do not see it.
pub(crate) fn render(
    figure: &'static str,
    (width, height): (u32, u32),
    label: &str,
    draw: impl FnOnce(&Area<'_>, &mut Overlay) -> Drawn,
) -> Result<String> {
    let wrong = |message: String| Error::Draw { figure, message };
    register().map_err(wrong)?;
    let mut svg = String::new();
    let mut overlay = Overlay::default();
    {
        let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        let drawn = (|| -> Drawn {
            area.fill(&WHITE)?;
            draw(&area, &mut overlay)?;
            area.present()?;
            Ok(())
        })();
        drawn.map_err(|error| wrong(error.to_string()))?;
    }
    let open = format!("<svg role=\"img\" aria-label=\"{}\" ", escape(label));
    let svg = svg.replacen("<svg ", &open, 1);
    let (body, _) = svg.rsplit_once("</svg>").ok_or_else(|| wrong("the drawing has no end".to_owned()))?;
    Ok(format!("{body}{}</svg>\n", overlay.svg))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn register() -> Result<(), String> {
    static DONE: OnceLock<Result<(), String>> = OnceLock::new();
    let both = || {
        let one = |style, bytes| register_font(FAMILY, style, bytes).map_err(|_| "the font is damaged".to_owned());
        one(FontStyle::Normal, dejavu::sans::regular())?;
        one(FontStyle::Bold, dejavu::sans::bold())
    };
    DONE.get_or_init(both).clone()
}

/// The SVG as a PNG of the same size. No font of the system is looked at, so it is the same bytes on every machine.
pub(crate) fn png(figure: &'static str, svg: &str) -> Result<Vec<u8>> {
    let wrong = |message: String| Error::Draw { figure, message };
    let mut options = usvg::Options { font_family: "DejaVu Sans".to_owned(), ..usvg::Options::default() };
    let fonts = options.fontdb_mut();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.load_font_data(dejavu::sans::bold().to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    let tree = usvg::Tree::from_str(svg, &options).map_err(|error| wrong(error.to_string()))?;
    let size = tree.size().to_int_size();
    let mut pixmap = pixmap(size.width(), size.height()).map_err(|error| wrong(error.to_string()))?;
    resvg::render(&tree, Transform::identity(), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|error| wrong(error.to_string()))
}

pub(crate) fn pixmap(width: u32, height: u32) -> Drawn<Pixmap> {
    Pixmap::new(width, height).ok_or_else(|| format!("no image can be {width} x {height}").into())
}

/// Square grey images side by side, `columns` in a row, `gap` pixels of white between them.
pub(crate) fn sprite(images: &[&[u8]], columns: usize, gap: usize) -> Drawn<Pixmap> {
    tile(images, columns, gap, |pixel| [pixel; 3])
}

/// Square images side by side, each pixel coloured by `colour`.
pub(crate) fn tile<P: Copy>(
    images: &[&[P]],
    columns: usize,
    gap: usize,
    colour: impl Fn(P) -> [u8; 3],
) -> Drawn<Pixmap> {
    let side = side(images.first().map_or(0, |image| image.len()))?;
    let columns = columns.max(1);
    let rows = images.len().div_ceil(columns);
    let (width, height) = (columns * (side + gap) - gap, rows * (side + gap) - gap);
    let mut map = pixmap(width as u32, height as u32)?;
    map.pixels_mut().fill(ColorU8::from_rgba(255, 255, 255, 255).premultiply());
    for (place, image) in images.iter().enumerate() {
        let (left, top) = (place % columns * (side + gap), place / columns * (side + gap));
        for (index, pixel) in image.iter().enumerate() {
            let at = (top + index / side) * width + left + index % side;
            let [r, g, b] = colour(*pixel);
            if let Some(target) = map.pixels_mut().get_mut(at) {
                *target = ColorU8::from_rgba(r, g, b, 255).premultiply();
            }
        }
    }
    Ok(map)
}

/// The side of a square of so many pixels.
fn side(pixels: usize) -> Drawn<usize> {
    match pixels.isqrt() {
        side if side > 0 && side * side == pixels => Ok(side),
        _ => Err(format!("{pixels} pixels are no square image").into()),
    }
}

/// Text at a point.
pub(crate) fn text<'a>(size: i32, colour: RGBColor, h: HPos, v: VPos) -> TextStyle<'a> {
    (FAMILY, size).into_font().color(&colour).pos(Pos::new(h, v))
}

/// Bold text at a point.
pub(crate) fn bold<'a>(size: i32, colour: RGBColor, h: HPos, v: VPos) -> TextStyle<'a> {
    let font = (FAMILY, size).into_font().style(FontStyle::Bold);
    font.color(&colour).pos(Pos::new(h, v))
}

/// What stands for something in a chart and therefore in its legend: the same shape, thickness and opacity.
#[derive(Clone, Copy)]
pub(crate) enum Mark {
    /// A bar of an opacity.
    Bar(f64),
    /// A bar of an opacity in a line of the full colour.
    Outlined(f64),
    /// A line of a thickness and an opacity.
    Line(u32, f64),
    /// A line with gaps, of a thickness.
    Dashed(u32),
    /// A dot of a radius.
    Dot(u32),
    /// A diagonal cross of a width.
    Cross(u32),
}

/// A legend in one line above what it explains, so that it can cover nothing.
pub(crate) fn legend(area: &Area<'_>, at: (i32, i32), entries: &[(Mark, RGBColor, String)]) -> Drawn {
    let style = text(TEXT - 4, INK, HPos::Left, VPos::Center);
    let (mut x, y) = at;
    for (mark, colour, name) in entries {
        let bar = [(x, y - 10), (x + 30, y + 10)];
        let line = [(x - 2, y), (x + 32, y)];
        match *mark {
            Mark::Bar(opacity) => area.draw(&Rectangle::new(bar, colour.mix(opacity).filled()))?,
            Mark::Outlined(opacity) => {
                area.draw(&Rectangle::new(bar, colour.mix(opacity).filled()))?;
                area.draw(&frame(bar, colour.stroke_width(3)))?;
            }
            Mark::Line(width, opacity) => {
                area.draw(&PathElement::new(line, colour.mix(opacity).stroke_width(width)))?;
            }
            Mark::Dashed(width) => {
                for left in [x - 2, x + 20] {
                    area.draw(&PathElement::new([(left, y), (left + 14, y)], colour.stroke_width(width)))?;
                }
            }
            Mark::Dot(radius) => area.draw(&Circle::new((x + 15, y), radius, colour.filled()))?,
            Mark::Cross(width) => area.draw(&Cross::new((x + 15, y), width as i32, colour.stroke_width(3)))?,
        }
        area.draw_text(name, &style, (x + 42, y))?;
        let (width, _) = area.estimate_text_size(name, &style)?;
        x += 42 + width as i32 + 28;
    }
    Ok(())
}

/// The multiples of 1, 2 or 5 times a power of ten from `low` to `high`, about `count` of them.
pub(crate) fn steps((low, high): (f64, f64), count: usize) -> Vec<f64> {
    let rough = (high - low) / count.max(1) as f64;
    if !(rough > 0.0 && rough.is_finite()) {
        return Vec::new();
    }
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power).into_iter().find(|step| *step >= 0.999 * rough);
    let step = step.unwrap_or(10.0 * power);
    let first = (low / step - 1e-6).ceil() as i64;
    let last = (high / step + 1e-6).floor() as i64;
    (first..=last).map(|index| index as f64 * step).collect()
}

/// For an axis of decimal logarithms: those of 1, 2 and 5 times the powers of ten from `low` to `high`, or of the powers
/// alone where these are many.
pub(crate) fn decades((low, high): (f64, f64)) -> Vec<f64> {
    let digits: &[f64] = if high - low > 3.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let powers = low.floor() as i64..=high.floor() as i64;
    let ticks = powers.flat_map(|power| digits.iter().map(move |digit| power as f64 + digit.log10()));
    ticks.filter(|tick| (low - 1e-9..=high + 1e-9).contains(tick)).collect()
}

/// The number of which `value` is the decimal logarithm, with the digits that a tick of [`decades`] needs.
pub(crate) fn decade(value: &f64) -> String {
    let decimals = (-(value + 1e-9).floor()).max(0.0) as usize;
    format!("{:.decimals$}", 10_f64.powf(*value))
}

/// The axes of a chart.
pub(crate) struct Axes<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: (f64, f64),
    pub(crate) y: (f64, f64),
    pub(crate) names: [&'a str; 2],
    /// Where the ticks are: see [`steps`] and [`decades`].
    pub(crate) ticks: [Vec<f64>; 2],
    pub(crate) format: [&'a dyn Fn(&f64) -> String; 2],
}

/// An axis with the ticks it was told; plotters' own chooses them by their number alone.
pub(crate) struct Scale {
    axis: RangedCoordf64,
    ticks: Vec<f64>,
}

impl Scale {
    fn new((low, high): (f64, f64), ticks: Vec<f64>) -> Self {
        Self { axis: (low..high).into(), ticks }
    }
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.axis.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // Ticks are bold; between them lie no others.
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.axis.range()
    }
}

pub(crate) type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Scale, Scale>>;

/// A chart with its axes, grid and title.
pub(crate) fn chart<'a, 'b>(area: &'a Area<'b>, axes: Axes<'_>) -> Drawn<Chart<'a, 'b>> {
    let mut builder = ChartBuilder::on(area);
    builder.margin(16).margin_right(36).x_label_area_size(84).y_label_area_size(116);
    if !axes.title.is_empty() {
        builder.caption(axes.title, (FAMILY, HEADING).into_font().color(&INK));
    }
    let [x_ticks, y_ticks] = axes.ticks;
    let counts = [x_ticks.len(), y_ticks.len()];
    let mut chart = builder.build_cartesian_2d(Scale::new(axes.x, x_ticks), Scale::new(axes.y, y_ticks))?;
    let label = (FAMILY, TEXT - 2).into_font().color(&FAINT);
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(228, 231, 235))
        .axis_style(RGBColor(150, 156, 165))
        .x_labels(counts[0])
        .y_labels(counts[1])
        .x_label_formatter(axes.format[0])
        .y_label_formatter(axes.format[1])
        .x_desc(axes.names[0])
        .y_desc(axes.names[1])
        .label_style(label)
        .axis_desc_style((FAMILY, TEXT).into_font().color(&INK))
        .draw()?;
    Ok(chart)
}

/// A number without needless zeros.
pub(crate) fn plain(value: &f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_is_the_same_each_time_in_both_forms() {
        let draw = || {
            render("test", (400, 200), "a \"test\"", |area, overlay| {
                let entries =
                    [(Mark::Bar(1.0), NORMAL, "normal".into()), (Mark::Dot(8), ANOMALOUS, "anomalous".into())];
                legend(area, (20, 30), &entries)?;
                overlay.image((20, 60), &sprite(&[&[0, 255, 128, 64][..], &[9; 4]], 2, 1)?, 10)?;
                overlay.dots(&[(200.0, 100.0), (210.0, 110.0)], 6, NORMAL);
                Ok(())
            })
            .unwrap()
        };
        let svg = draw();
        assert_eq!(svg, draw());
        assert!(svg.contains("aria-label=\"a &quot;test&quot;\"") && svg.contains("href=\"data:image/png"), "{svg}");
        let picture = png("test", &svg).unwrap();
        assert_eq!(picture, png("test", &svg).unwrap());
        let map = Pixmap::decode_png(&picture).unwrap();
        assert_eq!((map.width(), map.height()), (400, 200));
        let colour = |x: u32, y: u32| {
            let pixel = map.pixel(x, y).unwrap();
            [pixel.red(), pixel.green(), pixel.blue()]
        };
        // A swatch of the legend, a grey and a white pixel of the sprite, the gap between its images.
        assert_eq!(colour(40, 30), [0, 114, 178]);
        assert_eq!([colour(25, 65), colour(35, 65), colour(45, 65)], [[0; 3], [255; 3], [255; 3]]);
        assert_eq!(colour(55, 65), [9; 3]);
        // Some of the text is dark.
        assert!((66..180).any(|x| colour(x, 30)[0] < 100), "the font was not found");
    }

    #[test]
    fn a_frame_is_as_thick_as_asked() {
        let corners = [(20, 20), (80, 60)];
        let draw = |area: &Area<'_>, _: &mut Overlay| Ok(area.draw(&frame(corners, NORMAL.stroke_width(6)))?);
        let map = Pixmap::decode_png(&png("test", &render("test", (100, 80), "", draw).unwrap()).unwrap()).unwrap();
        let blue = |x: u32, y: u32| map.pixel(x, y).is_some_and(|pixel| pixel.red() == 0);
        for (x, y) in [(18, 40), (22, 40), (50, 18), (50, 62), (78, 40), (18, 18), (82, 62)] {
            assert!(blue(x, y), "{x}, {y}");
        }
        assert!(!blue(50, 40) && !blue(14, 40));
    }

    #[test]
    fn ticks_are_round_numbers() {
        let check = |range, count, expected: &[&str]| {
            assert_eq!(steps(range, count).iter().map(plain).collect::<Vec<_>>(), expected);
        };
        check((0.0, 1.0), 5, &["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        check((0.0, 13.1), 6, &["0", "5", "10"]);
        check((1.0, 172.0), 9, &["20", "40", "60", "80", "100", "120", "140", "160"]);
        check((0.0, 100.0), 5, &["0", "20", "40", "60", "80", "100"]);
        check((0.0, 0.0), 5, &[]);
        let check = |low: f64, high: f64, expected: &[&str]| {
            assert_eq!(decades((low.log10(), high.log10())).iter().map(decade).collect::<Vec<_>>(), expected);
        };
        check(0.006, 1.4, &["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]);
        check(0.0004, 12.0, &["0.001", "0.01", "0.1", "1", "10"]);
        check(2.0, 20.0, &["2", "5", "10", "20"]);
    }

    /// The legend's sample of dots is what the dots are: same colour, nothing of it see-through.
    #[test]
    fn a_legend_shows_marks_as_the_chart_does() {
        let colour = |mark: Mark| {
            let draw = |area: &Area<'_>, _: &mut Overlay| legend(area, (20, 30), &[(mark, NORMAL, String::new())]);
            let svg = render("test", (100, 60), "", draw).unwrap();
            let map = Pixmap::decode_png(&png("test", &svg).unwrap()).unwrap();
            map.pixel(35, 30).map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).unwrap()
        };
        for mark in [Mark::Bar(1.0), Mark::Line(4, 1.0), Mark::Dot(5)] {
            assert_eq!(colour(mark), [0, 114, 178]);
        }
        let mixed = [0.0_f64, 114.0, 178.0].map(|channel| (255.0 - 0.5 * (255.0 - channel)) as i16);
        let faint = colour(Mark::Bar(0.5)).map(i16::from);
        assert!(faint.iter().zip(mixed).all(|(a, b)| (a - b).abs() <= 2), "{faint:?} {mixed:?}");
    }

    #[test]
    fn what_is_no_image_is_an_error() {
        assert!(sprite(&[&[0; 5]], 1, 0).is_err());
        assert!(sprite(&[], 1, 0).is_err());
        let error = render("fig5", (10, 10), "", |_, overlay| overlay.image((0, 0), &sprite(&[], 1, 0)?, 1));
        assert!(error.unwrap_err().to_string().contains("fig5 cannot be drawn: 0 pixels"));
    }
}
