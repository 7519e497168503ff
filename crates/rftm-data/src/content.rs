//! The uncompressed content of a file, plain or gzip, counted and hashed while it is read.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use crate::error::Fault;
use crate::{Error, Result};

/// Memory grows by this much at a time, so a header that promises too much costs nothing.
const STEP: usize = 1 << 20;

pub(crate) struct Content<'a> {
    reader: Box<dyn Read + 'a>,
    path: PathBuf,
    offset: u64,
    hasher: Sha256,
    /// Known before reading for a plain file only.
    plain_length: Option<u64>,
}

impl Content<'static> {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        Self::new(path, file, length)
    }
}

impl<'a> Content<'a> {
    /// `length` is that of the file as it lies there; `path` is only for messages.
    pub(crate) fn new(path: &Path, mut raw: impl Read + 'a, length: u64) -> Result<Self> {
        let mut start = Vec::with_capacity(2);
        (&mut raw).take(2).read_to_end(&mut start).map_err(Error::io("read", path))?;
        if start.is_empty() {
            return Err(Error::file(path, 0, Fault::Empty));
        }
        // By content, not by name: some servers and browsers unpack a .gz on the way and keep its name.
        let gzip = start == [0x1f, 0x8b];
        let raw = BufReader::with_capacity(1 << 16, Cursor::new(start).chain(raw));
        let reader: Box<dyn Read + 'a> = if gzip { Box::new(MultiGzDecoder::new(raw)) } else { Box::new(raw) };
        Ok(Self {
            reader,
            path: path.to_owned(),
            offset: 0,
            hasher: Sha256::new(),
            plain_length: (!gzip).then_some(length),
        })
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads until `buffer` is full or the content ends, and returns how much of it was filled.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failure(self.offset + filled as u64, error)),
            }
        }
        self.hasher.update(&buffer[..filled]);
        self.offset += filled as u64;
        Ok(filled)
    }

    fn failure(&self, offset: u64, error: io::Error) -> Error {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        match (self.plain_length, error.kind()) {
            (None, UnexpectedEof) => self.fault(offset, Fault::Gzip { reason: "it ends early".to_owned() }),
            (None, InvalidData | InvalidInput) => self.fault(offset, Fault::Gzip { reason: error.to_string() }),
            _ => Error::io("read", &self.path)(error),
        }
    }

    pub(crate) fn fault(&self, offset: u64, fault: Fault) -> Error {
        Error::file(&self.path, offset, fault)
    }

    /// Fills `buffer` or says that the content should have had `total` bytes.
    pub(crate) fn fill_exactly(&mut self, buffer: &mut [u8], total: u64) -> Result<()> {
        if self.fill(buffer)? < buffer.len() {
            return Err(self.fault(self.offset, Fault::Truncated { expected: total }));
        }
        Ok(())
    }

    /// Reads on until `total` bytes are read in all, hands them to `sink` in steps, and checks that the content ends
    /// there. It never reads more than one byte further.
    pub(crate) fn rest(&mut self, total: u64, mut sink: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if let Some(length) = self.plain_length {
            if length < total {
                return Err(self.fault(length, Fault::Truncated { expected: total }));
            }
            if length > total {
                return Err(self.fault(total, Fault::Trailing));
            }
        }
        let mut step = vec![0; usize::try_from(total.saturating_sub(self.offset)).unwrap_or(STEP).min(STEP)];
        while self.offset < total {
            let wanted = usize::try_from(total - self.offset).unwrap_or(STEP).min(step.len());
            self.fill_exactly(&mut step[..wanted], total)?;
            sink(&step[..wanted])?;
        }
        // For gzip this also reads the trailer and checks its CRC.
        if self.fill(&mut [0])? > 0 {
            return Err(self.fault(total, Fault::Trailing));
        }
        Ok(())
    }

    /// SHA-256 of what was read.
    pub(crate) fn sha256(self) -> String {
        hex(&self.hasher.finalize())
    }
}

/// Checks the content of a file against its known size and checksum.
#[cfg(feature = "fetch")]
pub(crate) fn verify(path: &Path, bytes: u64, sha256: &str) -> Result<()> {
    let mut content = Content::open(path)?;
    content.rest(bytes, |_| Ok(()))?;
    check(path, content.sha256(), sha256)
}

pub(crate) fn check(path: &Path, found: String, expected: &str) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::file(path, 0, Fault::Checksum { found, expected: expected.to_owned() }))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
