//! Which sessions are meant.

use crate::projection::Projection;
use crate::session::Session;

/// Which sessions are meant: those for which all holds that was asked for.
///
/// ```
/// use annals_catalog::Find;
///
/// let open_ones = Find::new().outcome("open").branch("main").limit(10);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Find {
    task: Option<String>,
    project: Option<String>,
    alias: Option<String>,
    branch: Option<String>,
    cwd: Option<String>,
    state: Option<String>,
    outcome: Option<String>,
    limit: Option<usize>,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident),+) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(mut self, $name: impl Into<String>) -> Self {
                self.$name = Some($name.into());
                self
            }
        )+
    };
}

impl Find {
    /// All of them.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    setters!(
        /// It belongs to this task.
        task,
        /// It belongs to this project.
        project,
        /// It has this alias.
        alias,
        /// It is on this branch, or began on it.
        branch,
        /// Its folder or its worktree has this in its path.
        cwd,
        /// It is in this state.
        state,
        /// It ended so.
        outcome
    );

    /// At most so many. By default all.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    fn matches(&self, session: &Session) -> bool {
        let is = |wanted: &Option<String>, found: &[&Option<String>]| {
            wanted.as_ref().is_none_or(|wanted| found.iter().any(|found| found.as_ref() == Some(wanted)))
        };
        let among = |wanted: &Option<String>, all: &[String]| {
            wanted.as_ref().is_none_or(|wanted| all.contains(wanted))
        };
        let folders = [&session.cwd, &session.worktree_path_observed, &session.worktree_realpath];
        let lies_in = |part: &String| {
            folders.iter().any(|folder| folder.as_ref().is_some_and(|folder| folder.contains(part.as_str())))
        };
        among(&self.task, &session.tasks)
            && among(&self.project, &session.projects)
            && is(&self.alias, &[&session.alias])
            && is(&self.branch, &[&session.branch_current, &session.branch_at_start])
            && self.cwd.as_ref().is_none_or(lies_in)
            && self.state.as_ref().is_none_or(|state| *state == session.activity_state)
            && self.outcome.as_ref().is_none_or(|outcome| *outcome == session.outcome)
    }
}

/// The sessions that are meant, the one with the latest progress first.
#[must_use]
pub fn find(sessions: &Projection, wanted: &Find) -> Vec<Session> {
    let limit = wanted.limit.unwrap_or(usize::MAX);
    if limit == 0 {
        return Vec::new();
    }
    let all = sessions.by_last_progress().into_iter().filter_map(|number| sessions.session(number));
    all.filter(|session| wanted.matches(session)).take(limit).map(std::borrow::Cow::into_owned).collect()
}
