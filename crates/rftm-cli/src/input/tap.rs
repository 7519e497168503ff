use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;

use sha2::{Digest, Sha256};

/// A reader that counts and hashes what passes, while somebody else owns it.
pub(crate) struct Tap<R> {
    inner: R,
    passed: Rc<RefCell<Passed>>,
}

/// What passed so far.
#[derive(Clone, Default)]
pub(crate) struct Passed {
    pub(crate) bytes: u64,
    pub(crate) hash: Sha256,
}

impl<R> Tap<R> {
    pub(crate) fn new(inner: R) -> (Self, Rc<RefCell<Passed>>) {
        let passed = Rc::default();
        (Self { inner, passed: Rc::clone(&passed) }, passed)
    }
}

impl<R: Read> Read for Tap<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let mut passed = self.passed.borrow_mut();
        passed.bytes += count as u64;
        passed.hash.update(&buffer[..count]);
        Ok(count)
    }
}
