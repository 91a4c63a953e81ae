//! Buffers as the memory of Burn's tensors, without copying.

use std::mem::{MaybeUninit, size_of_val};
use std::slice;

use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty, Bytes};

use crate::memory::{ALIGN, Buffer};

/// The buffer's floats as bytes of a tensor, which gives the memory back to later buffers when it is dropped.
pub fn bytes(buffer: Buffer) -> Bytes {
    let len = size_of_val(&*buffer);
    // SAFETY: the buffer has so many bytes, all initialized, and may be sent to and shared with other threads.
    unsafe { Bytes::from_controller(Box::new(Memory(buffer)), len) }
}

struct Memory(Buffer);

impl AllocationController for Memory {
    fn alloc_align(&self) -> usize {
        ALIGN
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Other
    }

    unsafe fn memory_mut(&mut self, _: AccessPolicy) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let len = size_of_val(&*self.0);
        // SAFETY: these are the buffer's bytes, borrowed mutably; the caller writes initialized bytes only.
        Ok(unsafe { slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), len) })
    }

    fn memory(&self, _: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        // SAFETY: these are the buffer's bytes, borrowed.
        Ok(unsafe { slice::from_raw_parts(self.0.as_ptr().cast(), size_of_val(&*self.0)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_buffer_itself() {
        let mut buffer = Buffer::zeroed(3);
        buffer[1] = 1.5;
        let place = buffer.as_ptr() as usize;
        let mut bytes = bytes(buffer);
        assert_eq!((bytes.as_ptr() as usize, bytes.len()), (place, 12));
        assert_eq!(bytes[4..8], 1.5f32.to_ne_bytes());
        bytes[4..8].copy_from_slice(&2.5f32.to_ne_bytes());
        // A copy has memory of its own.
        let copy = bytes.clone();
        bytes[4..8].fill(0);
        assert_eq!(copy[4..8], 2.5f32.to_ne_bytes());
    }
}
