//! An allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

static ALLOCATED: AtomicU64 = AtomicU64::new(0);
static FREED: AtomicU64 = AtomicU64::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, with every allocation counted: see [`count_allocations!`](crate::count_allocations).
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingAllocator;

/// What was allocated since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocated {
    /// Allocations, reallocations among them.
    pub allocations: u64,
    /// Bytes that are allocated and not freed.
    pub live: u64,
}

/// What was allocated; none where no allocation was counted.
pub fn allocated() -> Option<Allocated> {
    let allocations = ALLOCATIONS.load(Ordering::Relaxed);
    // Read first: what is freed in between then makes the difference too large rather than negative.
    let freed = FREED.load(Ordering::Relaxed);
    let live = ALLOCATED.load(Ordering::Relaxed).saturating_sub(freed);
    (allocations > 0).then_some(Allocated { allocations, live })
}

fn count(allocated: usize, freed: usize) {
    if allocated > 0 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        ALLOCATED.fetch_add(allocated as u64, Ordering::Relaxed);
    }
    if freed > 0 {
        FREED.fetch_add(freed as u64, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator with the arguments it came with, and its result is returned as it is;
// counting touches atomic integers only, allocates nothing and cannot panic.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract, which is the same.
        let memory = unsafe { System.alloc(layout) };
        if !memory.is_null() {
            count(layout.size(), 0);
        }
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let memory = unsafe { System.alloc_zeroed(layout) };
        if !memory.is_null() {
            count(layout.size(), 0);
        }
        memory
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        let moved = unsafe { System.realloc(memory, layout, size) };
        if !moved.is_null() {
            count(size, layout.size());
        }
        moved
    }
}
