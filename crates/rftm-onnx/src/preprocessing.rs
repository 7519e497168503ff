use crate::Error;
use crate::graph::{Graph, Value};

/// What is done to a sample before the model sees it, element by element: a missing value (NaN) may be filled, then
/// `(x - center) * factor`, then the result may be limited to a range around 0.
///
/// Centres are kept in `f64`, and split into two `f32` in the graph: a feature such as a time stamp lies far from zero and
/// varies little, and a rounded centre would shift it by more than its own deviation.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    center: Vec<f64>,
    factor: Vec<f64>,
    fill: Option<Vec<f32>>,
    /// One for each feature, or one for all.
    limit: Option<Vec<f32>>,
}

impl Preprocessing {
    /// A centre and a factor for each feature; for all elements alike if there is only one.
    ///
    /// # Errors
    /// Lists of different lengths, numbers that are not finite (as `f32`, too), a factor of 0.
    pub fn new(center: Vec<f64>, factor: Vec<f64>) -> Result<Self, Error> {
        if center.len() != factor.len() {
            return Err(Error::Preprocessing(format!("{} centres and {} factors", center.len(), factor.len())));
        }
        for (feature, (&center, &factor)) in center.iter().zip(&factor).enumerate() {
            if !(center as f32).is_finite() {
                return Err(Error::Preprocessing(format!("the centre of feature {feature} is {center}")));
            }
            // Its inverse brings the reconstruction back to the user's units.
            if !(factor as f32).is_normal() || !((1.0 / factor) as f32).is_normal() {
                let problem = format!("the factor of feature {feature} is {factor:e}, and has no inverse in 32 bits");
                return Err(Error::Preprocessing(problem));
            }
        }
        Ok(Self { center, factor, fill: None, limit: None })
    }

    /// The same centre and factor for every element: pixels from 0 to 255 to [-1, 1] are `uniform(127.5, 1 / 127.5)`.
    ///
    /// # Errors
    /// Numbers that are not finite, a factor of 0.
    pub fn uniform(center: f64, factor: f64) -> Result<Self, Error> {
        Self::new(vec![center], vec![factor])
    }

    /// Fills missing values (NaN) with these, in the user's units; as many as there are features. Without it a sample with a
    /// missing value scores NaN.
    ///
    /// # Errors
    /// Another number of values, or one that is not finite.
    pub fn filled(self, fill: Vec<f32>) -> Result<Self, Error> {
        if fill.len() != self.center.len() || !fill.iter().all(|value| value.is_finite()) {
            let problem = format!("{} values to fill {} features, or not all finite", fill.len(), self.center.len());
            return Err(Error::Preprocessing(problem));
        }
        Ok(Self { fill: Some(fill), ..self })
    }

    /// Limits each scaled feature to `[-limit, limit]` with a limit of its own; as many as there are
    /// centres.
    ///
    /// # Errors
    /// Another number of limits, or one that is not a positive number.
    pub fn limited_each(self, limits: Vec<f32>) -> Result<Self, Error> {
        if limits.len() != self.center.len() || !limits.iter().all(|&limit| limit > 0.0 && limit.is_finite()) {
            let problem =
                format!("{} limits of {} features, or not all positive numbers", limits.len(), self.center.len());
            return Err(Error::Preprocessing(problem));
        }
        Ok(Self { limit: Some(limits), ..self })
    }

    /// The centres, one for each feature or one for all.
    #[must_use]
    pub fn center(&self) -> &[f64] {
        &self.center
    }

    /// The factors, as many.
    #[must_use]
    pub fn factor(&self) -> &[f64] {
        &self.factor
    }

    /// Whether it fits samples of this shape.
    pub(crate) fn check(&self, sample: &[usize]) -> Result<(), Error> {
        let features: usize = sample.iter().product();
        if self.center.len() == 1 || self.center.len() == features {
            return Ok(());
        }
        let problem = format!("{} features; the model has {features} (1 serves for all)", self.center.len());
        Err(Error::Preprocessing(problem))
    }

    /// From the user's units to the model's.
    pub(crate) fn forward(&self, graph: &mut Graph, x: &Value, sample: &[usize]) -> Value {
        let dims = self.dims(sample);
        let mut x = x.clone();
        if let Some(fill) = &self.fill {
            let fill = graph.floats("scaling.fill", dims, fill);
            let missing = graph.node("scaling.missing", "IsNaN", &[&x], vec![]);
            x = graph.node("scaling.filled", "Where", &[&missing, &fill, &x], vec![]);
        }
        let (high, low) = self.split();
        let high = graph.floats(CENTER, dims, &high);
        x = graph.node("scaling.centered", "Sub", &[&x, &high], vec![]);
        if let Some(low) = low {
            let low = graph.floats(REST, dims, &low);
            x = graph.node("scaling.centered_rest", "Sub", &[&x, &low], vec![]);
        }
        let factor = graph.floats("scaling.factor", dims, &self.narrow(|factor| factor));
        x = graph.node("scaled", "Mul", &[&x, &factor], vec![]);
        let Some(limits) = &self.limit else { return x };
        // One number says it where all are alike.
        let (dims, limits) =
            if limits.iter().all(|limit| *limit == limits[0]) { (&[][..], &limits[..1]) } else { (dims, &limits[..]) };
        // Not Clip: with some runtimes a NaN leaves it as a number, and its bounds are the same for all features.
        for (name, op, sign) in [("scaling.high", "Greater", 1.0), ("scaling.low", "Less", -1.0)] {
            let bounds: Vec<f32> = limits.iter().map(|limit| sign * limit).collect();
            let bound = graph.floats(&format!("{name}.bound"), dims, &bounds);
            let beyond = graph.node(&format!("{name}.beyond"), op, &[&x, &bound], vec![]);
            x = graph.node(name, "Where", &[&beyond, &bound, &x], vec![]);
        }
        x
    }

    /// From the model's units to the user's; after [`forward`](Self::forward), whose constants it shares.
    pub(crate) fn backward(&self, graph: &mut Graph, y: &Value, sample: &[usize]) -> Value {
        let inverse = graph.floats("scaling.inverse", self.dims(sample), &self.narrow(|factor| 1.0 / factor));
        let mut y = graph.node("reconstruction.unscaled", "Mul", &[y, &inverse], vec![]);
        if self.split().1.is_some() {
            y = graph.node("reconstruction.shifted", "Add", &[&y, &REST.to_owned()], vec![]);
        }
        graph.node("reconstruction", "Add", &[&y, &CENTER.to_owned()], vec![])
    }

    /// Constants broadcast over the batch.
    fn dims<'a>(&self, sample: &'a [usize]) -> &'a [usize] {
        if self.center.len() == 1 { &[] } else { sample }
    }

    fn narrow(&self, change: impl Fn(f64) -> f64) -> Vec<f32> {
        self.factor.iter().map(|&factor| change(factor) as f32).collect()
    }

    /// The centres as `f32`, and what rounding took from them, unless that is nothing.
    fn split(&self) -> (Vec<f32>, Option<Vec<f32>>) {
        let high: Vec<f32> = self.center.iter().map(|&center| center as f32).collect();
        let low: Vec<f32> = self.center.iter().zip(&high).map(|(&c, &high)| (c - f64::from(high)) as f32).collect();
        let rest = low.iter().any(|&low| low != 0.0).then_some(low);
        (high, rest)
    }
}

const CENTER: &str = "scaling.center";
const REST: &str = "scaling.center_rest";
