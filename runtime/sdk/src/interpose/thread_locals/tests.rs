use super::*;

unsafe extern "C" fn count(object: *mut c_void) {
    // SAFETY: the tests below register it with a pointer to a counter that lives on.
    unsafe { *object.cast::<u32>() += 1 };
}

unsafe extern "C" fn register_another(object: *mut c_void) {
    // SAFETY: as above.
    unsafe { thread_atexit(count, object, ptr::null_mut()) };
}

#[test]
fn a_thread_runs_its_own_destructors_once_and_those_that_they_add() {
    let mut counter = 0u32;
    let object = (&raw mut counter).cast::<c_void>();
    // SAFETY: `counter` outlives the detach.
    unsafe {
        thread_atexit(count, object, ptr::null_mut());
        thread_atexit(register_another, object, ptr::null_mut());
    }
    std::thread::spawn(|| assert_eq!(detach_thread(), 0, "another thread has nothing to run"))
        .join()
        .unwrap();
    assert_eq!(detach_thread(), 3);
    assert_eq!(detach_thread(), 0);
    assert_eq!(counter, 2);
}

#[test]
fn keys_run_their_destructors_and_are_given_back() {
    let mut counter = 0u32;
    let mut key = 0;
    // SAFETY: `key` can be written, and the value, a pointer to `counter`, outlives the detach.
    unsafe {
        assert_eq!(key_create(&mut key, Some(count)), 0);
        libc::pthread_setspecific(key, (&raw mut counter).cast());
    }
    assert_eq!(run_key_destructors(), 1);
    assert_eq!(counter, 1);
    // SAFETY: it exists, and is deleted once.
    assert_eq!(unsafe { key_delete(key) }, 0);
    assert!(!KEYS.lock().unwrap().iter().any(|ours| ours.key == key));
}
