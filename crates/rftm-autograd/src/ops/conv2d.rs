use rftm_tensor::conv::{self, Geometry};
use rftm_tensor::{Element, Error, Result, Tensor, norm};

use crate::{Backward, NodeId, Sink, Tape, Var};

/// Stride and padding of a convolution; `output_padding` only concerns the transposed one. PyTorch's by default: 1, 0, 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvOptions {
    /// Step between neighbouring windows.
    pub stride: usize,
    /// Zeros around the larger image.
    pub padding: usize,
    /// Rows and columns added to the output of a transposed convolution, at the bottom and right.
    pub output_padding: [usize; 2],
}

impl Default for ConvOptions {
    fn default() -> Self {
        Self { stride: 1, padding: 0, output_padding: [0; 2] }
    }
}

/// 2-D convolution (cross-correlation, as in PyTorch).
///
/// # Shapes
/// `x` (N, H, W, C_in), `w` (C_out, KH, KW, C_in), `b` (C_out); result (N, H', W', C_out) with
/// `H' = (H + 2 padding - KH) / stride + 1`.
///
/// # Errors
/// If the shapes do not fit, or the kernel is larger than the padded image.
pub fn conv2d<E: Element>(
    tape: &mut Tape<E>,
    x: &Var<E>,
    w: &Var<E>,
    b: Option<&Var<E>>,
    options: ConvOptions,
) -> Result<Var<E>> {
    let geometry = convolution(x.value(), w.value(), options)?;
    let y = conv::to_small("conv2d", x.value(), w.value(), b.map(Var::value), geometry)?;
    Ok(record(tape, y, x, w, b, geometry, false))
}

/// 2-D transposed convolution, the adjoint of [`conv2d`].
///
/// # Shapes
/// `x` (N, H, W, C_in), `w` (C_in, KH, KW, C_out), `b` (C_out); result (N, H', W', C_out) with
/// `H' = (H - 1) stride - 2 padding + KH + output_padding`.
///
/// # Errors
/// If the shapes do not fit, or the output would be empty.
pub fn conv_transpose2d<E: Element>(
    tape: &mut Tape<E>,
    x: &Var<E>,
    w: &Var<E>,
    b: Option<&Var<E>>,
    options: ConvOptions,
) -> Result<Var<E>> {
    let geometry = transposed(x.value(), w.value(), options)?;
    let y = conv::to_large("conv_transpose2d", x.value(), w.value(), b.map(Var::value), geometry)?;
    Ok(record(tape, y, x, w, b, geometry, true))
}

/// [`conv2d`] on plain tensors.
///
/// # Errors
/// As for [`conv2d`].
pub fn conv2d_values<E: Element>(
    x: &Tensor<E>,
    w: &Tensor<E>,
    b: Option<&Tensor<E>>,
    options: ConvOptions,
) -> Result<Tensor<E>> {
    conv::to_small("conv2d", x, w, b, convolution(x, w, options)?)
}

/// [`conv_transpose2d`] on plain tensors.
///
/// # Errors
/// As for [`conv_transpose2d`].
pub fn conv_transpose2d_values<E: Element>(
    x: &Tensor<E>,
    w: &Tensor<E>,
    b: Option<&Tensor<E>>,
    options: ConvOptions,
) -> Result<Tensor<E>> {
    conv::to_large("conv_transpose2d", x, w, b, transposed(x, w, options)?)
}

fn convolution<E: Element>(x: &Tensor<E>, w: &Tensor<E>, options: ConvOptions) -> Result<Geometry> {
    let (image, kernel) = sizes("conv2d", x, w)?;
    Geometry::convolution(image, kernel, options.stride, options.padding)
}

fn transposed<E: Element>(x: &Tensor<E>, w: &Tensor<E>, options: ConvOptions) -> Result<Geometry> {
    let (image, kernel) = sizes("conv_transpose2d", x, w)?;
    Geometry::transposed(image, kernel, options.stride, options.padding, options.output_padding)
}

fn sizes<E: Element>(op: &'static str, x: &Tensor<E>, w: &Tensor<E>) -> Result<([usize; 2], [usize; 2])> {
    match (x.dims(), w.dims()) {
        (&[_, height, width, _], &[_, kernel_height, kernel_width, _]) => {
            Ok(([height, width], [kernel_height, kernel_width]))
        }
        (_, &[_, _, _, _]) => Err(Error::shape(op, "x", "(N, H, W, C)", x.shape())),
        _ => Err(Error::shape(op, "w", "(C, KH, KW, C)", w.shape())),
    }
}

fn record<E: Element>(
    tape: &mut Tape<E>,
    y: Tensor<E>,
    x: &Var<E>,
    w: &Var<E>,
    b: Option<&Var<E>>,
    geometry: Geometry,
    transposed: bool,
) -> Var<E> {
    let inputs = [x.node(), w.node(), b.and_then(Var::node)];
    let op = if transposed { "conv_transpose2d" } else { "conv2d" };
    tape.record(y, &inputs, || Conv { op, x: x.value().clone(), w: w.value().clone(), geometry, transposed, inputs })
}

/// Both ways round the three products are the same, see the table in [`rftm_tensor::conv`].
struct Conv<E: Element> {
    op: &'static str,
    x: Tensor<E>,
    w: Tensor<E>,
    geometry: Geometry,
    transposed: bool,
    inputs: [Option<NodeId>; 3],
}

impl<E: Element> Backward<E> for Conv<E> {
    fn backward(self, dy: Tensor<E>, sink: &mut Sink<'_, E>) -> Result<()> {
        let [x, w, b] = self.inputs;
        let (large, small) = if self.transposed { (&dy, &self.x) } else { (&self.x, &dy) };
        sink.add(w, || conv::weight_gradient(self.op, large, small, self.geometry))?;
        sink.add(b, || Ok(norm::column_sum(&dy, dy.dims()[3])))?;
        sink.add(x, || {
            let apply = if self.transposed { conv::to_small } else { conv::to_large };
            apply(self.op, &dy, &self.w, None, self.geometry)
        })
    }
}
