//! Figures made of images: 5, 6 and the residuals.

use plotters::prelude::*;
use resvg::tiny_skia::{ColorU8, Pixmap};

use super::Parts;
use super::canvas::{
    ANOMALOUS, Drawn, FAINT, HEADING, HPos, INK, TEXT, VPos, bold, model_colour, model_title, pixmap, render, sprite,
    text, tile,
};
use super::charts::distinct;
use crate::error::Result;
use crate::sheet::{Row, SCORE, Source};

/// Pixels of an image: MNIST's, which all of these figures show.
const PIXELS: usize = 28 * 28;
const SIDE: i32 = 28;

/// Figure 5.
pub(crate) fn reconstructions(source: &Source) -> Result<Parts> {
    struct Image {
        label: String,
        anomalous: bool,
        pixels: Vec<u8>,
    }
    let rows = distinct(source, "row")?;
    let read = |row: Row<'_>| -> Result<Image> {
        let (label, anomalous) = (row.text("label")?.to_owned(), row.get::<u8>("anomalous")? > 0);
        match row.text("row")? {
            // An image as it is has no score.
            "input" if row.text("score")?.is_empty() => {}
            "input" => return Err(row.wrong("a test image has a score, which only a model can give".to_owned())),
            _ => drop(row.number_in("score", SCORE)?),
        }
        Ok(Image { label, anomalous, pixels: row.pixels("pixels", PIXELS)? })
    };
    let mut panels: Vec<Vec<Image>> = rows.iter().map(|_| Vec::new()).collect();
    for row in source.rows() {
        let name = row.text("row")?;
        if let Some(place) = rows.iter().position(|known| known == name) {
            panels[place].push(read(row)?);
        }
    }
    let label = "Fifty handwritten digits and their reconstructions by four models; the held-out twos are marked.";
    const COLUMNS: usize = 10;
    let (cell, line) = (2 * SIDE + 2, 2 * SIDE + 36);
    let lines = panels.iter().map(|panel| panel.len().div_ceil(COLUMNS)).max().unwrap_or(0) as i32;
    let height = 70 + lines * line;
    let size = (1820, (panels.len().div_ceil(3) as i32 * height + 20) as u32);
    let svg = render("fig5", size, label, |area, overlay| {
        for (place, (name, panel)) in rows.iter().zip(&panels).enumerate() {
            let (left, top) = (20 + (place % 3) as i32 * 607, 10 + (place / 3) as i32 * height);
            let title = if name == "input" { "Test images" } else { model_title(name) };
            let colour = if name == "input" { INK } else { model_colour(name) };
            area.draw_text(title, &bold(HEADING, colour, HPos::Left, VPos::Center), (left, top + 26))?;
            for (index, image) in panel.iter().enumerate() {
                let x = left + (index % COLUMNS) as i32 * cell;
                let y = top + 56 + (index / COLUMNS) as i32 * line;
                let (colour, style): (_, fn(_, _, _, _) -> _) =
                    if image.anomalous { (RGBColor(176, 96, 0), bold) } else { (FAINT, text) };
                let style = style(26, colour, HPos::Center, VPos::Center);
                area.draw_text(&image.label, &style, (x + SIDE, y + 14))?;
                if image.anomalous {
                    let frame = [(x - 2, y + 28), (x + 2 * SIDE + 2, y + 32 + 2 * SIDE)];
                    area.draw(&Rectangle::new(frame, ANOMALOUS.filled()))?;
                }
                overlay.image((x, y + 30), &sprite(&[&image.pixels], 1, 0)?, 2)?;
            }
        }
        Ok(())
    })?;
    let caption = "The class stands above each image; framed: the class that was held out of training.".to_owned();
    Ok(Parts { svg, caption, alt: label.to_owned(), data: None })
}

