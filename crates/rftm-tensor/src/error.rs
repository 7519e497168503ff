use crate::Shape;

/// What can go wrong between tensors: shapes that do not fit, and values an operation has no answer for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor does not have the shape an operation needs.
    #[error("{op}: {what} must have shape {expected}, found {found}")]
    Shape {
        /// The operation that refused.
        op: &'static str,
        /// Which of its inputs.
        what: &'static str,
        /// The shape it needs, in words or numbers.
        expected: String,
        /// The shape it was given.
        found: Shape,
    },
    /// A number of elements does not fill a shape.
    #[error("{op}: {found} values cannot fill shape {shape}, which needs {}", .shape.len())]
    Length {
        /// The operation that refused.
        op: &'static str,
        /// The shape to be filled.
        shape: Shape,
        /// How many values there were.
        found: usize,
    },
    /// A parameter lies outside the range in which the operation is defined.
    #[error("{op}: {what}")]
    Invalid {
        /// The operation that refused.
        op: &'static str,
        /// What is wrong and what would be right.
        what: String,
    },
}

/// The result of a tensor operation.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A shape error for input `what` of `op`; the expected shape is spelled out, numbers or words.
    pub fn shape(op: &'static str, what: &'static str, expected: impl std::fmt::Display, found: &Shape) -> Self {
        Self::Shape { op, what, expected: expected.to_string(), found: *found }
    }

    /// A parameter error: say what is wrong and what would be right.
    pub fn invalid(op: &'static str, what: impl Into<String>) -> Self {
        Self::Invalid { op, what: what.into() }
    }
}
