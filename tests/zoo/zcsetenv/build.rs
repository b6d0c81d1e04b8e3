fn main() {
    cc::Build::new().file("src/lib.c").compile("zcsetenvc");
    println!("cargo::rerun-if-changed=src/lib.c");
}
