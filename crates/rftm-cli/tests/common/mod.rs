//! Running the binary in a fresh folder.
// Each test file uses a part of this, and is a crate of its own.
#![allow(dead_code, unreachable_pub)]

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use tempfile::TempDir;

/// A folder of a test's own.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The command with the words of a line as arguments.
    pub fn rftm(&self, line: &str) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("rftm"));
        command.current_dir(self.0.path()).args(line.split_whitespace());
        command
    }

    /// The command, to be run beside a test and sent signals, even if the test runs in the background of a script.
    pub fn process(&self, line: &str) -> std::process::Command {
        let binary = assert_cmd::cargo::cargo_bin!("rftm");
        let mut command = std::process::Command::new(if cfg!(target_os = "linux") { "env".as_ref() } else { binary });
        if cfg!(target_os = "linux") {
            command.arg("--default-signal=INT,TERM,HUP").arg(binary);
        }
        command.current_dir(self.0.path()).args(line.split_whitespace());
        command
    }

    /// Runs it; gives standard output.
    pub fn ok(&self, line: &str) -> String {
        let output = self.rftm(line).assert().success().get_output().clone();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs it; gives standard error.
    pub fn fails(&self, line: &str, code: i32) -> String {
        let output = self.rftm(line).assert().code(code).get_output().clone();
        String::from_utf8(output.stderr).unwrap()
    }

    /// Names of all files and folders directly in it.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> = entries.map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Rows x, y, x + y of a CSV with a header.
pub fn sums(rows: usize) -> String {
    let row = |i: usize| {
        let (x, y) = ((i * 37 % 101) as f64 / 10.0, (i * 53 % 89) as f64);
        format!("{x},{y},{}\n", x + y)
    };
    std::iter::once("x,y,sum\n".to_owned()).chain((0..rows).map(row)).collect()
}
