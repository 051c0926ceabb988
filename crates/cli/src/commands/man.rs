//! `annals man`: manual pages, made of what can be typed.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use serde::Serialize;

use crate::args::Args;
use crate::exit::{Exit, Failure};
use crate::human::{path, plural};
use crate::out::Out;

#[derive(Serialize)]
struct PagesObject {
    folder: String,
    pages: u64,
}

/// The page of the program; with a folder, one of each command, under names that `man` finds: `annals-memory-add.1`.
pub(crate) fn run(folder: Option<&Path>, out: &mut Out) -> Result<Exit, Failure> {
    let mut command = Args::command();
    // Commands then know the whole of their names.
    command.build();
    let Some(folder) = folder else {
        let mut page = Vec::new();
        page_of(command).render(&mut page)?;
        out.bytes(&page)?;
        return Ok(Exit::Done);
    };
    let cannot =
        |source| Failure::Log(jsonl_core::Error::Io { path: folder.to_owned(), action: "write", source });
    if folder.exists() && !folder.is_dir() {
        return Err(Failure::Told(Exit::Usage, format!("{} is no folder", path(folder))));
    }
    fs::create_dir_all(folder).map_err(cannot)?;
    let mut pages = 0;
    let mut left = vec![command];
    while let Some(command) = left.pop() {
        let page = page_of(command.clone());
        let name = page.get_filename();
        let mut text = Vec::new();
        page.render(&mut text)?;
        fs::write(folder.join(name), text).map_err(cannot)?;
        pages += 1;
        left.extend(command.get_subcommands().filter(|inner| inner.get_name() != "help").cloned());
    }
    if out.json {
        out.object(&PagesObject { folder: folder.display().to_string(), pages })?;
    } else {
        out.line(format_args!("{} in {}", plural(pages, "page"), path(folder)))?;
    }
    Ok(Exit::Done)
}

fn page_of(command: Command) -> Man {
    Man::new(command).source(concat!("annals ", env!("CARGO_PKG_VERSION"))).manual("annals")
}
