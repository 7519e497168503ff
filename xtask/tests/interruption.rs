//! Runs that are ended from outside go on to the same bits.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use rftm_experiments::{Finished, Ledger};

fn spawn(folder: &Path, out: &str) -> Child {
    let binary = env!("CARGO_BIN_EXE_xtask");
    // The test may run in the background of a script, where interruptions are ignored.
    let mut command = Command::new(if cfg!(target_os = "linux") { "env" } else { binary });
    if cfg!(target_os = "linux") {
        command.args(["--default-signal=INT,TERM,HUP", binary]);
    }
    command.current_dir(folder).args(["reproduce", "--dataset", "glyphs", "--class", "0", "--max-epochs", "3"]);
    command.args(["--offline", "--threads", "1", "--out", out]);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success(), "kill {name}");
}

/// Reads the child's messages to their end; what it said and how it ended.
fn finish(mut child: Child) -> (String, ExitStatus) {
    let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    (said, child.wait().unwrap())
}

/// What must not depend on interruptions: everything but the time.
fn results(out: &Path) -> BTreeMap<String, Finished> {
    let (ledger, _) = Ledger::read(out).unwrap();
    let timeless = |finished: &Finished| Finished { seconds: 0.0, ..finished.clone() };
    ledger.records().map(|record| (record.key.to_string(), timeless(record.finished().unwrap()))).collect()
}

#[test]
fn kill_9_and_ctrl_c_lead_to_the_bits_of_an_undisturbed_run() {
    let folder = tempfile::tempdir().unwrap();
    let begin = Instant::now();
    let (said, status) = finish(spawn(folder.path(), "whole"));
    assert!(status.success(), "{said}");
    let whole_run = begin.elapsed();
    let expected = results(&folder.path().join("whole"));
    assert_eq!(expected.len(), 2);

    // Ctrl-C as soon as the first epoch is told: saves, says where it will go on, exits with 130.
    let mut child = spawn(folder.path(), "stopped");
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line.contains("epoch 1,")));
    signal(&child, "-INT");
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("goes on with epoch")), "{rest:?}");
    let (said, status) = finish(spawn(folder.path(), "stopped"));
    assert!(status.success(), "{said}");
    assert_eq!(results(&folder.path().join("stopped")), expected);

    // kill -9 at moments nobody chose, twice.
    let mut moments = Vec::new();
    for _ in 0..2 {
        // Each attempt ends before two thirds of a whole run, so the first is sure to be cut off.
        let share = (RandomState::new().hash_one(0) % 1000) as f64 / 1500.0;
        moments.push(share);
        let child = spawn(folder.path(), "killed");
        std::thread::sleep(whole_run.mul_f64(share));
        signal(&child, "-KILL");
        finish(child);
    }
    let (said, status) = finish(spawn(folder.path(), "killed"));
    assert!(status.success(), "{said}");
    assert_eq!(results(&folder.path().join("killed")), expected, "killed after these parts of a run: {moments:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn nohup_outlives_its_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("env");
    command.current_dir(folder.path()).args(["--ignore-signal=HUP", env!("CARGO_BIN_EXE_xtask"), "reproduce"]);
    command.args("--dataset glyphs --class 0 --model ae --max-epochs 3 --offline --threads 1 --out run".split(' '));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line.contains("epoch 1,")));
    signal(&child, "-HUP");
    let rest: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success(), "{rest:?}");
}
