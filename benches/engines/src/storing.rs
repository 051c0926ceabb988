//! Durable messages, one at a time, and a history read back.

use std::path::Path;

use annals_benches::corpus::Size;
use annals_benches::measure::{Table, Target, Work, side};
use annals_benches::messages::{a_sync_for, append_durably, filled, fresh, write_and_sync};
use annals_benches::originals::Message;
use fjall::{Config, PartitionCreateOptions, PersistMode};
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};
use rusqlite::Connection;

const MESSAGES: TableDefinition<'_, u64, (&str, &str)> = TableDefinition::new("messages");

pub(crate) fn run(folder: &Path, name: &str, messages: &[Message], size: Size, table: &mut Table) {
    durable(folder, name, messages, size, table);
    history(folder, name, messages, size, table);
}

fn sqlite(folder: &Path, synchronous: &str) -> Connection {
    let connection = Connection::open(folder.join("messages.db")).unwrap();
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous};
             CREATE TABLE messages (id INTEGER PRIMARY KEY, role TEXT NOT NULL, content TEXT NOT NULL);"
        ))
        .unwrap();
    connection
}

fn insert(connection: &Connection, message: &Message) {
    connection
        .prepare_cached("INSERT INTO messages (role, content) VALUES (?1, ?2)")
        .unwrap()
        .execute((&message.role, &message.content))
        .unwrap();
}

fn durable(folder: &Path, name: &str, messages: &[Message], size: Size, table: &mut Table) {
    let message = |n: usize| &messages[n % messages.len()];
    for (threads, target) in [(1, 0.95), (16, 4.0), (64, 8.0)] {
        // Starting the threads is no part of it.
        let count = match size {
            Size::Full if threads > 1 => 3200,
            Size::Full => 800,
            _ => 100,
        };
        let job = format!("durable message, {threads} threads, {name}");
        let ours = || append_durably(folder, messages, count, threads);
        let with_sqlite = |synchronous: &'static str| {
            move || {
                let connection = sqlite(&fresh(folder, "sqlite"), synchronous);
                (0..count).for_each(|n| insert(&connection, message(n)));
                let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
                connection.query_row("SELECT count(*) FROM messages", [], count).unwrap() as usize
            }
        };
        let work = Work::Records(count as u64);
        table.compare(
            &job,
            work,
            side("ours", ours),
            side("SQLite, WAL, FULL, one writer", with_sqlite("FULL")),
            Target::AtLeast(target),
        );
        // What the disk gives whoever writes behind the end of a file.
        table.compare(
            &format!("{}, {name}", a_sync_for(threads)),
            work,
            side("that", || write_and_sync(folder, messages, count, threads)),
            side("SQLite, WAL, FULL, one writer", with_sqlite("FULL")),
            Target::Shown,
        );
        table.compare(
            &job,
            work,
            side("ours", ours),
            side("SQLite, WAL, NORMAL (not durable)", with_sqlite("NORMAL")),
            Target::Shown,
        );
        table.compare(
            &job,
            work,
            side("ours", ours),
            side("redb, a commit each, one writer", || {
                let database = Database::create(fresh(folder, "redb").join("messages.redb")).unwrap();
                for n in 0..count {
                    let write = database.begin_write().unwrap();
                    let message = message(n);
                    write
                        .open_table(MESSAGES)
                        .unwrap()
                        .insert(n as u64, (message.role.as_str(), message.content.as_str()))
                        .unwrap();
                    write.commit().unwrap();
                }
                database.begin_read().unwrap().open_table(MESSAGES).unwrap().len().unwrap() as usize
            }),
            Target::Shown,
        );
        table.compare(
            &job,
            work,
            side("ours", ours),
            side("fjall, SyncData each, one writer", || {
                let keyspace = Config::new(fresh(folder, "fjall")).open().unwrap();
                let partition =
                    keyspace.open_partition("messages", PartitionCreateOptions::default()).unwrap();
                for n in 0..count {
                    partition
                        .insert((n as u64).to_be_bytes(), serde_json::to_vec(message(n)).unwrap())
                        .unwrap();
                    keyspace.persist(PersistMode::SyncData).unwrap();
                }
                let (last, _) = partition.last_key_value().unwrap().unwrap();
                u64::from_be_bytes(last.as_ref().try_into().unwrap()) as usize + 1
            }),
            Target::Shown,
        );
    }
}

fn history(folder: &Path, name: &str, messages: &[Message], size: Size, table: &mut Table) {
    let job = format!("history of messages, {name}");
    if !table.wants(&job) {
        return;
    }
    let count = if size == Size::Full { 20_000 } else { 2_000 };
    let folder = &fresh(folder, "history");
    let session = filled(folder, messages, count);
    let connection = sqlite(&fresh(folder, "sqlite"), "NORMAL");
    connection.execute_batch("BEGIN").unwrap();
    (0..count).for_each(|n| insert(&connection, &messages[n % messages.len()]));
    connection.execute_batch("COMMIT").unwrap();
    let database = Database::create(fresh(folder, "redb").join("messages.redb")).unwrap();
    let write = database.begin_write().unwrap();
    {
        let mut rows = write.open_table(MESSAGES).unwrap();
        for n in 0..count {
            let message = &messages[n % messages.len()];
            rows.insert(n as u64, (message.role.as_str(), message.content.as_str())).unwrap();
        }
    }
    write.commit().unwrap();
    let work = Work::Records(count as u64);
    let ours = || session.history().unwrap().messages.len();
    let select = || {
        let mut statement =
            connection.prepare_cached("SELECT role, content FROM messages ORDER BY id").unwrap();
        let rows = statement
            .query_map([], |row| Ok(Message { role: row.get(0)?, content: row.get(1)? }))
            .unwrap()
            .map(Result::unwrap);
        rows.collect::<Vec<_>>()
    };
    table.compare(
        &job,
        work,
        side("ours", ours),
        side("SQLite, select", || select().len()),
        Target::AtLeast(1.8),
    );
    table.compare(
        &format!("history of messages, text decoded, {name}"),
        work,
        side("ours", || {
            session.history().unwrap().messages.iter().map(|message| message.text().len()).sum::<usize>()
        }),
        side("SQLite, select", || select().iter().map(|message| message.content.len()).sum()),
        Target::Shown,
    );
    table.compare(
        &job,
        work,
        side("ours", ours),
        side("redb", || {
            let read = database.begin_read().unwrap();
            let rows = read.open_table(MESSAGES).unwrap();
            let messages = rows.iter().unwrap().map(|row| {
                let (_, value) = row.unwrap();
                let (role, content) = value.value();
                Message { role: role.to_owned(), content: content.to_owned() }
            });
            messages.collect::<Vec<_>>().len()
        }),
        Target::Shown,
    );
}
