//! Several machines: two shards in two folders come to one run's table, and the files for schedulers say what they should.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rftm_experiments::Ledger;

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cluster")
}

/// Standard output of a command that succeeds.
fn output(command: &mut Command) -> String {
    let output = command.env_remove("RFTM_DATA").output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn xtask(folder: &Path, arguments: &str) -> String {
    output(Command::new(XTASK).current_dir(folder).args(arguments.split_whitespace()))
}

#[test]
fn two_shards_in_two_folders_merge_to_the_tables_of_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let run = |more: &str| {
        xtask(
            folder.path(),
            &format!("reproduce --dataset glyphs --class 0,1 --max-epochs 1 --offline --threads 1 {more}"),
        )
    };
    run("--out one");
    run("--shard 1/2 --out first");
    run("--shard 2/2 --out second");
    let cells = |out: &str| Ledger::read(&folder.path().join(out)).unwrap().0.len();
    assert_eq!((cells("one"), cells("first"), cells("second")), (4, 2, 2));
    let merged = xtask(folder.path(), "ledger merge first second -o merged");
    assert!(merged.contains("4 records and 4 score files"), "{merged}");
    assert_eq!(xtask(folder.path(), "report --out merged"), xtask(folder.path(), "report --out one"));
    for file in ["look.md", "look.csv", "look.tex"] {
        let read = |out: &str| fs::read_to_string(folder.path().join(out).join(file)).unwrap();
        assert_eq!(read("merged"), read("one"), "{file}");
    }
    assert!(xtask(folder.path(), "ledger verify merged").contains("4 finished cells, 4 of them recomputed"));
}

#[test]
fn the_tasks_of_a_job_array_share_the_cells() {
    let folder = tempfile::tempdir().unwrap();
    // Not the estimate beside the key: it depends on how fast this machine was just then.
    let keys_in = |text: &str| -> Vec<String> {
        let cells = text.lines().filter(|line| line.contains("mnist class"));
        cells.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
    };
    let keys = |task: usize| {
        let mut script = Command::new("bash");
        script.arg(docs().join("slurm.sh")).args(["--only", "table1", "--dataset", "mnist", "--dry-run"]);
        script.current_dir(folder.path()).env("XTASK", XTASK).env("SLURM_CPUS_PER_TASK", "2");
        let text = output(script.env("SLURM_ARRAY_TASK_ID", task.to_string()).env("SLURM_ARRAY_TASK_COUNT", "3"));
        assert!(text.contains(&format!("in runs/shards/{task}-of-3 already; with jobs 2, threads 1 each")), "{text}");
        keys_in(&text)
    };
    let mut parts = [keys(1), keys(2), keys(3)].concat();
    let mut whole = keys_in(&xtask(folder.path(), "reproduce --only table1 --dataset mnist --dry-run"));
    parts.sort();
    whole.sort();
    assert_eq!(parts, whole);
    assert_eq!(whole.len(), 10 * 4 * 3);
}

#[test]
fn a_pod_runs_its_shard() {
    let text = fs::read_to_string(docs().join("kubernetes.yaml")).unwrap();
    // The folded text of `args`, as the shell gets it.
    let script = text.split_once(">-\n").unwrap().1.lines().take_while(|line| line.starts_with("              "));
    let script = script.map(str::trim).collect::<Vec<_>>().join(" ").replace("/usr/local/bin/xtask", XTASK);
    let folder = tempfile::tempdir().unwrap();
    let mut pod = Command::new("sh");
    pod.args(["-c", &format!("{script} --dry-run")]).current_dir(folder.path());
    let text = output(pod.env("JOB_COMPLETION_INDEX", "7").env("SHARDS", "8"));
    assert!(text.contains("in runs/shards/8-of-8 already; with jobs 4, threads 1 each"), "{text}");
    let number =
        |line: &str, key: &str| line.trim().strip_prefix(key).map(|rest| rest.trim().trim_matches('"').to_owned());
    let yaml = fs::read_to_string(docs().join("kubernetes.yaml")).unwrap();
    let completions: Vec<_> = yaml.lines().filter_map(|line| number(line, "completions:")).collect();
    let shards: Vec<_> = yaml
        .lines()
        .skip_while(|line| !line.contains("name: SHARDS"))
        .filter_map(|line| number(line, "value:"))
        .collect();
    assert_eq!(completions, shards, "as many shards as pods");
}
