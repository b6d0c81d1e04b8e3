fn main() {
    cc::Build::new().file("src/lib.c").compile("zckeyc");
    println!("cargo::rerun-if-changed=src/lib.c");
}
