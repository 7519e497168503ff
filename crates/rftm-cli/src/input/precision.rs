use std::io::{self, Write};

/// Fewer values than this, and a column is all but constant.
const FEW: f64 = 1000.0;

/// Whether the numbers of a column, which become numbers of 32 bits, can still be told apart: of time stamps in seconds
/// only every 128th can.
#[derive(Debug, Clone, Default)]
pub(crate) struct Precision {
    /// Smallest and largest.
    range: Option<(f64, f64)>,
    rounded: bool,
}

impl Precision {
    /// Takes the text of a cell into account; a number or not.
    pub(crate) fn note(&mut self, cell: &[u8]) {
        let number = std::str::from_utf8(cell).ok().and_then(|text| text.parse::<f64>().ok());
        let Some(x) = number.filter(|x| x.is_finite()) else { return };
        self.rounded |= f64::from(x as f32) != x;
        let (low, high) = self.range.unwrap_or((x, x));
        self.range = Some((low.min(x), high.max(x)));
    }

    /// About how many values are left, if that is worth a word.
    fn left(&self) -> Option<f64> {
        let (low, high) = self.range.filter(|(low, high)| self.rounded && low < high)?;
        let size = low.abs().max(high.abs()) as f32;
        let left = (high - low) / (f64::from(size) - f64::from(size.next_down())) + 1.0;
        (left < FEW).then_some(left)
    }

    /// Says so on standard error.
    pub(crate) fn warn(&self, name: &str) {
        let Some(left) = self.left() else { return };
        // If standard error is closed, nobody wants to know.
        let _ = writeln!(
            io::stderr(),
            "rftm: column {name:?}: 32 bits tell only about {left:.0} of its values apart; subtract its smallest value, or \
             leave it out with --exclude"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_far_from_zero_lose_their_values() {
        let left = |cells: &[&str]| {
            let mut precision = Precision::default();
            cells.iter().for_each(|cell| precision.note(cell.as_bytes()));
            precision.left().map(f64::round)
        };
        assert_eq!(left(&["1700000000", "1700001280", "text", ""]), None, "all kept exactly");
        assert_eq!(left(&["1700000000", "1700001281", "text", ""]), Some(11.0));
        assert_eq!(left(&["0.1", "0.2"]), None);
        assert_eq!(left(&["1700000001"; 2]), None, "constant");
        assert_eq!(left(&["-1000000.1", "-1000000.9"]), Some(14.0));
        assert_eq!(left(&[]), None);
    }
}
