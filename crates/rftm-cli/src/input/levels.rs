//! Categories and their numbers.

use std::collections::HashMap;

use rftm::Column;

/// The categories of a column.
#[derive(Default)]
pub(crate) struct Levels {
    pub(crate) names: Vec<String>,
    numbers: HashMap<String, f32>,
    /// Whether a new category is added to them.
    grow: bool,
}

impl Levels {
    /// Those of a model.
    pub(crate) fn fixed(names: &[String]) -> Self {
        let mut levels = Self::growing();
        names.iter().for_each(|name| levels.add(name));
        Self { grow: false, ..levels }
    }

    /// None yet.
    pub(crate) fn growing() -> Self {
        Self { grow: true, ..Self::default() }
    }

    fn add(&mut self, name: &str) {
        self.numbers.insert(name.to_owned(), self.names.len() as f32);
        self.names.push(name.to_owned());
    }

    pub(crate) fn number(&mut self, cell: &str) -> f32 {
        if let Some(&number) = self.numbers.get(cell) {
            return number;
        }
        if let Some(&number) = respelled(cell).and_then(|other| self.numbers.get(&other)) {
            return number;
        }
        if !self.grow {
            return Column::UNSEEN;
        }
        self.add(cell);
        (self.names.len() - 1) as f32
    }
}

/// A whole number as it is written elsewhere: pandas makes every 1 of a column 1.0 when one cell is empty.
fn respelled(cell: &str) -> Option<String> {
    let is_whole = |text: &str| text.parse::<i64>().is_ok();
    match cell.strip_suffix(".0") {
        Some(whole) => is_whole(whole).then(|| whole.to_owned()),
        None => is_whole(cell).then(|| format!("{cell}.0")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_the_same_category_in_either_spelling() {
        let mut levels = Levels::fixed(&["1".into(), "2.0".into(), "a.0".into(), "3".into(), "3.0".into()]);
        let known = ["1", "1.0", "2", "2.0", "a.0", "3", "3.0"].map(|cell| levels.number(cell));
        assert_eq!(known, [0.0, 0.0, 1.0, 1.0, 2.0, 3.0, 4.0]);
        for unseen in ["a", "01", "1.00", "1.5", "-1", ".0", ""] {
            assert_eq!(levels.number(unseen), Column::UNSEEN, "{unseen:?}");
        }
        let mut levels = Levels::growing();
        assert_eq!(["7", "x", "7.0", "x.0"].map(|cell| levels.number(cell)), [0.0, 1.0, 0.0, 2.0]);
    }
}
