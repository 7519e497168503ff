//! Data to play with: drawn from named random streams, so the same on every machine.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context, Result};
use image::{ImageFormat, Rgb, RgbImage};
use rand::Rng;
use rftm_rng::rng;

use crate::args::{Example, ExampleArgs};

pub(crate) fn run(args: &ExampleArgs) -> Result<()> {
    make(&args.out)?;
    let next = match args.kind {
        Example::Table => table(&args.out)?,
        Example::Series => series(&args.out)?,
        Example::Images => images(&args.out)?,
    };
    writeln!(io::stdout(), "{next}")?;
    Ok(())
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

fn save(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    rftm::write_atomic(&folder.join(name), |out| out.write_all(bytes))?;
    Ok(())
}

/// A pump: what it draws and how warm it gets follow from its speed and the load.
fn table(folder: &Path) -> Result<String> {
    let draw = |name: &str, rows: usize, stream: u64, odd_every: Option<usize>, labels: bool| {
        let mut random = rng(1997, "example table", stream);
        let mut text = String::from("speed,load,current,temperature,vibration,fluid");
        text.push_str(if labels { ",fault\n" } else { "\n" });
        for row in 1..=rows {
            let mut noise = |size: f64| (0..6).map(|_| random.random_range(-size..size)).sum::<f64>() / 2.0;
            let (speed, load) = (1500.0 + noise(250.0), 0.6 + noise(0.2));
            let mut current = 4.0 + 0.004 * speed * load + noise(0.1);
            let mut temperature = 35.0 + 6.0 * current + noise(0.8);
            let mut vibration = 0.2 + 0.0006 * speed + noise(0.04);
            let fault = odd_every.filter(|every| row % every == 0).map_or(0, |every| 1 + row / every % 3);
            match fault {
                1 => temperature += 14.0,
                2 => vibration *= 1.9,
                3 => current *= 0.6,
                _ => {}
            }
            let fluid = ["water", "oil"][usize::from(noise(1.0) > 0.0)];
            let _ = write!(text, "{speed:.1},{load:.3},{current:.3},{temperature:.2},{vibration:.4},{fluid}");
            let _ = if labels { writeln!(text, ",{}", u8::from(fault > 0)) } else { writeln!(text) };
        }
        save(folder, name, text.as_bytes())
    };
    draw("train.csv", 2000, 0, None, false)?;
    draw("new.csv", 200, 1, Some(50), false)?;
    draw("test.csv", 1000, 2, Some(20), true)?;
    let at = folder.display();
    Ok(format!(
        "{at}/train.csv  2000 rows of a pump that works\n{at}/new.csv    200 rows; 50, 100, 150 and 200 have a fault\n\
         {at}/test.csv   1000 rows with a column of labels, fault\n\
         next: rftm fit {at}/train.csv -o m.rftm --categorical fluid"
    ))
}

/// Two sensors of a machine that repeats itself.
fn series(folder: &Path) -> Result<String> {
    let draw = |name: &str, rows: usize, stream: u64, odd: bool| {
        let mut random = rng(1997, "example series", stream);
        let mut text = String::from("time,pressure,flow\n");
        for row in 1..=rows {
            let mut noise = || random.random_range(-0.05..0.05_f64);
            let phase = std::f64::consts::TAU * row as f64 / 24.0;
            let mut pressure = 5.0 + phase.sin() + 0.3 * (2.0 * phase).sin() + noise();
            let mut flow = 2.0 + 0.5 * (phase - 0.8).sin() + noise();
            if odd && (300..312).contains(&row) {
                // A valve that sticks: every value is one that occurs, but not here.
                flow = 2.0 + noise();
            }
            if odd && row == 600 {
                pressure += 1.5;
            }
            let _ = writeln!(
                text,
                "2026-01-01T{:02}:{:02}:{:02},{pressure:.4},{flow:.4}",
                row / 3600,
                row / 60 % 60,
                row % 60
            );
        }
        save(folder, name, text.as_bytes())
    };
    draw("train.csv", 3000, 0, false)?;
    draw("new.csv", 1000, 1, true)?;
    let at = folder.display();
    Ok(format!(
        "{at}/train.csv  3000 seconds of two sensors\n{at}/new.csv    1000 seconds; the flow is stuck from row 300 to 311, \
         a spike in row 600\nnext: rftm fit {at}/train.csv -o m.rftm --exclude time --window 24"
    ))
}

/// Woven cloth, and cloth with a hole or a stain.
fn images(folder: &Path) -> Result<String> {
    const SIDE: u32 = 32;
    let draw = |folder: &Path, count: u64, stream: u64, odd: bool| -> Result<()> {
        make(folder)?;
        for index in 0..count {
            let mut random = rng(1997, "example images", 1000 * stream + index);
            let (dx, dy) = (random.random_range(0..4_u32), random.random_range(0..4_u32));
            let (cx, cy) = (random.random_range(8..24_i32), random.random_range(8..24_i32));
            let image = RgbImage::from_fn(SIDE, SIDE, |x, y| {
                let thread = if ((x + dx) / 4 + (y + dy) / 4) % 2 == 0 { 150.0 } else { 90.0 };
                let light = thread + random.random_range(-8.0..8.0_f64);
                let hole = odd && (x as i32 - cx).pow(2) + (y as i32 - cy).pow(2) <= 9;
                let tint = if hole { [0.2, 0.2, 0.2] } else { [1.0, 0.9, 0.7] };
                Rgb(tint.map(|share| (share * light).round() as u8))
            });
            let mut bytes = io::Cursor::new(Vec::new());
            image.write_to(&mut bytes, ImageFormat::Png)?;
            save(folder, &format!("{index:03}.png"), bytes.get_ref())?;
        }
        Ok(())
    };
    draw(&folder.join("train"), 200, 0, false)?;
    draw(&folder.join("test/good"), 40, 1, false)?;
    draw(&folder.join("test/hole"), 20, 2, true)?;
    let at = folder.display();
    Ok(format!(
        "{at}/train      200 pictures of cloth, 32x32\n{at}/test/good  40 more\n{at}/test/hole  20 with a hole\n\
         next: rftm fit {at}/train -o m.rftm"
    ))
}
