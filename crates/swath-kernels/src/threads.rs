//! The thread pool: few threads, short jobs, little waiting.
//!
//! A convolution of a small map takes some hundred microseconds, so a job must start within one or two. Workers
//! therefore spin for a while after a job before they sleep, the calling thread takes part in its own job, and nobody
//! waits for a worker that has not yet woken up: the job is closed as soon as its last item is taken.
//!
//! What an item computes never depends on the thread that runs it; see the invariant in the crate's documentation.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::hint::spin_loop;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::shared::SharedMut;

/// How long a worker looks for the next job before it sleeps, and how long the caller spins before it yields. Within a
/// network the pause between two jobs is some microseconds.
const SPIN: Duration = Duration::from_micros(100);

/// Set in [`Shared::state`] while workers may join the job.
const OPEN: u64 = 1 << 31;
/// The lowest bits of [`Shared::state`] count the workers inside the job.
const INSIDE: u64 = OPEN - 1;
/// Above [`OPEN`] follows the number of the job.
const JOB: u64 = OPEN << 1;

static THREADS: AtomicUsize = AtomicUsize::new(0);
static POOL: OnceLock<Pool> = OnceLock::new();

/// Sets the number of threads, the caller's included. Returns false when the pool runs already, whose size then stays.
///
/// Without a call there are as many threads as the machine has cores for this process.
pub fn set_threads(threads: usize) -> bool {
    THREADS.store(threads.max(1), Ordering::Relaxed);
    POOL.get().is_none_or(|pool| pool.threads() == threads.max(1))
}

/// The number of threads that work on one operation.
pub fn threads() -> usize {
    pool().threads()
}

/// Runs `work` for every item of `0..items`, on several threads, and returns when all are done. Each thread begins with a
/// share of neighbouring items, and then helps the others.
///
/// From within an item, or while another thread uses the pool, everything runs on the calling thread: no call ever
/// waits for another job. When an item panics, the remaining ones are skipped and the panic continues here.
pub fn parallel(items: usize, work: impl Fn(usize) + Sync) {
    pool().run(items, &work);
}

/// Runs `work(index, chunk)` for all chunks of `size` floats, the last of which may be shorter; otherwise as [`parallel`].
///
/// # Panics
/// When `size` is 0.
pub fn parallel_chunks(out: &mut [f32], size: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    assert!(size > 0, "chunks of no floats");
    let (len, start) = (out.len(), SharedMut(out.as_mut_ptr()));
    parallel(len.div_ceil(size), |index| {
        let first = index * size;
        // SAFETY: each item has its own chunk, which lies in the slice.
        let chunk = unsafe { std::slice::from_raw_parts_mut(start.get().add(first), size.min(len - first)) };
        work(index, chunk);
    });
}

fn pool() -> &'static Pool {
    POOL.get_or_init(|| {
        let chosen = match THREADS.load(Ordering::Relaxed) {
            0 => thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        Pool::new(chosen)
    })
}

thread_local! {
    /// Whether this thread is inside a job.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

type Work<'a> = dyn Fn(usize) + Sync + 'a;

/// Several threads that share the items of one job at a time.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<Thread>,
    /// Held by the thread whose job runs.
    turn: Mutex<()>,
}

struct Shared {
    /// Number of the job, whether it is open, and the number of workers inside.
    state: AtomicU64,
    /// The next item of each thread's share, the caller's first.
    next: Box<[Next]>,
    job: UnsafeCell<Option<Job>>,
    /// For each worker, whether it sleeps or is about to.
    sleeping: Box<[AtomicBool]>,
    stop: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// In a cache line of its own, since every thread counts up another one.
#[repr(align(64))]
struct Next(AtomicUsize);

#[derive(Clone, Copy)]
struct Job {
    work: *const Work<'static>,
    items: usize,
}

// SAFETY: `job` is written only by the holder of `turn` while no job is open and nobody is inside, and read only inside.
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer in it is to something `Sync`.
unsafe impl Send for Shared {}

impl Pool {
    /// A pool of `threads`, of which one is the caller.
    pub(crate) fn new(threads: usize) -> Pool {
        let workers = threads.saturating_sub(1);
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            next: (0..=workers).map(|_| Next(AtomicUsize::new(0))).collect(),
            job: UnsafeCell::new(None),
            sleeping: (0..workers).map(|_| AtomicBool::new(false)).collect(),
            stop: AtomicBool::new(false),
            panic: Mutex::new(None),
        });
        // Where the system gives no more threads, those that exist do the work.
        let spawn = |index| {
            let shared = Arc::clone(&shared);
            let builder = thread::Builder::new().name(format!("kernels-{index}"));
            builder.spawn(move || shared.work_forever(index)).ok().map(|handle| handle.thread().clone())
        };
        let workers = (0..workers).map_while(spawn).collect();
        Pool { shared, workers, turn: Mutex::new(()) }
    }

    fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    pub(crate) fn run(&self, items: usize, work: &Work) {
        let alone = items <= 1 || self.workers.is_empty() || BUSY.get();
        let turn = if alone { None } else { self.turn.try_lock().ok() };
        let Some(turn) = turn else {
            return (0..items).for_each(work);
        };
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes. The pointer is used by this call and by workers inside the job, and this
        // call does not return before the job is closed and empty.
        let work: *const Work<'static> = unsafe { std::mem::transmute(std::ptr::from_ref(work)) };
        let job = Job { work, items };
        // SAFETY: this thread holds `turn`, and the last job is closed and empty.
        unsafe { *shared.job.get() = Some(job) };
        for share in 0..shared.next.len() {
            shared.next[share].0.store(shared.share(job, share).start, Ordering::Relaxed);
        }
        let number = shared.state.load(Ordering::Relaxed) / JOB + 1;
        // Sequentially consistent here and where a worker falls asleep: one of the two sees the other.
        shared.state.store((number * JOB) | OPEN, Ordering::SeqCst);
        for (worker, sleeping) in self.workers.iter().zip(&shared.sleeping) {
            if sleeping.load(Ordering::SeqCst) {
                worker.unpark();
            }
        }
        shared.drain(job, 0);
        shared.state.fetch_and(!OPEN, Ordering::Relaxed);
        let since = Instant::now();
        while shared.state.load(Ordering::Acquire) & INSIDE > 0 {
            if since.elapsed() < SPIN { spin_loop() } else { thread::yield_now() }
        }
        drop(turn);
        let panic = shared.panic.lock().unwrap_or_else(|poison| poison.into_inner()).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.workers.iter().for_each(Thread::unpark);
    }
}

