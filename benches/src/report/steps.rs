//! The tables of whole steps: times and ratios, rates, memory.

use super::table::{Table, number, percent, ratio};
use crate::case::Case;
use crate::clock::median;
use crate::record::{Record, Step};

/// All processes that trained or scored.
pub(super) struct Steps<'a>(Vec<&'a Step>);

/// How many times as fast as PyTorch a case shall be: training on 1 and 2 threads, scoring 256 samples on 1 and 2, and
/// one sample on 1.
const GOALS: [(&str, [f64; 5]); 6] = [
    ("fc_ae", [1.4, 1.3, 1.2, 1.2, 2.0]),
    ("fc_rftm", [2.0, 1.8, 1.8, 1.6, 2.2]),
    ("conv_ae_p1", [1.6, 1.6, 1.5, 1.5, 2.0]),
    ("conv_ae_p0", [1.6, 1.6, 1.5, 1.5, 2.0]),
    ("conv_rftm_p1", [2.2, 2.0, 1.7, 1.6, 5.0]),
    ("conv_rftm_p0", [2.2, 2.0, 1.7, 1.6, 5.0]),
];

fn goal(case: &str, mode: &str, threads: usize) -> Option<f64> {
    let (_, goals) = GOALS.iter().find(|(name, _)| *name == case)?;
    let index = match (mode, threads) {
        ("train", 1) => 0,
        ("train", 2) => 1,
        ("score256", 1) => 2,
        ("score256", 2) => 3,
        ("score1", 1) => 4,
        _ => return None,
    };
    Some(goals[index])
}

