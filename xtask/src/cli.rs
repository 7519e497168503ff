//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use rftm_data::DatasetId;
use rftm_experiments::Shard;
use rftm_models::{Convention, ModelKind};

/// Reproduces the RFTM paper: trains, measures, and prints paper | ours | difference.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, disable_help_subcommand = true)]
#[command(after_help = "Begin with:\n  cargo xtask reproduce            a quick look, under 10 minutes on 2 cores\n  \
                        cargo xtask reproduce --full     the paper's protocol, hours to days, resumable")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Reproduce(Reproduce),
    Report(Report),
    /// Fetch the data sets, or say what belongs where.
    #[command(after_help = "Examples:\n  cargo xtask data fetch               all data sets\n  \
                            cargo xtask data fetch mnist         one\n  \
                            cargo xtask data where               what is found, and what is looked for where")]
    Data {
        #[command(subcommand)]
        command: Data,
    },
    /// Merge, show or verify ledgers.
    #[command(after_help = "Examples:\n  cargo xtask ledger show\n  cargo xtask ledger verify runs/look\n  \
                            cargo xtask ledger merge shard1 shard2 -o docs/results")]
    Ledger {
        #[command(subcommand)]
        command: Ledger,
    },
    /// Run everything CI runs, the cheapest first: lockfile, format, clippy, documentation, a smoke run, the kernels on lower
    /// vector levels, all tests.
    #[command(after_help = "Example:\n  cargo xtask check")]
    Check,
    /// Run the criterion benches, then compare with the peers that are installed.
    #[command(
        after_help = "Examples:\n  cargo xtask bench                                   everything, hours on a quiet \
                            machine\n  cargo xtask bench --quick                           does it work at all?\n  cargo xtask \
                            bench --skip-criterion -- --append --cases fc_ae --python python3   only one case again"
    )]
    Bench(Bench),
}

/// The benches of the kernels and steps, and docs/performance.md.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Few repetitions, nothing recorded.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only the comparison.
    #[arg(long)]
    pub(crate) skip_criterion: bool,
    /// What follows `--` goes to the comparison: `-- --help` lists its options.
    #[arg(last = true)]
    pub(crate) arguments: Vec<String>,
}

/// Train and score what is not in the ledger yet, then print the tables.
///
/// Without a flag: a quick look with few classes, one seed and few epochs, on MNIST where it is found or can be fetched
/// and on built-in glyphs otherwise; results go to runs/look. With --full: the paper's protocol; results go to
/// docs/results. A run that was stopped (Ctrl-C, kill, power cut) goes on where it was when the same command is given
/// again; cells that failed are tried again, too. Lists are separated by commas.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask reproduce
  cargo xtask reproduce --full --dry-run
  cargo xtask reproduce --full --dataset mnist --class 0,1,9 --model ae,rftm --seed 1997
  cargo xtask reproduce --only table1 --dataset fashion-mnist --class coat --convention text --jobs 2
  cargo xtask reproduce --only table2 --class coat --seed 1997
  cargo xtask reproduce --only table1 --dataset cifar-10 --padding 0
  cargo xtask reproduce --only fig3,fig4                       data of these figures; --only figures: of all
  cargo xtask reproduce --full --shard 2/8 --out shard2        part 2 of 8; then: cargo xtask ledger merge
  cargo xtask reproduce --quick                                does it work at all? Under a minute

