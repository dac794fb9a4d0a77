//! The budget's accounts: who holds how much, who waits for more, and who has to give some back.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kvs_mkv::PayloadPool;
use tokio::sync::{Notify, oneshot};

/// The largest small fragment, as a fraction of the budget.
const SMALL_PART: usize = 64;
/// The reserve for small fragments, as a multiple of the largest of them.
const SMALL_RESERVED: usize = 8;
/// The part of the budget that buffers of dropped fragments may have while it is free.
const BUFFERS_PART: usize = 8;
/// Growth by fewer bytes than this does not count: the server sends byte by byte.
const GROWTH_BYTES: usize = 4 << 10;
/// How long a fragment that gave its memory back waits behind all others.
const READMITTED_AFTER: Duration = Duration::from_secs(30);

/// A request for memory.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) wanted_bytes: usize,
    /// How much memory the fragment already has.
    pub(super) held_bytes: usize,
    /// Whether the fragment gave its memory back before.
    pub(super) readmission: bool,
}

#[derive(Debug)]
struct Waiter {
    wish: Wish,
    since: Instant,
    grant: oneshot::Sender<Grant>,
}

/// The memory that a stream gets.
#[derive(Debug, Default)]
pub(super) struct Grant {
    pub(super) shared_bytes: usize,
    pub(super) small_bytes: usize,
    pub(super) overdrawn_bytes: usize,
}

pub(super) type Grants = Vec<(oneshot::Sender<Grant>, Grant)>;

/// A fragment that is being read.
#[derive(Debug)]
struct Incoming {
    held_bytes: usize,
    overdraft: bool,
    /// Whether the session waits for bytes from the service, and for nothing else.
    reading: bool,
    grew: Instant,
    grown_bytes: usize,
    /// Whether the session was asked to give its memory back.
    evicted: bool,
    evict: Arc<Notify>,
}

#[derive(Debug)]
pub(super) struct Pool {
    size_bytes: usize,
    shared_size_bytes: usize,
    shared_free_bytes: usize,
    small_free_bytes: usize,
    /// The least that was free at any time.
    least_free_bytes: usize,
    small_max_bytes: usize,
    overdraft_taken: bool,
    waiters: VecDeque<Waiter>,
    incoming: HashMap<u64, Incoming>,
    next_id: u64,
    /// Buffers of dropped fragments, in memory that nobody has.
    buffers: PayloadPool,
}

impl Pool {
    pub(super) fn new(size_bytes: usize) -> Self {
        let small_max_bytes = size_bytes / SMALL_PART / GROWTH_BYTES * GROWTH_BYTES;
        let small_free_bytes = small_max_bytes * SMALL_RESERVED;
        let shared_size_bytes = size_bytes - small_free_bytes;
        Self {
            size_bytes,
            shared_size_bytes,
            shared_free_bytes: shared_size_bytes,
            small_free_bytes,
            least_free_bytes: size_bytes,
            small_max_bytes,
            overdraft_taken: false,
            waiters: VecDeque::new(),
            incoming: HashMap::new(),
            next_id: 0,
            buffers: PayloadPool::new(size_bytes / BUFFERS_PART),
        }
    }

    pub(super) fn free_bytes(&self) -> usize {
        self.shared_free_bytes + self.small_free_bytes
    }

    pub(super) fn least_free_bytes(&self) -> usize {
        self.least_free_bytes
    }

    /// Notes that less is free than before.
    fn note_least(&mut self) {
        self.least_free_bytes = self.least_free_bytes.min(self.free_bytes());
    }

    pub(super) fn buffers(&self) -> &PayloadPool {
        &self.buffers
    }

    /// Takes buffers of dropped fragments out whose memory somebody has now.
    pub(super) fn make_room(&self) -> Vec<Vec<u8>> {
        self.buffers.set_room(self.shared_free_bytes)
    }

    /// Acquires bytes if they are free and nobody waits. Returns whether it did.
    pub(super) fn take_now(&mut self, count: usize) -> bool {
        let taken = self.waiters.is_empty() && self.shared_free_bytes >= count;
        if taken {
            self.shared_free_bytes -= count;
            self.note_least();
            drop(self.make_room());
        }
        taken
    }

    pub(super) fn give_back(&mut self, shared_bytes: usize, small_bytes: usize, overdraft: bool) {
        self.shared_free_bytes += shared_bytes;
        self.small_free_bytes += small_bytes;
        self.overdraft_taken &= !overdraft;
    }

    pub(super) fn wait(&mut self, wish: Wish, since: Instant) -> oneshot::Receiver<Grant> {
        let (grant, granted) = oneshot::channel();
        self.waiters.push_back(Waiter { wish, since, grant });
        granted
    }

