//! Experiments as data: TOML files, built into the program.

use std::collections::BTreeMap;

use rftm_data::{DatasetId, Manifest};
use rftm_models::{Convention, ModelKind};
use serde::Deserialize;

use crate::arm::Arm;
use crate::cell::{Cell, REVISION};
use crate::error::{Error, Result};
use crate::paper::Paper;
use crate::protocol::{DatasetProtocol, Protocol};
use crate::spec;

const PROTOCOL: &str = include_str!("../definitions/protocol.toml");
const DEFINITIONS: [(&str, &str); 7] = [
    ("table1", include_str!("../definitions/table1.toml")),
    ("table2", include_str!("../definitions/table2.toml")),
    ("untrained", include_str!("../definitions/untrained.toml")),
    ("evidence", include_str!("../definitions/evidence.toml")),
    ("memae-settings", include_str!("../definitions/memae-settings.toml")),
    ("mnad-settings", include_str!("../definitions/mnad-settings.toml")),
    ("look", include_str!("../definitions/look.toml")),
];

/// One experiment: a table of the paper, or a smaller look at one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The name that `--only` takes and that its files bear.
    pub id: String,
    /// The title above its tables.
    pub title: String,
    /// What its tables look like.
    #[serde(default)]
    pub layout: Layout,
    /// Whether the paper's numbers stand beside ours.
    pub paper: bool,
    /// Whether `--full` runs it, with the paper's other tables.
    pub full: bool,
    /// The data sets, in the order of the tables.
    pub datasets: Vec<DatasetId>,
    /// The classes that are the anomaly.
    pub classes: Classes,
    /// The models.
    pub models: Vec<ModelKind>,
    /// The arms of an ablation; the whole model otherwise.
    #[serde(default = "whole")]
    pub arms: Vec<Arm>,
    /// The readings of the paper to run; the protocol's otherwise.
    #[serde(default = "usual")]
    pub readings: Vec<Reading>,
    /// The seeds of a table cell.
    pub seeds: Vec<u64>,
    /// The most epochs, where that is fewer than the protocol's; 0 scores untrained networks.
    pub max_epochs: Option<usize>,
    /// What to make of the numbers.
    pub analysis: String,
}

/// What the tables of a definition look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Classes and models: paper, ours, difference.
    #[default]
    Models,
    /// Classes and arms: what switching a part off costs.
    Ablation,
    /// Classes and models: untrained, trained, difference.
    Untrained,
    /// Cells and readings: which reading is nearest to the paper.
    Evidence,
}

/// The anomalous classes of a definition.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Classes {
    /// The same for all data sets.
    Same(Vec<u8>),
    /// By data set.
    Each(BTreeMap<DatasetId, Vec<u8>>),
}

/// One reading of what the paper leaves open; what is not said is as in the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// The convention.
    pub convention: Option<Convention>,
    /// Whether memories forget outside training, too.
    #[serde(default)]
    pub forget_at_inference: bool,
    /// The padding of convolutional models.
    pub padding: Option<usize>,
}

fn whole() -> Vec<Arm> {
    vec![Arm::Full]
}

fn usual() -> Vec<Reading> {
    vec![Reading::default()]
}

impl Definition {
    /// Whether it is a smaller look, for which the user may choose other classes, models and seeds than it lists.
    #[must_use]
    pub fn is_look(&self) -> bool {
        self.max_epochs.is_some_and(|epochs| epochs > 0)
    }

    /// The classes that are the anomaly in `dataset`.
    #[must_use]
    pub fn classes(&self, dataset: DatasetId) -> &[u8] {
        match &self.classes {
            Classes::Same(classes) => classes,
            Classes::Each(classes) => classes.get(&dataset).map_or(&[], Vec::as_slice),
        }
    }
}

/// The choices that apply to a whole run: the same definition under another variant is other cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variant {
    /// The reading of the paper's ambiguities.
    pub convention: Convention,
    /// Whether memories forget outside training, too.
    pub forget_at_inference: bool,
    /// The most epochs; 0 scores an untrained network.
    pub max_epochs: usize,
    /// The padding of a convolutional model; none: the protocol's.
    pub padding: Option<usize>,
    /// Which parts of RFTM are on.
    pub arm: Arm,
}