impl Shared {
    /// The items that a thread begins with. Neighbours stay together: what lies side by side in memory is then written and read
    /// by the same core from one job to the next, and remains in its cache.
    fn share(&self, job: Job, index: usize) -> Range<usize> {
        let shares = self.next.len();
        job.items * index / shares..job.items * (index + 1) / shares
    }

    /// Takes items until none is left, first those of the thread's own share.
    fn drain(&self, job: Job, own: usize) {
        BUSY.set(true);
        let items = || {
            // SAFETY: the caller of `run` keeps the closure alive until everybody has left the job.
            let work = unsafe { &*job.work };
            let shares = self.next.len();
            for share in (own..shares).chain(0..own) {
                let end = self.share(job, share).end;
                loop {
                    let item = self.next[share].0.fetch_add(1, Ordering::Relaxed);
                    if item >= end {
                        break;
                    }
                    work(item);
                }
            }
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(items)) {
            self.next.iter().for_each(|next| next.0.store(job.items, Ordering::Relaxed));
            let mut first = self.panic.lock().unwrap_or_else(|poison| poison.into_inner());
            first.get_or_insert(panic);
        }
        BUSY.set(false);
    }

    fn work_forever(&self, index: usize) {
        let mut seen = 0;
        let mut idle = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            let state = self.state.load(Ordering::Acquire);
            if state / JOB != seen && state & OPEN != 0 {
                let joined = self.state.compare_exchange(state, state + 1, Ordering::Acquire, Ordering::Relaxed);
                if joined.is_ok() {
                    seen = state / JOB;
                    // SAFETY: this worker is counted as inside, so the job stays as it is until it leaves.
                    if let Some(job) = unsafe { *self.job.get() } {
                        self.drain(job, index + 1);
                    }
                    self.state.fetch_sub(1, Ordering::Release);
                    idle = Instant::now();
                }
            } else if idle.elapsed() < SPIN {
                spin_loop();
            } else {
                self.sleep(index, seen);
                idle = Instant::now();
            }
        }
    }

    /// Sleeps until there is a job that this worker has not seen.
    fn sleep(&self, index: usize, seen: u64) {
        let sleeping = &self.sleeping[index];
        sleeping.store(true, Ordering::SeqCst);
        let state = self.state.load(Ordering::SeqCst);
        let nothing = state & OPEN == 0 || state / JOB == seen;
        if nothing && !self.stop.load(Ordering::SeqCst) {
            thread::park();
        }
        sleeping.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[test]
    fn every_item_runs_once() {
        for threads in [1, 2, 3, 8] {
            let pool = Pool::new(threads);
            for items in [0, 1, 2, 7, 1000] {
                let counts: Vec<AtomicU32> = (0..items).map(|_| AtomicU32::new(0)).collect();
                pool.run(items, &|item| {
                    counts[item].fetch_add(1, Ordering::Relaxed);
                });
                assert!(
                    counts.iter().all(|count| count.load(Ordering::Relaxed) == 1),
                    "{threads} threads, {items} items"
                );
            }
        }
    }

    #[test]
    fn chunks_cover_a_slice_once() {
        let mut values = vec![0.0; 10];
        parallel_chunks(&mut values, 4, |index, chunk| chunk.iter_mut().for_each(|value| *value += index as f32 + 1.0));
        assert_eq!(values, [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 3.0, 3.0]);
    }

    #[test]
    fn sleeping_workers_wake_up() {
        let pool = Pool::new(2);
        for _ in 0..5 {
            thread::sleep(3 * SPIN);
            let helped = AtomicBool::new(false);
            let caller = thread::current().id();
            // The first item waits for the other thread, so that it must come.
            pool.run(2, &|_| {
                if thread::current().id() != caller {
                    helped.store(true, Ordering::SeqCst);
                }
                while !helped.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
            });
        }
    }

    #[test]
    fn calls_from_several_threads_and_from_within_do_not_wait_for_each_other() {
        let pool = Pool::new(3);
        let sum = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        pool.run(5, &|outer| {
                            pool.run(3, &|inner| {
                                sum.fetch_add(outer * inner, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 4 * 200 * 10 * 3);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let pool = Pool::new(2);
        for round in 0..20 {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                pool.run(50, &|item| assert!(item != 17, "item {item}"));
            }));
            let text = *caught.expect_err("a panic").downcast::<String>().expect("a message");
            assert_eq!(text, "item 17", "round {round}");
            let done = AtomicUsize::new(0);
            pool.run(10, &|_| {
                done.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(done.into_inner(), 10);
        }
    }
}
