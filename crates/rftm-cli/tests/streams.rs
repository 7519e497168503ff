//! Endless and broken inputs: what is answered when, what is left behind, and what is said.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use common::{Folder, sums};
use ndarray::Array2;
use ndarray_npy::WriteNpyExt;

const SOON: Duration = Duration::from_secs(20);

fn fitted() -> Folder {
    let folder = Folder::new();
    folder.write("train.csv", sums(60));
    folder.ok("fit train.csv -o m.rftm --epochs 1 --model ae");
    folder
}

/// A running command, its input, and the lines it answers.
struct Talk {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
}

impl Talk {
    fn new(folder: &Folder, line: &str) -> Self {
        let mut command = folder.process(line);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (send, answers) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { input: child.stdin.take().unwrap(), child, answers }
    }

    fn write(&mut self, text: &str) {
        self.input.write_all(text.as_bytes()).unwrap();
        self.input.flush().unwrap();
    }

    /// The number of the row that is answered next.
    fn answer(&self) -> String {
        self.answers.recv_timeout(SOON).unwrap().split(',').next().unwrap().to_owned()
    }

    /// Sends a signal; gives the exit code and standard error.
    #[cfg(unix)]
    fn end(mut self, signal: &str) -> (Option<i32>, String) {
        kill(&self.child, signal);
        let code = wait(&mut self.child);
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (code, said)
    }
}

