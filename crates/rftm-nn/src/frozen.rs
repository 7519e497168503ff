use rftm_autograd::ops::ConvOptions;
use rftm_tensor::conv::{self, Geometry, PackedConv};
use rftm_tensor::gemm::PackedLinear;
use rftm_tensor::norm::{self, Norm};
use rftm_tensor::{Element, Error, Result, Tensor, elementwise};

use crate::Module;

/// A model that only evaluates: batch normalisation is folded into the layer before it, the weights of layers are packed for
/// the kernels, nothing can be trained.
///
/// Outputs equal [`Module::infer`] up to rounding (folding multiplies weights before instead of sums after), and do not
/// depend on the batch: a sample alone gives the bits it gives among others. Rounding may decide where a module jumps: of
/// two nearly equal similarities a memory's top-k can then take the other slot, and the output of that sample differs
/// by far more than rounding.
#[derive(Debug)]
pub struct Frozen<E: Element = f32> {
    steps: Vec<Step<E>>,
}

/// A function from tensor to tensor.
pub type Custom<E> = Box<dyn Fn(Tensor<E>) -> Result<Tensor<E>> + Send + Sync>;

enum Step<E: Element> {
    Linear(PackedLinear<E>),
    Conv(PackedConv<E>, Convolution),
    Affine { scale: Tensor<E>, shift: Tensor<E> },
    LeakyRelu(E),
    Permute([usize; 4]),
    Custom(Custom<E>),
}

impl<E: Element> std::fmt::Debug for Step<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Linear(_) => "Linear",
            Self::Conv(..) => "Conv",
            Self::Affine { .. } => "Affine",
            Self::LeakyRelu(_) => "LeakyRelu",
            Self::Permute(_) => "Permute",
            Self::Custom(_) => "Custom",
        })
    }
}

/// What turns an image's size into a geometry.
#[derive(Debug, Clone, Copy)]
struct Convolution {
    kernel: [usize; 2],
    options: ConvOptions,
    transposed: bool,
}

impl Convolution {
    fn geometry(&self, image: [usize; 2]) -> Result<Geometry> {
        let ConvOptions { stride, padding, output_padding } = self.options;
        if self.transposed {
            Geometry::transposed(image, self.kernel, stride, padding, output_padding)
        } else {
            Geometry::convolution(image, self.kernel, stride, padding)
        }
    }
}

impl<E: Element> Frozen<E> {
    /// Freezes a module as it is now.
    ///
    /// # Errors
    /// If the module, or a part of it, cannot be frozen.
    pub fn new(module: &(impl Module<E> + ?Sized)) -> Result<Self> {
        let mut freezer = Freezer { steps: Vec::new(), open: None };
        module.freeze(&mut freezer)?;
        freezer.close()?;
        Ok(Self { steps: freezer.steps })
    }

    /// The module's output in evaluation.
    ///
    /// # Errors
    /// If the input does not fit.
    pub fn infer(&self, x: Tensor<E>) -> Result<Tensor<E>> {
        self.steps.iter().try_fold(x, |x, step| match step {
            Step::Linear(linear) => linear.apply(&x),
            Step::Conv(conv, convolution) => {
                let &[_, height, width, _] = x.dims() else {
                    return Err(Error::shape("frozen convolution", "x", "(N, H, W, C)", x.shape()));
                };
                let geometry = convolution.geometry([height, width])?;
                if convolution.transposed { conv.to_large(&x, geometry) } else { conv.to_small(&x, geometry) }
            }
            Step::Affine { scale, shift } => affine(&x, scale, shift),
            Step::LeakyRelu(slope) => {
                let mut x = x;
                elementwise::leaky_relu_in_place(&mut x, *slope);
                Ok(x)
            }
            Step::Permute(order) => conv::permute(&x, *order),
            Step::Custom(custom) => custom(x),
        })
    }
}

fn affine<E: Element>(x: &Tensor<E>, scale: &Tensor<E>, shift: &Tensor<E>) -> Result<Tensor<E>> {
    if scale.is_empty() || x.dims().len() < 2 || x.dims().last() != Some(&scale.len()) {
        return Err(Error::shape("frozen batch norm", "x", format!("(N, .., {})", scale.len()), x.shape()));
    }
    let (zero, one) = (Tensor::zeros([scale.len()]), Tensor::full([scale.len()], E::ONE));
    Ok(norm::forward(x, Norm { mean: &zero, inv_std: &one, gamma: scale, beta: shift, slope: E::ONE }))
}

/// What modules freeze themselves into, step by step.
#[derive(Debug)]
pub struct Freezer<E: Element> {
    steps: Vec<Step<E>>,
    /// The last layer, while an affine map may still be folded into it.
    open: Option<Open<E>>,
}

#[derive(Debug)]
struct Open<E: Element> {
    weight: Tensor<E>,
    bias: Tensor<E>,
    convolution: Option<Convolution>,
}

