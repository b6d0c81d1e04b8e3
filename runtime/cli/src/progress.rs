//! Shows on a terminal what a long command waits for.

use std::{
    future::Future,
    pin::pin,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use segue::VersionStatus;
use tokio::time;

use crate::{
    context::Context,
    text::{clean, count, duration},
    view::version::name,
};

/// A command that ends within this time shows no progress.
const DELAY: Duration = Duration::from_millis(300);
/// How often to ask the runtime for the calls inside.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How often the spinner moves.
const TICK: Duration = Duration::from_millis(100);

/// Waits for `work`. On a terminal, it shows the action, the time, and the calls inside the old version of
/// the module.
pub(crate) async fn while_waiting<T>(
    context: &Context,
    action: &str,
    module: Option<&str>,
    work: impl Future<Output = T>,
) -> T {
    if !context.shows_progress() {
        return work.await;
    }
    let started = Instant::now();
    let mut work = pin!(work);
    if let Ok(done) = time::timeout(DELAY, &mut work).await {
        return done;
    }
    let spinner = ProgressBar::new_spinner()
        .with_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is valid"));
    spinner.enable_steady_tick(TICK);
    let done = loop {
        let poll = async {
            let old = match module {
                Some(module) => context.client().status(module).await.ok().and_then(|status| status.old),
                None => None,
            };
            spinner.set_message(message(action, started.elapsed(), old.as_ref()));
            time::sleep(POLL_INTERVAL).await;
        };
        tokio::select! {
            done = &mut work => break done,
            () = poll => {}
        }
    };
    spinner.finish_and_clear();
    done
}

fn message(action: &str, elapsed: Duration, old: Option<&VersionStatus>) -> String {
    let action = clean(action);
    let elapsed = elapsed.as_secs();
    let Some(old) = old else { return format!("{action}, {elapsed} s") };
    let inside = count(old.inside, "call");
    let oldest = match old.oldest_ms {
        Some(oldest_ms) => format!(", the oldest for {}", duration(Duration::from_millis(oldest_ms))),
        None => String::new(),
    };
    format!("{action}, {elapsed} s: {inside} inside {}{oldest}", name(&old.version, old.generation))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data::module;

    #[test]
    fn the_message_has_the_calls_inside() {
        let old = module().old;
        assert_eq!(
            message("purging greeter", Duration::from_secs(3), old.as_ref()),
            "purging greeter, 3 s: 1 call inside 1.0.0+g1, the oldest for 2.5 s"
        );
        assert_eq!(message("loading x.so", Duration::from_secs(1), None), "loading x.so, 1 s");
    }
}
