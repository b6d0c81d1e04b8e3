//! `segue events`: what happened, and what happens.

use std::time::Duration;

use clap::Args;
use segue::{Code, Event, Record};
use segue_control::{Client, ClientError, EventStream, Extent};
use tokio::time;

use super::status::render_pin;
use crate::{
    Context, Error, ExitCode, Format,
    text::{clean, count, micros, size},
};

/// Show what happened: loads, refusals, rollbacks, purges
///
/// The runtime keeps the last few thousand events. With --follow, what happens is told as it happens, until this is
/// interrupted; where the connection breaks, for instance when the server is restarted, it goes on when it can.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  segue events --from 120\n  segue events --follow --json")]
pub struct Events {
    /// Go on telling what happens
    #[arg(long)]
    follow: bool,
    /// Begin with this number, instead of with the first that is kept
    #[arg(long, value_name = "SEQ", default_value_t = 0, hide_default_value = true)]
    from: u64,
}

/// How long to wait before the next attempt to reach a runtime that was there before.
const RETRY_AFTER: Duration = Duration::from_secs(1);

// === impl Events ===

impl Events {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let client = context.client();
        // A runtime that was never there is an error, also when following.
        let mut stream = client.events(self.from, self.extent()).await?;
        let mut seen = None;
        loop {
            match tell(&mut stream, context.format, &mut seen).await {
                Ok(()) if self.extent() == Extent::Kept => return Ok(ExitCode::Done),
                Err(Told::Failed(error)) => return Err(error),
                Err(Told::Broken(error)) if self.extent() == Extent::Kept => return Err(error.into()),
                Ok(()) | Err(Told::Broken(_)) => {
                    if context.format == Format::Human {
                        eprintln!("segue: the connection ended; waiting for the runtime");
                    }
                    stream = self.reopen(&client, seen).await?;
                }
            }
        }
    }

    fn extent(&self) -> Extent {
        if self.follow { Extent::Follow } else { Extent::Kept }
    }

    /// Tries until the runtime is there again.
    async fn reopen(&self, client: &Client, seen: Option<u64>) -> Result<EventStream, Error> {
        loop {
            time::sleep(RETRY_AFTER).await;
            let opened = match seen {
                Some(seen) => client.events_after(seen, self.extent()).await,
                None => client.events(self.from, self.extent()).await,
            };
            match opened {
                Err(error) if error.code() == Code::Unreachable => {}
                opened => return opened.map_err(Error::from),
            }
        }
    }
}

/// Why a stream ended too early.
enum Told {
    /// The connection.
    Broken(ClientError),
    /// Something that another connection does not change.
    Failed(Error),
}

/// Tells everything that the stream has.
async fn tell(stream: &mut EventStream, format: Format, seen: &mut Option<u64>) -> Result<(), Told> {
    loop {
        let record = match stream.next().await {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(()),
            Err(error) if error.code() == Code::Unreachable => return Err(Told::Broken(error)),
            Err(error) => return Err(Told::Failed(error.into())),
        };
        format.print(&record, render).map_err(Told::Failed)?;
        *seen = Some(record.seq);
    }
}

fn render(record: &Record) -> String {
    format!("{:.3}  #{:<4}  {}\n", record.at, record.seq, render_event(&record.event))
}