/// All that is built in.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// What all definitions share.
    pub protocol: Protocol,
    /// The definitions.
    pub definitions: Vec<Definition>,
    /// The paper's numbers.
    pub paper: Paper,
}

impl Catalogue {
    /// Parses what is built in.
    ///
    /// # Errors
    /// [`Error::Definition`] if the built-in files do not hold together; the tests of this crate rule that out.
    pub fn builtin() -> Result<Self> {
        let mut protocol: Protocol = parse("protocol", PROTOCOL)?;
        let manifest = Manifest::built_in()?;
        for dataset in &mut protocol.datasets {
            // Glyphs have no files, so no entry: they are the ten digits.
            dataset.classes = match manifest.get(dataset.id) {
                Some(set) => set.classes.clone(),
                None => (0..10).map(|digit| digit.to_string()).collect(),
            };
        }
        let definitions = DEFINITIONS.iter().map(|(name, text)| parse(name, text)).collect::<Result<Vec<_>>>()?;
        let catalogue = Self { protocol, definitions, paper: Paper::builtin()? };
        catalogue.check()?;
        Ok(catalogue)
    }

    /// The definition called `id`.
    #[must_use]
    pub fn definition(&self, id: &str) -> Option<&Definition> {
        self.definitions.iter().find(|definition| definition.id == id)
    }

    /// The whole model in the protocol's reading, trained for as long as `definition` says.
    #[must_use]
    pub fn variant(&self, definition: &Definition) -> Variant {
        Variant {
            convention: self.protocol.convention,
            forget_at_inference: false,
            max_epochs: definition.max_epochs.unwrap_or(self.protocol.train.max_epochs),
            padding: None,
            arm: Arm::Full,
        }
    }

    /// `variant` as cells of `dataset` show it: with the padding, where its models are convolutional.
    pub(crate) fn shown(dataset: &DatasetProtocol, variant: Variant) -> Variant {
        let usual = spec::padding(&dataset.architecture);
        Variant { padding: usual.map(|usual| variant.padding.unwrap_or(usual)), ..variant }
    }

    /// The cell of a data set, class, model and seed under `variant`.
    #[must_use]
    pub fn cell(&self, dataset: &DatasetProtocol, class: u8, kind: ModelKind, seed: u64, variant: Variant) -> Cell {
        Cell {
            revision: REVISION,
            dataset: dataset.id,
            data_checksum: dataset.checksum.clone(),
            split_seed: self.protocol.split_seed,
            class,
            convention: variant.convention,
            model: spec::build(dataset, kind, variant),
            train: self.protocol.train.config(seed, variant.max_epochs),
        }
    }

    fn check(&self) -> Result<()> {
        for definition in &self.definitions {
            let wrong = |message: String| Err(Error::Definition { name: definition.id.clone(), message });
            for &id in &definition.datasets {
                let Some(dataset) = self.protocol.dataset(id) else {
                    return wrong(format!("data set {id} is not in protocol.toml"));
                };
                let classes = definition.classes(id);
                if classes.is_empty() {
                    return wrong(format!("{id} has no classes"));
                }
                if let Some(class) = classes.iter().find(|&&class| usize::from(class) >= dataset.classes.len()) {
                    return wrong(format!("{id} has no class {class}"));
                }
                if let Some(kind) = definition.models.iter().find(|kind| !dataset.step_gflop.contains_key(kind)) {
                    return wrong(format!("{id} has no step_gflop for {kind}"));
                }
            }
            if let Some(seed) = definition.seeds.iter().find(|seed| !self.protocol.seeds.contains(seed)) {
                return wrong(format!("seed {seed} is not among the protocol's"));
            }
        }
        Ok(())
    }
}

fn parse<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| Error::Definition { name: name.to_owned(), message: error.to_string() })
}
