use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use rftm_autograd::Param;
use rftm_tensor::{Element, Shape, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use crate::{Module, Segment, Visitor};

/// All tensors of a module by name, and a note. Saved as [safetensors](https://github.com/huggingface/safetensors):
/// nothing in the file is executed when it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct StateDict<E: Element = f32> {
    /// Tensors by name, such as `0.weight`.
    pub tensors: BTreeMap<String, Tensor<E>>,
    /// Counters by name: how far a module's random streams have advanced, for example.
    pub counters: BTreeMap<String, u64>,
    /// One line or document of the owner's: a specification, a version, a position in training.
    pub note: String,
}

/// Why a state could not be saved, read, or put into a module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The file system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are not a safetensors file, or not a whole one.
    #[error("{}: not a whole safetensors file: {source}", .path.display())]
    Damaged {
        /// The file, or `memory`.
        path: PathBuf,
        /// What is wrong with it.
        source: SafeTensorError,
    },
    /// A tensor has another element type than the module.
    #[error("tensor {name} holds {found}, {expected} is needed")]
    Type {
        /// Which tensor.
        name: String,
        /// Its type in the file.
        found: String,
        /// The module's type.
        expected: &'static str,
    },
    /// A tensor of the module is not in the state, or the other way round.
    #[error("tensor {name} is {problem}")]
    Name {
        /// Which tensor.
        name: String,
        /// `missing`, or `not part of the model`.
        problem: &'static str,
    },
    /// A tensor has another shape than in the module.
    #[error("tensor {name} has shape {found}, the model needs {expected}")]
    Shape {
        /// Which tensor.
        name: String,
        /// Its shape in the state.
        found: String,
        /// Its shape in the module.
        expected: String,
    },
}

/// The key of the note in the file's metadata. Only one key, because the format keeps keys in no particular order and
/// equal states should be equal bytes.
const NOTE: &str = "rftm";

impl<E: Element> StateDict<E> {
    /// The state of a module. Tensors share the module's memory until either side writes.
    pub fn of(module: &mut (impl Module<E> + ?Sized), note: impl Into<String>) -> Self {
        let (mut tensors, mut counters) = (BTreeMap::new(), BTreeMap::new());
        module.visit(&mut Walk::new(|name: String, part: Part<'_, E>| match part {
            Part::Tensor(tensor) => drop(tensors.insert(name, tensor.clone())),
            Part::Counter(counter) => drop(counters.insert(name, *counter)),
        }));
        Self { tensors, counters, note: note.into() }
    }

    /// Puts the state into a module, which must have exactly these tensors and counters. On an error the module is
    /// unchanged.
    ///
    /// # Errors
    /// A tensor or counter that is missing or left over, or a tensor of another shape.
    pub fn apply(&self, module: &mut (impl Module<E> + ?Sized)) -> Result<(), StateError> {
        let mut unused: BTreeSet<&str> = self.tensors.keys().chain(self.counters.keys()).map(String::as_str).collect();
        let mut problem = None;
        module.visit(&mut Walk::new(|name: String, part: Part<'_, E>| {
            unused.remove(name.as_str());
            let found = match part {
                Part::Counter(_) if self.counters.contains_key(&name) => None,
                Part::Tensor(tensor) if self.tensors.contains_key(&name) => {
                    let (found, expected) = (self.tensors[&name].shape(), tensor.shape());
                    (found != expected).then(|| {
                        let (found, expected) = (found.to_string(), expected.to_string());
                        StateError::Shape { name, found, expected }
                    })
                }
                _ => Some(StateError::Name { name, problem: "missing" }),
            };
            problem = problem.take().or(found);
        }));
        let extra =
            || unused.first().map(|&name| StateError::Name { name: name.into(), problem: "not part of the model" });
        if let Some(problem) = problem.or_else(extra) {
            return Err(problem);
        }
        module.visit(&mut Walk::new(|name: String, part: Part<'_, E>| match part {
            Part::Tensor(tensor) => *tensor = self.tensors[&name].clone(),
            Part::Counter(counter) => *counter = self.counters[&name],
        }));
        Ok(())
    }

    /// The state as the bytes of a safetensors file; equal states are equal bytes.
    ///
    /// # Errors
    /// If the format cannot hold it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StateError> {
        let tensors = self
            .tensors
            .iter()
            .map(|(name, tensor)| (name, dtype::<E>(), tensor.dims().to_vec(), to_little_endian(tensor.data())));
        let counters =
            self.counters.iter().map(|(name, counter)| (name, Dtype::U64, Vec::new(), counter.to_le_bytes().to_vec()));
        let all: Vec<_> = tensors.chain(counters).collect();
        let damaged = |source| StateError::Damaged { path: PathBuf::from("memory"), source };
        let views = all
            .iter()
            .map(|(name, dtype, shape, bytes)| Ok((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes)?)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(damaged)?;
        let metadata = HashMap::from([(NOTE.to_owned(), self.note.clone())]);
        safetensors::serialize(views, Some(metadata)).map_err(damaged)
    }

    /// A state from the bytes of a safetensors file. `path` is what errors name.
    ///
    /// # Errors
    /// If the bytes are damaged or hold another element type.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, StateError> {
        let damaged = |source| StateError::Damaged { path: path.to_owned(), source };
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let note = metadata.metadata().as_ref().and_then(|notes| notes.get(NOTE)).cloned().unwrap_or_default();
        let (mut tensors, mut counters) = (BTreeMap::new(), BTreeMap::new());
        for (name, view) in file.tensors() {
            if let (Dtype::U64, [], Ok(bytes)) = (view.dtype(), view.shape(), view.data().try_into()) {
                counters.insert(name, u64::from_le_bytes(bytes));
                continue;
            }
            if view.dtype() != dtype::<E>() {
                return Err(StateError::Type {
                    name,
                    found: format!("{:?}", view.dtype()),
                    expected: type_name::<E>(),
                });
            }
            let tensor = Shape::new(view.shape())
                .and_then(|shape| Tensor::from_vec(from_little_endian(view.data()), shape))
                .map_err(|_| damaged(SafeTensorError::TensorInvalidInfo))?;
            tensors.insert(name, tensor);
        }
        Ok(Self { tensors, counters, note })
    }

    /// Saves to a file, which appears whole or not at all.
    ///
    /// # Errors
    /// If the file system refuses; what stood under the name before is then still there.
    pub fn save(&self, path: &Path) -> Result<(), StateError> {
        let bytes = self.to_bytes()?;
        let io = |source| StateError::Io { path: path.to_owned(), source };
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = path.with_file_name(name);
        let write = || -> std::io::Result<()> {
            let mut file = fs::File::create(&partial)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&partial, path)
        };
        write().map_err(|error| {
            let _ = fs::remove_file(&partial);
            io(error)
        })
    }

    /// Reads a file written by [`save`](Self::save).
    ///
    /// # Errors
    /// If it cannot be read, or is damaged.
    pub fn load(path: &Path) -> Result<Self, StateError> {
        let bytes = fs::read(path).map_err(|source| StateError::Io { path: path.to_owned(), source })?;
        Self::from_bytes(&bytes, path)
    }
}

