use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rftm::{Missing, ModelKind, Rule, Scaling};

/// Unsupervised anomaly detection: fit on normal samples, learn of new ones which are odd, how odd, and why.
///
/// Higher score = more anomalous, everywhere.
#[derive(Debug, Parser)]
#[command(
    name = "rftm",
    version,
    after_help = "\
Start here:
  rftm example table --out demo            make data to play with
  rftm fit demo/train.csv -o m.rftm --categorical fluid    learn what is normal
  rftm score m.rftm demo/new.csv           one score a row
  rftm explain m.rftm demo/new.csv --top 3 the three oddest rows, and why

Exit codes: 0 success, 1 failure, 2 wrong command line, 130 interrupted, 141 output closed."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fit a detector on normal samples.
    #[command(after_help = "\
Examples:
  rftm fit train.csv -o m.rftm
  rftm fit train.csv -o m.rftm --exclude id,time --categorical colour --missing median
  rftm fit train.csv -o m.rftm --model ae --fpr 0.001
  rftm fit sensors.csv -o m.rftm --window 32           windows of a time series
  rftm fit images/ -o m.rftm --resize 64x64            a folder of PNG and JPEG files
  zcat train.csv.gz | rftm fit - -o m.rftm

A label column has no place in a fit: leave it out with --label NAME or --exclude NAME.
Of the samples a tenth is held out to stop the training in time, and another part to calibrate thresholds and p-values.")]
    Fit(FitArgs),
    /// Score samples; one line of CSV each.
    #[command(after_help = "\
Examples:
  rftm score m.rftm new.csv -o scores.csv
  rftm score m.rftm images/ | sort -t, -k2 -gr | head
  tail -f log.csv | rftm score m.rftm - --header no    endless input, constant memory

Columns of the output: row (from 1, the header does not count; image: its file; of a series first_row and last_row), score
(higher = more anomalous), p_value (conformal), anomaly (1 if the score exceeds the threshold).
Rows are scored 256 at a time (fewer if they are wide), or as soon as the input has no whole row at hand; each batch is
flushed. If the input is - or a pipe and the output FILE, scores grow in FILE.partial, which becomes FILE when the input
ends, and stays on an error; the next run moves it to FILE.partial.1, or the first number that is free.
Columns are found by the names in the header, in any order; further columns are ignored. Without a header they are found by
their places: after a fit with a header there must be just those that the model uses, after one without as many as in
the fit, or just those.")]
    Score(ScoreArgs),
    /// Say of the most anomalous samples why.
    #[command(after_help = "\
Examples:
  rftm explain m.rftm new.csv --top 3
  rftm explain m.rftm new.csv --rows 17,42 --features 10 --patterns 5
  rftm explain m.rftm images/ --heatmaps out/          a PNG each: image, expected, heat map, normal patterns

Of a time series, windows that share a row count as one: the worst of them is shown, so there may be fewer than --top.
A feature's share is its part of the squared error. A feature can be unexpected because another one is odd: read it as
\"look here\", not as a cause. Patterns are slots of the model's memory, decoded: the normal samples as it knows them.")]
    Explain(ExplainArgs),
    /// Measure scores against labels.
    #[command(after_help = "\
Examples:
  rftm eval m.rftm test.csv --label is_fraud
  rftm eval m.rftm test.csv --label type --anomaly dos,probe
  rftm eval m.rftm test.csv --label type --normal normal
  rftm eval m.rftm test/ --normal good                 images; each subfolder is a class

Labels 1, true, yes, anomaly, anomalous are anomalous; 0, false, no, normal are not; --anomaly or --normal name other values.
A window of a time series is anomalous if any of its rows is; what is measured is windows.
A row without a label (empty, NA, NaN, null, ?) is an error, unless --anomaly or --normal names it.")]
    Eval(EvalArgs),
    /// Change the threshold of a fitted model; nothing is trained.
    #[command(after_help = "\
Examples:
  rftm threshold m.rftm                                show it, and what others would be
  rftm threshold m.rftm --fpr 0.01                     call at most 1 % of normal samples anomalous
  rftm threshold m.rftm --contamination 0.05           5 % of the training rows were anomalous
  rftm threshold m.rftm --value 2.5 -o strict.rftm")]
    Threshold(ThresholdArgs),
    /// Write the detector as an ONNX graph.
    #[command(after_help = "\
Examples:
  rftm export m.rftm -o m.onnx
  python -c 'import numpy, onnxruntime as o; x = numpy.float32(numpy.load(\"rows.npy\"))
