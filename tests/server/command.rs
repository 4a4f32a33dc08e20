//! Runs the program for one command, with its input and in a folder of its own.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `keystile` with these arguments, that standard input, in that folder.
pub(crate) fn run(arguments: &[&str], input: &[u8], folder: &Path) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_keystile"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A command that refuses its arguments reads nothing.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let status = output.status.code().expect("the program ends by itself");
    let ran =
        Ran { status, out: String::from_utf8(output.stdout).unwrap(), err: String::from_utf8(output.stderr).unwrap() };
    assert!(!ran.err.contains("panicked"), "{ran:?}");
    ran
}

/// Decides cases given as JSON values: one result for each.
pub(crate) fn simulate(cases: &[Value], folder: &Path) -> Vec<Value> {
    let input = cases.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let ran = run(&["simulate", "--format", "json"], input.as_bytes(), folder);
    let lines: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), cases.len(), "{ran:?}");
    lines
}
