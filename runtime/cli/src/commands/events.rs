//! `segue events`: what happened, and what happens.

use std::time::Duration;

use clap::Args;
use segue::Code;
use segue_control::{Client, ClientError, EventStream, Extent};
use tokio::time;

use crate::{Context, Error, ExitCode, Format, story};

/// Show what happened: loads, refusals, rollbacks, confirmations, purges, crashes
///
/// Everything that the ledger has, each with its number, when it was, which version and file it is about, who asked, and where
/// something went wrong, why, and what to do next. With --follow, what happens is told as it happens, until this is interrupted;
/// where the connection breaks, for instance when the server is restarted, it goes on when it can, and misses nothing.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  segue events --from 120\n  segue events --follow --json")]
pub struct Events {
    /// Go on telling what happens
    #[arg(long)]
    follow: bool,
    /// Begin with this number, instead of with the first
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
                Ok(()) if self.extent() == Extent::Recorded => return Ok(ExitCode::Done),
                Err(Told::Failed(error)) => return Err(error),
                Err(Told::Broken(error)) if self.extent() == Extent::Recorded => return Err(error.into()),
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
        if self.follow { Extent::Follow } else { Extent::Recorded }
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
        format.print(&record, story::tell).map_err(Told::Failed)?;
        *seen = Some(record.seq);
    }
}
