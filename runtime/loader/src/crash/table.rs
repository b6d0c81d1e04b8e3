//! The images of this process, in a table that a signal handler can read.
//!
//! # Synchronization
//!
//! Writers take a lock. Readers take none, because they may run in a signal handler of the thread that
//! writes. They use the sequence number of each [slot](Slot).

use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;

use crate::{
    crash::{
        entry::{Entry, OPENED_BY, SERIAL, WORDS},
        slot::Slot,
        unmapped::UNMAPPED,
    },
    linker::{linkmap::Addresses, reserve::reserve},
};

/// The most images in the table. A crash in one more is not attributed ([`Table::overflows`]).
const SLOTS: usize = 256;

/// The images of this process.
pub(crate) static TABLE: Table = Table::new();

/// A fixed number of slots.
pub(crate) struct Table {
    slots: [Slot; SLOTS],
    /// The serial number of the last entry. The lock makes writers take turns.
    serial: Mutex<u64>,
    /// Only a counter, so Relaxed is enough.
    overflows: AtomicU64,
}

/// An image's row. Drop it after the image was unmapped, not before: this clears the row.
pub(crate) struct Row {
    table: &'static Table,
    slot: &'static Slot,
    entry: Entry,
}

// === impl Table ===

impl Table {
    pub(super) const fn new() -> Self {
        Table { slots: [const { Slot::new() }; SLOTS], serial: Mutex::new(0), overflows: AtomicU64::new(0) }
    }

    /// Adds an image. `None` if the table is full, which is counted.
    pub(crate) fn insert(&'static self, mut entry: Entry) -> Option<Row> {
        let mut serial = self.serial.lock();
        let Some(slot) = self.slots.iter().find(|slot| slot.word(SERIAL) == 0) else {
            self.overflows.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        *serial += 1;
        entry.0[SERIAL] = *serial;
        slot.write(&entry);
        Some(Row { table: self, slot, entry })
    }

    /// The number of images that did not fit.
    pub(super) fn overflows(&self) -> u64 {
        self.overflows.load(Ordering::Relaxed)
    }

    /// Finds the image at this address. Returns false if there is none.
    // The result goes to `entry`, because the caller may have little stack.
    pub(super) fn find(&self, address: u64, entry: &mut Entry) -> bool {
        self.newest(|slot| slot.span().contains(&address), entry) && entry.span().contains(&address)
    }

    /// Whether this address is in an image. Not for signal handlers, because it needs stack for an entry.
    pub(crate) fn contains(&self, address: usize) -> bool {
        self.find(address as u64, &mut Entry([0; WORDS]))
    }

    /// Finds the image whose code is at this address. Returns false if there is none.
    pub(super) fn find_text(&self, address: u64, entry: &mut Entry) -> bool {
        self.newest(|slot| slot.text().contains(&address), entry) && entry.text().contains(&address)
    }

    /// Finds the file that this thread is opening. Returns false if there is none.
    pub(super) fn find_opened_by(&self, tid: i32, entry: &mut Entry) -> bool {
        self.newest(|slot| slot.word(OPENED_BY) as i32 == tid, entry) && entry.opened_by() == tid
    }

    /// From the first address of any image's code to past the last one. Most words on a stack are outside it.
    pub(super) fn text(&self) -> Range<u64> {
        let mut all = 0..0;
        for slot in &self.slots {
            let text = slot.text();
            if all.is_empty() {
                all = text;
            } else if !text.is_empty() {
                all = all.start.min(text.start)..all.end.max(text.end);
            }
        }
        all
    }

    /// Finds the newest matching entry. An unmapped image stays in the table for a moment, and a new image
    /// may already be mapped at its addresses.
    fn newest(&self, matches: impl Fn(&Slot) -> bool, entry: &mut Entry) -> bool {
        let mut newest = None;
        let mut last = 0;
        for slot in &self.slots {
            let serial = slot.word(SERIAL);
            if serial > last && matches(slot) {
                (newest, last) = (Some(slot), serial);
            }
        }
        newest.is_some_and(|slot| slot.read(entry))
    }
}

// === impl Row ===

impl Row {
    /// The image was unmapped: records its addresses and reserves them for a while. Drop the row after this.
    pub(crate) fn record_unmapped(&self) {
        UNMAPPED.record(&self.entry);
        let span = self.entry.span();
        reserve(span.start as usize..span.end as usize);
    }

    /// Sets the addresses: the image is mapped.
    pub(crate) fn set_addresses(&mut self, addresses: &Addresses) {
        self.entry.set_addresses(addresses);
        let _lock = self.table.serial.lock();
        self.slot.write(&self.entry);
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        let _lock = self.table.serial.lock();
        self.slot.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicBool, thread};

