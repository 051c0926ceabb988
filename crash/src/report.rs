//! What the harnesses came to, as lines while they run and as one table.

use std::fmt::Write;

use crate::tally::Tally;

/// One line of the table.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// What was done.
    pub harness: &'static str,
    /// On what.
    pub place: String,
    /// How often: `1,000 rounds`.
    pub tried: String,
    /// What came of it, over all stores.
    pub tally: Tally,
    /// What the same did to a writer that is broken on purpose; `None` where it wasn't caught.
    pub control: Option<String>,
    /// Why it wasn't done, if it wasn't.
    pub skipped: Option<String>,
}

impl Row {
    /// One that wasn't done, and why.
    pub fn skipped(harness: &'static str, place: &str, why: String) -> Self {
        Self { harness, place: place.to_owned(), skipped: Some(why), ..Self::default() }
    }

    /// Nothing lost, nothing wrong, and the control caught.
    pub fn is_good(&self) -> bool {
        self.skipped.is_some() || (self.tally.lost == 0 && self.tally.bad == 0 && self.control.is_some())
    }

    /// As a line while it runs.
    pub fn line(&self) -> String {
        let Self { harness, place, tried, .. } = self;
        let Tally { acknowledged, lost, asked, bad, texts, .. } = &self.tally;
        if let Some(why) = &self.skipped {
            return format!("{harness}, {place}: skipped, {why}");
        }
        let control = self.control.as_deref().unwrap_or("NOT CAUGHT");
        let mut line = format!(
            "{harness}, {place}: {tried}, {} acknowledged, {lost} lost, {asked} asked, {bad} wrong; control: {control}",
            grouped(*acknowledged)
        );
        for text in texts {
            let _ = write!(line, "\n  {text:.1000}");
        }
        line
    }
}

/// The table, as Markdown.
pub fn table(rows: &[Row], day: &str) -> String {
    let mut table = String::from(
        "| what is done to five stores | where | how often | acknowledged | lost | wrong | asked | a broken writer, the same way |\n|---|---|---:|---:|---:|---:|---:|---|\n",
    );
    for row in rows {
        let Row { harness, place, tried, .. } = row;
        let Tally { acknowledged, lost, asked, bad, .. } = &row.tally;
        let _ = match &row.skipped {
            Some(why) => writeln!(table, "| {harness} | {place} | skipped: {why} | | | | | |"),
            None => writeln!(
                table,
                "| {harness} | {place} | {tried} | {} | **{lost}** | **{bad}** | {asked} | {} |",
                grouped(*acknowledged),
                row.control.as_deref().unwrap_or("not caught"),
            ),
        };
    }
    let _ = writeln!(table, "\n{day}, `cargo xtask crash --report`.");
    table
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups_of_three() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_control_that_is_not_caught_is_not_good() {
        let row = Row { tried: String::from("1 round"), ..Row::default() };
        assert!(!row.is_good());
        assert!(Row { control: Some(String::from("1 lost")), ..row.clone() }.is_good());
        let tally = Tally { bad: 1, ..Tally::default() };
        assert!(!Row { control: Some(String::from("1 lost")), tally, ..row }.is_good());
        assert!(Row::skipped("a", "b", String::from("no root")).is_good());
    }
}
