//! Which cells a run consists of: definitions, narrowed by what the user chose, split into shards.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use rftm_data::DatasetId;
use rftm_models::{Convention, ModelKind};

use crate::cell::{Cell, Key};
use crate::definition::{Catalogue, Definition, Variant};
use crate::error::{Error, Result};
use crate::estimate;
use crate::protocol::DatasetProtocol;
use crate::spec;

/// What the command line asks for; an empty list means "all the definition has".
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Ids of definitions (`--only`).
    pub definitions: Vec<String>,
    /// Data sets.
    pub datasets: Vec<DatasetId>,
    /// Anomalous classes, by number or name.
    pub classes: Vec<String>,
    /// Models.
    pub models: Vec<ModelKind>,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Another convention than the protocol's.
    pub convention: Option<Convention>,
    /// Whether memories forget outside training, too.
    pub forget_at_inference: bool,
    /// Another epoch limit than the definition's.
    pub max_epochs: Option<usize>,
    /// One of several parts of the run.
    pub shard: Option<Shard>,
}

/// Part `index` of `count`, counted from 1; reads "2/8".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// Part `index` of `count`, counted from 1.
    #[must_use]
    pub fn new(index: usize, count: usize) -> Option<Self> {
        (1..=count).contains(&index).then_some(Self { index, count })
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.trim().parse().ok()?, n.trim().parse().ok()?)));
        parts
            .and_then(|(index, count)| Self::new(index, count))
            .ok_or_else(|| "a shard is I/N with I from 1 to N, for example 2/8".to_owned())
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// The cells of a run, each once, in the order they are to run in.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The cells with their keys.
    pub cells: Vec<(Key, Cell)>,
    /// What was left out and why, for the user.
    pub notes: Vec<String>,
}

impl Plan {
    /// The cells that `selection` picks from the catalogue.
    ///
    /// # Errors
    /// [`Error::Selection`] naming the flag whose value selects nothing, with what is allowed.
    pub fn new(catalogue: &Catalogue, selection: &Selection) -> Result<Self> {
        let definitions = chosen_definitions(catalogue, selection)?;
        check_datasets(&definitions, selection)?;
        check_seeds(catalogue, selection)?;
        check_classes(catalogue, &definitions, selection)?;
        let (mut cells, mut seen, mut missing) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for definition in definitions {
            let variant = variant(catalogue, definition, selection);
            let seeds = or_all(&selection.seeds, &definition.seeds);
            let models = or_all(&selection.models, &definition.models);
            for dataset in chosen_datasets(catalogue, definition, selection) {
                let classes = chosen_classes(dataset, definition, selection);
                for &seed in seeds {
                    for &class in &classes {
                        for &kind in models {
                            if !spec::is_built(dataset, kind) {
                                missing.insert((dataset.id, kind));
                                continue;
                            }
                            let cell = catalogue.cell(dataset, class, kind, seed, variant)?;
                            let key = cell.key();
                            if seen.insert(key.clone()) {
                                cells.push((key, cell));
                            }
                        }
                    }
                }
            }
        }
        check_built(catalogue, selection, &missing)?;
        let left_out = list(missing.iter().map(|(id, kind)| format!("{kind} on {id}")));
        let notes =
            if missing.is_empty() { Vec::new() } else { vec![format!("not built yet and left out: {left_out}")] };
        if let Some(shard) = selection.shard {
            cells = part(cells, shard, |cell| estimate::assumed_seconds(&catalogue.protocol, cell));
        }
        Ok(Self { cells, notes })
    }
}

/// The variant of `definition` that `selection` asks for.
#[must_use]
pub(crate) fn variant(catalogue: &Catalogue, definition: &Definition, selection: &Selection) -> Variant {
    let usual = catalogue.variant(definition);
    Variant {
        convention: selection.convention.unwrap_or(usual.convention),
        forget_at_inference: selection.forget_at_inference,
        max_epochs: selection.max_epochs.unwrap_or(usual.max_epochs),
    }
}

fn or_all<'a, T>(chosen: &'a [T], all: &'a [T]) -> &'a [T] {
    if chosen.is_empty() { all } else { chosen }
}

fn reject<T>(flag: &'static str, value: impl fmt::Display, message: String) -> Result<T> {
    Err(Error::Selection { flag, value: value.to_string(), message })
}

fn list<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

fn chosen_definitions<'a>(catalogue: &'a Catalogue, selection: &Selection) -> Result<Vec<&'a Definition>> {
    let find = |id: &String| match catalogue.definition(id) {
        Some(definition) => Ok(definition),
        None => reject("--only", id, format!("there are {}", list(catalogue.definitions.iter().map(|d| &d.id)))),
    };
    selection.definitions.iter().map(find).collect()
}

