fn main() {
    cc::Build::new().file("src/lib.c").compile("zcmutexc");
    println!("cargo::rerun-if-changed=src/lib.c");
}
