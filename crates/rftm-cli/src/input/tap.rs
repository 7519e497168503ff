//! What passes between a file and the parser of CSV.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::rc::Rc;

use sha2::{Digest, Sha256};

/// No record is longer than this: a quote that is never closed would take in the rest of a stream.
const LONGEST: u64 = 16 << 20;

/// A reader that hashes what passes and sees where records end, while somebody else owns it.
pub(crate) struct Tap<R> {
    inner: R,
    passed: Rc<RefCell<Passed>>,
}

/// What passed so far. Where records end is seen as the parser will see it, which may be a buffer behind.
pub(crate) struct Passed {
    pub(crate) hash: Sha256,
    delimiter: u8,
    at: At,
    bytes: u64,
    line: u64,
    /// The record that is passing: where it began, its first line, and how many lines ended in its quotes.
    begin: u64,
    first_line: u64,
    broken: u64,
    /// Lines that were blank between the record before it and this one, and the line on which that one ended; before the
    /// first record none.
    blank: u64,
    last_line: Option<u64>,
    /// Of each whole record that the parser has not given yet where it ends.
    whole: VecDeque<(u64, Place)>,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Place {
    /// Its first line.
    pub(crate) line: u64,
    /// Blank lines between the record before it and this one.
    pub(crate) blank: u64,
}

/// Where in a record the next byte is.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Record,
    Cell,
    InCell,
    InQuotes,
    /// After a quote in quotes: the first of two, or the end.
    Quote,
}

impl Passed {
    /// The parser gave the record that ends at a byte; says where it stands. The parser's own count is behind where lines end
    /// in two bytes, or are blank.
    pub(crate) fn given(&mut self, end: u64) -> Place {
        let mut place = self.place();
        while let Some(&(_, other)) = self.whole.front().filter(|(other, _)| *other <= end) {
            place = other;
            self.whole.pop_front();
        }
        place
    }

    /// Whether the parser has no whole record at hand.
    pub(crate) fn is_drained(&self) -> bool {
        self.whole.is_empty()
    }

    /// Where the record that is passing stands.
    pub(crate) fn place(&self) -> Place {
        Place { line: self.first_line, blank: self.blank }
    }

    fn follow(&mut self, chunk: &[u8]) -> io::Result<()> {
        let wrong = |problem: &str| Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        for &byte in chunk {
            let before = self.at;
            self.bytes += 1;
            self.at = match (before, byte) {
                (At::InQuotes, b'"') => At::Quote,
                (At::InQuotes, _) => At::InQuotes,
                (At::Quote, b'"') => At::InQuotes,
                (At::Record | At::Cell, b'"') => At::InQuotes,
                (_, b'\r' | b'\n') => At::Record,
                (_, byte) if byte == self.delimiter => At::Cell,
                // A mark of UTF-8 is no part of the first cell.
                (At::Record, 0xEF | 0xBB | 0xBF) if self.bytes <= 3 => At::Record,
                _ => At::InCell,
            };
            match (before, self.at) {
                // A blank line is no record.
                (At::Record, At::Record) => self.begin = self.bytes,
                (At::Record, _) => {
                    self.blank = self.last_line.map_or(0, |last| self.line.saturating_sub(last + 1));
                    (self.first_line, self.broken) = (self.line, 0);
                }
                (_, At::Record) => {
                    self.begin = self.bytes;
                    self.last_line = Some(self.line);
                    self.whole.push_back((self.bytes, self.place()));
                }
                _ => self.broken += u64::from(byte == b'\n'),
            }
            self.line += u64::from(byte == b'\n');
        }
        if chunk.is_empty() && self.at == At::InQuotes && self.broken > 0 {
            return wrong("a quote in this record is never closed");
        }
        if self.bytes - self.begin > LONGEST {
            return wrong("the record is longer than 16 MiB: a quote that is never closed?");
        }
        Ok(())
    }
}

