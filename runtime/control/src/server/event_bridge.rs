//! Carries the news that something happened from the runtime, where readers block, to the reactor, where they do not.
//!
//! One thread waits for all readers, and tells them only that there is news; each reader then takes what it has not seen
//! yet. So a reader that is slow costs nobody anything, and none costs a thread.

use std::{io, thread, time::Duration};

use segue::{Events, NextEvent, Subscription};
use tokio::sync::watch;

/// Whether more may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Something happened, or may yet.
    GoingOn,
    /// Nothing will happen any more.
    Ended,
}

/// How often the thread looks whether anybody is left to tell.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Starts the thread. It ends soon after the last receiver is gone, or when the events end.
pub(super) fn carry_over(events: &Events) -> io::Result<watch::Receiver<News>> {
    let subscription = events.from_now();
    let (sender, receiver) = watch::channel(News::GoingOn);
    thread::Builder::new().name("segue-news".to_owned()).spawn(move || run(subscription, &sender))?;
    Ok(receiver)
}

fn run(mut subscription: Subscription, sender: &watch::Sender<News>) {
    while !sender.is_closed() {
        match subscription.next(LOOK_EVERY) {
            NextEvent::Event(_) => drop(sender.send_replace(News::GoingOn)),
            NextEvent::Quiet => {}
            NextEvent::Closed => {
                sender.send_replace(News::Ended);
                return;
            }
        }
    }
}
