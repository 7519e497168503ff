//! Which cells a run consists of: definitions, narrowed by what the user chose, split into shards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use rftm_data::DatasetId;
use rftm_models::{Convention, ModelKind};

use crate::arm::Arm;
use crate::cell::{Cell, Key};
use crate::definition::{Catalogue, Definition, Reading, Variant};
use crate::error::{Error, Result};
use crate::estimate;
use crate::protocol::DatasetProtocol;
use crate::render::numbered;
use crate::spec;

/// What the command line asks for; an empty list means "all the definition has". Lists narrow a definition; of a look
/// they may also name what it does not list.
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
    /// Another padding of convolutional models than the protocol's.
    pub padding: Option<usize>,
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
}

impl Plan {
    /// The cells that `selection` picks from the catalogue.
    ///
    /// # Errors
    /// [`Error::Selection`] naming the flag whose value selects nothing, with what is allowed. A shard may be empty.
    pub fn new(catalogue: &Catalogue, selection: &Selection) -> Result<Self> {
        let definitions = chosen_definitions(catalogue, selection)?;
        check_listed("--dataset", &selection.datasets, &definitions, |definition| &definition.datasets)?;
        check_seeds(catalogue, selection)?;
        // Of a look anything may be chosen.
        if !definitions.iter().any(|definition| definition.is_look()) {
            check_listed("--seed", &selection.seeds, &definitions, |definition| &definition.seeds)?;
            check_listed("--model", &selection.models, &definitions, |definition| &definition.models)?;
        }
        check_classes(catalogue, &definitions, selection)?;
        check_padding(catalogue, &definitions, selection)?;
        let (mut cells, mut seen) = (Vec::new(), BTreeSet::new());
        for definition in definitions {
            let variants = variants(catalogue, definition, selection);
            let seeds = among(&selection.seeds, &definition.seeds, definition);
            let models = among(&selection.models, &definition.models, definition);
            for dataset in chosen_datasets(catalogue, definition, selection) {
                let classes = chosen_classes(dataset, definition, selection);
                let choices = seeds.iter().flat_map(|seed| classes.iter().map(move |class| (*seed, *class)));
                let choices = choices.flat_map(|choice| models.iter().map(move |kind| (choice, *kind)));
                for ((seed, class), kind) in choices {
                    for &variant in &variants {
                        let cell = catalogue.cell(dataset, class, kind, seed, variant);
                        let key = cell.key();
                        if seen.insert(key.clone()) {
                            cells.push((key, cell));
                        }
                    }
                }
            }
        }
        if cells.is_empty() {
            let message = "none of these has all that is chosen beside it; choose less at once".to_owned();
            return reject("--only", list(&selection.definitions), message);
        }
        if let Some(shard) = selection.shard {
            cells = part(cells, shard, |cell| estimate::assumed_seconds(&catalogue.protocol, cell));
        }
        Ok(Self { cells })
    }
}

/// The readings and arms of `definition`, with what `selection` says instead.
fn variants(catalogue: &Catalogue, definition: &Definition, selection: &Selection) -> Vec<Variant> {
    let usual = catalogue.variant(definition);
    // An untrained network stays one, whatever the limit.
    let max_epochs = selection.max_epochs.filter(|_| usual.max_epochs > 0).unwrap_or(usual.max_epochs);
    let variant = |reading: &Reading, arm: &Arm| Variant {
        convention: selection.convention.or(reading.convention).unwrap_or(usual.convention),
        forget_at_inference: selection.forget_at_inference || reading.forget_at_inference,
        padding: selection.padding.or(reading.padding),
        max_epochs,
        arm: *arm,
    };
    definition
        .readings
        .iter()
        .flat_map(|reading| definition.arms.iter().map(move |arm| variant(reading, arm)))
        .collect()
}