    /// Removes those from the queue who can get what they wait for.
    pub(super) fn hand_out(&mut self, now: Instant) -> Grants {
        let mut grants = Grants::new();
        let mut kept = VecDeque::new();
        // A waiter who cannot get everything blocks those behind, who would otherwise acquire all memory that is
        // released.
        let mut blocked = false;
        let mut waiters = std::mem::take(&mut self.waiters);
        waiters.retain(|waiter| !waiter.grant.is_closed());
        let others_wait = waiters.iter().any(|waiter| !waiter.is_behind(now));
        for waiter in waiters {
            let behind = waiter.is_behind(now);
            let grant = match behind && (others_wait || blocked) {
                true => None,
                false => self.grant(&waiter.wish, behind, blocked),
            };
            match grant {
                Some(grant) => grants.push((waiter.grant, grant)),
                None => {
                    blocked |= !behind && waiter.wish.wanted_bytes <= self.shared_size_bytes;
                    kept.push_back(waiter);
                }
            }
        }
        self.waiters = kept;
        grants
    }

    fn grant(&mut self, wish: &Wish, behind: bool, blocked: bool) -> Option<Grant> {
        let wanted = wish.wanted_bytes;
        // A fragment that has stalled before leaves some room for those that do not.
        let left = if behind { self.size_bytes / 8 } else { 0 };
        if !blocked && self.shared_free_bytes >= wanted.saturating_add(left) {
            self.shared_free_bytes -= wanted;
            self.note_least();
            return Some(Grant { shared_bytes: wanted, ..Grant::default() });
        }
        if wish.readmission {
            return None;
        }
        let is_small = wish.held_bytes.saturating_add(wanted) <= self.small_max_bytes;
        if is_small && self.small_free_bytes >= wanted {
            self.small_free_bytes -= wanted;
            self.note_least();
            return Some(Grant { small_bytes: wanted, ..Grant::default() });
        }
        if !self.overdraft_taken {
            self.overdraft_taken = true;
            return Some(Grant { overdrawn_bytes: wanted, ..Grant::default() });
        }
        None
    }

    /// Asks fragments that have not grown to give back what others wait for.
    pub(super) fn reclaim(&mut self, now: Instant, stalled_after: Duration) {
        let waiting = self.waiters.iter().filter(|waiter| !waiter.is_behind(now));
        let Some(wanted) = waiting.map(|waiter| waiter.wish.wanted_bytes).reduce(usize::saturating_add) else { return };
        // Those that wait will need more than the next bytes of their fragments.
        let mut missing = wanted.max(self.size_bytes / 4).saturating_sub(self.shared_free_bytes);
        let mut stalled: Vec<&mut Incoming> = Vec::new();
        for incoming in self.incoming.values_mut() {
            if incoming.evicted {
                missing = missing.saturating_sub(incoming.held_bytes);
            } else if incoming.reading
                && incoming.held_bytes > 0
                && now.saturating_duration_since(incoming.grew) >= stalled_after
            {
                stalled.push(incoming);
            }
        }
        stalled.sort_by_key(|incoming| std::cmp::Reverse((incoming.overdraft, incoming.held_bytes)));
        for incoming in stalled {
            if missing == 0 {
                break;
            }
            missing = missing.saturating_sub(incoming.held_bytes);
            incoming.evicted = true;
            incoming.evict.notify_one();
        }
    }

    /// Registers a session and returns its id.
    pub(super) fn begin(&mut self, evict: Arc<Notify>, now: Instant) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let (held_bytes, overdraft, reading, grown_bytes, evicted) = (0, false, false, 0, false);
        self.incoming.insert(id, Incoming { held_bytes, overdraft, reading, grew: now, grown_bytes, evicted, evict });
        id
    }

    pub(super) fn end(&mut self, id: u64) {
        self.incoming.remove(&id);
    }

    /// Notes that a fragment begins, or continues after its session was not read for a while.
    pub(super) fn resume(&mut self, id: u64, now: Instant) {
        if let Some(incoming) = self.incoming.get_mut(&id) {
            (incoming.grew, incoming.grown_bytes, incoming.evicted) = (now, 0, false);
        }
    }

    pub(super) fn is_evicted(&self, id: u64) -> bool {
        self.incoming.get(&id).is_some_and(|incoming| incoming.evicted)
    }

    pub(super) fn set_reading(&mut self, id: u64, reading: bool) {
        if let Some(incoming) = self.incoming.get_mut(&id) {
            incoming.reading = reading;
        }
    }

    /// Notes a fragment's memory, which is `grown_bytes` more than before.
    pub(super) fn hold(&mut self, id: u64, held_bytes: usize, overdraft: bool, grown_bytes: usize, now: Instant) {
        let Some(incoming) = self.incoming.get_mut(&id) else { return };
        (incoming.held_bytes, incoming.overdraft) = (held_bytes, overdraft);
        incoming.grown_bytes = incoming.grown_bytes.saturating_add(grown_bytes);
        if incoming.grown_bytes >= GROWTH_BYTES {
            (incoming.grew, incoming.grown_bytes, incoming.evicted) = (now, 0, false);
        }
    }
}

impl Waiter {
    /// Returns whether the waiter is behind all others.
    fn is_behind(&self, now: Instant) -> bool {
        self.wish.readmission && now.saturating_duration_since(self.since) < READMITTED_AFTER
    }
}
