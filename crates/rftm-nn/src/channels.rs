use rftm_autograd::{Tape, Var, ops};
use rftm_tensor::{Element, Result, Tensor, conv};

use crate::{Freezer, Inference, Module, Visitor};

/// The entrance of an image model: (N, C, H, W) to the (N, H, W, C) of the layers.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChannelsLast;

/// The exit of an image model: (N, H, W, C) to (N, C, H, W).
#[derive(Debug, Clone, Copy, Default)]
pub struct ChannelsFirst;

macro_rules! permutation {
    ($module:ty, $order:expr) => {
        impl<E: Element> Module<E> for $module {
            fn forward(&mut self, tape: &mut Tape<E>, x: Var<E>) -> Result<Var<E>> {
                ops::permute(tape, &x, $order)
            }

            fn infer(&self, x: Tensor<E>, _: Inference) -> Result<Tensor<E>> {
                conv::permute(&x, $order)
            }

            fn freeze(&self, freezer: &mut Freezer<E>) -> Result<()> {
                freezer.permute($order)
            }

            fn description(&self) -> String {
                format!("{self:?}")
            }

            fn visit(&mut self, _: &mut dyn Visitor<E>) {}
        }
    };
}

permutation!(ChannelsLast, [0, 2, 3, 1]);
permutation!(ChannelsFirst, [0, 3, 1, 2]);
