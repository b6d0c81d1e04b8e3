//! Signals new events from the runtime, whose readers block, to the reactor, whose tasks must not.
//!
//! One thread waits on behalf of all event streams. It signals only that there is something to read, and each
//! stream then reads what it has not seen yet. A slow stream therefore delays no other, and a stream costs no
//! thread.

use std::{io, thread, time::Duration};

use segue::{Events, NextEvent, Subscription};
use tokio::sync::watch;

/// Whether more events can come. Each new event sends the value again, which wakes the receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventSignal {
    /// More events can come.
    Open,
    /// The runtime has stopped, and no event will follow.
    Closed,
}

/// How often the thread checks whether any receiver is left.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Starts the thread. It stops when the events end, or within [`POLL_INTERVAL`] of the last receiver's drop.
pub(super) fn start(events: &Events) -> io::Result<watch::Receiver<EventSignal>> {
    let subscription = events.from_now();
    let (sender, receiver) = watch::channel(EventSignal::Open);
    thread::Builder::new().name("segue-events".to_owned()).spawn(move || run(subscription, &sender))?;
    Ok(receiver)
}

fn run(mut subscription: Subscription, sender: &watch::Sender<EventSignal>) {
    while !sender.is_closed() {
        match subscription.next(POLL_INTERVAL) {
            NextEvent::Event(_) => drop(sender.send_replace(EventSignal::Open)),
            NextEvent::TimedOut => {}
            NextEvent::Closed => {
                sender.send_replace(EventSignal::Closed);
                return;
            }
        }
    }
}
