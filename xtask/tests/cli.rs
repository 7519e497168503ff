//! The program as a user meets it. Every test runs in an empty folder, without data and without network.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::fs;
use std::path::Path;
use std::process::Stdio;

use assert_cmd::Command;
use tempfile::TempDir;

fn xtask(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.current_dir(folder).env_remove("RFTM_DATA").args(arguments.split_whitespace());
    command
}

fn empty() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Exit code, standard output and standard error.
fn run(folder: &Path, arguments: &str) -> (i32, String, String) {
    let output = xtask(folder, arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Exit code and standard error of a command to whose standard output nobody listens, as in `| true`.
fn unheard(folder: &Path, arguments: &str) -> (i32, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.current_dir(folder).env_remove("RFTM_DATA").args(arguments.split_whitespace());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// Standard error is read by nobody, as in `2>&1 | true`.
#[cfg(unix)]
#[test]
fn a_run_ends_as_it_would_where_nobody_reads_how_it_goes() {
    let folder = empty();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.current_dir(folder.path()).env_remove("RFTM_DATA");
    command.args("reproduce --dataset glyphs --class 0 --model ae --max-epochs 2 --offline --out run".split(' '));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let (ledger, _) = rftm_experiments::Ledger::read(&folder.path().join("run")).unwrap();
    let finished: Vec<bool> = ledger.records().map(|record| record.finished().is_some()).collect();
    assert_eq!(finished, [true], "training has not failed because its progress could not be shown");
}

#[test]
fn every_command_has_help_with_examples() {
    let folder = empty();
    for command in ["", "reproduce", "report", "data", "ledger", "check", "bench"] {
        let (code, out, _) = run(folder.path(), &format!("{command} --help"));
        assert_eq!(code, 0);
        assert!(out.contains("cargo xtask") && (out.contains("Example") || out.contains("Begin with")), "{out}");
    }
}

#[test]
fn wrong_values_name_the_flag_and_what_is_allowed() {
    let folder = empty();
    let check = |arguments: &str, expected: &[&str]| {
        let (code, out, error) = run(folder.path(), arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments}: {error}");
        assert!(expected.iter().all(|part| error.contains(part)), "{arguments}: {error}");
    };
    check("reproduce --dataset minst", &["--dataset", "minst", "fashion-mnist"]);
    check("reproduce --model vae", &["--model", "vae", "memae, mnad, rftm"]);
    check("reproduce --convention paper", &["--convention", "release and text"]);
    check("reproduce --seed x", &["--seed", "x"]);
    check("reproduce --full --seed 7", &["--seed 7", "1997, 2015, 2022"]);
    check("reproduce --full --class 10", &["--class 10", "0 T-shirt/top"]);
    check("reproduce --full --dataset mnist --class coat", &["--class coat", "mnist: 0, 1"]);
    check("reproduce --full --dataset glyphs", &["--dataset glyphs", "mnist"]);
    for wrong in ["table9", "fig99", "fig99,table1", "fig3,fig99"] {
        let expected = ["table1, table2, untrained, evidence", "fig1, fig3, fig4", "residuals", "all: figures"];
        check(&format!("reproduce --only {wrong}"), &expected);
    }
    check("reproduce --only fig3,fig99", &["--only fig99"]);
    check("reproduce --only table2 --class bag", &["--class bag", "4 Coat"]);
    check("reproduce --only table1 --padding 2", &["--padding", "0..=1"]);
    check("reproduce --only table1 --dataset mnist --padding 1", &["--padding 1", "cifar-10"]);
    check("reproduce --only fig1,table1", &["--only fig1,table1", "separate runs"]);
    check("reproduce --only fig5 --class 3", &["--class 3", "anomaly class 2"]);
    check("reproduce --only figures --shard 1/2", &["--shard 1/2", "leave this out"]);
    check("reproduce --shard 3/2", &["--shard", "I from 1 to N"]);
    check("reproduce --jobs 0", &["--jobs"]);
    check("reproduce --max-epochs 0", &["--max-epochs"]);
    check("reproduce --full --quick", &["--quick", "cannot be used with"]);
    check("data fetch imagenet", &["imagenet", "cifar-10"]);
    check("ledger merge a b", &["--out"]);
    check("reproduce --no-such-flag", &["--no-such-flag"]);
}

#[test]
fn a_dry_run_tells_the_plan_and_writes_nothing() {
    let folder = empty();
    let (code, out, _) = run(folder.path(), "reproduce --dataset glyphs --class 0,3 --dry-run");
    assert_eq!(code, 0);
    assert_eq!(out.lines().filter(|line| line.contains("glyphs class") && line.contains("about")).count(), 4, "{out}");
    assert!(out.contains("4 cells to run, 0 in runs/look already") && out.contains("nothing measured yet"), "{out}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let (_, full, _) = run(folder.path(), "reproduce --full --dataset mnist --class 0,1,9 --model ae,rftm --dry-run");
    assert!(full.contains("18 cells to run, 0 in docs/results already"), "{full}");
    let (_, table2, _) = run(folder.path(), "reproduce --only table2 --class coat --seed 1997 --dry-run");
    assert!(table2.contains("6 cells to run, 0 in docs/results already"), "{table2}");
    assert!(table2.contains("class 4, rftm without cortex, seed 1997, `release`: about"), "{table2}");
    let (_, untrained, _) = run(folder.path(), "reproduce --only untrained --dataset mnist --dry-run");
    assert!(untrained.contains("60 cells to run, 0 in docs/results already"), "{untrained}");
    // Only the paper's protocol, asked for as such, goes among the committed results.
    for other in ["--dataset glyphs --max-epochs 300", "--full --max-epochs 100", "--dataset glyphs --shard 50/60"] {
        let (_, out, _) = run(folder.path(), &format!("reproduce {other} --dry-run"));
        assert!(out.contains("in runs/look already"), "{other}: {out}");
    }
}

#[test]
fn shards_of_the_command_line_are_a_partition() {
    let folder = empty();
    let keys = |shard: &str| {
        let (_, out, _) = run(folder.path(), &format!("reproduce --full --dataset mnist --dry-run {shard}"));
        out.lines()
            .filter_map(|line| line.split_once("  mnist class"))
            .map(|(key, _)| key.to_owned())
            .collect::<Vec<_>>()
    };
    let mut parts = [keys("--shard 1/3"), keys("--shard 2/3"), keys("--shard 3/3")].concat();
    let mut whole = keys("");
    parts.sort();
    whole.sort();
    assert!(!whole.is_empty());
    assert_eq!(parts, whole);
}

#[test]
fn without_data_and_network_the_look_is_at_glyphs_and_says_so() {
    let folder = empty();
    let (code, out, error) = run(folder.path(), "reproduce --offline --dry-run");
    assert_eq!(code, 0, "{error}");
    assert!(error.contains("mnist not found") && error.contains("glyphs instead of MNIST"), "{error}");
    assert!(out.contains("glyphs class 9, rftm"), "{out}");
    let (code, _, error) = run(folder.path(), "reproduce --offline --dataset mnist");
    assert_eq!(code, 1);
    assert!(error.contains("mnist not found") && error.contains("cargo xtask data fetch"), "{error}");
}

#[test]
fn a_smoke_run_goes_all_the_way_and_its_results_can_be_reported_again() {
    let folder = empty();
    let (code, out, error) = run(folder.path(), "reproduce --quick");
    assert_eq!(code, 0, "{error}");
    assert!(
        out.contains("Do not compare")
            && out.contains("| 0         | rftm  |")
            && out.contains("| wins of 1 | rftm  |"),
        "{out}"
    );
    assert!(error.contains("2 of 2 done") && error.contains("left"), "{error}");
    let table = fs::read(folder.path().join("runs/quick/look.md")).unwrap();
    let (code, again, _) = run(folder.path(), "report --out runs/quick");
    assert_eq!((code, fs::read(folder.path().join("runs/quick/look.md")).unwrap()), (0, table));
    assert_eq!(again.trim(), out.trim(), "the report shows what the run showed");
    fs::remove_file(folder.path().join("runs/quick/look.md")).unwrap();
    for command in ["report --out runs/quick", "ledger show runs/quick", "reproduce --dataset glyphs --dry-run"] {
        let (code, error) = unheard(folder.path(), command);
        assert!(code == 0 && !error.contains("panicked"), "{command}: {code}, {error}");
    }
    assert!(folder.path().join("runs/quick/look.md").is_file(), "files are written though nobody reads the tables");
    let (code, out, _) = run(folder.path(), "ledger verify runs/quick");
    assert!(code == 0 && out.contains("2 finished cells, 2 of them recomputed"), "{out}");
    let (code, out, _) = run(folder.path(), "ledger show runs/quick");
    assert!(code == 0 && out.lines().count() == 2 && out.contains("AUROC"), "{out}");
    let (code, out, _) = run(folder.path(), "ledger merge runs/quick -o merged");
    assert!(code == 0 && out.contains("2 records and 2 score files in merged"), "{out}");
    let (code, _, error) = run(folder.path(), "reproduce --dataset glyphs --class 0 --max-epochs 2 --out runs/quick");
    assert!(code == 0 && error.contains("nothing to run: all 2 cells are in the ledger"), "{error}");
    // A figure that cannot be drawn is no success.
    fs::create_dir_all(folder.path().join("runs/quick/figures/data")).unwrap();
    fs::write(folder.path().join("runs/quick/figures/data/fig3.csv"), "half a li").unwrap();
    let (code, _, error) = run(folder.path(), "reproduce --dataset glyphs --class 0 --max-epochs 2 --out runs/quick");
    assert!(code == 1 && error.contains("error: fig3: "), "{error}");
}

/// Who starts runs again and again has to tell a cell that fails from a run that could not go on.
#[test]
fn a_failed_cell_has_a_code_of_its_own_and_is_tried_again() {
    let folder = empty();
    let command = "reproduce --dataset glyphs --class 0 --model ae --max-epochs 1 --offline --out out";
    let (_, out, _) = run(folder.path(), &format!("{command} --dry-run"));
    let checkpoint = folder.path().join("out/checkpoints").join(out.split_whitespace().next().unwrap());
    fs::create_dir_all(&checkpoint).unwrap();
    fs::write(checkpoint.join("training.safetensors"), "no checkpoint").unwrap();
    let (code, _, error) = run(folder.path(), command);
    assert_eq!(code, 3, "{error}");
    assert!(error.contains("1 cells failed (see above); the same command tries them again"), "{error}");
    let (code, _, error) = run(folder.path(), command);
    assert_eq!(code, 0, "{error}");
}

#[test]
fn an_unwritable_results_folder_is_an_error_before_any_training() {
    let folder = empty();
    fs::write(folder.path().join("taken"), "a file").unwrap();
    let (code, _, error) = run(folder.path(), "reproduce --quick --out taken");
    assert_eq!(code, 1);
    assert!(error.contains("taken") && !error.contains("begins"), "{error}");
}

#[test]
fn a_damaged_ledger_is_named_and_an_absent_one_too() {
    let folder = empty();
    fs::create_dir_all(folder.path().join("docs/results")).unwrap();
    fs::write(folder.path().join("docs/results/ledger.jsonl"), "{}\n").unwrap();
    for command in ["report", "ledger show", "ledger verify", "reproduce --full --dry-run"] {
        let (code, _, error) = run(folder.path(), command);
        assert_eq!(code, 1);
        assert!(error.contains("docs/results/ledger.jsonl, line 1: not a ledger record"), "{command}: {error}");
    }
    let (code, _, error) = run(folder.path(), "report --out elsewhere");
    assert!(code == 1 && error.contains("there is no ledger at elsewhere/ledger.jsonl"), "{error}");
}

/// Without data there is nothing to train, but what failed and why is said at the end, and the rest goes on.
#[test]
fn figures_that_fail_are_named_at_the_end() {
    let folder = empty();
    fs::create_dir_all(folder.path().join("out")).unwrap();
    fs::write(folder.path().join("out/ledger.jsonl"), "").unwrap();
    let (code, _, error) = run(folder.path(), "reproduce --only fig5,fig7,auroc --offline --out out");
    assert_eq!(code, 3, "{error}");
    assert!(error.contains("mnist not found") && error.contains("wrote out/report.html"), "{error}");
    let (_, end) = error.split_once("these failed").unwrap();
    for model in ["ae", "memae", "mnad", "rftm"] {
        assert!(end.contains(&format!("mnist class 2, {model}, seed 1997 (")), "{end}");
    }
    assert!(end.contains("fig5, fig7: mnist class 2, rftm") && end.contains("mnist was not loaded"), "{end}");
    assert!(error.contains("4 of 4 done, about 0 s left"), "{error}");
}

#[test]
fn a_dry_run_of_figures_names_their_trainings() {
    let folder = empty();
    let (code, out, error) = run(folder.path(), "reproduce --only figures --dry-run");
    assert_eq!(code, 0, "{error}");
    assert!(out.contains("mnist class 2, mnad, seed 1997 (") && out.contains("fig1, rftm with 512 neurons"), "{out}");
    assert!(out.contains("trainings: 22,") && out.contains("each; about "), "{out}");
    let (_, out, _) = run(folder.path(), "reproduce --only fig6,fig7,usage --dry-run");
    assert!(out.contains("trainings: 1,"), "{out}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a dry run writes nothing");
    // No weights among the committed results, however they are spelled.
    fs::create_dir_all(folder.path().join("docs/results")).unwrap();
    let whole = folder.path().join("docs/results").display().to_string();
    for out in ["docs/results", "./docs/results", "docs/../docs/results/", &whole] {
        let (_, said, _) = run(folder.path(), &format!("reproduce --only fig6 --dry-run --out {out}"));
        assert!(said.contains("of which runs/figures has the weights"), "{out}: {said}");
    }
    let (_, said, _) = run(folder.path(), "reproduce --only fig6 --dry-run --out elsewhere");
    assert!(said.contains("of which elsewhere/weights has the weights"), "{said}");
}
