//! `segue events`: shows what happened, and follows what happens.

use std::time::Duration;

use clap::Args;
use segue::Code;
use segue_control::{Client, ClientError, EventStream, Extent};
use tokio::time;

use crate::{
    context::Context,
    error::Error,
    event_text,
    exit_code::ExitCode,
    output::{Format, print_notice},
};

/// Show what happened: loads, refusals, rollbacks, confirmations, purges, crashes
///
/// Shows all events in the ledger. Each has its number, its time, its version and file, and who asked for it.
/// If something went wrong, it also has the reason and the next step.
///
/// With --follow, new events are shown as they happen, until you interrupt it. If the connection breaks, for
/// example because the server restarts, it reconnects and continues without a gap.
///
/// Exits with 6 if the runtime cannot be reached at the start.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  segue events --from 120\n  segue events --follow --json")]
pub(crate) struct Events {
    /// Show new events as they happen
    #[arg(long)]
    follow: bool,
    /// Start at this number instead of at the first event
    #[arg(long, value_name = "SEQ", default_value_t = 0, hide_default_value = true)]
    from: u64,
}

/// The pause between two attempts to reach a runtime that was reached before.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a stream ended early.
enum StreamError {
    /// The connection broke.
    Broken(ClientError),
    /// A new connection would not help.
    Failed(Error),
}

// === impl Events ===

impl Events {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let client = context.client();
        // With --follow too, the first connection must succeed.
        let mut stream = client.events(self.from, self.extent()).await?;
        let mut last_seq = None;
        loop {
            match print_all(&mut stream, context.format, &mut last_seq).await {
                Ok(()) if self.extent() == Extent::Recorded => return Ok(ExitCode::Done),
                Err(StreamError::Failed(error)) => return Err(error),
                Err(StreamError::Broken(error)) if self.extent() == Extent::Recorded => {
                    return Err(error.into());
                }
                Ok(()) | Err(StreamError::Broken(_)) => {
                    if context.format == Format::Human {
                        print_notice("segue: connection lost; waiting for the runtime");
                    }
                    stream = self.reopen(&client, last_seq).await?;
                }
            }
        }
    }

    fn extent(&self) -> Extent {
        if self.follow { Extent::Follow } else { Extent::Recorded }
    }

    /// Retries until the runtime can be reached again.
    async fn reopen(&self, client: &Client, last_seq: Option<u64>) -> Result<EventStream, Error> {
        loop {
            time::sleep(RETRY_AFTER).await;
            let opened = match last_seq {
                Some(seq) => client.events_after(seq, self.extent()).await,
                None => client.events(self.from, self.extent()).await,
            };
            match opened {
                Err(error) if error.code() == Code::Unreachable => {}
                opened => return opened.map_err(Error::from),
            }
        }
    }
}

/// Prints all events of the stream.
async fn print_all(
    stream: &mut EventStream,
    format: Format,
    last_seq: &mut Option<u64>,
) -> Result<(), StreamError> {
    loop {
        let record = match stream.next().await {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(()),
            Err(error) if error.code() == Code::Unreachable => return Err(StreamError::Broken(error)),
            Err(error) => return Err(StreamError::Failed(error.into())),
        };
        format.print(&record, event_text::render).map_err(StreamError::Failed)?;
        *last_seq = Some(record.seq);
    }
}
