//! Which sessions have been idle for long: active, idle, archived. A pure function; a dry run is not writing what it says.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::event::Op;
use crate::projection::Projection;
use crate::session::{ActivityState, Session};
use crate::time;

const DAY: i64 = 86_400_000;

/// After how many days without progress a session is idle, and archived.
///
/// sessions-db also takes them from its projection, where they are gone with the next rebuild; here they are given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    idle_days: f64,
    archive_days: f64,
}

impl Default for Thresholds {
    /// 14 and 30.
    fn default() -> Self {
        Self { idle_days: 14.0, archive_days: 30.0 }
    }
}

impl Thresholds {
    /// Those given, the others as they are by default.
    ///
    /// # Errors
    ///
    /// [`Error::Thresholds`] if one is not above nothing, or a session would be archived before it is idle.
    pub fn new(idle_days: Option<f64>, archive_days: Option<f64>) -> Result<Self> {
        let default = Self::default();
        for (name, days) in [("idle", idle_days), ("archive", archive_days)] {
            if let Some(days) = days.filter(|days| !(*days > 0.0 && days.is_finite())) {
                let message = format!("--{name}-threshold-days must be a positive number (got: {days})");
                return Err(Error::Thresholds { message });
            }
        }
        let idle_days = idle_days.unwrap_or(default.idle_days);
        let archive_days = archive_days.unwrap_or(default.archive_days);
        if archive_days < idle_days {
            let message = format!(
                "--archive-threshold-days ({archive_days}) must be >= --idle-threshold-days ({idle_days})"
            );
            return Err(Error::Thresholds { message });
        }
        Ok(Self { idle_days, archive_days })
    }
}

/// A session that is to be in another state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Transition {
    /// It.
    pub stable_id: String,
    /// What it was.
    pub from_state: String,
    /// What it is to be.
    pub to_state: &'static str,
    /// When something last happened.
    pub effective_last_progress: String,
    /// How many whole days ago that was.
    pub age_days: i64,
}

impl Transition {
    pub(crate) fn op(&self) -> Op<'static> {
        Op::Sweep {
            activity_state: Some(Cow::Borrowed(self.to_state)),
            effective_last_progress: Some(Cow::Owned(self.effective_last_progress.clone())),
        }
    }
}

/// Which sessions are to be in another state, in the order in which they appeared.
///
/// What counts is the latest of a session's last progress and its transcripts' times; `changed` may know better when a transcript
/// at this path was last changed than what was seen then. An archived session stays archived.
pub fn sweep(
    sessions: &Projection,
    thresholds: Thresholds,
    now: SystemTime,
    changed: impl Fn(&str) -> Option<SystemTime>,
) -> Vec<Transition> {
    let now = time::millis(now);
    sessions.sessions().filter_map(|session| transition(&session, thresholds, now, &changed)).collect()
}

fn transition(
    session: &Session,
    thresholds: Thresholds,
    now: i64,
    changed: &impl Fn(&str) -> Option<SystemTime>,
) -> Option<Transition> {
    if session.activity_state == ActivityState::Archived.name() {
        return None;
    }
    let (effective, text) = effective_last_progress(session, changed)?;
    let age_days = now.saturating_sub(effective).div_euclid(DAY);
    #[allow(clippy::cast_precision_loss, reason = "days since the year 0 are exact")]
    let age = age_days as f64;
    let to_state = match () {
        () if age >= thresholds.archive_days => ActivityState::Archived,
        () if age >= thresholds.idle_days => ActivityState::Idle,
        () => ActivityState::Active,
    };
    (session.activity_state != to_state.name()).then(|| Transition {
        stable_id: session.stable_id.clone(),
        from_state: session.activity_state.clone(),
        to_state: to_state.name(),
        effective_last_progress: text,
        age_days,
    })
}

/// The latest time at which something happened, and its text; `None` if none is known.
fn effective_last_progress(
    session: &Session,
    changed: &impl Fn(&str) -> Option<SystemTime>,
) -> Option<(i64, String)> {
    let mut latest: Option<(i64, String)> = None;
    let mut take = |text: &str| {
        if let Some(time) =
            time::parse(text).filter(|time| latest.as_ref().is_none_or(|(known, _)| time > known))
        {
            latest = Some((time, text.to_owned()));
        }
    };
    take(&session.last_progress_at);
    for file in &session.transcript_files {
        if let Some(mtime) = file.mtime() {
            take(&mtime);
        }
        if let Some(time) = file.path().and_then(changed) {
            take(&time::to_text(time));
        }
    }
    latest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::reduce::Rules;

    /// A session whose last event and whose transcripts were at these times.
    fn swept(ts: &str, mtimes: &[&str], now: &str) -> Vec<Transition> {
        let mut projection = Projection::new(Rules::Annals);
        let seen = format!(r#"{{"ts":"{ts}","op":"session_seen","stable_id":"s"}}"#);
        projection.apply(&Event::parse(seen.as_bytes()).unwrap());
        for (number, mtime) in mtimes.iter().enumerate() {
            let seen = format!(
                r#"{{"ts":"{ts}","op":"session_seen","stable_id":"s","payload":{{"transcript_file":{{"path":"/{number}","mtime":"{mtime}"}}}}}}"#
            );
            projection.apply(&Event::parse(seen.as_bytes()).unwrap());
        }
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(time::parse(now).unwrap() as u64);
        sweep(&projection, Thresholds::default(), now, |_| None)
    }

    #[test]
    fn the_latest_time_counts_whatever_its_zone_and_digits() {
        let now = "2026-02-01T00:00:00Z";
        let latest = "2026-01-10T01:00:00.5+02:00";
        let found = swept("2026-01-01T00:00:00.000Z", &["2026-01-09T22:00:00Z", latest, "no time", ""], now);
        assert_eq!(
            (&*found[0].effective_last_progress, found[0].age_days, found[0].to_state),
            (latest, 22, "idle")
        );
        // What has no time at all is left alone.
        assert_eq!(swept("yesterday", &["no time"], now), []);
    }

    #[test]
    fn whole_days_count() {
        let at = |now| {
            swept("2026-01-01T00:00:00.000Z", &[], now).pop().map(|found| (found.to_state, found.age_days))
        };
        assert_eq!(at("2026-01-14T23:59:59.999Z"), None);
        assert_eq!(at("2026-01-15T00:00:00.000Z"), Some(("idle", 14)));
        assert_eq!(at("2026-01-30T23:59:59.999Z"), Some(("idle", 29)));
        assert_eq!(at("2026-01-31T00:00:00.000Z"), Some(("archived", 30)));
        // The future is now.
        assert_eq!(at("2025-01-01T00:00:00.000Z"), None);
    }
}