/// Figure 6.
pub(crate) fn slots(source: &Source) -> Result<Parts> {
    let (units, epochs) = (distinct(source, "unit")?, distinct(source, "epoch")?);
    let last = source.only("last")?;
    if !epochs.iter().any(|epoch| epoch == last.text()) {
        return Err(last.wrong(format!("there is no epoch {}", last.text())));
    }
    let mut grids: Vec<Vec<Vec<u8>>> = vec![Vec::new(); units.len() * epochs.len()];
    for row in source.rows() {
        let find = |all: &[String], value: &str| all.iter().position(|known| known == value);
        if let (Some(unit), Some(epoch)) = (find(&units, row.text("unit")?), find(&epochs, row.text("epoch")?)) {
            grids[unit * epochs.len() + epoch].push(row.pixels("pixels", PIXELS)?);
        }
    }
    let label =
        "Memory slots decoded to images, hippocampus above and cortex below, from the start of training to its end.";
    const GRID: i32 = 2 * (7 * (SIDE + 2) - 2);
    let width = 60 + epochs.len() as i32 * (GRID + 24);
    let size = (width.max(300) as u32, (110 + units.len() as i32 * (GRID + 90)) as u32);
    let svg = render("fig6", size, label, |area, overlay| {
        for (column, epoch) in epochs.iter().enumerate() {
            let title = match epoch.as_str() {
                "0" => "before training".to_owned(),
                epoch if epoch == last.text() => format!("weights kept (epoch {epoch})"),
                epoch => format!("after epoch {epoch}"),
            };
            let at = (30 + column as i32 * (GRID + 24) + GRID / 2, 36);
            area.draw_text(&title, &bold(HEADING, INK, HPos::Center, VPos::Center), at)?;
        }
        for (row, unit) in units.iter().enumerate() {
            let top = 80 + row as i32 * (GRID + 90);
            let style = bold(HEADING, FAINT, HPos::Left, VPos::Center);
            area.draw_text(unit, &style, (30, top + 24))?;
            for column in 0..epochs.len() {
                let images: Vec<&[u8]> = grids[row * epochs.len() + column].iter().map(Vec::as_slice).collect();
                let at = (30 + column as i32 * (GRID + 24), top + 56);
                if !images.is_empty() {
                    overlay.image(at, &sprite(&images, 7, 2)?, 2)?;
                }
            }
        }
        Ok(())
    })?;
    let caption = "49 slots of each memory, drawn at random once and followed: each as the image that the network as it was \
                   then would show if the memory had answered with that slot alone. What the hippocampus answers goes through \
                   the cortex, so its images are made of cortex slots, too. The paper does not say how it decodes."
        .to_owned();
    Ok(Parts { svg, caption, alt: label.to_owned(), data: None })
}