impl<'a> Steps<'a> {
    pub(super) fn of(records: &'a [Record]) -> Self {
        let step = |record: &'a Record| match record {
            Record::Step(step) => Some(step),
            _ => None,
        };
        Self(records.iter().filter_map(step).collect())
    }

    /// The programs, ours first, in the order in which they were run.
    fn programs(&self) -> Vec<&'a str> {
        let mut programs = vec!["rftm"];
        for step in &self.0 {
            if !programs.contains(&step.program.as_str()) {
                programs.push(&step.program);
            }
        }
        programs
    }

    fn threads(&self) -> Vec<usize> {
        let mut threads: Vec<_> = self.0.iter().map(|step| step.threads).collect();
        threads.sort_unstable();
        threads.dedup();
        threads
    }

    fn select(&self, program: &str, case: &str, mode: &str, threads: usize) -> impl Iterator<Item = &'a Step> {
        self.0.iter().copied().filter(move |step| {
            (step.program.as_str(), step.case.as_str(), step.mode.as_str(), step.threads)
                == (program, case, mode, threads)
        })
    }

    /// The median over processes of some number; `None` if no process has it.
    fn median(
        &self,
        program: &str,
        case: &str,
        mode: &str,
        threads: usize,
        of: impl Fn(&Step) -> Option<f64>,
    ) -> Option<f64> {
        let all: Vec<_> = self.select(program, case, mode, threads).filter_map(of).collect();
        (!all.is_empty()).then(|| median(&all))
    }

    fn time(&self, program: &str, case: &str, mode: &str, threads: usize) -> Option<f64> {
        self.median(program, case, mode, threads, |step| Some(step.median_ms))
    }

    /// The time of PyTorch's fastest variant.
    fn torch(&self, case: &str, mode: &str, threads: usize) -> Option<f64> {
        let variants = self.programs().into_iter().filter(|program| program.starts_with("torch"));
        variants.filter_map(|program| self.time(program, case, mode, threads)).reduce(f64::min)
    }

    /// Times of all programs in one mode, and how they compare.
    pub(super) fn times(&self, mode: &str) -> Table {
        let programs = self.programs();
        let mut header: Vec<String> = vec!["case".into(), "threads".into()];
        header.extend(programs.iter().map(|&program| program.to_owned()));
        header.extend(["PyTorch / rftm".into(), "goal".into()]);
        header.extend(programs.iter().filter(|name| !is_torch(name)).skip(1).map(|name| format!("{name} / rftm")));
        let mut table = Table::new(header);
        for case in Case::ALL.map(Case::name) {
            for threads in self.threads() {
                let Some(ours) = self.time("rftm", case, mode, threads) else { continue };
                let times: Vec<_> = programs.iter().map(|name| self.time(name, case, mode, threads)).collect();
                let mut row = vec![format!("`{case}`"), threads.to_string()];
                row.extend(times.iter().map(|&time| number(time)));
                row.push(ratio(self.torch(case, mode, threads).map(|torch| torch / ours)));
                row.push(goal(case, mode, threads).map_or_else(|| "-".into(), |goal| format!("{goal:.1}x")));
                let others = programs.iter().zip(&times).filter(|(name, _)| !is_torch(name)).skip(1);
                row.extend(others.map(|(_, time)| ratio(time.map(|time| time / ours))));
                table.row(row);
            }
        }
        table
    }

    /// The least time for one sample: reading every weight once.
    pub(super) fn bounds(&self, gb_per_s: Option<f64>) -> Table {
        let mut table = Table::new(["case", "weights, MiB", "read once, ms", "rftm, ms", "share of the bound"]);
        for case in Case::ALL.map(Case::name) {
            let weights = self.median("rftm", case, "score1", 1, |step| step.weights_mib);
            let (Some(weights), Some(time)) = (weights, self.time("rftm", case, "score1", 1)) else { continue };
            let bound = gb_per_s.map(|rate| weights * f64::from(1 << 20) / (1e6 * rate));
            let share = percent(bound.map(|bound| bound / time));
            table.row([format!("`{case}`"), number(Some(weights)), number(bound), number(Some(time)), share]);
        }
        table
    }

    /// The largest peak of a process that only trained, on one thread.
    pub(super) fn memory(&self) -> Table {
        let programs = self.programs();
        let mut header = vec!["case"];
        header.extend(&programs);
        header.extend(["rftm / PyTorch", "goal", "rftm / burn"]);
        let mut table = Table::new(header);
        for case in Case::ALL.map(Case::name) {
            let peak = |program: &str| {
                self.select(program, case, "train", 1).filter_map(|step| step.peak_mib).reduce(f64::max)
            };
            let Some(ours) = peak("rftm") else { continue };
            let torch = programs.iter().filter(|name| is_torch(name)).filter_map(|name| peak(name)).reduce(f64::min);
            let mut row = vec![format!("`{case}`")];
            row.extend(programs.iter().map(|name| number(peak(name))));
            row.extend([ratio(torch.map(|torch| ours / torch)), "0.25x".into()]);
            row.push(ratio(peak("burn").map(|burn| ours / burn)));
            table.row(row);
        }
        table
    }

    /// Rates of whole steps beside the rate of one product in the same process.
    pub(super) fn rates(&self) -> Table {
        let columns = ["case", "threads", "GFLOP", "GFLOP/s", "product, GFLOP/s", "share", "goal"];
        let mut table = Table::new(columns);
        for case in Case::ALL.map(Case::name) {
            for threads in self.threads() {
                let of = |of: fn(&Step) -> Option<f64>| self.median("rftm", case, "train", threads, of);
                let (Some(gflop), Some(time)) = (of(|step| step.gflop), of(|step| Some(step.median_ms))) else {
                    continue;
                };
                let rate = 1e3 * gflop / time;
                let share = of(|step| Some(1e3 * step.gflop? / step.median_ms / step.gemm_peak?));
                let goal = match case {
                    "fc_ae" => "75 %",
                    "conv_ae_p1" | "conv_ae_p0" => "65 %",
                    _ => "-",
                };
                let name = format!("`{case}`");
                let peak = of(|step| step.gemm_peak);
                let numbers = [number(Some(gflop)), number(Some(rate)), number(peak), percent(share)];
                table.row([name, threads.to_string()].into_iter().chain(numbers).chain([goal.to_owned()]));
            }
        }
        table
    }

    /// Forward, backward and update of a step.
    pub(super) fn split(&self) -> Table {
        let mut table = Table::new(["case", "threads", "step, ms", "forward", "backward", "Adam"]);
        for case in Case::ALL.map(Case::name) {
            for threads in self.threads() {
                let of = |of: fn(&Step) -> Option<f64>| self.median("rftm", case, "train", threads, of);
                let parts = [of(|step| step.forward_ms), of(|step| step.backward_ms), of(|step| step.update_ms)];
                let Some(total) = of(|step| Some(step.median_ms)) else { continue };
                let row = [format!("`{case}`"), threads.to_string(), number(Some(total))];
                table.row(row.into_iter().chain(parts.map(number)));
            }
        }
        table
    }

    /// Median time of a whole step of ours, and of Adam in it.
    pub(super) fn ours(&self, case: &str, threads: usize) -> Option<(f64, f64)> {
        let update = self.median("rftm", case, "train", threads, |step| step.update_ms)?;
        Some((self.time("rftm", case, "train", threads)?, update))
    }

    /// What the programs say about themselves.
    pub(super) fn notes(&self) -> Vec<&'a str> {
        let mut notes: Vec<_> = self.0.iter().filter_map(|step| step.note.as_deref()).collect();
        notes.sort_unstable();
        notes.dedup();
        notes
    }
}

fn is_torch(program: &str) -> bool {
    program.starts_with("torch")
}