/// What is chosen of what a definition has; of a look anything may be chosen.
fn among<T: PartialEq + Copy>(chosen: &[T], all: &[T], definition: &Definition) -> Vec<T> {
    match chosen {
        [] => all.to_vec(),
        _ => chosen.iter().copied().filter(|one| definition.is_look() || all.contains(one)).collect(),
    }
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

/// Rejects what no definition has in the list that `of` gives.
fn check_listed<T: fmt::Display + Ord>(
    flag: &'static str,
    chosen: &[T],
    definitions: &[&Definition],
    of: fn(&Definition) -> &[T],
) -> Result<()> {
    let listed: BTreeSet<&T> = definitions.iter().flat_map(|definition| of(definition)).collect();
    match chosen.iter().find(|one| !listed.contains(one)) {
        Some(one) => {
            let names = list(definitions.iter().map(|definition| &definition.id));
            reject(flag, one, format!("{names} has {}", list(listed)))
        }
        None => Ok(()),
    }
}

fn check_seeds(catalogue: &Catalogue, selection: &Selection) -> Result<()> {
    let protocol = &catalogue.protocol.seeds;
    match selection.seeds.iter().find(|seed| !protocol.contains(seed)) {
        Some(seed) => reject("--seed", seed, format!("the protocol has {}", list(protocol))),
        None => Ok(()),
    }
}

fn check_padding(catalogue: &Catalogue, definitions: &[&Definition], selection: &Selection) -> Result<()> {
    let mut datasets = definitions.iter().flat_map(|d| chosen_datasets(catalogue, d, selection));
    match selection.padding {
        Some(padding) if !datasets.any(|dataset| spec::padding(&dataset.architecture).is_some()) => {
            reject("--padding", padding, "only models for cifar-10 are convolutional".to_owned())
        }
        _ => Ok(()),
    }
}

/// The label of the class that `text` names in `dataset`, by number or, ignoring case, by name.
fn find_class(dataset: &DatasetProtocol, text: &str) -> Option<u8> {
    let by_number = text.parse().ok().filter(|&label: &usize| label < dataset.classes.len());
    let label = by_number.or_else(|| dataset.classes.iter().position(|name| name.eq_ignore_ascii_case(text)))?;
    u8::try_from(label).ok()
}

/// The classes that may be chosen: those of the definition, of a look all that the data set has.
fn offered_classes(dataset: &DatasetProtocol, definition: &Definition) -> Vec<u8> {
    if definition.is_look() {
        (0..).zip(&dataset.classes).map(|(label, _)| label).collect()
    } else {
        definition.classes(dataset.id).to_vec()
    }
}

fn chosen_classes(dataset: &DatasetProtocol, definition: &Definition, selection: &Selection) -> Vec<u8> {
    if selection.classes.is_empty() {
        return definition.classes(dataset.id).to_vec();
    }
    let offered = offered_classes(dataset, definition);
    let chosen = selection.classes.iter().filter_map(|text| find_class(dataset, text));
    chosen.filter(|class| offered.contains(class)).collect()
}

fn check_classes(catalogue: &Catalogue, definitions: &[&Definition], selection: &Selection) -> Result<()> {
    let mut offered: BTreeMap<DatasetId, (&DatasetProtocol, BTreeSet<u8>)> = BTreeMap::new();
    for definition in definitions {
        for dataset in chosen_datasets(catalogue, definition, selection) {
            let classes = &mut offered.entry(dataset.id).or_insert_with(|| (dataset, BTreeSet::new())).1;
            classes.extend(offered_classes(dataset, definition));
        }
    }
    let knows = |(dataset, classes): &(&DatasetProtocol, BTreeSet<u8>), text: &str| {
        find_class(dataset, text).is_some_and(|label| classes.contains(&label))
    };
    match selection.classes.iter().find(|text| !offered.values().any(|one| knows(one, text))) {
        Some(text) => {
            let all = offered
                .values()
                .map(|(dataset, classes)| format!("{}: {}", dataset.id, some_classes(dataset, classes)));
            let all = all.collect::<Vec<_>>().join("; ");
            reject("--class", text, format!("a class is a number or a name; {all}"))
        }
        None => Ok(()),
    }
}

fn some_classes(dataset: &DatasetProtocol, classes: &BTreeSet<u8>) -> String {
    let some = (0..).zip(&dataset.classes).filter(|(label, _)| classes.contains(label));
    list(some.map(|(label, name)| numbered(label, name)))
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