Exit codes: 0 all done, 1 the run could not go on (no data, a full disk) or a figure could not be drawn, 2 a wrong argument,
3 some cells failed and the others are done, 130 stopped by Ctrl-C.")]
pub(crate) struct Reproduce {
    /// The paper's protocol, Tables 1 and 2: all classes, models and seeds, training until early stopping.
    #[arg(long, conflicts_with = "quick")]
    pub(crate) full: bool,
    /// A smoke run for CI: tiny, on glyphs, from scratch each time, in runs/quick.
    #[arg(long, conflicts_with_all = ["only", "dataset", "shard"])]
    pub(crate) quick: bool,
    /// Only these: table1, table2, untrained (scores before the first step), evidence (readings of the paper),
    /// memae-settings, mnad-settings (MemAE and MNAD under other settings) (implies --full). Or figures alone: fig1,
    /// fig3 to fig7, auroc, curves, usage, residuals, or all: figures.
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Only these data sets: mnist, fashion-mnist, cifar-10, glyphs.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = dataset)]
    pub(crate) dataset: Vec<DatasetId>,
    /// Only these classes as the anomaly, by number or name: 0,1,9 or coat.
    #[arg(long, value_name = "CLASS", value_delimiter = ',')]
    pub(crate) class: Vec<String>,
    /// Only these models: ae, memae, mnad, rftm.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = model)]
    pub(crate) model: Vec<ModelKind>,
    /// Only these seeds: 1997, 2015, 2022.
    #[arg(long, value_name = "SEED", value_delimiter = ',')]
    pub(crate) seed: Vec<u64>,
    /// How to read what the paper leaves open: release or text (see docs/method.md).
    #[arg(long, value_name = "NAME", value_parser = convention)]
    pub(crate) convention: Option<Convention>,
    /// Let the memories forget at inference, too.
    #[arg(long)]
    pub(crate) forget_at_inference: bool,
    /// Padding of the convolutional models, which the paper does not give: 0 or 1; usually 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=1))]
    pub(crate) padding: Option<u8>,
    /// Stop training after so many epochs at the latest.
    #[arg(long, value_name = "N")]
    pub(crate) max_epochs: Option<NonZeroUsize>,
    /// Cells side by side, each with one thread.
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) jobs: NonZeroUsize,
    /// Threads inside a cell [default: all cores with one job, otherwise 1].
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Only part I of N, for several machines; give each its own --out (docs/cluster.md).
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
    /// Folder with the data sets [default: $RFTM_DATA, then data].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Folder for ledger, scores and tables [default: docs/results for --full (unless --max-epochs makes it another protocol), otherwise runs/look].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the cells or trainings and how long they will take; train nothing, write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Download nothing.
    #[arg(long)]
    pub(crate) offline: bool,
}

/// Write all tables again from the ledger alone, as Markdown, CSV and LaTeX, draw the figures from their data, and make the
/// page of both, report.html.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cargo xtask report\n  cargo xtask report --out runs/look")]
pub(crate) struct Report {
    /// Folder with the ledger; the tables go there, too [default: docs/results].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// Download data sets; what is there and has the right checksum is left alone.
    Fetch {
        /// Data sets [default: all].
        #[arg(value_name = "NAME", value_parser = dataset)]
        names: Vec<DatasetId>,
        /// Folder to write to [default: $RFTM_DATA, then data].
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
    /// Say for each data set whether it is found, and otherwise which files belong where.
    Where {
        /// Folder to look into first.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Ledger {
    /// Merge the ledgers and scores of several results folders, for example of shards.
    Merge {
        /// Results folders (or the ledger.jsonl in them); of two results of a cell the first stays, and a difference is told.
        #[arg(required = true, value_name = "DIR")]
        inputs: Vec<PathBuf>,
        /// The folder to write; it must be new or one of the inputs.
        #[arg(short, long, value_name = "DIR")]
        out: PathBuf,
    },
    /// List the cells of a ledger.
    Show {
        /// A results folder [default: docs/results].
        #[arg(value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Compute all keys and metrics again and compare.
    Verify {
        /// A results folder [default: docs/results].
        #[arg(value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

fn dataset(text: &str) -> Result<DatasetId, String> {
    text.parse().map_err(|error: rftm_data::Error| error.to_string())
}

fn model(text: &str) -> Result<ModelKind, String> {
    text.parse()
}

fn convention(text: &str) -> Result<Convention, String> {
    text.parse()
}