    use super::*;

    fn table() -> &'static Table {
        Box::leak(Box::new(Table::new()))
    }

    fn lookup(find: impl FnOnce(&mut Entry) -> bool) -> Option<Entry> {
        let mut entry = Entry([0; WORDS]);
        find(&mut entry).then_some(entry)
    }

    fn at(table: &Table, address: u64) -> Option<Entry> {
        lookup(|entry| table.find(address, entry))
    }

    fn at_text(table: &Table, address: u64) -> Option<Entry> {
        lookup(|entry| table.find_text(address, entry))
    }

    fn opened_by(table: &Table, tid: i32) -> Option<Entry> {
        lookup(|entry| table.find_opened_by(tid, entry))
    }

    fn row(table: &'static Table, start: usize) -> Row {
        let mut row = table.insert(Entry([7; WORDS])).unwrap();
        row.set_addresses(&Addresses { base: start, span: start..start + 100, text: start + 10..start + 20 });
        row
    }

    #[test]
    fn an_address_is_found_while_its_image_is_in_the_table() {
        let table = table();
        assert!(at(table, 1000).is_none() && table.text().is_empty());
        let (first, second) = (row(table, 1000), row(table, 2000));
        let base = |entry: Option<Entry>| entry.map(|entry| entry.base());
        assert_eq!(
            [1000, 1099, 1100, 999, 2000].map(|there| base(at(table, there)).unwrap_or(0)),
            [1000, 1000, 0, 0, 2000]
        );
        assert_eq!([1009, 1010, 1020].map(|there| base(at_text(table, there))), [None, Some(1000), None]);
        assert_eq!(table.text(), 1010..2020);
        drop(first);
        assert!(at(table, 1000).is_none() && at_text(table, 1010).is_none());
        assert_eq!(table.text(), 2010..2020);
        drop(second);
        assert!(at(table, 2000).is_none());
    }

    #[test]
    fn the_newer_of_two_overlapping_images_is_found() {
        let table = table();
        let base = |address| at(table, address).map(|entry| entry.base());
        let first = row(table, 9000);
        let middle = row(table, 1000);
        let behind = row(table, 1050);
        assert_eq!((base(1040), base(1060)), (Some(1000), Some(1050)));
        drop((first, behind));
        let before = row(table, 1010);
        assert_eq!((base(1005), base(1020)), (Some(1000), Some(1010)));
        drop((before, middle));
    }

    #[test]
    fn the_thread_that_opens_a_file_is_known_until_it_is_mapped() {
        let table = table();
        let mut entry = Entry([0; WORDS]);
        entry.0[OPENED_BY] = 42;
        let mut row = table.insert(entry).unwrap();
        assert!(opened_by(table, 42).is_some() && opened_by(table, 43).is_none() && at(table, 0).is_none());
        row.set_addresses(&Addresses { base: 0, span: 10..20, text: 10..20 });
        assert!(
            opened_by(table, 42).is_none() && opened_by(table, 0).is_none_or(|entry| entry.opened_by() == 0)
        );
        assert!(at(table, 10).is_some());
    }

    #[test]
    fn an_overflow_is_counted_and_a_freed_row_is_reused() {
        let table = table();
        let mut rows: Vec<Row> = (0..SLOTS).map(|at| row(table, 1000 * (at + 1))).collect();
        assert!(table.insert(Entry([7; WORDS])).is_none());
        assert_eq!(table.overflows(), 1);
        drop(rows.pop());
        assert!(table.insert(Entry([7; WORDS])).is_some());
    }

    #[test]
    fn a_read_during_writes_is_consistent() {
        let table = table();
        let is_over = AtomicBool::new(false);
        let read = thread::scope(|scope| {
            scope.spawn(|| {
                let mut row = row(table, 1000);
                for round in 0..20_000 {
                    let start = 1000 + round % 7;
                    row.set_addresses(&Addresses {
                        base: start,
                        span: start..start + 100,
                        text: start + 10..start + 20,
                    });
                    // Pause sometimes, so the reader can finish a read.
                    if round % 16 == 0 {
                        thread::sleep(std::time::Duration::from_micros(1));
                    }
                }
                is_over.store(true, Ordering::Relaxed);
            });
            let mut read = 0;
            while !is_over.load(Ordering::Relaxed) {
                let Some(entry) = at(table, 1050) else { continue };
                assert_eq!(entry.span(), entry.base()..entry.base() + 100);
                assert_eq!(entry.text(), entry.base() + 10..entry.base() + 20);
                read += 1;
            }
            read
        });
        assert!(read > 0, "no read succeeded");
    }
}