impl<E: Element> Freezer<E> {
    /// `y = x w^T + b`, `weight` (out, in).
    ///
    /// # Errors
    /// If the layer before has shapes that do not fit.
    pub fn linear(&mut self, weight: &Tensor<E>, bias: &Tensor<E>) -> Result<()> {
        self.close()?;
        self.open = Some(Open { weight: weight.clone(), bias: bias.clone(), convolution: None });
        Ok(())
    }

    /// A convolution or transposed convolution, `weight` (C_small, KH, KW, C_large).
    ///
    /// # Errors
    /// If the weights are not those of a convolution.
    pub fn conv(&mut self, weight: &Tensor<E>, bias: &Tensor<E>, options: ConvOptions, transposed: bool) -> Result<()> {
        self.close()?;
        let &[_, height, width, _] = weight.dims() else {
            return Err(Error::shape("freeze", "the weight", "(C, KH, KW, C)", weight.shape()));
        };
        let convolution = Some(Convolution { kernel: [height, width], options, transposed });
        self.open = Some(Open { weight: weight.clone(), bias: bias.clone(), convolution });
        Ok(())
    }

    /// `y = x * scale + shift` per channel; folded into the layer before it.
    ///
    /// # Errors
    /// If the layer before has shapes that do not fit.
    pub fn affine(&mut self, scale: Tensor<E>, shift: Tensor<E>) -> Result<()> {
        match &mut self.open {
            Some(open) if open.bias.len() == scale.len() => open.fold(&scale, &shift),
            _ => {
                self.close()?;
                self.steps.push(Step::Affine { scale, shift });
            }
        }
        Ok(())
    }

    /// LeakyReLU.
    ///
    /// # Errors
    /// If the layer before has shapes that do not fit.
    pub fn leaky_relu(&mut self, slope: f64) -> Result<()> {
        self.close()?;
        self.steps.push(Step::LeakyRelu(E::from_f64(slope)));
        Ok(())
    }

    /// Axes in another order.
    ///
    /// # Errors
    /// If the layer before has shapes that do not fit.
    pub fn permute(&mut self, order: [usize; 4]) -> Result<()> {
        self.close()?;
        self.steps.push(Step::Permute(order));
        Ok(())
    }

    /// Anything else.
    ///
    /// # Errors
    /// If the layer before has shapes that do not fit.
    pub fn custom(&mut self, custom: Custom<E>) -> Result<()> {
        self.close()?;
        self.steps.push(Step::Custom(custom));
        Ok(())
    }

    /// A part that works on samples as rows of `width` elements: it gets (N, `width`) whatever the shape was, and the shape is
    /// restored after.
    ///
    /// # Errors
    /// Those of the part.
    pub fn flattened(&mut self, width: usize, part: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let mut inner = Self { steps: Vec::new(), open: None };
        part(&mut inner)?;
        inner.close()?;
        let inner = Frozen { steps: inner.steps };
        self.custom(Box::new(move |x| {
            let (batch, len) = x.rows_cols();
            if x.dims().len() < 2 || len != width {
                let expected = format!("(batch, ..) with {width} elements a sample");
                return Err(Error::shape("frozen module", "x", expected, x.shape()));
            }
            inner.infer(x.reshape([batch, width])?)?.reshape(*x.shape())
        }))
    }

    /// Packs the last layer: nothing more is folded into it.
    fn close(&mut self) -> Result<()> {
        let Some(Open { weight, bias, convolution }) = self.open.take() else { return Ok(()) };
        self.steps.push(match convolution {
            None => Step::Linear(PackedLinear::new(&weight, &bias)?),
            Some(convolution) => {
                // Packing does not depend on the size of the image; any size that the layer accepts will do, as the
                // kernel's does: the padding is smaller.
                let geometry = convolution.geometry([convolution.kernel[0].max(convolution.kernel[1]); 2])?;
                let pack = if convolution.transposed { PackedConv::for_large } else { PackedConv::for_small };
                Step::Conv(pack(&weight, &bias, geometry)?, convolution)
            }
        });
        Ok(())
    }
}

impl<E: Element> Open<E> {
    /// `scale * (w x + b) + shift`: output channels are the first axis of the weight, or its last for a transposed
    /// convolution.
    fn fold(&mut self, scale: &Tensor<E>, shift: &Tensor<E>) {
        let outputs = scale.len();
        let row = self.weight.len() / outputs.max(1);
        let last_axis = self.convolution.is_some_and(|convolution| convolution.transposed);
        for (index, value) in self.weight.data_mut().iter_mut().enumerate() {
            *value *= scale.data()[if last_axis { index % outputs } else { index / row }];
        }
        for ((bias, &scale), &shift) in self.bias.data_mut().iter_mut().zip(scale.data()).zip(shift.data()) {
            *bias = *bias * scale + shift;
        }
    }
}
