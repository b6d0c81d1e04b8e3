fn main() {
    cc::Build::new().file("src/lib.c").compile("zcsigchainc");
    println!("cargo::rerun-if-changed=src/lib.c");
}
