//! Pointers that several threads use.

/// A pointer that several threads write through, each to its own part.
#[derive(Clone, Copy)]
pub(crate) struct SharedMut(pub(crate) *mut f32);

// SAFETY: whoever dereferences the pointer answers for the parts being disjoint.
unsafe impl Sync for SharedMut {}
// SAFETY: as above.
unsafe impl Send for SharedMut {}

impl SharedMut {
    /// The pointer. A method, so that closures borrow the whole wrapper.
    #[inline(always)]
    pub(crate) fn get(&self) -> *mut f32 {
        self.0
    }
}
