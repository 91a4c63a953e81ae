//! The directory of a zip archive whose files are stored, as PyTorch writes it, and which of them are compressed.
//!
//! PKWARE: *APPNOTE.TXT, .ZIP File Format Specification*. <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

/// Largest directory that is read: a hundred bytes a file, and a network has a few thousand.
const MOST_BYTES: u64 = 64 << 20;

const CUT_OFF: &str = "it is not a whole zip archive: it may be cut off; copy it again";

/// Where each file of an archive lies, by name; none for one that is compressed.
pub(super) fn files(file: &mut (impl Read + Seek)) -> Result<BTreeMap<String, Option<Range<u64>>>, String> {
    let length = file.seek(SeekFrom::End(0)).map_err(|error| error.to_string())?;
    let (start, size) = directory(file, length)?;
    if size > MOST_BYTES || start.checked_add(size).is_none_or(|end| end > length) {
        return Err(CUT_OFF.to_string());
    }
    let entries = bytes_at(file, start, size)?;
    let mut rest = entries.as_slice();
    let mut files = BTreeMap::new();
    while !rest.is_empty() {
        let entry = Entry::split_from(&mut rest).ok_or(CUT_OFF)?;
        if entry.method != 0 {
            files.insert(entry.name, None);
            continue;
        }
        // The entry's own header repeats the name, with another extra field.
        let header = bytes_at(file, entry.header, 30)?;
        let lengths = u16_at(&header, 26).zip(u16_at(&header, 28)).filter(|_| header.starts_with(b"PK\x03\x04"));
        let (name, extra) = lengths.ok_or(CUT_OFF)?;
        let start = entry.header + 30 + u64::from(name) + u64::from(extra);
        let end = start.checked_add(entry.size).filter(|&end| end <= length).ok_or(CUT_OFF)?;
        files.insert(entry.name, Some(start..end));
    }
    Ok(files)
}

/// Start and size of the directory, from the record at the end of the file.
fn directory(file: &mut (impl Read + Seek), length: u64) -> Result<(u64, u64), String> {
    let tail_start = length.saturating_sub(22 + 65_535);
    let tail = bytes_at(file, tail_start, length - tail_start)?;
    let end = tail.windows(4).rposition(|bytes| bytes == b"PK\x05\x06").ok_or(CUT_OFF)?;
    let comment = u16_at(&tail, end + 20).ok_or(CUT_OFF)?;
    if end + 22 + usize::from(comment) != tail.len() {
        return Err(CUT_OFF.to_string());
    }
    let (size, start) = u32_at(&tail, end + 12).zip(u32_at(&tail, end + 16)).ok_or(CUT_OFF)?;
    // Large archives, and all of PyTorch's, have a second record, whose place stands right before the first.
    let locator = end.checked_sub(20).map(|at| &tail[at..end]).filter(|bytes| bytes.starts_with(b"PK\x06\x07"));
    let Some(locator) = locator else { return Ok((start.into(), size.into())) };
    let record = bytes_at(file, u64_at(locator, 8).ok_or(CUT_OFF)?, 56)?;
    let (size, start) = u64_at(&record, 40).zip(u64_at(&record, 48)).ok_or(CUT_OFF)?;
    if record.starts_with(b"PK\x06\x06") { Ok((start, size)) } else { Err(CUT_OFF.to_string()) }
}

/// One entry of the directory.
struct Entry {
    name: String,
    method: u16,
    size: u64,
    header: u64,
}

impl Entry {
    fn split_from(rest: &mut &[u8]) -> Option<Entry> {
        let bytes = *rest;
        if !bytes.starts_with(b"PK\x01\x02") {
            return None;
        }
        let length = |at| u16_at(bytes, at).map(usize::from);
        let (name, extra, comment) = (length(28)?, length(30)?, length(32)?);
        let mut fields = bytes.get(46 + name..46 + name + extra)?;
        let stored = u32_at(bytes, 20)?;
        let (mut size, mut header) = (u64::from(u32_at(bytes, 24)?), u64::from(u32_at(bytes, 42)?));
        let (packed_is_long, size_is_long, header_is_long) =
            (stored == u32::MAX, size == u64::from(u32::MAX), header == u64::from(u32::MAX));
        // Numbers that do not fit stand in an extra field, in this order.
        while let (Some(kind), Some(length)) = (u16_at(fields, 0), u16_at(fields, 2)) {
            let field = fields.get(4..4 + usize::from(length))?;
            if kind == 1 {
                let mut numbers = field.chunks_exact(8).filter_map(|bytes| u64_at(bytes, 0));
                if size_is_long {
                    size = numbers.next()?;
                }
                if packed_is_long {
                    numbers.next()?;
                }
                if header_is_long {
                    header = numbers.next()?;
                }
            }
            fields = &fields[4 + usize::from(length)..];
        }
        let entry = Entry {
            name: String::from_utf8_lossy(bytes.get(46..46 + name)?).into_owned(),
            method: u16_at(bytes, 10)?,
            size,
            header,
        };
        *rest = bytes.get(46 + name + extra + comment..)?;
        Some(entry)
    }
}

fn bytes_at(file: &mut (impl Read + Seek), start: u64, length: u64) -> Result<Vec<u8>, String> {
    file.seek(SeekFrom::Start(start)).map_err(|_| CUT_OFF)?;
    let mut bytes = Vec::new();
    match file.by_ref().take(length).read_to_end(&mut bytes) {
        Ok(read) if read as u64 == length => Ok(bytes),
        _ => Err(CUT_OFF.to_string()),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
