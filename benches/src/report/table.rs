//! Markdown tables of numbers.

use std::fmt::{self, Write as _};

/// A table whose first column is text and whose others are numbers.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    pub(crate) fn row<S: Into<String>>(&mut self, row: impl IntoIterator<Item = S>) {
        self.rows.push(row.into_iter().map(Into::into).collect());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |", self.header.join(" | "))?;
        f.write_str("|---|")?;
        self.header.iter().skip(1).try_for_each(|_| f.write_str("--:|"))?;
        f.write_char('\n')?;
        self.rows.iter().try_for_each(|row| writeln!(f, "| {} |", row.join(" | ")))
    }
}

/// Three significant digits, or a dash.
pub(crate) fn number(value: Option<f64>) -> String {
    match value {
        Some(value) if value.is_finite() => match value.abs() {
            0.0 => "0".to_owned(),
            size if size >= 99.95 => format!("{value:.0}"),
            size if size >= 9.995 => format!("{value:.1}"),
            size if size >= 0.9995 => format!("{value:.2}"),
            size if size >= 0.0995 => format!("{value:.3}"),
            _ => format!("{value:.4}"),
        },
        _ => "-".to_owned(),
    }
}

/// How many times as large, or a dash.
pub(super) fn ratio(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(|| "-".to_owned(), |value| format!("{value:.2}x"))
}

/// A share in per cent, or a dash.
pub(super) fn percent(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(|| "-".to_owned(), |value| format!("{:.0} %", 100.0 * value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (1234.56, "1235"),
            (99.96, "100"),
            (99.94, "99.9"),
            (9.996, "10.0"),
            (2.345, "2.35"),
            (0.9996, "1.00"),
            (0.25, "0.250"),
            (0.0123, "0.0123"),
        ] {
            assert_eq!(number(Some(value)), expected);
        }
        assert_eq!([number(None), ratio(Some(f64::NAN)), percent(None)], ["-", "-", "-"]);
        assert_eq!([ratio(Some(1.5)), percent(Some(0.755))], ["1.50x", "76 %"]);
    }

    #[test]
    fn markdown() {
        let mut table = Table::new(["case", "ms"]);
        assert!(table.is_empty());
        table.row(["a", "1"]);
        assert_eq!(table.to_string(), "| case | ms |\n|---|--:|\n| a | 1 |\n");
    }
}
