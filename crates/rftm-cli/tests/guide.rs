//! Runs every shell block of `docs/guide.md`, in order, in one fresh folder.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn the_guide_works() {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide.md")).unwrap();
    let blocks: Vec<&str> = guide.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 5, "the guide has lost its examples");
    let folder = tempfile::tempdir().unwrap();
    let binary = assert_cmd::cargo::cargo_bin!("rftm");
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut said = String::new();
    for block in blocks {
        let output =
            Command::new("sh").args(["-ec", block]).env("PATH", &path).current_dir(folder.path()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{block}\n{errors}");
        said += &String::from_utf8_lossy(&output.stdout);
    }
    // What the text promises of the examples.
    let flagged = |name: &str| -> Vec<u64> {
        let scores = fs::read_to_string(folder.path().join(name)).unwrap();
        let flagged = scores.lines().filter(|line| line.ends_with(",1"));
        flagged.filter_map(|line| line.split(',').next().unwrap().parse().ok()).collect()
    };
    let pump = flagged("scores.csv");
    assert!([50, 100, 150, 200].iter().all(|row| pump.contains(row)), "{pump:?}");
    let line = flagged("line.csv");
    assert!(
        line.iter().any(|row| (277..=311).contains(row)) && line.iter().any(|row| (577..=600).contains(row)),
        "{line:?}"
    );
    assert_eq!(fs::read_dir(folder.path().join("heat")).unwrap().count(), 2);
    assert!(said.contains("test/hole"), "holes are the oddest pictures of cloth:\n{said}");
}