impl<R> Tap<R> {
    pub(crate) fn new(inner: R, delimiter: u8) -> (Self, Rc<RefCell<Passed>>) {
        let passed = Rc::new(RefCell::new(Passed {
            hash: Sha256::new(),
            delimiter,
            at: At::Record,
            bytes: 0,
            line: 1,
            begin: 0,
            first_line: 1,
            broken: 0,
            blank: 0,
            last_line: None,
            whole: VecDeque::new(),
        }));
        (Self { inner, passed: Rc::clone(&passed) }, passed)
    }
}

impl<R: Read> Read for Tap<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let mut passed = self.passed.borrow_mut();
        passed.hash.update(&buffer[..count]);
        passed.follow(&buffer[..count])?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_end_where_the_parser_ends_them() {
        for (text, lines) in [
            ("a,b\n1,2\n", &[1, 2][..]),
            ("a,b\r\n1,2\r\n\r\n\r\n", &[1, 2]),
            ("a,b\r1,2\r\n", &[1, 1]),
            ("1,2\n4,5", &[1, 2]),
            ("\n\n1,2\n\n3", &[3, 5]),
            ("x,\"1\n2\"\n3\n", &[1, 3]),
            ("x,\"1\"\"\n2\"\n3,\"4\n", &[1, 3]),
            ("5\" pipe,2\n3\" pipe,4\n", &[1, 2]),
            ("\"a\"b\"\n1\"", &[1, 2]),
            ("\u{feff}\"a\nb\",c\n1,2\n", &[1, 3]),
            (" \n1", &[1, 2]),
            ("", &[]),
        ] {
            // Byte by byte, so that a record is at hand as soon as it can be; the parser sees a mark with what follows only.
            for size in [if text.starts_with('\u{feff}') { 4 } else { 1 }, 1 << 10] {
                let (tap, passed) = Tap::new(text.as_bytes(), b',');
                let mut builder = csv::ReaderBuilder::new();
                let mut parser = builder.has_headers(false).flexible(true).buffer_capacity(size).from_reader(tap);
                let (mut record, mut given) = (csv::ByteRecord::new(), Vec::new());
                while parser.read_byte_record(&mut record).unwrap_or(false) {
                    given.push(passed.borrow_mut().given(parser.position().byte()).line);
                    assert!(size > 1 || passed.borrow().is_drained(), "{text:?}");
                }
                assert!(passed.borrow().is_drained(), "{text:?}");
                // The last of those with an open quote ends in an error.
                assert_eq!(given, lines[..lines.len() - usize::from(text.ends_with("\"4\n"))], "{text:?}");
            }
        }
    }

    #[test]
    fn blank_lines_between_records_are_counted() {
        for (text, blank) in [
            ("x\n1\n\n3\n", &[0, 0, 1][..]),
            ("\n\nx\r\n1\r\n\r\n\r\n3\n\n", &[0, 0, 2]),
            ("\"a\n\nb\"\n1\n", &[0, 0]),
            ("x\r1\r\n2", &[0, 0, 0]),
        ] {
            let (tap, passed) = Tap::new(text.as_bytes(), b',');
            let mut parser = csv::ReaderBuilder::new().has_headers(false).from_reader(tap);
            let (mut record, mut given) = (csv::ByteRecord::new(), Vec::new());
            while parser.read_byte_record(&mut record).unwrap() {
                given.push(passed.borrow_mut().given(parser.position().byte()).blank);
            }
            assert_eq!(given, blank, "{text:?}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_ends_in_an_error() {
        let read = |text: &[u8]| io::copy(&mut Tap::new(text, b',').0, &mut io::sink());
        let problem = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
        assert!(problem("a,b\n1,\"2\n3,4\n").contains("never closed"));
        assert!(problem(&format!("a,b\n1,\"2{}", "\n3,4".repeat(5 << 20))).contains("longer than 16 MiB"));
        // Text that was cut short is a line that cannot be read, no more.
        assert!(read(b"a,b\n1,\"2").is_ok());
        assert!(read(b"a,b\n\"1\n2\",3\n").is_ok());
        assert!(read(&b"\n".repeat(17 << 20)).is_ok());
    }
}