o = o.InferenceSession(\"m.onnx\").run(None, {\"input\": x}); print(o)'

Input `input`: float32, (batch, columns) in the order and units of the training data (of categories an indicator each, and one
for anything else; of a window its rows one after the other), or (batch, channels, height, width) with pixels 0 to 255.
Outputs `score` (batch), higher = more anomalous, and `reconstruction`. Scaling is in the graph; threshold and names of the
inputs (rftm.inputs) are in its metadata. A missing value is NaN. A graph cannot refuse it, as this command does without
--missing: such a sample scores NaN, which is not above the threshold, so look for NaN before you compare.")]
    Export(ExportArgs),
    /// Show what is in a model file.
    #[command(after_help = "\
Examples:
  rftm inspect m.rftm
  rftm inspect m.rftm --json | jq .spec")]
    Inspect(InspectArgs),
    /// Make example data: the same every time.
    #[command(after_help = "\
Examples:
  rftm example table --out demo       train.csv, new.csv, test.csv (with labels)
  rftm example images --out demo      train/, test/good, test/hole
  rftm example series --out demo      train.csv, new.csv")]
    Example(ExampleArgs),
}

/// How rows are read.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReadArgs {
    /// Format of the input; by the ending of its name unless given. Standard input is CSV.
    #[cfg_attr(not(feature = "parquet"), doc = "(This binary was built without Parquet.)")]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Whether the first line of a CSV is a header; by default it is one if no cell of it is a number, or if it holds
    /// the names of the model's columns.
    #[arg(long, value_enum, default_value_t = Header::Auto)]
    pub(crate) header: Header,
    /// What separates cells; by default a comma, in .tsv files a tab.
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    pub(crate) delimiter: Option<u8>,
    /// What to do with a line that cannot be read: wrong number of cells, no number, a missing value. So with a row of an
    /// array, and with an image.
    #[arg(long, value_enum, default_value_t = BadLines::Fail)]
    pub(crate) bad_lines: BadLines,
    /// Which array of an NPZ file; not needed if there is only one.
    #[arg(long, value_name = "NAME")]
    pub(crate) array: Option<String>,
    /// No progress on standard error. (There is none if it is not a terminal.)
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Csv,
    #[cfg(feature = "parquet")]
    Parquet,
    Npy,
    Npz,
    Idx,
    Images,
}

impl Format {
    /// Whether it is a table that may have names.
    pub(crate) fn is_table(self) -> bool {
        self == Self::Csv || self.has_names()
    }

