//! Ids of sessions and events: UUIDs of version 7 behind a prefix, each greater than the one before.
//!
//! `sess_019c2291-b3df-7245-90e5-aec56f364e80`: 48 bits of milliseconds, 12 that count within one, 62 of chance
//! (RFC 9562, 5.7, method 1). The text sorts as the ids were made, in one process strictly.

use std::time::SystemTime;

use parking_lot::Mutex;
use uuid::{Uuid, Variant};

use crate::time;

const SESSION: &str = "sess_";
const EVENT: &str = "evt_";

/// The counter has 12 bits.
const COUNT_MAX: u16 = 0x0FFF;

/// The last id's milliseconds and count.
static LAST: Mutex<(u64, u16)> = Mutex::new((0, 0));

/// A new session's id.
#[must_use]
pub fn new_session_id(now: SystemTime) -> String {
    format!("{SESSION}{}", next(now))
}

/// A new event's id.
#[must_use]
pub fn new_event_id(now: SystemTime) -> String {
    format!("{EVENT}{}", next(now))
}

/// Whether a text is a session's id as we write it: the prefix, and a UUID of version 7 in lower case.
#[must_use]
pub fn is_session_id(text: &str) -> bool {
    text.strip_prefix(SESSION).is_some_and(|uuid| parse(uuid).is_some())
}

/// When an id of a session or an event was made, in milliseconds since 1970. `None` if it is neither.
#[must_use]
pub fn timestamp_of(id: &str) -> Option<u64> {
    let uuid = parse(id.strip_prefix(SESSION).or_else(|| id.strip_prefix(EVENT))?)?;
    let (high, _) = uuid.as_u64_pair();
    Some(high >> 16)
}

fn parse(text: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(text).ok()?;
    let is_ours = uuid.get_version_num() == 7 && uuid.get_variant() == Variant::RFC4122;
    // The parser takes other spellings, too.
    (is_ours && uuid.hyphenated().to_string() == text).then_some(uuid)
}

fn next(now: SystemTime) -> Uuid {
    let now = u64::try_from(time::millis(now)).unwrap_or(0).min((1 << 48) - 1);
    let chance = Uuid::new_v4();
    let (millis, count) = {
        let mut last = LAST.lock();
        *last = match *last {
            (millis, COUNT_MAX) if now <= millis => (millis + 1, 0),
            (millis, count) if now <= millis => (millis, count + 1),
            // Begins in the lower half, so that there is room.
            _ => (now, u16::from_be_bytes([chance.as_bytes()[0], chance.as_bytes()[1]]) & (COUNT_MAX >> 1)),
        };
        *last
    };
    let high = millis << 16 | 7 << 12 | u64::from(count);
    // Version 4 has the same variant in its lower half, and chance in the rest of it.
    let (_, low) = chance.as_u64_pair();
    Uuid::from_u64_pair(high, low)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn ids_rise_strictly_also_within_a_millisecond_and_when_the_clock_goes_back() {
        let now = UNIX_EPOCH + Duration::from_millis(4_000_000_000_000);
        let mut last = String::new();
        for step in 0..10_000 {
            let at = if step % 100 == 0 { now - Duration::from_secs(1) } else { now };
            let id = new_session_id(at);
            assert!(id > last, "{id} after {last}");
            assert!(is_session_id(&id), "{id}");
            last = id;
        }
        // 10,000 ids in one millisecond need a few more.
        let reached = timestamp_of(&last).unwrap();
        assert!((4_000_000_000_001..4_000_000_000_010).contains(&reached), "{reached}");
    }

    #[test]
    fn four_threads_never_share_an_id() {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| (0..1000).map(|_| new_event_id(SystemTime::now())).collect::<Vec<_>>())
            })
            .collect();
        let mut ids: Vec<String> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 4000);
    }
}
