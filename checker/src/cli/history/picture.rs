//! `--html FILE`: where the page goes.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sextant::picture::{Picture, page};

/// Whether the page of the history in `files` may be written to `html`. The error is one line.
pub(super) fn may_write(html: &Path, files: &[PathBuf]) -> Result<(), String> {
    if files.len() > 1 {
        return Err("--html shows one history; there are several".into());
    }
    let Ok(target) = fs::canonicalize(html) else { return Ok(()) };
    if files.iter().any(|file| fs::canonicalize(file).is_ok_and(|file| file == target)) {
        return Err(format!("{}: the page would overwrite the history", html.display()));
    }
    Ok(())
}

/// The error names the file.
pub(super) fn write(picture: &Picture<'_>, html: &Path) -> io::Result<()> {
    let written = File::create(html).and_then(|file| {
        let mut out = BufWriter::new(file);
        page(picture, &mut out)?;
        out.flush()
    });
    written.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", html.display())))
}
