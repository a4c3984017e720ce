//! Standard output and error, which somebody may have closed.

use std::io::{self, ErrorKind, Write};

/// Prints a line. A closed pipe is no error: `sextant … | head` has seen what it wanted, and the exit code still tells
/// the verdict.
pub fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    flushed(writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()))
}

/// Prints an error. Where standard error is closed too there is nobody left to tell but the exit code.
pub fn error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "error: {text}");
}

/// Prints a line on standard error that is no error.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Forgives a closed pipe, and nothing else.
pub fn flushed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
