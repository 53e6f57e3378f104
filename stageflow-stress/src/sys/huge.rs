//! Large pages for large lists.

use std::mem::MaybeUninit;

/// Asks the kernel to back the free room of a list with large pages. A list of millions of records is written once from its
/// beginning to its end, and with small pages a sixth of that time goes to the faults. What the kernel does not grant is as
/// it was; room that is not used stays untouched.
pub fn prefer_large_pages<T>(room: &mut [MaybeUninit<T>]) {
    #[cfg(target_os = "linux")]
    {
        // A large page has 2 MiB on most machines; below some of them there is nothing to gain.
        const LEAST: usize = 8 << 20;
        let bytes = size_of_val(room);
        if bytes < LEAST {
            return;
        }
        let page = rustix::param::page_size();
        let start = room.as_mut_ptr().cast::<u8>();
        let skipped = start.align_offset(page);
        let length = bytes.saturating_sub(skipped) / page * page;
        // SAFETY: the range lies within memory that `room` borrows mutably and begins at a page; this advice changes how the
        // memory is backed, and neither its content nor whether it may be used.
        let _ = unsafe {
            rustix::mm::madvise(start.wrapping_add(skipped).cast(), length, rustix::mm::Advice::LinuxHugepage)
        };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = room;
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_list_with_large_pages_is_a_list_as_any_other() {
        for capacity in [0, 1, 3 << 20] {
            let mut list: Vec<u64> = Vec::with_capacity(capacity);
            super::prefer_large_pages(list.spare_capacity_mut());
            list.extend(0..capacity as u64 + 1);
            assert!(list.iter().copied().eq(0..capacity as u64 + 1));
        }
    }
}
