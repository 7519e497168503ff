use rftm_onnx::{Options, Preprocessing, Score};

use crate::{Affine, Detector, Features, Layout, Missing, Result};

impl Detector {
    /// The detector as an ONNX graph, for programs that have an ONNX runtime and no Rust. Scaling and the filling of
    /// missing values are in the graph; the threshold and the names of the inputs (`rftm.inputs`, a JSON list) stand in its
    /// metadata.
    ///
    /// # Shapes
    /// Input `input` in the units of the data: (batch, numbers), a window of a series row after row, or
    /// (batch, channels, height, width) with pixels from 0 to 255. A categorical column is not one number but one indicator for
    /// each category and one for anything else (see [`Features`]): a category that has no indicator, or is missing, is a 1
    /// in the last and 0 in the others. Outputs `score` (batch), higher = more anomalous, the same as
    /// [`score`](Self::score) up to rounding, and `reconstruction`, of the input's shape and units. The batch may have any
    /// size.
    ///
    /// # Missing values
    /// NaN is filled in as in [`score`](Self::score); all indicators of a missing category may be NaN. Where missing values
    /// are refused, a graph cannot refuse: a sample with a NaN scores NaN, which is **not** greater than the threshold.
    /// Look for it before comparing.
    ///
    /// # Errors
    /// A model of more than 2 GiB.
    pub fn export_onnx(&self) -> Result<Vec<u8>> {
        let (card, preprocessing) = (self.card(), preprocessing(self.features())?);
        let names: Vec<String> = inputs(self.features()).map(|input| input.0).collect();
        let options = Options {
            preprocessing: Some(preprocessing),
            score: Score::MeanSquaredError,
            threshold: Some(card.threshold.value),
            notes: vec![
                ("rftm.threshold_rule".to_owned(), card.threshold.rule.to_string()),
                ("rftm.inputs".to_owned(), serde_json::json!(names).to_string()),
            ],
        };
        Ok(rftm_onnx::export(self.model().spec(), self.state(), &options)?)
    }
}

/// Name, scaling and filling of every number of a sample; of images one for all.
fn inputs(features: &Features) -> impl Iterator<Item = (String, Affine, f32)> {
    let rows = match features.layout {
        Layout::Series { window, .. } => window,
        Layout::Table { .. } | Layout::Images { .. } => 1,
    };
    (0..rows).flat_map(move |row| {
        let suffix = if rows > 1 { format!("[{row}]") } else { String::new() };
        features.encoded().into_iter().map(move |(name, affine, fill)| (name + &suffix, affine, fill))
    })
}

fn preprocessing(features: &Features) -> Result<Preprocessing> {
    let (affine, fill): (Vec<Affine>, Vec<f32>) = inputs(features).map(|(_, affine, fill)| (affine, fill)).unzip();
    let center = affine.iter().map(|affine| f64::from(affine.shift)).collect();
    let factor = affine.iter().map(|affine| f64::from(affine.scale)).collect();
    let limits = affine.iter().map(|affine| affine.limit).collect();
    let preprocessing = Preprocessing::new(center, factor)?.limited_each(limits)?;
    Ok(match features.missing {
        Missing::Refuse => preprocessing,
        Missing::Mean | Missing::Median => preprocessing.filled(fill)?,
    })
}