fn render_event(event: &Event) -> String {
    match event {
        Event::Loaded { module, current, replaced, source, took_us, .. } => {
            let replaced =
                replaced.as_ref().map_or(String::new(), |id| format!(", {} is old", clean(&id.to_string())));
            let current = current.to_string();
            format!(
                "{}: loaded {}{replaced}, from {}, took {}",
                clean(module),
                clean(&current),
                clean(source),
                micros(*took_us)
            )
        }
        Event::Unchanged { module, current, source } => {
            format!("{}: unchanged, {} is {}", clean(module), clean(source), clean(&current.to_string()))
        }
        Event::Refused { source, error } => {
            let step = error.step.map_or(String::new(), |step| format!(" at {step}"));
            format!("refused {}: {}{step}: {}", clean(source), error.code, clean(&error.message))
        }
        Event::RolledBack { module, current, old, .. } => format!(
            "{}: rolled back to {}, {} is old",
            clean(module),
            clean(&current.to_string()),
            clean(&old.to_string())
        ),
        Event::Purged { module, old, drain_us, purge_us, leaked_bytes, destructors_dropped } => {
            let left = match leaked_bytes {
                0 => String::new(),
                bytes => format!(", with {} that it had left", size(*bytes)),
            };
            let dropped = match destructors_dropped {
                0 => String::new(),
                dropped => format!(", {} not run", count(*dropped, "thread-local destructor")),
            };
            format!(
                "{}: purged {}, drained in {}, gone {} later{left}{dropped}",
                clean(module),
                clean(&old.to_string()),
                micros(*drain_us),
                micros(*purge_us)
            )
        }
        Event::Retained { module, old, pins } => {
            let pins: Vec<String> = pins.iter().map(render_pin).collect();
            format!(
                "{}: {} is not used any more and stays in memory: {}",
                clean(module),
                clean(&old.to_string()),
                pins.join(", ")
            )
        }
        Event::WatchFailed { directory, reason } => {
            format!("the modules directory {} cannot be watched: {}", clean(directory), clean(reason))
        }
        // An event of a later release: its own words are better than none.
        other => clean(&format!("{other:?}")).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use segue::{By, Code, Digest, ErrorObject, Pin, PinKind, Step, VersionId};

    use super::*;

    fn id(version: &str, generation: u64) -> VersionId {
        VersionId { version: version.to_owned(), generation }
    }

    #[test]
    fn a_person_reads_lines() {
        let module = "greeter".to_owned();
        let error = ErrorObject {
            code: Code::BadElf,
            step: Some(Step::Read),
            module: None,
            message: "/srv/x.so: not an ELF\nfile".to_owned(),
            hint: None,
            members: Vec::new(),
        };
        let cases = [
            (
                Event::Loaded {
                    module: module.clone(),
                    current: id("1.1.0", 2),
                    replaced: Some(id("1.0.0", 1)),
                    source: "/srv/libgreeter.so".to_owned(),
                    digest: Digest::of(b""),
                    trial_ms: None,
                    with: Vec::new(),
                    took_us: 2100,
                },
                "greeter: loaded 1.1.0+g2, 1.0.0+g1 is old, from /srv/libgreeter.so, took 2.1 ms",
            ),
            (
                Event::Unchanged {
                    module: module.clone(),
                    current: id("1.1.0", 2),
                    source: "/srv/a.so".to_owned(),
                },
                "greeter: unchanged, /srv/a.so is 1.1.0+g2",
            ),
            (
                Event::Refused { source: "/srv/x.so".to_owned(), error },
                "refused /srv/x.so: bad_elf at read: /srv/x.so: not an ELF\\u{a}file",
            ),
            (
                Event::RolledBack {
                    module: module.clone(),
                    current: id("1.0.0", 1),
                    old: id("1.1.0", 2),
                    digest: Digest::of(b""),
                },
                "greeter: rolled back to 1.0.0+g1, 1.1.0+g2 is old",
            ),
            (
                Event::Purged {
                    module: module.clone(),
                    old: id("1.0.0", 1),
                    drain_us: 3_000_000,
                    purge_us: 900,
                    leaked_bytes: 21_504,
                    destructors_dropped: 1,
                },
                "greeter: purged 1.0.0+g1, drained in 3.0 s, gone 900 µs later, with 21.0 KiB that it had left, 1 \
                 thread-local destructor not run",
            ),
            (
                Event::Retained {
                    module,
                    old: id("1.0.0", 1),
                    pins: vec![Pin {
                        kind: PinKind::Thread,
                        detail: "ticker".to_owned(),
                        waits_for: "it to end".to_owned(),
                    }],
                },
                "greeter: 1.0.0+g1 is not used any more and stays in memory: thread: ticker",
            ),
        ];
        for (event, line) in cases {
            assert_eq!(render_event(&event), line);
        }
        let event = Event::WatchFailed { directory: "/srv".to_owned(), reason: "gone".to_owned() };
        let record =
            Record { seq: 7, at: "2026-01-02T03:04:05.123456Z".parse().unwrap(), by: By::Embedder, event };
        assert_eq!(
            render(&record),
            "2026-01-02T03:04:05.123Z  #7     the modules directory /srv cannot be watched: gone\n"
        );
    }
}
