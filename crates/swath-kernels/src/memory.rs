//! Aligned buffers that are used again and again.
//!
//! Writing to pages that the system has just handed out is ten times slower than writing to pages that are there already:
//! each page has to be cleared first. A freed buffer is therefore kept for the next one of its size.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;
use std::sync::Mutex;

/// Alignment in bytes: a cache line, and the widest vector.
pub(crate) const ALIGN: usize = 64;

/// From this size in bytes buffers are aligned to huge pages, and sizes are rounded up to whole ones.
const HUGE: usize = 2 << 20;

/// At most this many bytes are kept for later; what is freed beyond that goes back to the system.
const MOST_KEPT: usize = 4 << 30;

static FREE: Mutex<Free> = Mutex::new(Free { bytes: 0, blocks: BTreeMap::new() });

/// Freed blocks by their size in bytes.
struct Free {
    bytes: usize,
    blocks: BTreeMap<usize, Vec<Block>>,
}

/// Memory of the allocator, initialized, without an owner.
struct Block {
    start: NonNull<f32>,
    bytes: usize,
}

// SAFETY: a block is plain memory that belongs to whoever holds it.
unsafe impl Send for Block {}
// SAFETY: as above; a shared block only lets itself be read.
unsafe impl Sync for Block {}

impl Block {
    fn layout(bytes: usize) -> Layout {
        let align = if bytes >= HUGE { HUGE } else { ALIGN };
        Layout::from_size_align(bytes, align).expect("a buffer is smaller than the address space")
    }

    /// Zeros, so that memory is initialized.
    fn new(bytes: usize) -> Block {
        let layout = Block::layout(bytes);
        #[cfg(target_os = "linux")]
        let start = if bytes >= HUGE { pages::map(bytes) } else { Block::allocate(layout) };
        #[cfg(not(target_os = "linux"))]
        let start = Block::allocate(layout);
        let Some(start) = start else { handle_alloc_error(layout) };
        Block { start: start.cast(), bytes }
    }

    fn allocate(layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: the size is not zero.
        NonNull::new(unsafe { alloc_zeroed(layout) })
    }

    fn free(self) {
        #[cfg(target_os = "linux")]
        if self.bytes >= HUGE {
            return pages::unmap(self.start.cast(), self.bytes);
        }
        // SAFETY: allocated in `new` with the same layout, and owned.
        unsafe { dealloc(self.start.as_ptr().cast(), Block::layout(self.bytes)) }
    }
}

/// Pages straight from the system. They are zeros, and come to be when they are first touched: by the threads that use them, all at once.
#[cfg(target_os = "linux")]
mod pages {
    use std::ptr::{NonNull, null_mut};

    use super::HUGE;

    /// `bytes`, a multiple of [`HUGE`], that start at one.
    pub(super) fn map(bytes: usize) -> Option<NonNull<u8>> {
        // Room for any start, and what is left over goes back.
        let room = bytes.checked_add(HUGE)?;
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new range of addresses; parts of it that are given back are nobody's yet, and the advice changes no value: where huge
        // pages cannot be had, nothing is lost.
        unsafe {
            let start = libc::mmap(null_mut(), room, access, kind, -1, 0);
            if start == libc::MAP_FAILED {
                return None;
            }
            let before = start.cast::<u8>().align_offset(HUGE);
            let aligned = start.cast::<u8>().add(before);
            if before > 0 {
                libc::munmap(start, before);
            }
            if before < HUGE {
                libc::munmap(aligned.add(bytes).cast(), HUGE - before);
            }
            libc::madvise(aligned.cast(), bytes, libc::MADV_HUGEPAGE);
            NonNull::new(aligned)
        }
    }

    /// Gives back what [`map`] gave.
    pub(super) fn unmap(start: NonNull<u8>, bytes: usize) {
        // SAFETY: mapped by `map` with this size; the caller owns it.
        unsafe { libc::munmap(start.as_ptr().cast(), bytes) };
    }
}

/// `len` floats, aligned to 64 bytes. Their values are arbitrary at first: those of an earlier buffer, or 0.
pub struct Buffer {
    /// Always there until the buffer is dropped.
    block: Option<Block>,
    len: usize,
}

