//! Threads that nobody has counted: a library outside of an image has started them, or the image itself past
//! the SDK. They are found by what is on their stacks.
//!
//! The outermost return address on a stack, apart from those of libc, is in the code that has started the
//! thread. A thread of the host, and one that a module has started through the SDK, has the host's there.
//!
//! The system tells where a thread's stack is only while the thread waits in the system. One that computes
//! without a pause is not found.

use std::{
    fs,
    ops::Range,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::{
    crash::memory::{follows_call, read_memory},
    file::imports::is_system_library,
    linker::linkmap,
    threads::describe::name_of,
};

/// How long is waited for one thread to be in the system.
const WAIT_MAX: Duration = Duration::from_millis(1);

/// How much of a stack is looked at, in bytes: its outermost part.
const STACK_BYTES_MAX: usize = 1 << 20;

/// An image with the libraries that came with it: who could have started threads that nobody has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntrackedThreads {
    pub(crate) image: Range<usize>,
    /// By the names that they are needed by.
    pub(crate) libraries: Vec<String>,
}

/// A thread that nobody has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntrackedThread {
    /// Its thread id, as the system counts them.
    pub tid: i32,
    /// Its name, as the system shows it.
    pub name: String,
    /// The library that has started it; none if it was the image.
    pub library: Option<String>,
    /// Whether it is in the image's code, or will return to it.
    pub is_inside: bool,
}

/// Whose code it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    Image,
    Library(String),
    /// The host, or another image.
    Other,
}

/// Where code is, and whose. That of libc is not in it.
type Code = Vec<(Range<usize>, Owner)>;

// === impl Outside ===

impl UntrackedThreads {
    /// The threads of this moment.
    pub fn list(&self) -> Vec<UntrackedThread> {
        let tids = tids();
        // After the threads, so that the stack of each is in it.
        let (stacks, code) = (writable(), self.code());
        tids.into_iter().filter_map(|tid| inspect(tid, &stacks, &code)).collect()
    }

    fn code(&self) -> Code {
        let mut code = Code::new();
        linkmap::for_each_image(&mut |path, place| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let has_name = |library: &&String| Path::new(library).file_name() == path.file_name();
            let owner_of = if place.span == self.image {
                Owner::Image
            } else if is_system_library(&name) {
                return;
            } else {
                self.libraries.iter().find(has_name).cloned().map_or(Owner::Other, Owner::Library)
            };
            code.push((place.text, owner_of));
        });
        code
    }
}

fn inspect(tid: i32, stacks: &[Range<usize>], code: &Code) -> Option<UntrackedThread> {
    let sp = stack_pointer(tid)?;
    let stack = stacks.iter().find(|stack| stack.contains(&sp))?;
    let words = read_stack(sp.max(stack.end.saturating_sub(STACK_BYTES_MAX))..stack.end);
    let (library, is_inside) = started_by(words.iter().rev().filter_map(|word| owner_of(*word, code)))?;
    // None if it has ended meanwhile.
    let name = name_of(tid)?;
    Some(UntrackedThread { tid, name, library, is_inside })
}

/// The library that has started a thread, and whether the thread is in the image, by who is on its stack, the
/// outermost first. None if neither the image nor a library of it has.
fn started_by(mut owners: impl Iterator<Item = Owner>) -> Option<(Option<String>, bool)> {
    match owners.next()? {
        Owner::Other => None,
        Owner::Image => Some((None, true)),
        Owner::Library(library) => {
            let others: Vec<Owner> =
                owners.filter(|owner_of| !matches!(owner_of, Owner::Library(_))).collect();
            let is_inside = others.contains(&Owner::Image);
            // It works for somebody else, who uses the library too.
            (is_inside || others.is_empty()).then_some((Some(library), is_inside))
        }
    }
}

/// Whose return address a word is; none if it is none.
fn owner_of(word: u64, code: &Code) -> Option<Owner> {
    let address = usize::try_from(word).ok()?;
    let (_, owner_of) = code.iter().find(|(text, _)| text.contains(&address))?;
    follows_call(word).then(|| owner_of.clone())
}

// === What the system tells ===

/// The threads of this process, without the first one: that is the host's.
fn tids() -> Vec<i32> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return Vec::new() };
    let names = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok());
    names.filter(|tid: &i32| u32::try_from(*tid) != Ok(std::process::id())).collect()
}

/// Where a thread's stack is in use; none if it has ended, or runs for long.
fn stack_pointer(tid: i32) -> Option<usize> {
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        let text = fs::read_to_string(format!("/proc/self/task/{tid}/syscall")).ok()?;
        // The last but one, before the instruction's address. It is "running" if it runs.
        if let Some(sp) = text.split_whitespace().rev().nth(1) {
            return usize::from_str_radix(sp.strip_prefix("0x")?, 16).ok();
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(WAIT_MAX / 20);
    }
}

/// The memory that can be written, where stacks are among.
fn writable() -> Vec<Range<usize>> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let range = |line: &str| {
        let (start, rest) = line.split_once('-')?;
        let (end, rest) = rest.split_once(' ')?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        rest.starts_with("rw").then_some(address(start)?..address(end)?)
    };
    maps.lines().filter_map(range).collect()
}

/// The words of a stack, as many as can be read.
fn read_stack(stack: Range<usize>) -> Vec<u64> {
    let mut words = vec![0; stack.len() / 8];
    let read = read_memory(stack.start.next_multiple_of(8) as u64, &mut words);
    words.truncate(read);
    words
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn library() -> Owner {
        Owner::Library("libx.so".to_owned())
    }

    #[test]
    fn the_outermost_has_started_it() {
        let started = |owners: &[Owner]| started_by(owners.iter().cloned());
        let by_library = |is_inside| Some((Some("libx.so".to_owned()), is_inside));
        assert_eq!(started(&[]), None);
        assert_eq!(started(&[Owner::Other, Owner::Image]), None, "a call of the host");
        assert_eq!(started(&[Owner::Image, Owner::Other]), Some((None, true)));
        assert_eq!(started(&[library()]), by_library(false));
        assert_eq!(started(&[library(), Owner::Image]), by_library(true));
        assert_eq!(started(&[library(), Owner::Other]), None, "it works for another module");
        assert_eq!(started(&[library(), Owner::Other, Owner::Image]), by_library(true));
    }

    #[test]
    fn a_thread_that_waits_is_found_by_the_code_that_has_started_it() {
        let (end, ended) = mpsc::channel::<()>();
        let waiting = thread::Builder::new().name("waits".to_owned()).spawn(move || ended.recv()).unwrap();
        let here = (a_thread_that_waits_is_found_by_the_code_that_has_started_it as *const ()).addr();
        let mut image = 0..0;
        linkmap::for_each_image(&mut |_, place| {
            if place.span.contains(&here) {
                image = place.span;
            }
        });
        let found =
            |outside: &UntrackedThreads| outside.list().into_iter().find(|thread| thread.name == "waits");
        let outside = UntrackedThreads { image, libraries: Vec::new() };
        let deadline = Instant::now() + Duration::from_secs(10);
        let thread = loop {
            if let Some(thread) = found(&outside) {
                break thread;
            }
            assert!(Instant::now() < deadline, "the thread is found");
        };
        assert!(thread.is_inside && thread.library.is_none(), "{thread:?}");
        let elsewhere = UntrackedThreads { image: 0..1, libraries: Vec::new() };
        assert_eq!(found(&elsewhere), None, "for another image, it is the host's");
        drop(end);
        waiting.join().unwrap().unwrap_err();
        assert_eq!(found(&outside), None);
    }
}
