use super::*;

unsafe extern "C" fn count(object: *mut c_void) {
    // SAFETY: the tests below register it with a pointer to a counter that is still alive.
    unsafe { *object.cast::<u32>() += 1 };
}

unsafe extern "C" fn register_another(object: *mut c_void) {
    // SAFETY: as above.
    unsafe { cxa_thread_atexit(count, object, ptr::null_mut()) };
}

#[test]
fn a_thread_runs_its_own_destructors_once_including_those_registered_meanwhile() {
    let mut counter = 0u32;
    let object = (&raw mut counter).cast::<c_void>();
    // SAFETY: `counter` is alive until `detach_thread` returns.
    unsafe {
        cxa_thread_atexit(count, object, ptr::null_mut());
        cxa_thread_atexit(register_another, object, ptr::null_mut());
    }
    std::thread::spawn(|| assert_eq!(detach_thread(), 0, "another thread has no destructors to run"))
        .join()
        .unwrap();
    assert_eq!(detach_thread(), 3);
    assert_eq!(detach_thread(), 0);
    assert_eq!(counter, 2);
}

#[test]
fn key_destructors_run_and_keys_are_deleted() {
    let mut counter = 0u32;
    let mut key = 0;
    // SAFETY: `key` can be written, and the value, a pointer to `counter`, is valid until the destructors
    // have run.
    unsafe {
        assert_eq!(pthread_key_create(&mut key, Some(count)), 0);
        libc::pthread_setspecific(key, (&raw mut counter).cast());
    }
    assert_eq!(run_key_destructors(), 1);
    assert_eq!(counter, 1);
    // SAFETY: the key exists, and is deleted once.
    assert_eq!(unsafe { pthread_key_delete(key) }, 0);
    assert!(!KEYS.lock().unwrap().iter().any(|ours| ours.key == key));
}
