//! Columns by name: which of them a flag means, and which a fit is to use.

use std::collections::HashMap;

use anyhow::{Result, bail};

use super::cut;
use crate::args::FitArgs;
use crate::exit::usage;

/// A column that is to be used, and whether its values are categories.
pub(crate) struct Chosen {
    pub(crate) at: usize,
    pub(crate) is_categorical: bool,
}

/// The columns of a file that the flags of a fit leave.
pub(crate) fn choose(file: &str, names: &[String], args: &FitArgs) -> Result<Vec<Chosen>> {
    let mut chosen = all(file, names, "columns", &args.columns)?;
    if args.columns.is_empty() {
        chosen = (0..names.len()).collect();
    }
    let mut left_out = all(file, names, "exclude", &args.exclude)?;
    if let Some(label) = &args.label {
        left_out.extend(named(file, names, "label", label)?);
    }
    let categorical = all(file, names, "categorical", &args.categorical)?;
    chosen.retain(|at| !left_out.contains(at));
    // That a file has no column is for the data to say.
    if chosen.is_empty() && !names.is_empty() {
        return usage(format!("no column of {file} is left"));
    }
    let mut seen = HashMap::new();
    for &at in &chosen {
        let name = cut(&names[at]);
        match seen.insert(&names[at], at) {
            Some(other) if other == at => return usage(format!("--columns: {name:?} is named twice")),
            Some(_) => {
                bail!("{file}: two columns are called {name:?}; rename one, or leave both out with --exclude {name:?}")
            }
            None => {}
        }
    }
    Ok(chosen.into_iter().map(|at| Chosen { at, is_categorical: categorical.contains(&at) }).collect())
}

/// The column of a name, if there is one.
pub(crate) fn find(file: &str, names: &[String], name: &str) -> Result<Option<usize>> {
    let mut places = places(names, name);
    let place = places.next();
    match places.next() {
        Some(_) => bail!("{file}: two columns are called {:?}; rename one", cut(name)),
        None => Ok(place),
    }
}

/// All columns that the values of a flag name: each a name, or several, separated by commas.
fn all(file: &str, names: &[String], flag: &str, values: &[String]) -> Result<Vec<usize>> {
    let mut found = Vec::new();
    for value in values {
        if names.contains(value) {
            found.extend(places(names, value));
            continue;
        }
        for name in value.split(',') {
            found.extend(named(file, names, flag, name.trim())?);
        }
    }
    Ok(found)
}

/// The columns of a name, of which there must be one.
fn named<'a>(file: &str, names: &'a [String], flag: &str, name: &'a str) -> Result<impl Iterator<Item = usize>> {
    if places(names, name).next().is_none() {
        return unknown(file, names, flag, name);
    }
    Ok(places(names, name))
}

/// That there is no column that a flag names.
pub(crate) fn unknown<T>(file: &str, names: &[String], flag: &str, name: &str) -> Result<T> {
    usage(format!("--{flag}: {file} has no column {name:?}; it has {}", list(names)))
}

fn places<'a>(names: &'a [String], name: &'a str) -> impl Iterator<Item = usize> {
    names.iter().enumerate().filter(move |(_, other)| *other == name).map(|(place, _)| place)
}

/// Names for a message, not more than fit.
pub(crate) fn list(names: &[impl AsRef<str>]) -> String {
    const MOST: usize = 12;
    let more = if names.len() > MOST { format!(", ... ({} in all)", names.len()) } else { String::new() };
    let shown = names.iter().take(MOST).map(|name| format!("{:?}", cut(name.as_ref())));
    shown.collect::<Vec<_>>().join(", ") + &more
}