    /// Whether names are part of the format.
    pub(crate) fn has_names(self) -> bool {
        !matches!(self, Self::Csv | Self::Npy | Self::Npz | Self::Idx | Self::Images)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Header {
    Auto,
    Yes,
    No,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BadLines {
    Fail,
    Skip,
}

#[derive(Debug, Args)]
pub(crate) struct FitArgs {
    /// Normal samples: CSV, TSV, NPY, NPZ, IDX, a folder of PNG and JPEG files, or - for standard input.
    pub(crate) input: PathBuf,
    /// The model file to write.
    #[arg(long, short)]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
    /// Columns to use, by name (without a header, and of arrays, by number, from 1), separated by commas; all unless given.
    /// The flag may be given again; a value that is the name of a column, with its commas, is that column.
    #[arg(long, value_name = "NAMES")]
    pub(crate) columns: Vec<String>,
    /// Columns not to use; "" is the one without a name, such as the row numbers that pandas writes.
    #[arg(long, value_name = "NAMES")]
    pub(crate) exclude: Vec<String>,
    /// A column of labels: left out. (`eval` is what uses it.)
    #[arg(long, value_name = "NAME")]
    pub(crate) label: Option<String>,
    /// Columns of categories: each becomes one indicator for every value that at least 5 training rows have, and one for all
    /// others.
    #[arg(long, value_name = "NAMES")]
    pub(crate) categorical: Vec<String>,
    /// What becomes of missing values: refuse, mean, median (fill in that of the column). Missing are empty, NA, N/A, NaN, null,
    /// none, ?; in columns of categories only empty and NaN.
    #[arg(long, default_value_t)]
    pub(crate) missing: Missing,
    /// How columns are brought to a common size: zscore, robust (training rows contain outliers), minmax.
    #[arg(long, default_value_t)]
    pub(crate) scaling: Scaling,
    /// Rows are points in time, a sample is a window of so many.
    #[arg(long, value_name = "ROWS")]
    pub(crate) window: Option<usize>,
    /// Rows from the start of one window to that of the next.
    #[arg(long, value_name = "ROWS", default_value_t = 1, requires = "window")]
    pub(crate) stride: usize,
    /// Resize every image; without it images of different sizes are refused.
    #[arg(long, value_name = "WxH", value_parser = size)]
    pub(crate) resize: Option<[u32; 2]>,
    /// The model: rftm, ae, memae, mnad.
    #[arg(long, default_value_t = ModelKind::Rftm)]
    pub(crate) model: ModelKind,
    /// Root of all randomness.
    #[arg(long, default_value_t = rftm::defaults::SEED)]
    pub(crate) seed: u64,
    /// Widths of the layers from the first hidden one to the latent, such as 64,32; of images their channels.
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    pub(crate) widths: Vec<NonZeroUsize>,
    /// The most epochs; by default as many as make about 3000 steps, from 5 to 300.
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<NonZeroUsize>,
    /// Samples a step.
    #[arg(long, value_name = "N")]
    pub(crate) batch_size: Option<NonZeroUsize>,
    /// Step length of Adam.
    #[arg(long, value_name = "X")]
    pub(crate) learning_rate: Option<f64>,
    /// Epochs without improvement after which training stops.
    #[arg(long, value_name = "N")]
    pub(crate) patience: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(crate) rule: RuleArgs,
}

/// One way to say where the threshold is.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub(crate) struct RuleArgs {
    /// Threshold: the share of normal samples that may be called anomalous.
    #[arg(long, value_name = "RATE")]
    pub(crate) fpr: Option<f64>,
    /// Threshold: this quantile of the calibration scores.
    #[arg(long, value_name = "Q")]
    pub(crate) quantile: Option<f64>,
    /// Threshold: the share of the training rows that is anomalous itself, 0 for clean data.
    #[arg(long, value_name = "SHARE")]
    pub(crate) contamination: Option<f64>,
    /// Threshold: this score.
    #[arg(long, value_name = "SCORE")]
    pub(crate) value: Option<f64>,
}

impl RuleArgs {
    pub(crate) fn rule(&self) -> Option<Rule> {
        let Self { fpr, quantile, contamination, value } = self;
        fpr.map(Rule::FalsePositiveRate)
            .or(quantile.map(Rule::Quantile))
            .or(contamination.map(Rule::Contamination))
            .or(value.map(Rule::Value))
    }
}

/// A fitted model, and samples for it.
#[derive(Debug, Args)]
pub(crate) struct OnArgs {
    /// A model file.
    pub(crate) model: PathBuf,
    /// Samples like those of the fit, or - for standard input.
    pub(crate) input: PathBuf,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
    /// Resize images to the model's size.
    #[arg(long)]
    pub(crate) resize: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ScoreArgs {
    #[command(flatten)]
    pub(crate) on: OnArgs,
    /// The file to write, - for standard output. It appears when it is whole; from a pipe, scores grow in FILE.partial.
    #[arg(long, short, default_value = "-")]
    pub(crate) output: PathBuf,
    /// Say on standard error how many samples a second were scored: at the end, and every 10 seconds if it is no terminal.
    #[arg(long)]
    pub(crate) stats: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) on: OnArgs,
    /// How many samples, the most anomalous first.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) top: usize,
    /// These rows instead (from 1; of a series the first row of a window).
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    pub(crate) rows: Vec<u64>,
    /// How many features of each.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) features: usize,
    /// How many normal patterns of each.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) patterns: usize,
    /// A folder for a PNG of each image.
    #[arg(long, value_name = "DIR")]
    pub(crate) heatmaps: Option<PathBuf>,
    /// One JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    #[command(flatten)]
    pub(crate) on: OnArgs,
    /// The column of labels of a CSV.
    #[arg(long, value_name = "NAME")]
    pub(crate) label: Option<String>,
    /// The labels of anomalies, separated by commas; all others are normal, but for missing ones.
    #[arg(long, value_name = "VALUES", requires = "label", conflicts_with = "normal")]
    pub(crate) anomaly: Option<String>,
    /// With --label the labels of normal rows, separated by commas. Of images the subfolder of normal ones, with all below
    /// it. All others are anomalous.
    #[arg(long, value_name = "VALUES|FOLDER")]
    pub(crate) normal: Option<String>,
    /// Labels in a file of their own, for NPY, NPZ and IDX: an NPY file or an IDX file of labels; 0 is normal.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["label", "normal"])]
    pub(crate) labels: Option<PathBuf>,
    /// A JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ThresholdArgs {
    /// A model file.
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) rule: RuleArgs,
    /// Write another file instead of changing this one.
    #[arg(long, short)]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// A model file.
    pub(crate) model: PathBuf,
    /// The file to write.
    #[arg(long, short)]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// A model file.
    pub(crate) model: PathBuf,
    /// The whole header as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExampleArgs {
    /// What kind of data.
    #[arg(value_enum)]
    pub(crate) kind: Example,
    /// The folder to write, made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Example {
    Table,
    Images,
    Series,
}

/// `64x48`: width, then height.
fn size(text: &str) -> Result<[u32; 2], String> {
    let parts = text.split_once('x').and_then(|(width, height)| Some([width.parse().ok()?, height.parse().ok()?]));
    parts
        .filter(|sides| sides.iter().all(|side| (1..=65_535).contains(side)))
        .ok_or_else(|| "give width and height in pixels, such as 64x48".to_owned())
}

/// One ASCII character; a tab may be written as people do.
fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [one] if !matches!(one, b'"' | b'\r' | b'\n') => Ok(*one),
        _ => Err("give one ASCII character, or \\t for a tab".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
        assert_eq!(size("64x48"), Ok([64, 48]));
        for text in ["64", "x", "0x5", "64x-1", "99999x1"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!((delimiter(";"), delimiter("\\t"), delimiter("\t")), (Ok(b';'), Ok(b'\t'), Ok(b'\t')));
        for text in ["", ";;", "\"", "\n", "\u{e9}"] {
            assert!(delimiter(text).is_err(), "{text:?}");
        }
    }
}
