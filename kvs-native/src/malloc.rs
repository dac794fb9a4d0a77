//! Has glibc's malloc map large blocks individually, so that the memory of freed fragments goes back to the system.
//!
//! By default glibc raises the size from which it maps a block individually, with the first large block that is freed.
//! Fragments then come from its arenas, whose memory is never given back: with 100 streams 230 MB above the memory budget, and
//! 100 MB less with the size fixed at 128 KB. jemalloc and mimalloc in its place have 80 to 100 MB more resident at the peak
//! (docs/PERFORMANCE.md). glibc takes the size from an environment variable, too, but reads that only before `main`.

/// Has glibc map every block of at least this many bytes individually, from now on. Returns whether it does; with another C
/// library nothing changes. Call it before the first thread is started.
pub fn map_blocks_from(size_bytes: u32) -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let Ok(size_bytes) = libc::c_int::try_from(size_bytes) else { return false };
        // SAFETY: mallopt takes two integers by value and returns one. glibc takes its own lock for it, so it may be called at
        // any time; a value that it does not accept changes nothing and is reported as 0.
        #[allow(unsafe_code)]
        let accepted = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, size_bytes) };
        accepted == 1
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        let _ = size_bytes;
        false
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use std::hint::black_box;

    /// Returns the number of blocks that are mapped individually.
    fn mapped() -> usize {
        // SAFETY: mallinfo2 takes nothing, and returns numbers by value.
        #[allow(unsafe_code)]
        let info = unsafe { libc::mallinfo2() };
        info.hblks
    }

    #[test]
    fn a_freed_block_does_not_raise_the_size_from_which_blocks_are_mapped() {
        assert!(super::map_blocks_from(128 * 1024));
        // glibc would now put all blocks below its size into an arena.
        drop(black_box(vec![0_u8; 8 << 20]));
        let before = mapped();
        let blocks: Vec<Vec<u8>> = (0..16).map(|_| black_box(vec![1_u8; 1 << 20])).collect();
        assert_eq!(mapped(), before + blocks.len());
    }
}