#[cfg(unix)]
fn kill(child: &Child, signal: &str) {
    let status = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

fn wait(child: &mut Child) -> Option<i32> {
    let begin = Instant::now();
    while begin.elapsed() < SOON {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    panic!("it did not end");
}

/// Waits for a file to hold so many lines.
fn has_lines(folder: &Folder, name: &str, count: usize) {
    let begin = Instant::now();
    while fs::read_to_string(folder.path(name)).map_or(0, |text| text.lines().count()) < count {
        assert!(begin.elapsed() < SOON, "{name} has no {count} lines");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_row_is_answered_when_it_is_whole() {
    let folder = fitted();
    let mut talk = Talk::new(&folder, "score m.rftm - --header no");
    for (text, rows) in [
        ("1,2,3\n4,5", &["row", "1"][..]),
        (",9\n", &["2"]),
        ("1,2,3\r\n\r\n\r\n", &["3"]),
        ("1,\"2\",3\n4,5,9\n1,\"2", &["4", "5"]),
        ("\",3\n", &["6"]),
    ] {
        talk.write(text);
        rows.iter().for_each(|row| assert_eq!(talk.answer(), *row, "{text:?}"));
    }
    drop(talk.input);
    assert_eq!(wait(&mut talk.child), Some(0));
}

#[test]
fn rows_before_a_bad_line_are_answered() {
    let folder = fitted();
    let new = sums(20) + "1,2,three\n";
    folder.write("new.csv", &new);
    let output = folder.rftm("score m.rftm new.csv").assert().code(1).get_output().clone();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 21);
    assert!(String::from_utf8(output.stderr).unwrap().contains("new.csv:22: column \"sum\": \"three\""));
    // Into a file, from a pipe: they stay, but not under the name that stands for all.
    folder.write("out.csv", "what was there");
    let output = folder.rftm("score m.rftm - -o out.csv").write_stdin(new).assert().code(1).get_output().clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the scores so far are in out.csv.partial") && said.contains("standard input:22"), "{said}");
    assert_eq!(folder.read("out.csv.partial").lines().count(), 21);
    assert_eq!(folder.read("out.csv"), "what was there");
    folder.rftm("score m.rftm - -o out.csv").write_stdin(sums(9)).assert().success();
    assert_eq!(folder.read("out.csv").lines().count(), 10);
    assert!(!folder.path("out.csv.partial").exists());
    // All of a file is there: its scores come whole or not at all.
    folder.fails("score m.rftm new.csv -o out.csv", 1);
    assert_eq!(folder.read("out.csv").lines().count(), 10);
    assert_eq!(folder.names(), ["m.rftm", "new.csv", "out.csv", "out.csv.partial.1", "train.csv"]);
}

#[cfg(unix)]
#[test]
fn what_waits_for_input_ends_at_once() {
    let folder = fitted();
    let pipe = folder.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for signal in ["-INT", "-TERM", "-HUP"] {
        let talk = Talk::new(&folder, "score m.rftm pipe --format csv -o out.csv --stats");
        let mut writer = File::options().write(true).open(&pipe).unwrap();
        writer.write_all(sums(3).as_bytes()).unwrap();
        has_lines(&folder, "out.csv.partial", 4);
        let (code, said) = talk.end(signal);
        assert_eq!(code, Some(130), "{said}");
        assert!(said.contains("3 scores in") && said.contains("so far are in out.csv.partial"), "{said}");
        assert!(!folder.path("out.csv").exists());
        fs::remove_file(folder.path("out.csv.partial")).unwrap();
    }
    // Nor need there be a first line. Who opens a pipe to write waits for the other side.
    let talk = Talk::new(&folder, "score m.rftm pipe --format csv --stats");
    let writer = File::options().write(true).open(&pipe).unwrap();
    let (code, said) = talk.end("-INT");
    assert!(code == Some(130) && said.contains("0 scores in"), "{code:?} {said}");
    drop(writer);
    let output = folder.rftm("score m.rftm - --stats").write_stdin("").assert().code(1).get_output().clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("0 scores in") && said.contains("standard input is empty"), "{said}");
    let mut talk = Talk::new(&folder, "score m.rftm - --stats");
    talk.write(&sums(2));
    assert_eq!([talk.answer(), talk.answer(), talk.answer()], ["row", "1", "2"]);
    let (code, said) = talk.end("-INT");
    assert!(code == Some(130) && said.contains("2 scores in"), "{code:?} {said}");
}

#[cfg(unix)]
#[test]
fn a_signal_leaves_no_half_of_a_file() {
    let folder = fitted();
    folder.write("many.csv", sums(600_000));
    for signal in ["-INT", "-TERM"] {
        let talk = Talk::new(&folder, "score m.rftm many.csv -o out.csv");
        let begin = Instant::now();
        while !folder.names().iter().any(|name| name.ends_with(".partial")) {
            assert!(begin.elapsed() < SOON);
        }
        let (code, said) = talk.end(signal);
        assert!(code == Some(130) && said.contains("nothing was written"), "{code:?} {said}");
        assert_eq!(folder.names(), ["m.rftm", "many.csv", "train.csv"]);
    }
}

#[test]
fn stats_are_said_when_the_output_is_closed() {
    let folder = fitted();
    let mut talk = Talk::new(&folder, "score m.rftm - --stats");
    talk.write(&sums(1));
    assert_eq!(talk.answer(), "row");
    // Whoever reads goes away when the next line comes.
    drop(talk.answers);
    let mut said = String::new();
    while talk.input.write_all(b"1,2,3\n").is_ok() {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(wait(&mut talk.child), Some(141));
    talk.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains(" scores in "), "{said}");
}

#[cfg(unix)]
#[test]
fn an_image_that_cannot_be_read_is_no_fault_of_the_output() {
    let folder = Folder::new();
    folder.ok("example images --out .");
    folder.ok("fit train -o m.rftm --epochs 1 --model ae");
    std::os::unix::fs::symlink("nowhere.png", folder.path("test/good/zzz.png")).unwrap();
    let message = folder.fails("score m.rftm test/good -o out.csv", 1);
    assert!(message.contains("cannot read test/good/zzz.png") && !message.contains("out.csv"), "{message}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_named() {
    let folder = fitted();
    for command in ["score m.rftm train.csv", "inspect m.rftm", "explain m.rftm train.csv"] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = folder.process(command).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("cannot write standard output: No space left"), "{command}: {said}");
    }
}

#[test]
fn a_row_of_an_array_is_named_by_its_number() {
    let folder = fitted();
    let array = Array2::from_shape_fn((400, 3), |(row, _)| if row == 270 { f32::INFINITY } else { row as f32 });
    array.write_npy(File::create(folder.path("new.npy")).unwrap()).unwrap();
    let message = folder.fails("score m.rftm new.npy", 1);
    assert!(message.contains("new.npy: row 271: column \"x\": inf is not a finite number"), "{message}");
    let none = Array2::<f32>::zeros((40, 0));
    none.write_npy(File::create(folder.path("zero.npy")).unwrap()).unwrap();
    let message = folder.fails("fit zero.npy -o n.rftm", 1);
    assert!(message.contains("there is no column"), "{message}");
    assert!(folder.fails("fit train.csv -o n.rftm --learning-rate 0", 2).contains("learning_rate"));
}

#[test]
fn no_window_is_fitted_across_a_line_that_was_left_out() {
    let folder = Folder::new();
    folder.write("train.csv", sums(90) + "1,2\n" + sums(90).split_once('\n').unwrap().1);
    let message = folder.fails("fit train.csv -o m.rftm --window 4 --bad-lines skip", 1);
    assert!(
        message.contains("train.csv:92: 2 cells") && message.contains("a window may not reach across"),
        "{message}"
    );
    folder.ok("fit train.csv -o m.rftm --bad-lines skip --epochs 1");
}

#[test]
fn a_header_of_numbers_is_a_header_if_the_model_knows_it() {
    let folder = Folder::new();
    let years = sums(60).replacen("x,y,sum", "2019,2020,2021", 1);
    folder.write("years.csv", &years);
    let fit = |flags: &str| folder.rftm(&format!("fit years.csv -o m.rftm --epochs 1 {flags}")).output().unwrap();
    let said = |flags: &str| String::from_utf8(fit(flags).stderr).unwrap();
    assert!(said("").contains(r#"no header: columns are named "1", "2", "3"; --header yes"#));
    assert_eq!(folder.ok("score m.rftm years.csv").lines().count(), 62, "as in the fit, a row");
    // Names that are numbers of columns may be values: a row is not lost.
    folder.write("same.csv", "1,2,3\n4,5,9\n");
    assert_eq!(folder.ok("score m.rftm same.csv").lines().count(), 3);
    assert_eq!(said("--header no"), "");
    assert_eq!(said("--header yes"), "");
    assert_eq!(folder.ok("score m.rftm years.csv").lines().count(), 61);
    // As pandas numbers columns: those are names, too, if they were names in the fit.
    let rows = sums(60);
    folder.write("pandas.csv", rows.replacen("x,y,sum", "2,0,1", 1));
    folder.ok("fit pandas.csv -o p.rftm --epochs 1 --header yes");
    let scores = folder.ok("score p.rftm pandas.csv");
    assert_eq!(folder.ok("score p.rftm pandas.csv --header yes"), scores);
    let swap = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        format!("{},{},{}\n", cells[1], cells[2], cells[0])
    };
    let turned: String = rows.replacen("x,y,sum", "2,0,1", 1).lines().map(swap).collect();
    folder.write("turned.csv", turned);
    assert_eq!(folder.ok("score p.rftm turned.csv"), scores, "by name");
    // Without a header they say nothing of places.
    folder.write("bare.csv", rows.split_once('\n').unwrap().1);
    assert_eq!(folder.ok("score p.rftm bare.csv"), scores, "by place");
    folder.write("years.csv", years.replacen("2020", "total", 1));
    assert!(said("").contains("years.csv:1: \"total\" is no number, other cells are: say whether"));
}

#[test]
fn a_quote_that_is_never_closed_is_suspected() {
    let folder = fitted();
    let rest = sums(2000).split_once('\n').unwrap().1.to_owned();
    folder.write("open.csv", format!("{}1,\"2,3\n{rest}", sums(9)));
    for flags in ["", "--bad-lines skip"] {
        let output = folder.rftm(&format!("score m.rftm open.csv {flags}")).assert().code(1).get_output().clone();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("cannot read open.csv:11: a quote in this record is never closed"), "{said}");
        assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 10);
    }
    folder.write("late.csv", format!("{}1,2,\"3\r\n{rest}1,2,\"3\"\r\n", sums(9).replace('\n', "\r\n")));
    let message = folder.fails("score m.rftm late.csv", 1);
    assert!(message.contains("late.csv:11: ") && message.contains("a quote that is never closed?"), "{message}");
    assert!(message.len() < 300, "{message}");
}

