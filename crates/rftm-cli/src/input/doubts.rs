//! What is suspicious of a column of numbers.

/// Fewer values than this, and a column is all but constant.
const FEW: f64 = 1000.0;

/// In so few rows a column may grow by chance.
const ROWS: usize = 20;

/// Whether the numbers of a column, which become numbers of 32 bits, can still be told apart (of time stamps in seconds
/// only every 128th can), and whether they do no more than count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doubts {
    /// Smallest and largest.
    range: Option<(f64, f64)>,
    rounded: bool,
    rows: usize,
    /// The last, and whether one was not whole, or not above the one before.
    last: Option<f64>,
    varied: bool,
}

impl Doubts {
    /// Takes the text of a cell into account; a number or not.
    pub(crate) fn note(&mut self, cell: &[u8]) {
        let number = std::str::from_utf8(cell).ok().and_then(|text| text.parse::<f64>().ok());
        number.into_iter().for_each(|x| self.add(x));
    }

    /// Takes a number into account; one that is missing is none.
    pub(crate) fn add(&mut self, x: f64) {
        if !x.is_finite() {
            return;
        }
        self.rounded |= f64::from(x as f32) != x;
        let (low, high) = self.range.unwrap_or((x, x));
        self.range = Some((low.min(x), high.max(x)));
        self.varied |= x.fract() != 0.0 || self.last.is_some_and(|last| last >= x);
        self.last = Some(x);
        self.rows += 1;
    }

    /// Whether the numbers are whole, and each is above the one before.
    fn only_grows(&self) -> bool {
        self.rows >= ROWS && !self.varied
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
        if let Some(left) = self.left() {
            tell!(
                "column {name:?}: 32 bits tell only about {left:.0} of its values apart; subtract its smallest \
                 value, or leave it out with --exclude"
            );
        }
        if self.only_grows() {
            tell!("column {name:?} only ever grows: a row number or a time? leave it out with --exclude {name:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_far_from_zero_lose_their_values() {
        let left = |cells: &[&str]| {
            let mut doubts = Doubts::default();
            cells.iter().for_each(|cell| doubts.note(cell.as_bytes()));
            doubts.left().map(f64::round)
        };
        assert_eq!(left(&["1700000000", "1700001280", "text", ""]), None, "all kept exactly");
        assert_eq!(left(&["1700000000", "1700001281", "text", ""]), Some(11.0));
        assert_eq!(left(&["0.1", "0.2"]), None);
        assert_eq!(left(&["1700000001"; 2]), None, "constant");
        assert_eq!(left(&["-1000000.1", "-1000000.9"]), Some(14.0));
        assert_eq!(left(&[]), None);
    }
    #[test]
    fn a_column_that_counts_is_seen() {
        let only_grows = |cell: fn(u32) -> String, rows: u32| {
            let mut doubts = Doubts::default();
            (0..rows).for_each(|row| doubts.note(cell(row).as_bytes()));
            doubts.only_grows()
        };
        assert!(only_grows(|row| row.to_string(), 20));
        assert!(!only_grows(|row| row.to_string(), 19), "by chance");
        assert!(only_grows(|row| format!("{}.0", 1_700_000_000 + 7 * row * row), 99));
        assert!(only_grows(|row| if row == 5 { String::new() } else { row.to_string() }, 99), "a gap");
        assert!(!only_grows(|row| (row / 2).to_string(), 99));
        assert!(!only_grows(|row| (99 - row).to_string(), 99));
        assert!(!only_grows(|row| format!("{row}.5"), 99));
    }
}
