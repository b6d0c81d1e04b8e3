fn main() {
    cc::Build::new().file("src/lib.c").compile("zcsigignc");
    println!("cargo::rerun-if-changed=src/lib.c");
}