fn chosen_datasets<'a>(
    catalogue: &'a Catalogue,
    definition: &'a Definition,
    selection: &'a Selection,
) -> impl Iterator<Item = &'a DatasetProtocol> {
    let wanted = |id: &&DatasetId| selection.datasets.is_empty() || selection.datasets.contains(id);
    definition.datasets.iter().filter(wanted).filter_map(|&id| catalogue.protocol.dataset(id))
}

fn check_datasets(definitions: &[&Definition], selection: &Selection) -> Result<()> {
    let offered: BTreeSet<_> = definitions.iter().flat_map(|definition| &definition.datasets).collect();
    match selection.datasets.iter().find(|id| !offered.contains(id)) {
        Some(id) => {
            let names = list(definitions.iter().map(|definition| &definition.id));
            reject("--dataset", id, format!("{names} has {}", list(offered)))
        }
        None => Ok(()),
    }
}

fn check_seeds(catalogue: &Catalogue, selection: &Selection) -> Result<()> {
    let offered = &catalogue.protocol.seeds;
    match selection.seeds.iter().find(|seed| !offered.contains(seed)) {
        Some(seed) => reject("--seed", seed, format!("the protocol has {}", list(offered))),
        None => Ok(()),
    }
}

/// The label of the class that `text` names in `dataset`, by number or, ignoring case, by name.
fn find_class(dataset: &DatasetProtocol, text: &str) -> Option<u8> {
    let by_number = text.parse().ok().filter(|&label: &usize| label < dataset.classes.len());
    let label = by_number.or_else(|| dataset.classes.iter().position(|name| name.eq_ignore_ascii_case(text)))?;
    u8::try_from(label).ok()
}

fn chosen_classes(dataset: &DatasetProtocol, definition: &Definition, selection: &Selection) -> Vec<u8> {
    if selection.classes.is_empty() {
        return definition.classes.clone();
    }
    selection.classes.iter().filter_map(|text| find_class(dataset, text)).collect()
}

fn check_classes(catalogue: &Catalogue, definitions: &[&Definition], selection: &Selection) -> Result<()> {
    let datasets: Vec<_> = definitions.iter().flat_map(|d| chosen_datasets(catalogue, d, selection)).collect();
    let unknown = |text: &&String| datasets.iter().all(|dataset| find_class(dataset, text).is_none());
    match selection.classes.iter().find(unknown) {
        Some(text) => {
            let offered: BTreeSet<_> = datasets.iter().map(|d| format!("{}: {}", d.id, numbered(&d.classes))).collect();
            reject("--class", text, format!("a class is a number or a name; {}", Vec::from_iter(offered).join("; ")))
        }
        None => Ok(()),
    }
}

fn numbered(names: &[String]) -> String {
    let numbered = |(label, name): (usize, &String)| {
        if *name == label.to_string() { name.clone() } else { format!("{label} {name}") }
    };
    list(names.iter().enumerate().map(numbered))
}

/// What was asked for by name must not silently be left out.
fn check_built(catalogue: &Catalogue, selection: &Selection, missing: &BTreeSet<(DatasetId, ModelKind)>) -> Result<()> {
    for &(id, kind) in missing {
        let Some(dataset) = catalogue.protocol.dataset(id) else { continue };
        let built = list(ModelKind::ALL.into_iter().filter(|&kind| spec::is_built(dataset, kind)));
        if selection.models.contains(&kind) {
            return reject("--model", kind, format!("not built yet for {id}; built are: {}", or_none(&built)));
        }
        if selection.datasets.contains(&id) && built.is_empty() {
            return reject("--dataset", id, "no model for it is built yet".to_owned());
        }
    }
    Ok(())
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

/// The cells of `shard`: all cells, the longest first and by key among equals, are dealt out in turn. So a cell's shard
/// depends on the set of cells only, not on their order nor on what a ledger holds, and shards differ by less than the
/// longest cell.
fn part(cells: Vec<(Key, Cell)>, shard: Shard, seconds: impl Fn(&Cell) -> f64) -> Vec<(Key, Cell)> {
    let mut dealt: Vec<usize> = (0..cells.len()).collect();
    let cost: Vec<f64> = cells.iter().map(|(_, cell)| seconds(cell)).collect();
    dealt.sort_by(|&a, &b| cost[b].total_cmp(&cost[a]).then_with(|| cells[a].0.cmp(&cells[b].0)));
    let mine: BTreeSet<usize> = dealt.into_iter().skip(shard.index - 1).step_by(shard.count).collect();
    cells.into_iter().enumerate().filter(|(index, _)| mine.contains(index)).map(|(_, cell)| cell).collect()
}