impl Buffer {
    /// A buffer of `len` floats with arbitrary values.
    ///
    /// # Panics
    /// When `len` floats exceed the address space.
    pub fn new(len: usize) -> Buffer {
        let bytes = len.checked_mul(size_of::<f32>()).expect("a buffer is smaller than the address space");
        let bytes = bytes.max(ALIGN).next_multiple_of(if bytes >= HUGE { HUGE } else { ALIGN });
        let mut free = FREE.lock().unwrap_or_else(|poison| poison.into_inner());
        let kept = free.blocks.get_mut(&bytes).and_then(Vec::pop);
        if kept.is_some() {
            free.bytes -= bytes;
        }
        drop(free);
        Buffer { block: Some(kept.unwrap_or_else(|| Block::new(bytes))), len }
    }

    /// Gives the memory back to the system at once, for what is made and dropped only once.
    pub(crate) fn discard(mut self) {
        if let Some(block) = self.block.take() {
            block.free();
        }
    }

    /// A buffer of zeros.
    pub fn zeroed(len: usize) -> Buffer {
        let mut buffer = Buffer::new(len);
        buffer.fill(0.0);
        buffer
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(block) = self.block.take() else { return };
        let mut free = FREE.lock().unwrap_or_else(|poison| poison.into_inner());
        if free.bytes + block.bytes <= MOST_KEPT {
            free.bytes += block.bytes;
            free.blocks.entry(block.bytes).or_default().push(block);
        } else {
            drop(free);
            block.free();
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        let start = self.block.as_ref().map_or(NonNull::dangling(), |block| block.start);
        // SAFETY: the block holds `len` floats or more, all initialized, since memory starts as zeros.
        unsafe { slice::from_raw_parts(start.as_ptr(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        let start = self.block.as_ref().map_or(NonNull::dangling(), |block| block.start);
        // SAFETY: as in `deref`, and the buffer is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(start.as_ptr(), self.len) }
    }
}

/// The same memory as indices, which lie in buffers like everything else.
pub fn bits(values: &[f32]) -> &[u32] {
    // SAFETY: floats and indices have the same size and alignment, and all bits are allowed in both.
    unsafe { slice::from_raw_parts(values.as_ptr().cast(), values.len()) }
}

/// The same memory as indices to write.
pub fn bits_mut(values: &mut [f32]) -> &mut [u32] {
    // SAFETY: as in `bits`, and the values are borrowed mutably.
    unsafe { slice::from_raw_parts_mut(values.as_mut_ptr().cast(), values.len()) }
}

/// Gives all memory that is kept for later back to the system.
pub fn release_memory() {
    let mut free = FREE.lock().unwrap_or_else(|poison| poison.into_inner());
    free.bytes = 0;
    let blocks = std::mem::take(&mut free.blocks);
    drop(free);
    blocks.into_values().flatten().for_each(Block::free);
    // The allocator keeps what other code has freed between blocks that are in use.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: touches free memory only.
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Calls `work` with scratch memory of this thread, at least `len` floats with arbitrary values.
pub(crate) fn with_scratch<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    thread_local! {
        static SCRATCH: RefCell<Buffer> = RefCell::new(Buffer::new(0));
    }
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => {
            if scratch.len() < len {
                *scratch = Buffer::new(len);
            }
            work(&mut scratch[..len])
        }
        // A kernel within a kernel, on the same thread.
        Err(_) => work(&mut Buffer::new(len)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_of_the_length_asked_for() {
        for len in [0, 1, 17, 1000, HUGE / 4, HUGE / 4 + 1] {
            let buffer = Buffer::zeroed(len);
            assert_eq!(buffer.len(), len);
            assert_eq!(buffer.as_ptr() as usize % ALIGN, 0);
            assert!(buffer.iter().all(|&value| value == 0.0));
        }
    }

    #[test]
    fn bits_are_those_of_the_floats() {
        let mut values = [1.0, -0.0];
        assert_eq!(bits(&values), [0x3f80_0000, 0x8000_0000]);
        bits_mut(&mut values)[1] = 0x4000_0000;
        assert_eq!(values, [1.0, 2.0]);
    }

    #[test]
    fn scratch_may_be_nested() {
        with_scratch(100, |outer| {
            outer.fill(1.0);
            with_scratch(200, |inner| inner.fill(2.0));
            assert!(outer.iter().all(|&value| value == 1.0));
        });
    }
}
