//! Whether a JPEG is all there.

/// A marker is this byte and another one.
const MARK: u8 = 0xFF;
const END: u8 = 0xD9;

/// Whether the segments of a JPEG (ITU T.81, annex B) come to the mark that ends the image. What lies within a segment, such as
/// a small image for previews, has marks of its own that do not count.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        // Between segments there may be fill bytes; in a scan a mark is what is followed by neither 0 nor a restart.
        let next = |pair: &[u8]| pair[0] == MARK && !matches!(pair[1], 0x00 | 0x01 | 0xD0..=0xD8 | MARK);
        let Some(at) = rest.windows(2).position(next) else { return false };
        if rest[at + 1] == END {
            return true;
        }
        // Its length counts itself. Of a scan this is the header, its data are looked through for the next mark.
        let Some(&[high, low]) = rest.get(at + 2..at + 4) else { return false };
        let Some(after) = rest.get(at + 2 + usize::from(u16::from_be_bytes([high, low]))..) else { return false };
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_ends_where_its_own_end_mark_stands() {
        let start = [0xFF, 0xD8];
        // A preview with an end of its own in a segment of 6 bytes, and a scan with a stuffed byte and a restart.
        let preview = [0xFF, 0xE1, 0, 6, 0xFF, 0xDA, 0xFF, 0xD9];
        let scan = [0xFF, 0xDA, 0, 3, 9, 1, 2, 0xFF, 0x00, 0xD9, 0xFF, 0xD0, 3, 0xFF, 0xFF];
        let whole = [&start[..], &preview, &scan, &[0xD9]].concat();
        assert!(is_whole(&whole));
        assert!(is_whole(&[&whole[..], &[1, 2, 3]].concat()), "what follows does not matter");
        for length in 0..whole.len() {
            assert!(!is_whole(&whole[..length]), "{length} of {} bytes", whole.len());
        }
        assert!(!is_whole(&[0xFF, 0xD8, 0xFF, 0xE0, 0, 0, 0xFF, 0xFE, 0]), "a length of nothing");
    }
}
