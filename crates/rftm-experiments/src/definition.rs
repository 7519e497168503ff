//! Experiments as data: TOML files, built into the program.

use rftm_data::{DatasetId, Manifest};
use rftm_models::{Convention, ModelKind, TrainConfig};
use serde::Deserialize;

use crate::cell::{Cell, REVISION};
use crate::error::{Error, Result};
use crate::paper::Paper;
use crate::protocol::{DatasetProtocol, Protocol};
use crate::spec;

const PROTOCOL: &str = include_str!("../definitions/protocol.toml");
const DEFINITIONS: [(&str, &str); 2] =
    [("table1", include_str!("../definitions/table1.toml")), ("look", include_str!("../definitions/look.toml"))];

/// One experiment: a table of the paper, or a smaller look at one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The name that `--only` takes and that its files bear.
    pub id: String,
    /// The title above its tables.
    pub title: String,
    /// Whether the paper's Table 1 stands beside our numbers.
    pub paper: bool,
    /// The data sets, in the order of the tables.
    pub datasets: Vec<DatasetId>,
    /// The classes that are the anomaly.
    pub classes: Vec<u8>,
    /// The models.
    pub models: Vec<ModelKind>,
    /// The seeds of a table cell.
    pub seeds: Vec<u64>,
    /// The most epochs, where that is fewer than the protocol's.
    pub max_epochs: Option<usize>,
    /// What to make of the numbers.
    pub analysis: String,
}

impl Definition {
    /// Whether it follows the paper's protocol to the end.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.max_epochs.is_none()
    }
}

/// The choices that apply to a whole run: the same definition under another variant is other cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variant {
    /// The reading of the paper's ambiguities.
    pub convention: Convention,
    /// Whether memories forget outside training, too.
    pub forget_at_inference: bool,
    /// The most epochs.
    pub max_epochs: usize,
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

    /// The variant that `definition` runs when the command line says nothing else.
    #[must_use]
    pub fn variant(&self, definition: &Definition) -> Variant {
        Variant {
            convention: self.protocol.convention,
            forget_at_inference: false,
            max_epochs: definition.max_epochs.unwrap_or(self.protocol.train.max_epochs),
        }
    }

    /// The cell of a data set, class, model and seed under `variant`.
    ///
    /// # Errors
    /// [`Error::NotBuilt`] if this version cannot build the model for the data set.
    pub fn cell(
        &self,
        dataset: &DatasetProtocol,
        class: u8,
        kind: ModelKind,
        seed: u64,
        variant: Variant,
    ) -> Result<Cell> {
        let train = &self.protocol.train;
        Ok(Cell {
            revision: REVISION,
            dataset: dataset.id,
            data_checksum: dataset.checksum.clone(),
            split_seed: self.protocol.split_seed,
            class,
            convention: variant.convention,
            model: spec::build(dataset, kind, variant)?,
            train: TrainConfig {
                seed,
                batch_size: train.batch_size,
                learning_rate: train.learning_rate,
                patience: train.patience,
                max_epochs: variant.max_epochs,
            },
        })
    }

    fn check(&self) -> Result<()> {
        for definition in &self.definitions {
            let wrong = |message: String| Err(Error::Definition { name: definition.id.clone(), message });
            for &id in &definition.datasets {
                let Some(dataset) = self.protocol.dataset(id) else {
                    return wrong(format!("data set {id} is not in protocol.toml"));
                };
                if let Some(class) =
                    definition.classes.iter().find(|&&class| usize::from(class) >= dataset.classes.len())
                {
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