/// Residuals of the highest scores.
pub(crate) fn residuals(source: &Source) -> Result<Parts> {
    struct Image {
        model: String,
        group: String,
        label: String,
        score: f64,
        input: Vec<u8>,
        output: Vec<u8>,
    }
    let (models, groups) = (distinct(source, "model")?, distinct(source, "group")?);
    let mut images = Vec::new();
    for row in source.rows() {
        images.push(Image {
            model: row.text("model")?.to_owned(),
            group: row.text("group")?.to_owned(),
            label: row.text("label")?.to_owned(),
            score: row.number_in("score", SCORE)?,
            input: row.pixels("input", PIXELS)?,
            output: row.pixels("output", PIXELS)?,
        });
    }
    let label = "The eight anomalies and the eight normal images with the highest scores, for two models: input, \
                 reconstruction, and residual.";
    const SCALE: i32 = 3;
    let cell = SCALE * SIDE + 10;
    let height = 110 + 3 * cell;
    let below = 20 + models.len() as i32 * height;
    let svg = render("residuals", (1800, (below + 70) as u32), label, |area, overlay| {
        // The scale of the residuals.
        let (left, wide) = (170 + 410, 640);
        let colours: Vec<i16> = (-255..=255).collect();
        overlay.image((left, below + 22), &strip(&colours, wide)?, 1)?;
        let style = |side| text(TEXT - 4, INK, side, VPos::Center);
        area.draw_text("ink taken away: -255", &style(HPos::Right), (left - 14, below + 34))?;
        area.draw_text("255: ink added", &style(HPos::Left), (left + wide + 14, below + 34))?;

        for (block, model) in models.iter().enumerate() {
            let top = 10 + block as i32 * height;
            for (side, group) in groups.iter().enumerate() {
                let left = 170 + side as i32 * 820;
                let title = match group.as_str() {
                    "anomaly" => format!("{}: anomalies with the highest scores", model_title(model)),
                    _ => format!("{}: normal images with the highest scores", model_title(model)),
                };
                let style = bold(TEXT, model_colour(model), HPos::Left, VPos::Center);
                area.draw_text(&title, &style, (left, top + 24))?;
                let shown = images.iter().filter(|image| image.model == *model && image.group == *group);
                for (column, image) in shown.enumerate() {
                    let x = left + column as i32 * cell;
                    let style = text(25, FAINT, HPos::Center, VPos::Center);
                    let above = format!("{}: {:.1}", image.label, image.score);
                    area.draw_text(&above, &style, (x + SCALE * SIDE / 2, top + 66))?;
                    let y = |row: i32| top + 86 + row * cell;
                    overlay.image((x, y(0)), &sprite(&[&image.input], 1, 0)?, SCALE as u32)?;
                    overlay.image((x, y(1)), &sprite(&[&image.output], 1, 0)?, SCALE as u32)?;
                    let difference = |(a, b): (&u8, &u8)| i16::from(*b) - i16::from(*a);
                    let residual: Vec<i16> = image.input.iter().zip(&image.output).map(difference).collect();
                    overlay.image((x, y(2)), &tile(&[&residual], 1, 0, diverging)?, SCALE as u32)?;
                }
            }
            for (row, name) in ["input", "output", "residual"].into_iter().enumerate() {
                let at = (156, top + 86 + row as i32 * cell + SCALE * SIDE / 2);
                area.draw_text(name, &text(TEXT - 4, INK, HPos::Right, VPos::Center), at)?;
            }
        }
        Ok(())
    })?;
    let caption =
        "Class and score stand above each image. Residual: output minus input in grey levels, red where the model adds ink, \
         blue where it takes ink away, white where both agree; the strength of a colour is the square root of the difference, so that \
         small ones are seen."
            .to_owned();
    Ok(Parts { svg, caption, alt: label.to_owned(), data: None })
}

/// The colours of `differences` from left to right, `wide` pixels in all.
fn strip(differences: &[i16], wide: i32) -> Drawn<Pixmap> {
    const HIGH: u32 = 24;
    let mut map = pixmap(wide as u32, HIGH)?;
    let row: Vec<_> = (0..wide as usize)
        .map(|x| diverging(differences[x * differences.len() / wide as usize]))
        .map(|[r, g, b]| ColorU8::from_rgba(r, g, b, 255).premultiply())
        .collect();
    map.pixels_mut().chunks_exact_mut(row.len()).for_each(|pixels| pixels.copy_from_slice(&row));
    Ok(map)
}

/// White at 0, red above, blue below (the ends of ColorBrewer's RdBu, which all kinds of colour vision tell apart).
fn diverging(difference: i16) -> [u8; 3] {
    let end = if difference > 0 { [178, 24, 43] } else { [33, 102, 172] };
    let share = (f64::from(difference.abs()) / 255.0).min(1.0).sqrt();
    end.map(|channel: u8| (255.0 + (f64::from(channel) - 255.0) * share).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residuals_are_white_where_nothing_differs() {
        assert_eq!(diverging(0), [255; 3]);
        assert_eq!([diverging(255), diverging(-255)], [[178, 24, 43], [33, 102, 172]]);
        assert!(diverging(40)[0] > diverging(40)[2] && diverging(-40)[2] > diverging(-40)[0]);
    }
}
