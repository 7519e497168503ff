use rftm_tensor::{Error, Result, Shape};

/// The latents of a batch as rows of `width` elements.
pub(crate) fn rows(shape: &Shape, width: usize) -> Result<Shape> {
    let (batch, len) = shape.rows_cols();
    if shape.rank() < 2 || len != width {
        let expected = format!("(batch, ..) with {width} elements a sample");
        return Err(Error::shape("memory", "the latent", expected, shape));
    }
    Ok([batch, width].into())
}
