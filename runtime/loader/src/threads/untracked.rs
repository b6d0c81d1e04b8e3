//! Finds threads that the runtime does not track: an external library started them, or an image did without
//! the SDK. They are found by the return addresses on their stacks.
//!
//! The outermost return address on a stack, except those in libc, is in the code that started the thread. For
//! a thread of the host, and for a thread that a module started through the SDK, it is in the host.
//!
//! The system reports the stack pointer of a thread only while the thread is in a system call. A thread that
//! computes without a pause is not found.

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

/// How long to wait for a thread to enter a system call.
const WAIT_MAX: Duration = Duration::from_millis(1);

/// How much of a stack is searched, in bytes: its outermost part.
const STACK_BYTES_MAX: usize = 1 << 20;

/// An image and its external libraries, whose untracked threads can be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntrackedThreads {
    pub(crate) image: Range<usize>,
    /// Their `DT_NEEDED` names.
    pub(crate) libraries: Vec<String>,
}

/// A thread that the runtime does not track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntrackedThread {
    /// Its thread id in the system.
    pub tid: i32,
    /// Its name in the system.
    pub name: String,
    /// The library that started it; `None` if the image did.
    pub library: Option<String>,
    /// Whether it runs the image's code, or will return to it.
    pub is_inside: bool,
}

/// The owner of code.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    Image,
    Library(String),
    /// The host, or another image.
    Other,
}

/// Address ranges of code and their owners. Code of libc is not included.
type Code = Vec<(Range<usize>, Owner)>;

// === impl UntrackedThreads ===

impl UntrackedThreads {
    /// The untracked threads that exist now.
    pub fn list(&self) -> Vec<UntrackedThread> {
        let tids = tids();
        // After the threads were listed, so the ranges include each stack.
        let (stacks, code) = (writable_ranges(), self.code());
        tids.into_iter().filter_map(|tid| inspect(tid, &stacks, &code)).collect()
    }

    fn code(&self) -> Code {
        let mut code = Code::new();
        linkmap::for_each_image(&mut |path, addresses| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let has_name = |library: &&String| Path::new(library).file_name() == path.file_name();
            let owner = if addresses.span == self.image {
                Owner::Image
            } else if is_system_library(&name) {
                return;
            } else {
                self.libraries.iter().find(has_name).cloned().map_or(Owner::Other, Owner::Library)
            };
            code.push((addresses.text, owner));
        });
        code
    }
}

fn inspect(tid: i32, stacks: &[Range<usize>], code: &Code) -> Option<UntrackedThread> {
    let sp = stack_pointer(tid)?;
    let stack = stacks.iter().find(|stack| stack.contains(&sp))?;
    let words = read_stack(sp.max(stack.end.saturating_sub(STACK_BYTES_MAX))..stack.end);
    let (library, is_inside) = started_by(words.iter().rev().filter_map(|word| owner_of(*word, code)))?;
    // `None` if it has ended meanwhile.
    let name = name_of(tid)?;
    Some(UntrackedThread { tid, name, library, is_inside })
}

/// The library that started a thread, and whether the thread is inside the image. `owners` are those of the
/// return addresses, outermost first. `None` if neither the image nor one of its libraries started the
/// thread.
fn started_by(mut owners: impl Iterator<Item = Owner>) -> Option<(Option<String>, bool)> {
    match owners.next()? {
        Owner::Other => None,
        Owner::Image => Some((None, true)),
        Owner::Library(library) => {
            let others: Vec<Owner> = owners.filter(|owner| !matches!(owner, Owner::Library(_))).collect();
            let is_inside = others.contains(&Owner::Image);
            // If only others are on the stack, it works for another user of the library.
            (is_inside || others.is_empty()).then_some((Some(library), is_inside))
        }
    }
}

/// The owner of the code that a word returns to; `None` if it is not a return address.
fn owner_of(word: u64, code: &Code) -> Option<Owner> {
    let address = usize::try_from(word).ok()?;
    let (_, owner) = code.iter().find(|(text, _)| text.contains(&address))?;
    follows_call(word).then(|| owner.clone())
}

// === Queries of the system ===

/// The threads of this process, without the main thread, which belongs to the host.
fn tids() -> Vec<i32> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return Vec::new() };
    let names = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok());
    names.filter(|tid: &i32| u32::try_from(*tid) != Ok(std::process::id())).collect()
}

/// The stack pointer of a thread; `None` if the thread has ended, or does not enter a system call in time.
fn stack_pointer(tid: i32) -> Option<usize> {
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        let text = fs::read_to_string(format!("/proc/self/task/{tid}/syscall")).ok()?;
        // The last field but one, before the instruction pointer. A thread that computes has only the field
        // "running".
        if let Some(sp) = text.split_whitespace().rev().nth(1) {
            return usize::from_str_radix(sp.strip_prefix("0x")?, 16).ok();
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(WAIT_MAX / 20);
    }
}

/// The writable memory, which includes all stacks.
fn writable_ranges() -> Vec<Range<usize>> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let range = |line: &str| {
        let (start, rest) = line.split_once('-')?;
        let (end, rest) = rest.split_once(' ')?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        rest.starts_with("rw").then_some(address(start)?..address(end)?)
    };
    maps.lines().filter_map(range).collect()
}

/// The words of a stack, up to the first unreadable one.
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
    fn the_outermost_owner_started_the_thread() {
        let started = |owners: &[Owner]| started_by(owners.iter().cloned());
        let by_library = |is_inside| Some((Some("libx.so".to_owned()), is_inside));
        assert_eq!(started(&[]), None);
        assert_eq!(started(&[Owner::Other, Owner::Image]), None, "the host started it");
        assert_eq!(started(&[Owner::Image, Owner::Other]), Some((None, true)));
        assert_eq!(started(&[library()]), by_library(false));
        assert_eq!(started(&[library(), Owner::Image]), by_library(true));
        assert_eq!(started(&[library(), Owner::Other]), None, "it works for another module");
        assert_eq!(started(&[library(), Owner::Other, Owner::Image]), by_library(true));
    }

    #[test]
    fn a_waiting_thread_is_found_by_the_code_that_started_it() {
        let (end, ended) = mpsc::channel::<()>();
        let waiting = thread::Builder::new().name("waits".to_owned()).spawn(move || ended.recv()).unwrap();
        let here = (a_waiting_thread_is_found_by_the_code_that_started_it as *const ()).addr();
        let mut image = 0..0;
        linkmap::for_each_image(&mut |_, addresses| {
            if addresses.span.contains(&here) {
                image = addresses.span;
            }
        });
        let found =
            |threads: &UntrackedThreads| threads.list().into_iter().find(|thread| thread.name == "waits");
        let of_this_image = UntrackedThreads { image, libraries: Vec::new() };
        let deadline = Instant::now() + Duration::from_secs(10);
        let thread = loop {
            if let Some(thread) = found(&of_this_image) {
                break thread;
            }
            assert!(Instant::now() < deadline, "the thread is found");
        };
        assert!(thread.is_inside && thread.library.is_none(), "{thread:?}");
        let of_another_image = UntrackedThreads { image: 0..1, libraries: Vec::new() };
        assert_eq!(found(&of_another_image), None, "for another image, it belongs to the host");
        drop(end);
        waiting.join().unwrap().unwrap_err();
        assert_eq!(found(&of_this_image), None);
    }
}
