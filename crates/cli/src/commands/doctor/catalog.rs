//! Catalogs: our own, and those of sessions-db.

use std::path::Path;

use annals_catalog::{Catalog, CatalogOptions};

use super::files::len_of_all;
use super::findings::{Findings, Kind};
use super::{Kept, at_home, counted};
use crate::human::plural;

/// annals's own, or what is left of it.
pub(super) fn own(folder: &Path, kept: &mut Vec<Kept>, findings: &mut Findings) {
    const WHO: &str = "catalog";
    let own = CatalogOptions::new().program("annals").open(folder);
    let exists = match own.exists() {
        Ok(exists) => exists,
        Err(error) => return findings.failure(WHO, &error.into()),
    };
    if exists {
        let verify = findings.annals("catalog --own verify");
        let all = len_of_all(WHO, folder, findings);
        let beside = all.saturating_sub(findings.len_of(WHO, own.log_path()));
        look(WHO, &own, beside, &verify, kept, findings);
        findings.holder(WHO, "the log", jsonl_core::holder(own.log_path()));
    } else if !findings.entries(WHO, folder).is_empty() {
        // What lies beside a log is made from it.
        let log = own.log_path().file_name().unwrap_or_default().to_string_lossy();
        let text = format!("{}: its log {log} is gone", at_home(folder));
        findings.add(Kind::Damaged, WHO, text, None);
    }
}

/// A catalog, our own or one of sessions-db, and how many bytes are ours beside its log.
pub(super) fn look(
    who: &'static str,
    catalog: &Catalog,
    beside: u64,
    verify: &str,
    kept: &mut Vec<Kept>,
    findings: &mut Findings,
) {
    let (projection, report) = match catalog.verify() {
        Ok(found) => found,
        Err(error) => return findings.failure(who, &error.into()),
    };
    let holds = counted(&[(projection.len() as u64, "session"), (report.events, "event")]);
    let path = catalog.log_path();
    let paths = vec![catalog.root().to_owned()];
    let len = findings.len_of(who, path);
    kept.push(Kept { who, holds: holds.join(", "), len, beside, paths });
    let damaged = report.damaged + report.fused + report.torn.saturating_sub(1);
    if damaged > 0 {
        findings.add(Kind::Damaged, who, plural(damaged, "damaged line"), Some(verify.to_owned()));
    } else if report.torn > 0 {
        findings.add(Kind::Unfinished, who, String::from("an unfinished last line"), None);
    }
    if report.odd > 0 {
        let text = format!("{} that is no event", plural(report.odd, "line"));
        findings.add(Kind::Stuck, who, text, Some(verify.to_owned()));
    }
}
