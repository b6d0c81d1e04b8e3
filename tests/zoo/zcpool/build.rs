fn main() {
    cc::Build::new().file("src/lib.c").compile("zcpoolc");
    println!("cargo::rerun-if-changed=src/lib.c");
}