#[test]
fn another_separator_is_suspected() {
    let folder = Folder::new();
    for (separator, flag) in [(";", ";"), ("\t", "\\t")] {
        folder.write("train.csv", sums(60).replace(',', separator));
        let message = folder.fails("fit train.csv -o m.rftm --epochs 1", 1);
        assert!(message.contains(&format!("say --delimiter '{flag}'")), "{message}");
        folder.ok(&format!("fit train.csv -o m.rftm --epochs 1 --delimiter {flag}"));
    }
}

#[test]
fn a_blank_line_of_one_column_is_a_missing_value() {
    let folder = Folder::new();
    let column: String = (0..60).map(|row| format!("{}\n", row * 37 % 101)).collect();
    folder.write("train.csv", format!("x\n{column}\n\n"));
    folder.ok("fit train.csv -o m.rftm --epochs 1");
    folder.ok("fit train.csv -o w.rftm --epochs 1 --window 3");
    folder.ok("fit train.csv -o filled.rftm --epochs 1 --missing mean");
    folder.write("gap.csv", "x\n1\n\n\n3\n4\n5\n\n");
    for model in ["m", "w"] {
        let message = folder.fails(&format!("score {model}.rftm gap.csv"), 1);
        assert!(message.contains("gap.csv:3: column \"x\": the value is missing"), "{message}");
    }
    let rows = |line: &str| -> Vec<String> {
        folder.ok(line).lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect()
    };
    assert_eq!(rows("score m.rftm gap.csv --bad-lines skip"), ["1", "4", "5", "6"]);
    assert_eq!(rows("score w.rftm gap.csv --bad-lines skip"), ["4"], "no window reaches across the gap");
    assert_eq!(rows("score filled.rftm gap.csv").len(), 6);
    folder.write("gaps.csv", format!("x\n\n{column}"));
    let message = folder.fails("fit gaps.csv -o n.rftm --window 3", 1);
    assert!(message.contains("gaps.csv:2: column \"x\": the value is missing"), "{message}");
    // A title before a table is no column.
    folder.write("title.csv", "Report of May\n\nx,y\n1,2\n");
    let message = folder.fails("fit title.csv -o n.rftm", 1);
    assert!(message.contains("title.csv:3: 2 cells, but the first line has 1"), "{message}");
    // With more columns it is no row, as for any reader of CSV.
    folder.write("two.csv", sums(60).replacen('\n', "\n\n", 9));
    folder.ok("fit two.csv -o t.rftm --epochs 1");
    assert_eq!(rows("score t.rftm two.csv").len(), 60);
}