/// Calls a function with the full name of every tensor.
struct Walk<F> {
    path: Vec<String>,
    each: F,
}

impl<F> Walk<F> {
    fn new(each: F) -> Self {
        Self { path: Vec::new(), each }
    }

    fn name(&self, last: &str) -> String {
        self.path.iter().map(String::as_str).chain([last]).collect::<Vec<_>>().join(".")
    }
}

/// What a walk meets.
enum Part<'a, E: Element> {
    Tensor(&'a mut Tensor<E>),
    Counter(&'a mut u64),
}

impl<E: Element, F: FnMut(String, Part<'_, E>)> Visitor<E> for Walk<F> {
    fn enter(&mut self, segment: Segment<'_>) {
        self.path.push(segment.to_string());
    }

    fn leave(&mut self) {
        self.path.pop();
    }

    fn param(&mut self, name: &str, param: &mut Param<E>) {
        let name = self.name(name);
        (self.each)(name, Part::Tensor(&mut param.value));
    }

    fn buffer(&mut self, name: &str, buffer: &mut Tensor<E>) {
        let name = self.name(name);
        (self.each)(name, Part::Tensor(buffer));
    }

    fn counter(&mut self, name: &str, counter: &mut u64) {
        let name = self.name(name);
        (self.each)(name, Part::Counter(counter));
    }
}

fn dtype<E: Element>() -> Dtype {
    if size_of::<E>() == 4 { Dtype::F32 } else { Dtype::F64 }
}

fn type_name<E: Element>() -> &'static str {
    if size_of::<E>() == 4 { "F32" } else { "F64" }
}

fn to_little_endian<E: Element>(values: &[E]) -> Vec<u8> {
    if size_of::<E>() == 4 {
        values.iter().flat_map(|value| (value.to_f64() as f32).to_le_bytes()).collect()
    } else {
        values.iter().flat_map(|value| value.to_f64().to_le_bytes()).collect()
    }
}

fn from_little_endian<E: Element>(bytes: &[u8]) -> Vec<E> {
    if size_of::<E>() == 4 {
        bytes.as_chunks().0.iter().map(|bytes| E::from_f64(f32::from_le_bytes(*bytes).into())).collect()
    } else {
        bytes.as_chunks().0.iter().map(|bytes| E::from_f64(f64::from_le_bytes(*bytes))).collect()
    }
}