#[test]
fn scores_of_a_run_that_did_not_end_are_kept() {
    let folder = fitted();
    for number in 1..3 {
        folder.write("out.csv.partial", format!("row,score\nof run {number}"));
        let output = folder.rftm("score m.rftm - -o out.csv").write_stdin(sums(5)).assert().success();
        let said = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        assert!(said.contains(&format!("did not end; it is now out.csv.partial.{number}")), "{said}");
        assert_eq!(folder.read(&format!("out.csv.partial.{number}")), format!("row,score\nof run {number}"));
    }
    // A header alone is no score.
    for _ in 0..2 {
        folder.rftm("score m.rftm - -o out.csv").write_stdin("x,y,sum\nbad,1,2\n").assert().code(1);
    }
    assert!(!folder.path("out.csv.partial.3").exists());
    assert_eq!(folder.read("out.csv").lines().count(), 6);
}

#[cfg(unix)]
#[test]
fn a_stream_replaces_no_protected_file() {
    use std::os::unix::fs::PermissionsExt;

    let folder = fitted();
    folder.write("out.csv", "what was there");
    std::fs::set_permissions(folder.path("out.csv"), std::fs::Permissions::from_mode(0o444)).unwrap();
    let output = folder.rftm("score m.rftm - -o out.csv").write_stdin(sums(5)).assert().code(1);
    let said = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(said.contains("cannot write out.csv"), "{said}");
    assert_eq!(folder.read("out.csv"), "what was there");
}

#[cfg(unix)]
#[test]
fn two_runs_do_not_share_a_file() {
    let folder = fitted();
    let mut first = folder.process("score m.rftm - -o out.csv").stdin(Stdio::piped()).spawn().unwrap();
    first.stdin.as_mut().unwrap().write_all(b"x,y,sum\n1,2,3\n").unwrap();
    has_lines(&folder, "out.csv.partial", 2);
    let output = folder.rftm("score m.rftm - -o out.csv").write_stdin(sums(5)).assert().code(1);
    let said = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(said.contains("another run is writing out.csv.partial"), "{said}");
    drop(first.stdin.take());
    assert_eq!(wait(&mut first), Some(0));
    assert_eq!(folder.read("out.csv").lines().count(), 2);
    assert!(!folder.path("out.csv.partial").exists());
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    let folder = fitted();
    folder.write("new.csv", "x,y,sum\r\n1,2,3\r\n\r\n1,2\r\n");
    assert!(folder.fails("score m.rftm new.csv", 1).contains("new.csv:4: 2 cells"));
}
